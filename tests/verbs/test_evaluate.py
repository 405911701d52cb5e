import json

import jiwer
import pytest

from speechxl.cli import main
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.transcribe import transcribe
from tests.models.test_adapters import multilingual


def test_rates_are_those_of_jiwer_on_the_written_transcripts(ctc_folder, corpus, tmp_path):
    document = evaluate(str(ctc_folder), [corpus], transcripts=tmp_path / "t.tsv").document
    rows = [line.split("\t") for line in (tmp_path / "t.tsv").read_text().splitlines()[1:]]
    references, hypotheses = [row[1] for row in rows], [row[2] for row in rows]
    assert len(rows) == document["utterances"] == 14
    assert document["wer"] == pytest.approx(jiwer.wer(references, hypotheses))
    assert document["cer"] == pytest.approx(jiwer.cer(references, hypotheses))
    assert document["per"] is None
    edits = document["substitutions"] + document["deletions"] + document["insertions"]
    assert edits / document["units"] == pytest.approx(document["cer"])
    low, high = document["intervals"]["cer"]
    assert low <= document["cer"] <= high


def test_languages_are_counted_apart_and_add_up(ctc_folder, corpus):
    document = evaluate(str(ctc_folder), [corpus]).document
    parts = document["per_language"]
    assert parts.keys() == {"quy", "swh"}
    assert sum(part["units"] for part in parts.values()) == document["units"]
    assert sum(part["deletions"] for part in parts.values()) == document["deletions"]
    only = evaluate(str(ctc_folder), [corpus], language=["swh"]).document
    for name in ("sw", "Swahili"):
        assert evaluate(str(ctc_folder), [corpus], language=[name]).document["per_language"] == only["per_language"]
    assert only["cer"] == parts["swh"]["cer"]


def test_the_table_names_languages_and_intervals(ctc_folder, corpus):
    text = evaluate(str(ctc_folder), [corpus], split="dev").text
    assert text.splitlines()[0].startswith("language")
    assert [line.split()[0] for line in text.splitlines()[1:]] == ["quy", "swh", "all"]


def test_a_bad_recording_is_reported_and_the_rest_is_scored(ctc_folder, corpus, capsys):
    (corpus / "u12.wav").write_text("no audio")
    assert main(["evaluate", str(ctc_folder), str(corpus), "--json"]) == 4
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert document["utterances"] == 13
    assert "not audio" in document["failures"][0]["reason"]
    assert "manifest.tsv:14" in captured.err


def test_what_cannot_be_evaluated_is_said(ctc_folder, corpus):
    with pytest.raises(NothingMatched, match="no row in mdw"):
        evaluate(str(ctc_folder), [corpus], language=["mdw"])
    with pytest.raises(InputError, match="column 'phonemes' is empty in all rows"):
        evaluate(str(ctc_folder), [corpus], column="phonemes")


def test_a_language_of_a_multilingual_model_is_chosen(corpus, tmp_path):
    folder = str(multilingual(tmp_path / "mms"))
    document = evaluate(folder, [corpus], model_language="swh", language=["quy"], precision="32").document
    assert list(document["per_language"]) == ["quy"]
    assert transcribe(folder, [str(corpus / "u00.wav")], model_language="eng").code == 0
    with pytest.raises(InputError, match=r"none for 'quy'; choose one with --model_language: eng, swh"):
        transcribe(folder, [str(corpus / "u00.wav")], model_language="quy")
