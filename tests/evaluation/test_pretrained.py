import pytest
import torch

from speechxl.config import PRESETS, Contrast, Mask, settle
from speechxl.data.datamodule import SpeechDataset, ordered_batches
from speechxl.data.manifest import read_manifest
from speechxl.evaluation.codes import code_usage, usage_of
from speechxl.evaluation.pretrained import hear
from speechxl.tasks.pretraining import Pretraining


@pytest.fixture
def dataset(corpus):
    return SpeechDataset(read_manifest(corpus / "manifest.tsv"), ["quy", "swh"], normalise=True, seed=3)


@pytest.fixture
def model(pretraining_model):
    return pretraining_model.eval()


def test_the_losses_of_utterances_add_up_to_that_of_pretraining(model, dataset):
    objective = settle(Contrast(), PRESETS["tiny"], gumbel_start=2.0)
    task = Pretraining(
        model, mask=Mask(), objective=objective, hours={"quy": 1.0, "swh": 1.0}, seed=1, lr=1e-3, schedule=lambda step: 1.0,
        weight_decay=0.0,
    ).eval()  # fmt: skip
    (places,) = ordered_batches(dataset, 60)
    with torch.no_grad():
        measures = task.loss(dataset.collate([dataset[place] for place in places])).measures
    heard = list(hear(model, dataset, 60))
    assert len(heard) == 14
    assert sum(item.masked for item in heard) == measures["contrastive"][1]
    assert sum(item.loss for item in heard) == pytest.approx(float(measures["contrastive"][0]), rel=1e-5)
    assert sum(item.correct for item in heard) == float(measures["accuracy"][0])
    assert sum(item.tied for item in heard) == pytest.approx(float(measures["tied_distractors"][0]), rel=1e-5)


def test_an_utterance_is_heard_alike_in_any_batch(model, dataset):
    together = {item.utterance.id: item for item in hear(model, dataset, 60)}
    for item in hear(model, dataset, 0.1):
        other = together[item.utterance.id]
        assert (item.codes == other.codes).all()
        assert (item.masked, item.correct) == (other.masked, other.correct)
        assert item.loss == pytest.approx(other.loss, rel=1e-4)


def test_codes_are_those_of_the_codebook_report(model, dataset):
    heard = list(hear(model, dataset, 60))
    report = code_usage(model, dataset, 60)
    for language, entry in report["languages"].items():
        codes = [torch.from_numpy(item.codes) for item in heard if item.utterance.language == language]
        counts = torch.stack([torch.bincount(book, minlength=64) for book in torch.cat(codes).T])
        assert usage_of(counts) == entry


def test_a_damaged_recording_is_left_out_and_the_others_are_heard_once(model, dataset):
    dataset.utterances[5].path.write_text("no audio")
    heard = [item.utterance.id for item in hear(model, dataset, 2)]
    assert sorted(heard) == [utterance.id for utterance in dataset.utterances if utterance.id != "u05.wav"]
