import json
import shutil

import pytest

from speechxl.cli import main
from speechxl.data.manifest import write_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.transcribe import transcribe


@pytest.fixture
def mixed(corpus, tmp_path):
    """Good files with difficult names, the same name twice, and three that are no audio."""
    folder = tmp_path / "mixed"
    for name, number in [("a b.wav", 0), ("inner/ñandú.wav", 1), ("inner/deeper/a b.wav", 2), ("x.1.wav", 3)]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(corpus / f"u0{number}.wav", folder / name)
    (folder / "empty.wav").touch()
    (folder / "text.flac").write_text("no audio")
    (folder / "readme.txt").write_text("not meant")
    (folder / "cut.wav").write_bytes((corpus / "u04.wav").read_bytes()[:9_000])
    return folder


def test_bad_files_are_reported_the_others_are_written_and_the_exit_code_is_4(ctc_folder, mixed, tmp_path, capsys):
    out = tmp_path / "out"
    assert (
        main(["transcribe", str(ctc_folder), str(mixed), "--out", str(out), "--format", "txt,json,jsonl", "--json"])
        == 4
    )
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert [result["audio"].rpartition("mixed/")[2] for result in document["results"]] == [
        "a b.wav",
        "inner/deeper/a b.wav",
        "inner/ñandú.wav",
        "x.1.wav",
    ]
    assert [failure["audio"].rpartition("/")[2] for failure in document["failures"]] == [
        "cut.wav",
        "empty.wav",
        "text.flac",
    ]
    for reason in ("truncated", "the file is empty", "not audio"):
        assert reason in captured.err
    written = sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file())
    stems = ["a b", "inner/deeper/a b", "inner/ñandú", "x.1"]
    assert written == sorted(
        [f"{stem}.{suffix}" for stem in stems for suffix in ("txt", "json")] + ["transcripts.jsonl"]
    )
    lines = [json.loads(line) for line in (out / "transcripts.jsonl").read_text().splitlines()]
    assert lines == document["results"]
    for result, stem in zip(lines, stems, strict=False):
        assert (out / f"{stem}.txt").read_text() == result["text"] + "\n"


def test_results_have_the_documented_form(ctc_folder, corpus):
    outcome = transcribe(str(ctc_folder), [str(corpus / "u00.wav")])
    (result,) = outcome.document["results"]
    assert outcome.document["schema"] == 1
    assert result.keys() == {"audio", "duration", "language", "text", "words", "phones", "warnings"}
    assert " ".join(word["word"] for word in result["words"]) == result["text"]
    for word in result["words"]:
        assert 0 <= word["start"] < word["end"] <= result["duration"]
        assert 0 < word["score"] <= 1


def test_the_text_of_one_file_is_printed_alone_and_of_several_with_their_names(ctc_folder, corpus):
    one = transcribe(str(ctc_folder), [str(corpus / "u00.wav")])
    two = transcribe(str(ctc_folder), [str(corpus / "u00.wav"), str(corpus / "u01.wav")])
    assert "\t" not in one.text
    assert two.text.splitlines()[0] == f"{corpus / 'u00.wav'}\t{one.text}"


def test_a_manifest_s_stretches_are_transcribed_with_times_in_the_recording(ctc_folder, corpus, tmp_path):
    manifest = corpus / "stretches.tsv"
    manifest.write_text("path\tstart_s\tduration_s\tlanguage\nu00.wav\t0.2\t0.4\tquy\nu00.wav\t0.1\t0.2\tquy\n")
    outcome = transcribe(str(ctc_folder), [str(manifest)], out=tmp_path / "out")
    first, second = outcome.document["results"]
    assert (first["duration"], second["duration"], first["language"]) == (0.4, 0.2, "quy")
    assert all(0.2 <= word["start"] < word["end"] <= 0.6 for word in first["words"])
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"u00@0.2.txt", "u00@0.1.txt"}


def test_the_order_of_the_input_is_kept_whatever_the_lengths(ctc_folder, corpus):
    names = [str(corpus / f"u{number:02d}.wav") for number in (7, 2, 11, 0, 5)]
    together = transcribe(str(ctc_folder), names, batch_seconds=2.0).document["results"]
    assert [result["audio"] for result in together] == names
    for result in together:
        assert transcribe(str(ctc_folder), [result["audio"]]).document["results"][0]["text"] == result["text"]


def test_transcripts_that_stand_there_are_kept_unless_told_otherwise(ctc_folder, corpus, tmp_path):
    (tmp_path / "u00.txt").write_text("mine")
    with pytest.raises(InputError, match=r"u00.txt stands there already .*--overwrite"):
        transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path)
    transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path, overwrite=True)
    assert (tmp_path / "u00.txt").read_text() != "mine"


def test_recordings_of_one_stem_do_not_overwrite_each_other(ctc_folder, corpus, tmp_path):
    shutil.copy(corpus / "u00.wav", corpus / "u00.WAV")
    names = [str(corpus / "u00.wav"), str(corpus / "u00.WAV")]
    transcribe(str(ctc_folder), names, out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"u00.txt", "u00.WAV.txt"}
    with pytest.raises(InputError, match="would be written to the same file"):
        transcribe(str(ctc_folder), [*names, names[1]], out=tmp_path / "again")


def test_an_unknown_format_and_no_match_are_explained(ctc_folder, corpus, tmp_path, capsys):
    assert main(["transcribe", str(ctc_folder), str(corpus), "--format", "srt,doc"]) == 2
    assert "there is no such format" in capsys.readouterr().err
    assert main(["transcribe", str(ctc_folder), str(tmp_path / "*.mp3")]) == 5
    assert "no file matches the pattern" in capsys.readouterr().err


def test_every_file_bad_is_exit_code_4_and_says_why(ctc_folder, tmp_path, capsys):
    assert main(["transcribe", str(ctc_folder), str(tmp_path / "nope.wav")]) == 4
    assert "nope.wav: there is no such file" in capsys.readouterr().err


def test_paths_that_go_up_stay_inside_the_output_folder(ctc_folder, corpus, tmp_path):
    away = corpus.parent / "away"
    away.mkdir()
    (away / "a.wav").write_bytes((corpus / "u00.wav").read_bytes())
    rows = [
        Utterance(corpus / ".." / "away" / "a.wav", "a"),
        Utterance(corpus / "u01.wav", "b"),
    ]
    write_manifest(corpus / "up.tsv", rows)
    transcribe(str(ctc_folder), [str(corpus / "up.tsv")], out=tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").rglob("*.txt")} == {"a.txt", "u01.txt"}
