"""`finetune --conditioning.layers`: predictions of lower layers that are trained, and fed back."""

import copy

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from speechxl.cli import main
from speechxl.config import Adapter, Augment, Conditioning, Optim, Watch
from speechxl.errors import InputError
from speechxl.models.conditioning import add_conditioning
from speechxl.models.folders import read_card
from speechxl.models.making import new_ctc_model
from speechxl.models.weights import load_ctc_model
from speechxl.shapes import Batch, Targets
from speechxl.tasks.recognition import Recognition
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from tests.conftest import SMALL, small_preset

QUICK = {"max_steps": 2, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1)}
FED = Conditioning(layers=(1,))


def scratch(corpus, out, **options):
    settings = {"conditioning": FED, **QUICK, **options}
    return finetune(train=[corpus], out=out, preset="tiny", architecture=SMALL, **settings)


def test_the_loss_is_shared_between_the_last_and_the_other_layers(vocabulary):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabulary)
    add_conditioning(model, [1])
    torch.nn.init.normal_(model.conditioning.weight)
    task = Recognition(
        model, vocabulary=vocabulary, augment=Augment(0.0, 10, 0.0), freeze_extractor=False, freeze_encoder=0, languages=[""],
        patience=0, conditioning=0.3, seed=1, lr=1e-4, schedule=lambda step: 1.0, weight_decay=0.0,
    ).eval()  # fmt: skip
    tokens = torch.tensor([vocabulary.encode("ba do"), vocabulary.encode("lo la")])
    lengths = torch.tensor([16_000, 12_000])
    waveform = torch.randn(2, 16_000) * (torch.arange(16_000) < lengths[:, None])
    batch = Batch(
        ["a", "b"], torch.arange(2), waveform, lengths, padded=True, languages=torch.zeros(2, dtype=torch.long),
        targets=Targets(["ba do", "lo la"], tokens, torch.tensor([5, 5])),
    )  # fmt: skip
    found = task.loss(batch)
    encoded = model.wav2vec2(waveform, lengths)
    parts = []
    for logits in (model.lm_head(encoded.features), *encoded.intermediate):
        emissions = logits.log_softmax(-1).transpose(0, 1)
        parts.append(F.ctc_loss(emissions, tokens, encoded.lengths, torch.tensor([5, 5]), reduction="none"))
    torch.testing.assert_close(found.utterances, 0.7 * parts[0] + 0.3 * parts[1])
    assert (parts[0] - parts[1]).abs().min() > 0.01
    assert found.measures["loss_per_symbol"][0].item() == pytest.approx(parts[0].sum().item(), rel=1e-5)
    assert found.measures["intermediate_loss_per_symbol"][0].item() == pytest.approx(parts[1].sum().item(), rel=1e-5)


def test_a_run_trains_it_and_recognises_with_it(corpus, tmp_path):
    outcome = scratch(corpus, tmp_path / "m", max_steps=30, optim=Optim(lr=1e-2))
    model, _, card = load_ctc_model(str(tmp_path / "m"))
    assert card.conditioning == [1]
    assert model.conditioning.weight.abs().max() > 0
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["cer"] == pytest.approx(outcome.document["best"]["error"])
    with torch.inference_mode():
        waveform = torch.randn(1, 16_000)
        with_it = model.eval().wav2vec2(waveform).features
        model.wav2vec2.feedback = None
        assert (model.wav2vec2(waveform).features - with_it).abs().max() > 1e-4


def test_an_interrupted_run_goes_on_with_it(corpus, tmp_path):
    watch = Watch(log_every=1, save_every=1, eval_every=2)
    scratch(corpus, tmp_path / "m", watch=watch)
    first = load_file(tmp_path / "m" / "model.safetensors")
    scratch(corpus, tmp_path / "m", watch=watch, max_steps=4, resume=True)
    second = load_file(tmp_path / "m" / "model.safetensors")
    assert "conditioning.weight" in first
    assert first.keys() == second.keys()
    with pytest.raises(InputError, match=r"is of another model \(conditioning.bias is .* there and absent now"):
        scratch(corpus, tmp_path / "m", max_steps=6, conditioning=Conditioning(), resume=True)


def test_training_starts_from_what_a_folder_has_learnt(corpus, tmp_path, caplog):
    scratch(corpus, tmp_path / "m", max_steps=5, optim=Optim(lr=1e-2))
    still = {**QUICK, "optim": Optim(lr=1e-30)}
    finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "same", conditioning=FED, **still)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("m", "same"))
    assert first["conditioning.weight"].abs().max() > 0
    for name, value in first.items():
        torch.testing.assert_close(second[name], value, msg=name)
    assert "left out" not in caplog.text
    finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "without", **still)
    assert "feeds predictions of layers 1 back; what it has learnt for that is left out" in caplog.text
    assert read_card(str(tmp_path / "without")).conditioning == []
    assert not any(name.startswith("conditioning") for name in load_file(tmp_path / "without" / "model.safetensors"))


def test_what_does_not_go_with_it_is_said(corpus, tmp_path):
    with pytest.raises(InputError, match="needs one vocabulary for all languages; leave --separate_vocabularies out"):
        scratch(corpus, tmp_path / "m", separate_vocabularies=True)
    with pytest.raises(InputError, match="last of the 2 layers"):
        scratch(corpus, tmp_path / "m", conditioning=Conditioning(layers=(2,)))
    scratch(corpus, tmp_path / "plain", conditioning=Conditioning())
    adapter = Adapter(kind="mms", name="xyz")
    with pytest.raises(InputError, match=r"added weights do not go with .* and --conditioning.layers asks for it"):
        finetune(
            str(tmp_path / "plain"), train=[corpus], out=tmp_path / "m", adapter=adapter, conditioning=FED, **QUICK
        )
    scratch(corpus, tmp_path / "fed")
    with pytest.raises(InputError, match=r"added weights do not go with .*fed does it; train all of it"):
        finetune(str(tmp_path / "fed"), train=[corpus], out=tmp_path / "m", adapter=adapter, **QUICK)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_a_weight_that_leaves_nothing_for_the_others_is_refused(weight):
    with pytest.raises(InputError, match=rf"--conditioning.weight must be between 0 and 1, got {weight}"):
        Conditioning(weight=weight)


def test_layers_are_a_list_on_the_command_line(corpus, tmp_path):
    flags = ["--preset", "tiny", "--max_steps", "1", "--dry_run", "--architecture.layers", "3"]
    arguments = ["finetune", "--train", str(corpus), "--out", str(tmp_path / "m"), *flags]
    assert main([*arguments, "--conditioning.layers", "[1, 2]"]) == 0
    assert main([*arguments, "--conditioning.layers", "[1, 3]"]) == 2


def test_a_copy_of_a_model_feeds_its_own_predictions_back(vocabulary):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabulary)
    add_conditioning(model, [1])
    other = copy.deepcopy(model)
    assert other.wav2vec2.feedback.back is other.conditioning
    assert other.wav2vec2.feedback.symbols[1] is other.lm_head
