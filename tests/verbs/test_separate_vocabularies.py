"""Models whose languages have each their own output symbols, through all verbs."""

import contextlib
from functools import partial

import pytest
import torch
from safetensors.torch import load_file

from speechxl import load
from speechxl.cli import main
from speechxl.config import Adapter, Optim, Search, Watch
from speechxl.data.audio import read_audio
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, Interrupted
from speechxl.models import onnx as writer
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.models.weights import load_ctc_model
from speechxl.tasks.recognition import Recognition
from speechxl.text import Vocabularies
from speechxl.verbs import recognise
from speechxl.verbs.adapt import adapt
from speechxl.verbs.align import align
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.export import export
from speechxl.verbs.finetune import finetune
from speechxl.verbs.transcribe import transcribe
from speechxl.verbs.vocab import vocab
from tests.conftest import WORDS, small_preset
from tests.models.test_adapters import multilingual
from tests.verbs.test_finetune import QUICK, change, scratch

WATCH = Watch(log_every=1, eval_every=2)


def separate(corpus, out, **options):
    return scratch(corpus, out, separate_vocabularies=True, **options)


@pytest.fixture
def folder(tmp_path):
    """An untrained model that writes something for any recording."""
    texts = {"quy": [word.translate(str.maketrans("abo", "eio")) for word in WORDS], "swh": WORDS}
    vocabularies = Vocabularies.from_texts(texts, "char")
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabularies)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    card = Card(
        normalise=True, preset="tiny", units="char", column="text", vocabulary=vocabularies.hash,
        languages=["quy", "swh"],
    )  # fmt: skip
    save_model(tmp_path / "model", model, card, vocabularies)
    return tmp_path / "model"


def texts(document):
    return {result["audio"]: result["text"] for result in document["results"]}


def test_each_language_gets_the_symbols_of_its_training_text(corpus, tmp_path):
    change(corpus, text=lambda row: row.text.replace("a", "e") if row.language == "quy" else row.text)
    plan = separate(corpus, tmp_path / "m", dry_run=True)
    assert plan.document["vocabulary"] == {"quy": ["|", *"bdelo"], "swh": ["|", *"abdlo"]}
    assert plan.document["symbols"] == 13
    assert "13 symbols (quy 6, swh 6)" in plan.text
    outcome = separate(corpus, tmp_path / "m")
    model, vocabularies, card = load_ctc_model(str(tmp_path / "m"))
    assert vocabularies.written == plan.document["vocabulary"]
    assert model.lm_head.out_features == 13
    assert (card.vocabulary, card.languages) == (vocabularies.hash, ["quy", "swh"])
    rows = [line.split(",") for line in (tmp_path / "m" / "languages.csv").read_text().splitlines()[1:]]
    assert {tuple(row[1:3]) for row in rows} >= {("quy", "dev_cer"), ("swh", "dev_cer")}
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["cer"] == pytest.approx(outcome.document["best"]["error"])


def test_both_languages_are_learnt_by_heart(corpus, tmp_path):
    change(corpus, text=lambda row: row.text.replace("a", "e").replace("o", "i") if row.language == "quy" else row.text)
    options = {"optim": Optim(lr=1e-2), "watch": Watch(log_every=50, eval_every=50)}
    outcome = separate(corpus, tmp_path / "m", max_steps=200, overfit=2, **options)
    assert outcome.document["best"]["error"] < 0.5
    results = transcribe(str(tmp_path / "m"), [str(tmp_path / "m" / "dev.tsv")], precision="32").document["results"]
    heard = {result["language"]: set(result["text"]) for result in results}
    assert heard["quy"] & set("ei")
    assert heard["swh"] & set("ao")
    assert not heard["quy"] & set("ao")
    assert not heard["swh"] & set("ei")


def test_the_languages_of_the_rows_are_those_of_their_vocabularies(folder, corpus):
    rows = {row.id: row.language for row in read_manifest(corpus / "manifest.tsv")}
    together = texts(transcribe(str(folder), [str(corpus / "manifest.tsv")], precision="32").document)
    alone = {
        language: texts(
            transcribe(str(folder), [str(corpus / "manifest.tsv")], model_language=language, precision="32").document
        )
        for language in ("quy", "swh")
    }
    assert together == {name: alone[language][name] for name, language in rows.items()}
    assert sum(alone["quy"][name] != alone["swh"][name] for name in rows) > 10
    document = evaluate(str(folder), [corpus], precision="32").document
    for language in ("quy", "swh"):
        only = evaluate(str(folder), [corpus], language=[language], model_language=language, precision="32").document
        assert only["per_language"] == {language: document["per_language"][language]}


def test_a_long_recording_is_streamed_in_its_language(folder, corpus, monkeypatch):
    whole = texts(transcribe(str(folder), [str(corpus / "manifest.tsv")], precision="32").document)
    monkeypatch.setattr(recognise, "_LONG_SECONDS", 0.1)
    assert texts(transcribe(str(folder), [str(corpus / "manifest.tsv")], precision="32").document) == whole


def test_beam_search_is_among_the_symbols_of_the_language(folder, corpus, tmp_path):
    pytest.importorskip("flashlight")
    manifest = str(corpus / "manifest.tsv")
    found = transcribe(str(folder), [manifest], search=Search(beam=5), precision="32").document["results"]
    written = {
        language: set("".join(result["text"] for result in found if result["language"] == language))
        for language in ("quy", "swh")
    }
    assert written["quy"] <= set("deilo ")
    assert written["swh"] <= set("abdlo ")
    assert all(len(letters) > 2 for letters in written.values())
    (tmp_path / "words.txt").write_text("ba\nlo\n")
    options = {"lexicon": tmp_path / "words.txt", "precision": "32"}
    result = load(folder, model_language="swh", **options).transcribe(corpus / "u00.wav")
    assert set(result.text.split()) <= {"ba", "lo"}


def test_texts_are_aligned_in_the_symbols_of_their_language(folder, corpus):
    change(corpus, text=lambda row: row.text.replace("a", "e").replace("b", "d") if row.language == "quy" else row.text)
    together = {result["audio"]: result for result in align(str(folder), [corpus], precision="32").document["results"]}
    assert len(together) == 14
    rows = read_manifest(corpus / "manifest.tsv")
    write_manifest(corpus / "manifest.tsv", [row for row in rows if row.language == "quy"])
    alone = align(str(folder), [corpus], model_language="quy", precision="32").document["results"]
    assert len(alone) == 7
    for result in alone:
        for one, other in zip(result["words"], together[result["audio"]]["words"], strict=True):
            assert (one["word"], one["start"]) == (other["word"], other["start"])
            assert one["score"] == pytest.approx(other["score"], abs=1e-3)
    failed = align(str(folder), [corpus], model_language="swh", precision="32").document["failures"]
    assert "'e' (U+0065" in failed[0]["reason"]


def test_python_is_told_the_language(folder, corpus):
    path = corpus / "u00.wav"
    model = load(folder, precision="32")
    found = {language: model.transcribe(path, language=language) for language in ("quy", "swh")}
    assert found["quy"].text != found["swh"].text
    assert found["quy"].language == "quy"
    samples = read_audio(path)
    assert model.transcribe(samples, 16_000, language="swh").text == found["swh"].text
    assert model.transcribe(samples, 16_000, language="Swahili").text == found["swh"].text
    for name in ("swh", "sw", "Kiswahili"):
        assert load(folder, precision="32", model_language=name).transcribe(path).text == found["swh"].text
    assert [result.text for result in model.transcribe_all(corpus / "manifest.tsv")] == [
        *texts(transcribe(str(folder), [str(corpus / "manifest.tsv")], precision="32").document).values()
    ]
    for ask in (lambda: model.transcribe(path), lambda: model.transcribe(samples, 16_000)):
        with pytest.raises(InputError, match="each of quy, swh, and none for speech whose language is not known"):
            ask()
    with pytest.raises(InputError, match=r"u00\.wav: .*each of quy, swh.*--model_language"):
        list(model.transcribe_all([path]))


@pytest.mark.parametrize("run", [transcribe, evaluate, align])
def test_a_language_that_is_not_known_or_not_there_is_named_before_any_work(folder, corpus, run, monkeypatch):
    monkeypatch.setattr(recognise, "_read_ahead", lambda *_: pytest.fail("a recording was read"))
    for language, named in (("", "speech whose language is not known"), ("mdw", "'mdw'")):
        change(corpus, language=lambda row, language=language: language if row.id == "u03.wav" else row.language)
        with pytest.raises(
            InputError, match=rf"manifest\.tsv:5: .*each of quy, swh, and none for {named}; name .*--model_language"
        ):
            run(str(folder), [corpus / "manifest.tsv" if run is not transcribe else str(corpus / "manifest.tsv")])


def test_the_language_of_files_is_a_flag(folder, corpus, capsys):
    assert main(["transcribe", str(folder), str(corpus / "u00.wav")]) == 2
    assert "each of quy, swh" in capsys.readouterr().err
    assert main(["transcribe", str(folder), str(corpus / "u00.wav"), "--model_language", "swh"]) == 0
    assert capsys.readouterr().out.strip()


def test_transcripts_in_another_language_are_not_mixed(folder, corpus, tmp_path):
    out, path = tmp_path / "out", str(corpus / "u00.wav")
    assert transcribe(str(folder), [path], out=out, model_language="quy").code == 0
    assert transcribe(str(folder), [path], out=out, model_language="quy").document["skipped"] == 1
    with pytest.raises(InputError, match="the transcripts there were made with"):
        transcribe(str(folder), [path], out=out, model_language="swh")


def test_an_exported_file_is_of_one_language(folder, tmp_path, monkeypatch):
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    written = []

    def note(path, network, vocabulary, **_):
        path.touch()
        written.append((network, vocabulary))
        return 20

    monkeypatch.setattr(writer, "write_onnx", note)
    monkeypatch.setattr(writer, "onnx_error", lambda *_: 0.0)
    with pytest.raises(InputError, match=r"each of quy, swh.*name one with --model_language"):
        export("onnx", str(folder), tmp_path / "a.onnx")
    assert export("onnx", str(folder), tmp_path / "a.onnx", model_language="quy").document["symbols"] == 7
    ((network, vocabulary),) = written
    model, vocabularies, _ = load_ctc_model(str(folder))
    assert vocabulary == vocabularies.of("quy")
    assert network.config.vocab_size == len(vocabulary)
    assert torch.equal(network.lm_head.weight, model.lm_head.weight[list(vocabularies.outputs("quy"))])


def test_texts_are_compared_to_the_vocabulary_of_a_language(folder, corpus):
    found = vocab([corpus], model=str(folder), model_language="quy").document["findings"]
    assert any("a" in finding["symbols"] for finding in found)
    found = vocab([corpus], model=str(folder), model_language="swh").document["findings"]
    assert not any("a" in finding["symbols"] for finding in found)


def test_a_run_continues_bit_for_bit(corpus, tmp_path, monkeypatch):
    run = partial(separate, corpus, max_steps=4, watch=Watch(log_every=1, eval_every=1, save_every=2))
    run(out=tmp_path / "once")
    begin = Recognition.on_train_batch_start

    def stop(self, batch, batch_idx):
        begin(self, batch, batch_idx)
        if self.global_step == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt, SystemExit, Interrupted):
        patch.setattr(Recognition, "on_train_batch_start", stop)
        run(out=tmp_path / "twice")
    run(out=tmp_path / "twice", resume=True)
    for name in ("model.safetensors", "languages.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_a_run_repeats_from_its_settings(corpus, tmp_path):
    separate(corpus, tmp_path / "m")
    arguments = ["finetune", "--config", str(tmp_path / "m" / "config.yaml"), "--out", str(tmp_path / "again")]
    assert main(arguments) == 0
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("m", "again")]
    assert weights[0] == weights[1]
    assert len(load_ctc_model(str(tmp_path / "again"))[1].languages) == 2


def test_the_average_of_the_best_is_measured_in_each_language(corpus, tmp_path, monkeypatch):
    measured = []
    monkeypatch.setattr(
        "speechxl.verbs.dev_scores.count_errors",
        lambda references, hypotheses, unit: measured.append(len(references)) or type("", (), {"rate": 0.0}),
    )
    watch = Watch(log_every=1, eval_every=1)
    outcome = separate(corpus, tmp_path / "m", average_best=2, max_steps=3, watch=watch)
    assert measured == [4]
    assert outcome.document["best"]["error"] == 0.0


@pytest.mark.parametrize("kind", ["lora", "mms"])
def test_added_weights_hold_the_symbols_of_all_languages(corpus, tmp_path, pretrained_folder, kind):
    if kind == "lora":
        pytest.importorskip("peft")
    adapter = Adapter(kind, rank=2, dim=4, name="both" if kind == "mms" else None)
    options = {**QUICK, "adapter": adapter, "separate_vocabularies": True, "optim": Optim(lr=1e-2), "watch": WATCH}
    outcome = finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", **options)
    assert not (tmp_path / "m" / "model.safetensors").exists()
    document = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], precision="32").document
    assert document["cer"] == pytest.approx(outcome.document["best"]["error"])
    assert transcribe(str(tmp_path / "m"), [str(corpus / "u00.wav")], model_language="quy").code == 0


def test_such_a_folder_is_the_start_of_other_runs(corpus, tmp_path, caplog):
    caplog.set_level("INFO", "speechxl")
    separate(corpus, tmp_path / "m")
    start = str(tmp_path / "m")
    finetune(start, train=[corpus], out=tmp_path / "shared", **QUICK)
    assert "the output layer is new, for 8 symbols" in caplog.text
    assert load_ctc_model(str(tmp_path / "shared"))[1].languages == ()
    caplog.clear()
    finetune(start, train=[corpus], out=tmp_path / "same", separate_vocabularies=True, **QUICK)
    change(corpus, language=lambda row: "quy")
    finetune(start, train=[corpus], out=tmp_path / "one", vocabulary=tmp_path / "m", model_language="quy", **QUICK)
    assert "the output layer is new" not in caplog.text
    assert load_ctc_model(str(tmp_path / "one"))[1] == load_ctc_model(start)[1].of("quy")
    assert adapt(start, train=[corpus], out=tmp_path / "a", reinit_quantizer=True, dry_run=True).code == 0


def test_a_given_vocabulary_has_one_for_each_language(corpus, tmp_path):
    separate(corpus, tmp_path / "m")
    (tmp_path / "symbols.txt").write_text("a\nb\nd\nl\no\n")
    separate(corpus, tmp_path / "n", vocabulary=tmp_path / "m" / "vocab.json")
    assert load_ctc_model(str(tmp_path / "n"))[1] == load_ctc_model(str(tmp_path / "m"))[1]
    with pytest.raises(InputError, match=r"symbols\.txt: holds one vocabulary; --separate_vocabularies needs"):
        separate(corpus, tmp_path / "o", vocabulary=tmp_path / "symbols.txt")
    with pytest.raises(InputError, match=r"for each of quy, swh; they are used with --separate_vocabularies"):
        scratch(corpus, tmp_path / "o", vocabulary=tmp_path / "m")
    change(corpus, language=lambda row: "mdw" if row.language == "quy" else row.language)
    with pytest.raises(InputError, match=r"manifest\.tsv:2: .*none for 'mdw'; see --vocabulary"):
        separate(corpus, tmp_path / "o", vocabulary=tmp_path / "m")
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda row: "quy", "--separate_vocabularies: all rows are in quy; leave it out"),
        (
            lambda row: "" if row.id == "u03.wav" else row.language,
            r"manifest\.tsv:5: has no language, which --separate_",
        ),
        (lambda row: "mdw" if row.id == "u12.wav" else row.language, r"tsv:14: a dev row, .*'mdw': no training row"),
    ],
)
def test_a_corpus_that_cannot_have_separate_vocabularies_is_explained(corpus, tmp_path, spoil, message):
    change(corpus, language=spoil)
    with pytest.raises(InputError, match=message):
        separate(corpus, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_symbols_of_dev_are_compared_to_those_of_their_language(corpus, tmp_path):
    text = {"quy": "e", "swh": "i"}
    change(corpus, text=lambda row: f"{row.text} {text[row.language]}" + (" ei" if row.split == "dev" else ""))
    unseen = separate(corpus, tmp_path / "m", dry_run=True).document["unseen_in_train"]
    assert {found["symbol"]: found["count"] for found in unseen} == {"i": 2, "e": 2}
    assert scratch(corpus, tmp_path / "m", dry_run=True).document["unseen_in_train"] == []


def test_a_language_to_start_from_needs_a_model_that_has_it(corpus, tmp_path, pretrained_folder):
    with pytest.raises(InputError, match="a model from scratch has none"):
        scratch(corpus, tmp_path / "m", model_language="quy")
    with pytest.raises(InputError, match=r"pretrained: no vocab\.json"):
        finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", model_language="quy", **QUICK)
    with pytest.raises(InputError, match="LoRA belongs to a MODEL as it is in its folder"):
        finetune(
            str(pretrained_folder), train=[corpus], out=tmp_path / "m", model_language="quy",
            adapter=Adapter("lora"), **QUICK,
        )  # fmt: skip


@pytest.mark.parametrize("adapter", [Adapter(), Adapter("mms", dim=4, name="quy")])
def test_fine_tuning_starts_from_the_adapter_of_a_language(corpus, tmp_path, adapter):
    mms = multilingual(tmp_path / "mms")
    options = {**QUICK, "optim": Optim(lr=1e-9), "freeze_extractor": True, "freeze_encoder": 0.0, "adapter": adapter}
    finetune(str(mms), train=[corpus], out=tmp_path / "m", model_language="swh", **options)
    model, _, _ = load_ctc_model(str(tmp_path / "m"))
    layer = "wav2vec2.encoder.layers.0.adapter_layer.linear_1.weight"
    own, other = (load_file(mms / f"adapter.{language}.safetensors")[layer] for language in ("swh", "eng"))
    torch.testing.assert_close(model.state_dict()[layer], own, atol=1e-6, rtol=0)
    assert not torch.allclose(model.state_dict()[layer], other, atol=1e-2)
    assert evaluate(str(tmp_path / "m"), [corpus], precision="32").document["utterances"] == 14
