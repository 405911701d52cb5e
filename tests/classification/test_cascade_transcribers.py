"""Texts from manifests and files of transcripts."""

import json
import logging
from pathlib import Path

import jiwer
import pytest

from speechxl.classification.transcribers import NoisyReference, Reference, TranscriptFile
from speechxl.errors import InputError
from speechxl.shapes import Utterance


def row(name, text="", start=0.0, **known):
    return Utterance(
        Path("/corpus") / name, name, start=start, text=text, language="swh", origin=f"m.tsv:{name}", **known
    )


def lines(path, *entries):
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return path


def test_references_are_columns_of_the_manifest():
    rows = [row("a", "Habari  yako", phonemes="h a", extra={"gloss": "how"})]
    assert Reference()(rows) == ["Habari yako"]
    assert Reference("phonemes")(rows) == ["h a"]
    assert Reference("gloss")(rows) == ["how"]


def test_a_row_without_text_is_named():
    with pytest.raises(
        InputError, match=r"m.tsv:b: column 'text' is empty \(1 such rows of 2\); a classifier of reference"
    ):
        Reference()([row("a", "x"), row("b")])


def test_transcripts_are_found_by_id_and_by_path_with_place(tmp_path):
    path = lines(
        tmp_path / "t.jsonl", {"audio": "b", "text": "mbili"}, {"audio": "a", "text": " moja"},
        {"audio": "/corpus/long.wav@3.25", "text": "tatu"}, {"audio": "long.wav", "text": "wrong"},
    )  # fmt: skip
    assert TranscriptFile(path)([row("a"), row("b"), row("long.wav", start=3.25)]) == ["moja", "mbili", "tatu"]


def test_the_document_of_transcribe_is_read_as_well(tmp_path):
    path = tmp_path / "t.json"
    path.write_text(json.dumps({"schema": 1, "results": [{"audio": "a", "text": "moja"}], "failures": []}, indent=1))
    assert TranscriptFile(path)([row("a")]) == ["moja"]


def test_what_transcribe_writes_is_read(tmp_path, corpus, ctc_folder):
    from speechxl.data.manifest import read_manifest
    from speechxl.verbs.transcribe import transcribe

    out = transcribe(str(ctc_folder), [str(corpus)], out=tmp_path / "t", format="jsonl", device="cpu").document
    rows = read_manifest(corpus / "manifest.tsv")
    assert TranscriptFile(tmp_path / "t" / "transcripts.jsonl")(rows) == [result["text"] for result in out["results"]]
    assert len(rows) == 14


def test_missing_transcripts_are_refused_or_empty(tmp_path, caplog):
    path = lines(tmp_path / "t.jsonl", {"audio": "a", "text": "moja"})
    with pytest.raises(
        InputError, match=r"m.tsv:b: .*t.jsonl has no transcript of 'b' \(2 of 3 rows\); transcribe the rest, or"
    ):
        TranscriptFile(path)([row("a"), row("b"), row("c")])
    caplog.set_level(logging.WARNING)
    assert TranscriptFile(path, missing="empty")([row("a"), row("b")]) == ["moja", ""]
    assert "has no transcript of 'b'" in caplog.text


def test_files_that_are_none_are_named_with_their_line(tmp_path):
    with pytest.raises(
        InputError, match=r"no.jsonl: there is no such file of transcripts; speechxl transcribe --format jsonl"
    ):
        TranscriptFile(tmp_path / "no.jsonl")([row("a")])
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"audio": "a", "text": "x"}\n{"audio"\n')
    with pytest.raises(InputError, match=r"broken.jsonl:2: is not JSON"):
        TranscriptFile(broken)([row("a")])
    with pytest.raises(InputError, match=r"odd.jsonl:1: an object with 'audio' and 'text' was expected"):
        TranscriptFile(lines(tmp_path / "odd.jsonl", {"audio": "a"}))([row("a")])
    twice = lines(tmp_path / "twice.jsonl", {"audio": "a", "text": "x"}, {"audio": "a", "text": "y"})
    with pytest.raises(InputError, match=r"twice.jsonl: 'a' has several transcripts, and they differ"):
        TranscriptFile(twice)([row("a")])


def test_a_file_that_is_written_anew_is_read_anew(tmp_path):
    path = lines(tmp_path / "t.jsonl", {"audio": "a", "text": "moja"})
    assert TranscriptFile(path)([row("a")]) == ["moja"]
    import os

    lines(path, {"audio": "a", "text": "mbili"})
    os.utime(path, ns=(1, 1))
    assert TranscriptFile(path)([row("a")]) == ["mbili"]


def test_noisy_references_have_errors_of_the_rate_in_plain_text():
    rows = [row(f"u{n}", "Habari, YAKO Rafiki!") for n in range(40)]
    texts = NoisyReference(0.25)(rows)
    assert jiwer.cer(["habari yako rafiki"] * 40, texts) == pytest.approx(0.25, abs=0.01)
    assert len(set(texts)) > 30
    assert NoisyReference(0.25)(rows[::-1]) == texts[::-1]
