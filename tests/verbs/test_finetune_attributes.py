"""`finetune --attributes`: heads of articulation that are trained, kept, resumed, averaged and loaded."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import Wav2Vec2ForCTC

from speechxl.config import Adapter, Articulation, Optim, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, Interrupted
from speechxl.models.extensions import FILE, articulation_of
from speechxl.models.folders import fingerprint, read_card
from speechxl.models.onnx import Exportable
from speechxl.models.weights import load_ctc_model
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.features import panphon_table
from speechxl.verbs import best
from speechxl.verbs.finetune import finetune
from speechxl.verbs.transcribe import transcribe
from tests.conftest import SMALL, make_corpus
from tests.phonology.conftest import write_release

QUICK = {"max_steps": 2, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1), "units": "phoneme"}


pytestmark = pytest.mark.usefixtures("no_phoible")


@pytest.fixture
def corpus(tmp_path):
    return with_phones(make_corpus(tmp_path / "corpus"))


def with_phones(corpus, change=lambda phones: phones):
    path = corpus / "manifest.tsv"
    rows = [replace(row, phonemes=change(" ".join(row.text.replace(" ", "")))) for row in read_manifest(path)]
    write_manifest(path, rows)
    return corpus


def scratch(corpus, out, **options):
    settings = {"attributes": True, **QUICK, **options}
    return finetune(train=[corpus], out=out, preset="tiny", architecture=SMALL, **settings)


def test_the_heads_stand_beside_a_folder_that_transformers_reads_as_before(corpus, tmp_path):
    document = scratch(corpus, tmp_path / "m").document
    expected = new_attributes(panphon_table(), ["a", "b", "d", "l", "o"])
    assert document["attributes"] == list(expected.values)
    plain, report = Wav2Vec2ForCTC.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not report["unexpected_keys"]
    assert not report["missing_keys"]
    model, _, card = load_ctc_model(str(tmp_path / "m"))
    waveform = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        features = model.eval().wav2vec2(waveform).features
        torch.testing.assert_close(plain.eval()(waveform).logits, model.lm_head(features), atol=1e-5, rtol=1e-4)
        assert articulation_of(model).bins(features).shape[-1] == 1 + card.phones.heads.bins
    assert card.phones.heads.attributes == expected.values
    kept = load_file(tmp_path / "m" / FILE)
    assert set(kept) == {f"articulation.{name}" for name in articulation_of(model).state_dict()}
    for name, value in articulation_of(model).state_dict().items():
        assert (value == kept[f"articulation.{name}"]).all()
    assert (articulation_of(model).used == torch.from_numpy(expected.bins)).all()
    assert transcribe(str(tmp_path / "m"), [str(corpus / "u00.wav")]).code == 0


def test_the_heads_learn_and_their_losses_are_logged(corpus, tmp_path):
    torch.manual_seed(1)
    scratch(corpus, tmp_path / "m", max_steps=40, optim=Optim(lr=1e-2), watch=Watch(log_every=5, eval_every=40))
    rows = [line.split(",") for line in (tmp_path / "m" / "metrics.csv").read_text().splitlines()[1:]]
    for name in ("attribute_loss_per_symbol", "composed_loss_per_symbol", "loss_per_symbol"):
        values = [float(value) for _, measure, value in rows if measure == name]
        assert len(values) == 8
        assert values[-1] < 0.8 * values[0], name


def test_the_loss_is_that_of_phones_with_the_mean_of_attributes(corpus, tmp_path):
    settings = Articulation(weight=0.7, compose=0.3, dim=8)
    scratch(corpus, tmp_path / "m", articulation=settings, max_steps=1)
    lines = (tmp_path / "m" / "metrics.csv").read_text().splitlines()[1:]
    values = {name: float(value) for _, name, value in (line.split(",") for line in lines)}
    parts = [values[name] for name in ("loss_per_symbol", "attribute_loss_per_symbol", "composed_loss_per_symbol")]
    symbols = values["loss"] / (parts[0] + 0.7 * parts[1] + 0.3 * parts[2])
    assert symbols == pytest.approx(4.0)  # phones of every utterance
    assert load_ctc_model(str(tmp_path / "m"))[2].phones.heads.dim == 8


def test_an_interrupted_run_ends_like_a_whole_one(corpus, tmp_path, monkeypatch):
    watch = Watch(log_every=1, save_every=1, eval_every=4)
    scratch(corpus, tmp_path / "whole", max_steps=4, watch=watch)
    from speechxl.tasks.checkpoints import Checkpoints

    asked = Checkpoints._is_asked
    monkeypatch.setattr(Checkpoints, "_is_asked", lambda self, trainer: trainer.global_step == 2)
    with pytest.raises(Interrupted):
        scratch(corpus, tmp_path / "m", max_steps=4, watch=watch)
    monkeypatch.setattr(Checkpoints, "_is_asked", asked)
    scratch(corpus, tmp_path / "m", max_steps=4, watch=watch, resume=True)
    for file in (FILE, "model.safetensors"):
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    with pytest.raises(
        InputError, match=r"is of another model \(articulation.attributes.bias is .* there and absent now"
    ):
        scratch(corpus, tmp_path / "m", max_steps=6, attributes=False, resume=True)


def test_the_best_models_are_averaged_with_their_heads(corpus, tmp_path, monkeypatch):
    kept = {}
    average = best.BestWeights.average

    def spy(self):
        kept.update({step: load_file(path) for step, _, path in self._files()})
        return average(self)

    monkeypatch.setattr(best.BestWeights, "average", spy)
    monkeypatch.setattr("speechxl.verbs.finetuning.dev_error", lambda *_: 0.0)
    scratch(
        corpus,
        tmp_path / "m",
        average_best=2,
        max_steps=3,
        optim=Optim(lr=1e-2),
        watch=Watch(log_every=1, eval_every=1),
    )
    name = "articulation.embeddings"
    first, second = (each[name] for each in kept.values())
    assert not torch.equal(first, second)
    found = load_file(tmp_path / "m" / FILE)[name]
    torch.testing.assert_close(found, (first + second) / 2, atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", ["lora", "mms"])
def test_they_stand_beside_added_weights_too(corpus, tmp_path, kind):
    if kind == "lora":
        pytest.importorskip("peft")
    scratch(corpus, tmp_path / "base", attributes=False)
    options = {"adapter": Adapter(kind=kind, name="xyz"), "attributes": True, "optim": Optim(lr=1e-2), **QUICK}
    finetune(str(tmp_path / "base"), train=[corpus], out=tmp_path / "m", **options)
    assert not (tmp_path / "m" / "model.safetensors").exists()
    model, _, card = load_ctc_model(str(tmp_path / "m"))
    assert articulation_of(model).embeddings.shape == (1 + card.phones.heads.bins, 256)
    shutil.rmtree(tmp_path / "m" / "tensorboard", ignore_errors=True)
    finetune(str(tmp_path / "base"), train=[corpus], out=tmp_path / "m", **{**options, "max_steps": 4}, resume=True)
    again = articulation_of(load_ctc_model(str(tmp_path / "m"))[0])
    assert again.embeddings.shape == articulation_of(model).embeddings.shape


def test_training_goes_on_with_the_heads_of_a_folder(corpus, tmp_path, caplog):
    scratch(corpus, tmp_path / "m", max_steps=3, optim=Optim(lr=1e-2))
    nothing = Optim(lr=1e-30)
    settings = {**QUICK, "attributes": True, "optim": nothing}
    with caplog.at_level("INFO"):
        finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "n", **settings)
    assert "what it has learnt of articulation is trained on" in caplog.text
    first, second = (load_file(tmp_path / name / FILE) for name in "mn")
    for name, value in first.items():
        torch.testing.assert_close(second[name], value)
    finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "without", **QUICK)
    assert not (tmp_path / "without" / FILE).exists()
    assert read_card(str(tmp_path / "without")).phones.heads is None
    other = with_phones(make_corpus(tmp_path / "other"), lambda phones: phones.replace("l", "m"))
    caplog.clear()
    with caplog.at_level("INFO"):
        finetune(str(tmp_path / "m"), train=[other], out=tmp_path / "o", **settings)
    assert "what it has learnt of articulation is trained on" not in caplog.text  # they are of other attributes


def test_symbols_that_are_no_phones_are_named_and_passed_over(corpus, tmp_path, caplog):
    with_phones(corpus, lambda phones: phones.replace("l", "˥"))
    scratch(corpus, tmp_path / "m")
    assert "1 symbols of the training texts are no phones in IPA" in caplog.text
    _, vocabulary, card = load_ctc_model(str(tmp_path / "m"))
    assert "˥" in vocabulary.symbols
    assert card.phones.heads.attributes == new_attributes(panphon_table(), ["a", "b", "d", "o"]).values


def test_the_features_are_those_of_phoible_where_it_is_named(tmp_path):
    corpus = make_corpus(tmp_path / "spoken")
    with_phones(corpus, lambda phones: phones.replace("d", "p").replace("l", "m").replace("o", "i"))
    release = write_release(tmp_path / "release")
    scratch(corpus, tmp_path / "m", articulation=Articulation(phoible=release))
    note = read_card(str(tmp_path / "m")).phones
    assert note.features == "phoible"
    assert set(note.heads.attributes) == {"syllabic", "nasal", "periodicGlottalSource", "high"}
    with pytest.raises(InputError, match="there is no PHOIBLE"):
        scratch(corpus, tmp_path / "n", articulation=Articulation(phoible=tmp_path / "nothing"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "char"}, "--attributes are those of phones, and --units is char"),
        (
            {"attributes": False, "articulation": Articulation(dim=3)},
            "--articulation says how .*, or leave it out",
        ),
    ],
)
def test_what_makes_no_sense_is_said(corpus, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        scratch(corpus, tmp_path / "m", **options)


@pytest.mark.parametrize(("name", "value"), [("weight", 0.0), ("compose", -1.0), ("dim", 0)])
def test_settings_out_of_range_are_refused(name, value):
    with pytest.raises(InputError, match=rf"--articulation.{name} must be .*, got {value}"):
        Articulation(**{name: value})


def test_texts_without_phones_are_refused(corpus, tmp_path):
    with_phones(corpus, lambda phones: " ".join("☃☂☁"[ord(phone) % 3] for phone in phones.split()))
    with pytest.raises(InputError, match="--attributes: no symbol of the training texts is a phone in IPA"):
        scratch(corpus, tmp_path / "m")
    with_phones(corpus, lambda phones: "a a")
    with pytest.raises(InputError, match=r"All phones have the same features \(a\)"):
        scratch(corpus, tmp_path / "n")


def test_a_file_that_does_not_belong_to_the_folder_is_named(corpus, tmp_path):
    scratch(corpus, tmp_path / "m")
    before = fingerprint(str(tmp_path / "m"))
    note = json.loads((tmp_path / "m" / "speechxl.json").read_text())
    note["phones"]["heads"]["dim"] = 7
    (tmp_path / "m" / "speechxl.json").write_text(json.dumps(note))
    with pytest.raises(InputError, match=rf"{FILE}: does not fit speechxl.json beside it: articulation.embeddings"):
        load_ctc_model(str(tmp_path / "m"))
    (tmp_path / "m" / FILE).write_bytes(b"nothing")
    with pytest.raises(InputError, match=rf"{FILE}: the weights cannot be read"):
        load_ctc_model(str(tmp_path / "m"))
    assert fingerprint(str(tmp_path / "m")) != before
    (tmp_path / "m" / FILE).unlink()
    with pytest.raises(InputError, match=rf"no {FILE} there"):
        load_ctc_model(str(tmp_path / "m"))


def test_a_model_with_heads_is_exported_without_them(corpus, tmp_path):
    scratch(corpus, tmp_path / "m")
    model = load_ctc_model(str(tmp_path / "m"))[0].eval()
    waveform, lengths = torch.randn(2, 16_000), torch.tensor([16_000, 16_000])
    with torch.inference_mode():
        expected = model.lm_head(model.wav2vec2(waveform).features)
        torch.testing.assert_close(Exportable(model)(waveform, lengths), expected, atol=1e-4, rtol=1e-4)
