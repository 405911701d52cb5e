"""`finetune --allophones`: phones of all languages, and the phonemes of each that they stand for."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import Wav2Vec2ForCTC

from speechxl.config import Articulation, Augment, Conditioning, Optim, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError
from speechxl.models.extensions import FILE, add_allophones, allophones_of
from speechxl.models.making import new_ctc_model
from speechxl.models.phone_note import PhoneNote
from speechxl.models.weights import load_ctc_model
from speechxl.phonology.phoible import open_phoible
from speechxl.shapes import Batch, Targets
from speechxl.tasks.articulation import KeepAllophones
from speechxl.tasks.recognition import Recognition
from speechxl.text import Vocabulary
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.transcribe import transcribe
from tests.conftest import SMALL, make_corpus, small_preset
from tests.phonology.conftest import write_release

QUICK = {"max_steps": 2, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1), "units": "phoneme"}
AT_THE_END = Watch(log_every=1, eval_every=20)
LETTERS = {"b": "b", "a": "a", "o": "i", "d": "p", "l": "m"}


@pytest.fixture(autouse=True)
def release(tmp_path, monkeypatch):
    """The small PHOIBLE, where Quechua's p is p or pʰ, and its a is a or ã; it has no Swahili."""
    monkeypatch.setenv("SPEECHXL_PHOIBLE", str(write_release(tmp_path / "release")))
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


@pytest.fixture
def corpus(tmp_path):
    return with_phones(make_corpus(tmp_path / "corpus"))


def with_phones(corpus, letters=LETTERS):
    path = corpus / "manifest.tsv"
    rows = [
        replace(row, phonemes=" ".join(letters[letter] for letter in row.text.replace(" ", "")))
        for row in read_manifest(path)
    ]
    write_manifest(path, rows)
    return corpus


def scratch(corpus, out, **options):
    settings = {"allophones": True, **QUICK, **options}
    return finetune(train=[corpus], out=out, preset="tiny", architecture=SMALL, **settings)


def test_the_output_layer_gives_phones_and_speechxl_the_phonemes_of_training_languages(corpus, tmp_path, caplog):
    outcome = scratch(corpus, tmp_path / "m", max_steps=10, optim=Optim(lr=1e-2), watch=AT_THE_END)
    assert "no allophones are listed for the phonemes of swh; each stands for itself there" in caplog.text
    model, vocabulary, card = load_ctc_model(str(tmp_path / "m"))
    assert vocabulary.symbols == ("<pad>", "<unk>", "a", "b", "i", "m", "p", "pʰ", "\u00e3")
    lists = card.phones.allophones
    assert lists["quy"]["p"] == ["p", "pʰ"]
    assert lists["quy"]["a"] == ["a", "\u00e3"]
    assert lists["swh"] == {phoneme: [phoneme] for phoneme in lists["swh"]}
    weights = allophones_of(model).weights
    assert len(weights) == sum(len(own) for each in lists.values() for own in each.values())
    assert (weights != 1).any()
    plain, report = Wav2Vec2ForCTC.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert not report["unexpected_keys"]
    waveform = torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        own = model.eval().lm_head(model.wav2vec2(waveform).features)
        torch.testing.assert_close(plain.eval()(waveform).logits, own, atol=1e-5, rtol=1e-4)
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["per"] == pytest.approx(outcome.document["best"]["error"])
    assert "which phonemes they stand for in quy, swh" in (tmp_path / "m" / "README.md").read_text()


def test_languages_of_the_training_are_written_in_phonemes_and_others_in_phones(corpus, tmp_path):
    scratch(corpus, tmp_path / "m")
    path = tmp_path / "m" / "model.safetensors"
    weights = load_file(path)
    symbols = load_ctc_model(str(tmp_path / "m"))[1].symbols
    weights["lm_head.weight"].zero_()
    weights["lm_head.bias"].fill_(-5.0)
    weights["lm_head.bias"][symbols.index("pʰ")] = 5.0
    weights["lm_head.bias"][symbols.index("b")] = 3.0
    from safetensors.torch import save_file

    save_file(weights, path, metadata={"format": "pt"})
    rows = [row for row in read_manifest(corpus / "manifest.tsv") if row.split == "dev"]
    heard = {}
    for language in ("quy", "swh", "zzz"):
        write_manifest(tmp_path / f"{language}.tsv", [replace(rows[0], language=language)])
        result = transcribe(str(tmp_path / "m"), [str(tmp_path / f"{language}.tsv")], precision="32").document[
            "results"
        ][0]
        heard[language] = result["text"]
    assert heard == {"quy": "p", "swh": "b", "zzz": "pʰ"}


def task_with(penalty, weights):
    vocabulary = Vocabulary(("<pad>", "a", "p", "pʰ"), 0, None)
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabulary)
    note = PhoneNote("", "", "", allophones={"quy": {"p": ["p", "pʰ"], "a": ["a"]}})
    add_allophones(model, vocabulary, note, ["quy"]).weights.data = weights.clone()
    task = Recognition(
        model, vocabulary=vocabulary, augment=Augment(0.0, 10, 0.0), freeze_extractor=False, freeze_encoder=0,
        languages=["quy"], patience=0, extras=[KeepAllophones(penalty)], seed=1, lr=1e-4, schedule=lambda step: 1.0,
        weight_decay=0.0,
    ).eval()  # fmt: skip
    batch = Batch(
        ["a", "b"], torch.arange(2), torch.randn(2, 8_000), torch.tensor([8_000, 8_000]), padded=False,
        languages=torch.zeros(2, dtype=torch.long),
        targets=Targets(["p a", "a p"], torch.tensor([[2, 1], [1, 2]]), torch.tensor([2, 2])),
    )  # fmt: skip
    loss = task.loss(batch)
    loss.total.backward()
    return loss, model.allophones.weights.grad


def test_the_regulariser_has_a_gradient_in_training():
    weights = torch.tensor([1.3, 0.4, 0.9])
    torch.manual_seed(1)
    (without, before), (loss, gradient) = task_with(0.0, weights), task_with(3.0, weights)
    distance = ((weights - 1) ** 2).sum()
    assert loss.total.item() == pytest.approx(
        without.total.item() + 2 * 3.0 * distance.item(), rel=1e-4
    )  # 2 utterances
    torch.testing.assert_close(gradient - before, 2 * 3.0 * 2 * (weights - 1), atol=1e-3, rtol=1e-4)
    assert before.abs().max() > 0
    assert loss.measures["allophone_distance"][0].item() == pytest.approx(distance.item())


def test_a_strong_regulariser_keeps_the_weights(corpus, tmp_path):
    weights = {}
    for penalty in (0.0, 1000.0):
        out = tmp_path / f"m{penalty:g}"
        settings = Articulation(allophone_penalty=penalty)
        scratch(corpus, out, max_steps=8, optim=Optim(lr=1e-2), articulation=settings, watch=AT_THE_END)
        weights[penalty] = (load_file(out / FILE)["allophones.weights"] - 1).abs().max()
    assert weights[1000.0] < 0.5 * weights[0.0]


def test_all_that_is_learnt_of_phones_goes_together_and_is_trained_on(corpus, tmp_path, caplog):
    architecture = replace(SMALL, layers=3)
    options = {**QUICK, "allophones": True, "attributes": True, "conditioning": Conditioning(layers=(1, 2))}
    finetune(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=architecture, **options)
    model, _, card = load_ctc_model(str(tmp_path / "m"))
    assert card.phones.heads is not None
    assert model.conditioning.weight.shape == (32, 9)
    with caplog.at_level("INFO"):
        finetune(str(tmp_path / "m"), train=[corpus], out=tmp_path / "n", **{**options, "optim": Optim(lr=1e-30)})
    assert "what it has learnt of articulation and allophones is trained on" in caplog.text
    for file in (FILE, "model.safetensors"):
        first, second = (load_file(tmp_path / name / file) for name in "mn")
        for name, value in first.items():
            torch.testing.assert_close(second[name], value, msg=name)
    with pytest.raises(InputError, match=r"is of another model \(.* absent now"):
        finetune(
            train=[corpus], out=tmp_path / "m", preset="tiny", architecture=architecture, resume=True,
            **{**options, "allophones": False, "max_steps": 4},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"units": "char"}, "--allophones are those of phones, and --units is char"),
        (
            {"separate_vocabularies": True},
            "--allophones: languages share the phones.* leave --separate_vocabularies out",
        ),
    ],
)
def test_what_makes_no_sense_is_said(corpus, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        scratch(corpus, tmp_path / "m", **options)


def test_without_lists_there_is_nothing_to_learn(corpus, tmp_path, monkeypatch):
    path = corpus / "manifest.tsv"
    write_manifest(path, [replace(row, language="swh") for row in read_manifest(path)])
    with pytest.raises(InputError, match=r"PHOIBLE \(unknown .*\) lists none for the phonemes of swh"):
        scratch(corpus, tmp_path / "m")
    monkeypatch.delenv("SPEECHXL_PHOIBLE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    open_phoible.cache_clear()
    with pytest.raises(InputError, match="PHOIBLE is not installed"):
        scratch(corpus, tmp_path / "m")


def test_a_penalty_below_nothing_is_refused():
    with pytest.raises(InputError, match=r"--articulation.allophone_penalty must be at least 0, got -1"):
        Articulation(allophone_penalty=-1)
