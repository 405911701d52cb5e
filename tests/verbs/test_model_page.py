"""The page of a model folder."""

import json
from dataclasses import replace

import jiwer
import pytest
import yaml
from huggingface_hub import ModelCard

from speechxl.config import Adapter, Data, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.data.shards import write_shards
from speechxl.models.folders import Card
from speechxl.models.readme import MARK, write_page
from speechxl.verbs.adapt import adapt
from speechxl.verbs.classify_train import classify_train
from speechxl.verbs.dev_scores import class_scores, recognition_scores
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.finetune import finetune
from speechxl.verbs.material import Score, material_of, material_of_shards
from speechxl.verbs.model_page import base_model, model_page
from speechxl.verbs.pretrain import pretrain
from tests.conftest import SMALL
from tests.verbs.test_classify import make_tones

QUICK = {"max_steps": 1, "batch_seconds": 4.0, "device": "cpu", "watch": Watch(log_every=1)}
SHORT = {**QUICK, "data": Data(min_seconds=0.1)}


def page_of(folder):
    text = (folder / "README.md").read_text()
    return ModelCard(text), text


def rewrite(corpus, **fields):
    path = corpus / "manifest.tsv"
    rows = [replace(row, **{key: value(row) for key, value in fields.items()}) for row in read_manifest(path)]
    write_manifest(path, rows)
    return rows


def test_a_recogniser_s_page_is_filled_in_from_the_run(corpus, tmp_path):
    rows = rewrite(corpus, extra=lambda row: {"license": "CC0" if row.language == "quy" else "CC BY 4.0"})
    outcome = finetune(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    card, text = page_of(tmp_path / "m")
    assert sorted(card.data.language) == ["quy", "swh"]
    assert (card.data.pipeline_tag, card.data.library_name) == ("automatic-speech-recognition", "transformers")
    assert card.data.base_model is None
    assert "Swahili (individual language) (swh)" in text
    measured = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], device="cpu", precision="32").document
    results = {(each.dataset_config, each.metric_type): each for each in card.data.eval_results}
    assert set(results) == {(language, name) for language in (None, "quy", "swh") for name in ("cer", "wer")}
    assert results[None, "cer"].metric_value == pytest.approx(measured["cer"], abs=1e-4)
    assert results[None, "cer"].metric_value == pytest.approx(outcome.document["best"]["error"], abs=1e-4)
    low, high = measured["intervals"]["cer"]
    assert f"| all | character error rate | {measured['cer']:.3f} | {low:.3f} to {high:.3f} |" in text
    assert "`dev.tsv`, 4 utterances, is what the model was chosen by" in text
    train = [row for row in rows if row.split == "train"]
    minutes = sum(row.seconds for row in train) / 60
    assert f"| train | all | 10 | {minutes:.1f} min | {len({row.speaker for row in train})} |" in text
    spoken = sum(row.seconds for row in rows if row.language == "quy") / 60
    assert f"| corpus | {spoken:.1f} min | CC0 | column license |" in text
    assert "3 of the 3 speakers of dev are heard in training as well" in text
    assert "`max_steps` 1" in text
    assert "is to be named" in text
    assert str(tmp_path) not in text


def test_what_somebody_has_written_stays_and_what_speechxl_has_written_is_written_again(tmp_path):
    write_page(tmp_path, f"one {MARK}")
    write_page(tmp_path, f"two {MARK}")
    path = tmp_path / "README.md"
    assert path.read_text() == f"two {MARK}"
    path.write_text("My own words.")
    write_page(tmp_path, f"three {MARK}")
    assert path.read_text() == "My own words."


def test_licences_that_are_not_stated_and_speakers_that_are_not_named(corpus, tmp_path):
    rewrite(corpus, speaker=lambda row: "", language=lambda row: "")
    pretrain(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, **SHORT)
    card, text = page_of(tmp_path / "m")
    assert card.data.language is None
    assert card.data.pipeline_tag == "feature-extraction"
    assert "| **not stated: find out before sharing** |" in text
    assert "| train | (unknown) | 10 |" in text
    assert "| not named |" in text
    assert "Not all speakers are named" in text
    assert "How many speakers it has heard is not known" in text
    assert {each.metric_type for each in card.data.eval_results} == {"contrastive_loss", "accuracy"}
    assert "| all | contrastive loss (nats) |" in text
    assert "from the preset tiny, with random weights" in text


def test_the_base_on_the_hub_is_that_of_the_folder_that_was_begun_with(corpus, tmp_path, pretrained_folder):
    (pretrained_folder / "README.md").write_text("---\nbase_model: facebook/wav2vec2-xls-r-300m\n---\n")
    adapt(str(pretrained_folder), train=[corpus], dev=None, split="all", out=tmp_path / "adapted", **SHORT)
    card, text = page_of(tmp_path / "adapted")
    assert card.data.base_model == "facebook/wav2vec2-xls-r-300m"
    assert "from `pretrained`" in text
    assert "Nothing was held out" in text
    assert card.data.eval_results is None


@pytest.mark.parametrize("head", ["", "---\nbase_model: [a/b]\n---\n", "---\n: [\n---\n", "---\n- a\n---\n"])
def test_pages_of_others_may_be_anything(tmp_path, head):
    (tmp_path / "README.md").write_text(head)
    assert base_model(str(tmp_path)) is None
    assert base_model("facebook/mms-300m") == "facebook/mms-300m"
    assert base_model("/gone/away") is None


def test_an_adapter_s_page_names_what_it_belongs_to(corpus, tmp_path, pretrained_folder):
    pytest.importorskip("peft")
    finetune(str(pretrained_folder), train=[corpus], out=tmp_path / "m", adapter=Adapter("lora", rank=2), **QUICK)
    text = page_of(tmp_path / "m")[1]
    assert "holds added weights only; they belong to `pretrained`" in text
    assert "`adapter.kind` lora, `adapter.rank` 2" in text


def test_a_classifier_s_page_has_its_classes_and_measures(tmp_path):
    tones = make_tones(tmp_path / "tones")
    outcome = classify_train(train=[tones], out=tmp_path / "m", preset="tiny", architecture=SMALL, **QUICK)
    card, text = page_of(tmp_path / "m")
    assert card.data.pipeline_tag == "audio-classification"
    results = {(each.dataset_config, each.metric_type): each.metric_value for each in card.data.eval_results}
    best = outcome.document["best"]["dev"]
    assert results[None, "f1"] == pytest.approx(best["macro_f1_pitch"], abs=1e-4)
    assert results[None, "accuracy"] == pytest.approx(best["accuracy_pitch"], abs=1e-4)
    assert "| pitch | a | 4 |" in text
    assert "| all | macro-F1 of pitch |" in text


def test_streamed_corpora_have_hours_but_no_speakers(corpus, tmp_path):
    write_shards(read_manifest(corpus / "manifest.tsv"), tmp_path / "shards", corpus="radio")
    pretrain(train=[tmp_path / "shards"], out=tmp_path / "m", preset="tiny", architecture=SMALL, **SHORT)
    text = page_of(tmp_path / "m")[1]
    minutes = sum(row.seconds for row in read_manifest(corpus / "manifest.tsv") if row.split == "train") / 60
    assert f"| train | all | 10 | {minutes:.1f} min | not named |" in text
    assert "| radio |" in text
    assert "find out before sharing" in text
    assert material_of_shards([], []).parts == []


def test_the_average_of_models_has_its_own_measures(corpus, tmp_path, monkeypatch):
    monkeypatch.setattr("speechxl.verbs.finetuning.dev_error", lambda *_: 0.0)
    options = {**QUICK, "max_steps": 3, "watch": Watch(log_every=1, eval_every=1)}
    finetune(train=[corpus], out=tmp_path / "m", preset="tiny", architecture=SMALL, average_best=2, **options)
    card, text = page_of(tmp_path / "m")
    assert "those of the average of steps " in text
    measured = evaluate(str(tmp_path / "m"), [tmp_path / "m" / "dev.tsv"], device="cpu", precision="32").document
    assert card.data.eval_results[0].metric_value == pytest.approx(measured["cer"], abs=1e-4)


def test_scores_of_languages_agree_with_jiwer(vocabulary):
    rows = [("a", "quy", "ba do", "ba"), ("b", "quy", "lo", "lo la"), ("c", "swh", "da la", "do la")]
    scores = {(score.language, score.measure): score for score in recognition_scores(rows, vocabulary)}
    assert set(scores) == {(language, name) for language in ("", "quy", "swh") for name in ("cer", "wer")}
    for language in ("", "quy", "swh"):
        own = [row for row in rows if language in ("", row[1])]
        references, hypotheses = [row[2] for row in own], [row[3] for row in own]
        assert scores[language, "cer"].value == pytest.approx(jiwer.cer(references, hypotheses))
        assert scores[language, "wer"].value == pytest.approx(jiwer.wer(references, hypotheses))
    assert [score.language for score in recognition_scores(rows[:1], vocabulary)] == ["", ""]
    assert recognition_scores([], vocabulary) == []


def test_scores_of_classes_leave_out_what_has_no_label():
    judged = [("a", "quy", [0, -1], [0, 1]), ("b", "quy", [1, 0], [1, 0]), ("c", "quy", [1, 1], [0, 0])]
    scores = {(score.kind, score.measure): score.value for score in class_scores(judged, {"x": "ab", "y": "cd"})}
    assert scores["x", "accuracy"] == pytest.approx(2 / 3)
    assert scores["y", "accuracy"] == pytest.approx(1 / 2)
    assert scores["x", "macro_f1"] == pytest.approx(2 / 3)


def test_texts_of_others_cannot_break_the_tables(corpus):
    rows = [replace(row, extra={"licence": "a | b <script>"}) for row in read_manifest(corpus / "manifest.tsv")]
    settings = yaml.safe_dump({"model": "a/b", "max_steps": 1})
    scores = [Score("per", 0.5), Score("per", 0.25, (0.2, 0.3), "nor")]
    page = model_page(
        "m", "recognition", settings, Card(normalise=True, units="phoneme"), material_of(rows, []), scores, step=1
    )
    assert "| a \\| b &lt;script> |" in page
    assert "<script" not in page
    card = ModelCard(page)
    assert card.data.base_model == "a/b"
    assert card.data.tags == ["speechxl", "phonemes"]
    assert "| all | phone error rate | 0.500 | - |" in page
    assert "| Norwegian (nor) | phone error rate | 0.250 | 0.200 to 0.300 |" in page
    assert json.dumps(card.data.to_dict())
