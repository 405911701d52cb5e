"""Cascades as `classify compare` keeps them, in `classify predict` and `classify evaluate`."""

import json

import pytest

from speechxl.classification.cascade import load_cascade
from speechxl.data.manifest import read_manifest
from speechxl.errors import InputError
from speechxl.verbs.classify_evaluate import classify_evaluate
from speechxl.verbs.classify_predict import classify_predict
from tests.verbs.spoken_tones import change_rows, make_spoken_tones
from tests.verbs.test_compare import SYSTEMS, compare, document


@pytest.fixture
def kept(tmp_path, ctc_folder):
    """The corpus, and the folders of the trained cascades by the name of their system."""
    tones = make_spoken_tones(tmp_path / "tones", languages=("quy",), sizes={"train": 3, "dev": 2, "test": 2})
    recogniser = {
        "class_path": "Recogniser",
        "init_args": {"model": str(ctc_folder), "device": "cpu", "precision": "32"},
    }
    systems = {
        "reference": SYSTEMS["reference"],
        "own": {"class_path": "TextCascade", "init_args": {"transcriber": recogniser, "train_text": ["asr"]}},
    }
    assert compare(tmp_path, tones, "--keep_models", "true", systems=systems) == 0
    return tones, {path.parent.parent.name: path for path in (tmp_path / "out" / "work").glob("*/*/model")}


def test_a_kept_cascade_evaluates_as_the_comparison_did(kept, tmp_path, capsys):
    tones, folders = kept
    assert folders.keys() == {"reference", "own"}
    found = {row["system"]: row for row in document(tmp_path)["results"] if row["test"] == "quy"}
    for name, folder in folders.items():
        own = classify_evaluate(str(folder), [tones], split="test", device="cpu").document
        assert own["utterances"] == 6
        assert own["kinds"]["pitch"]["macro_f1"] == pytest.approx(found[name]["macro_f1"])
        assert own["kinds"]["pitch"]["accuracy"] == pytest.approx(found[name]["accuracy"])


def test_labels_of_recordings_by_their_transcripts(kept, tmp_path):
    tones, folders = kept
    paths = [str(row.path) for row in read_manifest(tones / "manifest.tsv")[:2]]
    said = classify_predict(str(folders["own"]), [*paths, str(tones / "gone.wav")], device="cpu")
    assert said.code == 4
    assert [entry["audio"] for entry in said.document["results"]] == paths
    cascade = load_cascade(folders["own"])
    rows = read_manifest(tones / "manifest.tsv")[:2]
    for entry, row in zip(said.document["results"], cascade.predict(rows).probabilities, strict=True):
        (own,) = entry["labels"].values()
        assert own["probabilities"] == pytest.approx(dict(zip(cascade.labels, row, strict=True)), abs=1e-4)
    assert "gone.wav" in json.dumps(said.document["failures"])


def test_a_cascade_of_references_needs_texts(kept):
    tones, folders = kept
    change_rows(tones, lambda row: {"text": ""})
    with pytest.raises(
        InputError, match=r"column 'text' is empty \(30 such rows of 30\); a classifier of reference texts"
    ):
        classify_predict(str(folders["reference"]), [str(tones / "manifest.tsv")], device="cpu")
