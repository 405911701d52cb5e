import json
import shutil
from dataclasses import replace

import pytest
import torch
from praatio import textgrid

from speechxl.cli import main
from speechxl.data.alignments import read_alignment
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.text import Vocabulary
from speechxl.verbs.align import align
from speechxl.verbs.aligning import doubt
from tests.conftest import small_preset


@pytest.fixture
def phone_folder(tmp_path):
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_texts(["b a", "l o d"], "phoneme")
    card = Card(normalise=True, preset="tiny", units="phoneme", column="phonemes", vocabulary=vocabulary.hash)
    save_model(tmp_path / "phones", new_ctc_model(small_preset(), vocabulary), card, vocabulary)
    return tmp_path / "phones"


@pytest.fixture
def phone_corpus(corpus):
    """The corpus with phones in a column of their own."""
    path = corpus / "manifest.tsv"
    rows = read_manifest(path)
    write_manifest(path, [replace(row, phonemes=" ".join(row.text.replace(" ", ""))) for row in rows])
    return corpus


def change_text(corpus, changed):
    path = corpus / "manifest.tsv"
    write_manifest(path, [replace(row, text=changed.get(row.path.stem, row.text)) for row in read_manifest(path)])


def test_results_have_the_documented_form(ctc_folder, corpus):
    document = align(str(ctc_folder), [corpus], split="dev").document
    assert (document["schema"], document["failures"], len(document["results"])) == (1, [], 4)
    for result, row in zip(document["results"], read_manifest(corpus / "manifest.tsv")[10:], strict=True):
        assert result.keys() == {"audio", "duration", "language", "text", "words", "phones", "score", "warnings"}
        assert (result["audio"], result["text"], result["phones"]) == (row.id, row.text, [])
        assert [word["word"] for word in result["words"]] == row.text.split()
        for word in result["words"]:
            assert 0 <= word["start"] < word["end"] <= result["duration"]
            assert 0 < word["score"] <= 1
            assert "".join(char["char"] for char in word["chars"]) == word["word"]


def test_phones_of_a_phoneme_model(phone_folder, phone_corpus, tmp_path):
    out = tmp_path / "out"
    document = align(str(phone_folder), [phone_corpus], out=out).document
    for result in document["results"]:
        assert " ".join(phone["phone"] for phone in result["phones"]) == result["text"]
        assert result["words"] == []
    assert [file.name for file in out.iterdir()] == ["alignment.tsv"]


def test_the_table_is_the_document(ctc_folder, corpus):
    outcome = align(str(ctc_folder), [corpus])
    header, *rows = [line.split("\t") for line in outcome.text.splitlines()]
    assert header == ["audio", "start", "end", "score", "word"]
    words = [(result["audio"], word) for result in outcome.document["results"] for word in result["words"]]
    assert [(name, float(start), label) for name, start, _, _, label in rows] == [
        (name, word["start"], word["word"]) for name, word in words
    ]


def test_a_recording_with_its_text_beside_it(ctc_folder, corpus, tmp_path):
    folder = tmp_path / "field"
    folder.mkdir()
    for number in (0, 1):
        shutil.copy(corpus / f"u0{number}.wav", folder / f"{number}.wav")
        (folder / f"{number}.txt").write_text("ba lo\n")
    whole = align(str(ctc_folder), [folder]).document["results"]
    assert [result["audio"] for result in whole] == ["0.wav", "1.wav"]
    (one,) = align(str(ctc_folder), [folder / "1.wav"]).document["results"]
    assert one["words"] == whole[1]["words"]
    (folder / "1.txt").unlink()
    with pytest.raises(InputError, match=r"put texts beside the recordings \(a.txt for a.wav\)"):
        align(str(ctc_folder), [folder / "1.wav"])
    (folder / "1.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"1.wav: its text cannot be read"):
        align(str(ctc_folder), [folder / "1.wav"])


def test_files_hold_what_is_found(ctc_folder, corpus, tmp_path):
    out = tmp_path / "out"
    results = align(str(ctc_folder), [corpus], out=out, format="tsv,json,TextGrid").document["results"]
    assert json.loads((out / "u03.json").read_text()) == results[3]
    rows = [line.split("\t") for line in (out / "alignment.tsv").read_text().splitlines()]
    assert rows[0] == ["path", "start_s", "end_s", "word", "score"]
    assert [row[3] for row in rows[1:]] == [word["word"] for result in results for word in result["words"]]
    segments = read_alignment(out / "characters.tsv")[str(corpus / "u03.wav")]
    assert [(s.start, s.end, s.phone) for s in segments] == [
        (char["start"], char["end"], char["char"]) for word in results[3]["words"] for char in word["chars"]
    ]
    grid = textgrid.openTextgrid(str(out / "u03.TextGrid"), includeEmptyIntervals=False)
    assert (grid.tierNames, grid.maxTimestamp) == (("words", "chars"), results[3]["duration"])
    assert [tuple(entry) for entry in grid.getTier("words").entries] == [
        (word["start"], word["end"], word["word"]) for word in results[3]["words"]
    ]


def test_files_that_stand_there_are_kept_unless_told_otherwise(ctc_folder, corpus, tmp_path):
    (tmp_path / "alignment.tsv").write_text("mine")
    with pytest.raises(InputError, match=r"alignment.tsv stands there already .*--overwrite"):
        align(str(ctc_folder), [corpus], out=tmp_path)
    align(str(ctc_folder), [corpus], out=tmp_path, overwrite=True)
    assert (tmp_path / "alignment.tsv").read_text() != "mine"


def test_stretches_have_times_in_the_recording(ctc_folder, corpus, tmp_path):
    manifest = corpus / "stretches.tsv"
    manifest.write_text("path\tstart_s\tduration_s\ttext\nu00.wav\t0.2\t0.4\tba\nu00.wav\t0.1\t0.3\tlo\n")
    out = tmp_path / "out"
    first, second = align(str(ctc_folder), [manifest], out=out, format="TextGrid").document["results"]
    assert 0.2 <= first["words"][0]["start"] < first["words"][0]["end"] <= 0.6
    assert 0.1 <= second["words"][0]["start"] < second["words"][0]["end"] <= 0.4
    grid = textgrid.openTextgrid(str(out / "u00@0.2.TextGrid"), includeEmptyIntervals=False)
    ((start, _, label),) = grid.getTier("words").entries
    assert (start, label) == (first["words"][0]["start"], "ba")


def test_unknown_symbols_fail_their_utterance_with_the_cure_and_the_others_are_done(ctc_folder, corpus, capsys):
    change_text(corpus, {"u01": "ba 7", "u04": "77ç"})
    assert main(["align", str(ctc_folder), str(corpus), "--json"]) == 4
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert len(document["results"]) == 12
    assert [failure["audio"] for failure in document["failures"]] == ["u01.wav", "u04.wav"]
    assert "manifest.tsv:3: '7' (U+0037 DIGIT SEVEN) 1x" in document["failures"][0]["reason"]
    assert "--unknown skip" in document["failures"][0]["reason"]
    assert "2 of 14 texts have symbols outside the vocabulary" in captured.err
    assert "'7' (U+0037 DIGIT SEVEN) 3x, 'ç' (U+00E7 LATIN SMALL LETTER C WITH CEDILLA) 1x" in captured.err


@pytest.mark.parametrize("unknown", ["skip", "star"])
def test_unknown_symbols_can_be_aligned_around(ctc_folder, corpus, unknown):
    change_text(corpus, {"u01": "ba 7 lo"})
    outcome = align(str(ctc_folder), [corpus], unknown=unknown)
    assert (outcome.code, len(outcome.document["results"])) == (0, 14)
    result = outcome.document["results"][1]
    assert [word["word"] for word in result["words"]] == ["ba", "7", "lo"]
    assert result["words"][1]["score"] is None
    assert result["warnings"] == ["outside the vocabulary: 7"]


def test_a_star_in_the_text_and_around_it_is_no_word(ctc_folder, corpus):
    change_text(corpus, {"u01": "ba * lo"})
    result = align(str(ctc_folder), [corpus], star=True).document["results"][1]
    assert [word["word"] for word in result["words"]] == ["ba", "lo"]
    assert result["text"] == "ba * lo"


def test_bad_recordings_and_too_long_texts_are_reported_and_the_others_done(ctc_folder, corpus, capsys):
    (corpus / "u02.wav").write_text("no audio")
    change_text(corpus, {"u05": "ba " * 200})
    assert main(["align", str(ctc_folder), str(corpus), "--json"]) == 4
    captured = capsys.readouterr()
    failures = json.loads(captured.out)["failures"]
    assert [failure["audio"] for failure in failures] == ["u02.wav", "u05.wav"]
    assert "not audio" in failures[0]["reason"]
    assert "manifest.tsv:7: the text needs 599 frames" in failures[1]["reason"]
    assert "it is shorter than its text" in captured.err


def test_a_score_far_below_the_others_is_doubted():
    results = [{"audio": str(n), "score": 0.5 + 0.01 * n, "warnings": []} for n in range(10)]
    assert doubt(results) == []
    results[3]["score"] = 0.05
    assert doubt(results) == [3]
    assert results[3]["warnings"] == ["text and audio may not belong together: score 0.050, median 0.545"]
    assert [result["warnings"] for result in results[4:]] == [[]] * 6


def test_scores_that_scatter_and_few_utterances_are_not_doubted():
    scattered = [{"audio": "a", "score": score, "warnings": []} for score in (0.9, 0.1, 0.5, 0.05, 0.3, 0.6)]
    assert doubt(scattered) == []
    assert doubt([{"audio": "a", "score": score, "warnings": []} for score in (0.9, 0.9, 0.001)]) == []


def test_the_warning_stands_in_the_files(ctc_folder, corpus, tmp_path, monkeypatch):
    from speechxl.verbs import aligning

    monkeypatch.setattr(aligning, "_FEWEST", 1)
    place = aligning.place
    scores = iter([0.5, 0.6, 0.001, 0.55] * 4)
    monkeypatch.setattr(aligning, "place", lambda *a: replace(place(*a), score=next(scores)))
    align(str(ctc_folder), [corpus], split="dev", out=tmp_path / "out", format="json")
    warned = [json.loads((tmp_path / "out" / f"u{n}.json").read_text())["warnings"] for n in range(10, 14)]
    assert [bool(warnings) for warnings in warned] == [False, False, True, False]


def test_an_alignment_has_no_boundary_error_against_itself(phone_folder, phone_corpus, tmp_path, capsys):
    command = ["align", str(phone_folder), str(phone_corpus)]
    assert main([*command, "--out", str(tmp_path / "out")]) == 0
    table = tmp_path / "out" / "alignment.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([*lines[:-1], lines[-1].replace("\to\t", "\tu\t").replace("\ta\t", "\tu\t")]))
    capsys.readouterr()
    assert main([*command, "--reference", str(table), "--json"]) == 0
    rates = json.loads(capsys.readouterr().out)["boundaries"]
    assert (rates["utterances"], rates["disagree"]) == (13, 1)
    assert rates["edges"]["median_ms"] == pytest.approx(0, abs=1e-6)
    assert rates["edges"]["within_20_ms"] == 1
    assert rates["edges"]["boundaries"] == 26
    assert main([*command, "--reference", str(table)]) == 0
    assert capsys.readouterr().out.startswith("boundaries")


def test_what_cannot_be_done_is_said(ctc_folder, corpus, tmp_path):
    with pytest.raises(NothingMatched, match="no row with split 'test'"):
        align(str(ctc_folder), [corpus], split="test")
    with pytest.raises(InputError, match="column 'phonemes' is empty in all rows"):
        align(str(ctc_folder), [corpus], column="phonemes")
    with pytest.raises(InputError, match="there is no such format; choose among tsv, json, TextGrid"):
        align(str(ctc_folder), [corpus], format="srt")
    (tmp_path / "known.tsv").write_text("path\tstart_s\tend_s\tphone\nother.wav\t0\t1\ta\n")
    with pytest.raises(InputError, match=r"known.tsv: holds none of the recordings, such as .*u00.wav"):
        align(str(ctc_folder), [corpus], reference=tmp_path / "known.tsv")
