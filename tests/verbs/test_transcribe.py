import json
import shutil
import signal
import subprocess
import sys

import pytest
import soundfile
import torch
from safetensors.torch import load_file, save_file

from speechxl.cli import main
from speechxl.data.manifest import write_manifest
from speechxl.decoding import transcripts
from speechxl.decoding.output import write
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.shapes import Utterance
from speechxl.text import Vocabulary
from speechxl.verbs.transcribe import transcribe
from tests.conftest import small_preset, tone
from tests.data.test_media import encode


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
        [f"{stem}.{suffix}" for stem in stems for suffix in ("txt", "json")]
        + ["failures.jsonl", "transcribe.json", "transcripts.jsonl"]
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
    assert {path.name for path in (tmp_path / "out").glob("*.txt")} == {"u00@0.2.txt", "u00@0.1.txt"}


def test_the_order_of_the_input_is_kept_whatever_the_lengths(ctc_folder, corpus):
    names = [str(corpus / f"u{number:02d}.wav") for number in (7, 2, 11, 0, 5)]
    together = transcribe(str(ctc_folder), names, batch_seconds=2.0).document["results"]
    assert [result["audio"] for result in together] == names
    for result in together:
        assert transcribe(str(ctc_folder), [result["audio"]]).document["results"][0]["text"] == result["text"]


def names_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(folder):
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def test_files_of_others_are_kept_unless_told_otherwise(ctc_folder, corpus, tmp_path):
    (tmp_path / "u00.txt").write_text("mine")
    with pytest.raises(InputError, match=r"u00.txt stands there already .*--overwrite"):
        transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path)
    assert (tmp_path / "u00.txt").read_text() == "mine"
    transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path, overwrite=True)
    assert (tmp_path / "u00.txt").read_text() != "mine"


def test_files_of_others_are_not_taken_for_transcripts_in_another_format(ctc_folder, corpus):
    (corpus / "u00.txt").write_text("what was said")
    transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=corpus, format="json")
    with pytest.raises(InputError, match=r"u00.txt stands there already and is not by speechxl"):
        transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=corpus, format="txt")


def test_recordings_of_one_stem_do_not_overwrite_each_other(ctc_folder, corpus, tmp_path):
    shutil.copy(corpus / "u00.wav", corpus / "u00.WAV")
    names = [str(corpus / "u00.wav"), str(corpus / "u00.WAV")]
    transcribe(str(ctc_folder), names, out=tmp_path / "out")
    assert names_in(tmp_path / "out") == {"u00.txt", "u00.WAV.txt", "transcribe.json"}
    with pytest.raises(InputError, match="would be written to the same file"):
        transcribe(str(ctc_folder), [*names, names[1]], out=tmp_path / "again")


def test_every_format_is_written_in_one_pass(ctc_folder, corpus, tmp_path):
    names = [str(corpus / "u00.wav"), str(corpus / "u01.wav")]
    transcribe(str(ctc_folder), names, out=tmp_path / "out", format="all")
    suffixes = ["txt", "json", "srt", "vtt", "tsv", "ctm", "TextGrid", "eaf"]
    assert names_in(tmp_path / "out") == {"transcripts.jsonl", "transcribe.json"} | {
        f"{stem}.{suffix}" for stem in ("u00", "u01") for suffix in suffixes
    }


def test_what_is_done_is_skipped_by_format(ctc_folder, corpus, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["transcribe", str(ctc_folder), str(corpus / "u0[0-3].wav"), "--out", str(out), "--json"]
    assert main(command) == 0
    before = contents(out)
    assert main(command) == 0
    captured = capsys.readouterr()
    assert "4 of 4 recordings are done already, skipped" in captured.err
    assert json.loads(captured.out.splitlines()[-1]) == {"schema": 1, "results": [], "failures": [], "skipped": 4}
    assert contents(out) == before
    (out / "u02.txt").unlink()
    outcome = transcribe(str(ctc_folder), command[2:3], out=out)
    assert [result["audio"] for result in outcome.document["results"]] == [str(corpus / "u02.wav")]
    assert contents(out) == before
    outcome = transcribe(str(ctc_folder), command[2:3], out=out, format="txt,srt,jsonl")
    assert (len(outcome.document["results"]), outcome.document["skipped"]) == (4, 0)
    outcome = transcribe(str(ctc_folder), [str(corpus / "u0[0-5].wav")], out=out, format="txt,jsonl")
    assert (len(outcome.document["results"]), outcome.document["skipped"]) == (2, 4)
    assert audio_in(out / "transcripts.jsonl") == [f"u{number:02d}.wav" for number in range(6)]


def audio_in(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["audio"].rpartition("/")[2] for line in lines]


@pytest.mark.parametrize("killed", [0, 3])
def test_after_an_interruption_only_what_is_missing_is_done_and_nothing_differs(
    ctc_folder, corpus, tmp_path, monkeypatch, killed
):
    names = [str(corpus / f"u{number:02d}.wav") for number in (5, 3, 9, 1, 0, 7)]
    settings = {"format": "all", "batch_seconds": 0.1}
    transcribe(str(ctc_folder), names, out=tmp_path / "whole", **settings)
    out = tmp_path / "out"

    def killing(file, *arguments, **options):
        if file.name == names[killed].rpartition("/")[2].removesuffix(".wav"):
            write_text(file.with_name(f"{file.name}.txt"), "half written")  # and no other format
            file.with_name(f".{file.name}.json.0badc0de.part").write_text("half writ")
            raise KeyboardInterrupt
        return write(file, *arguments, **options)

    monkeypatch.setattr(transcripts, "write", killing)
    with pytest.raises(KeyboardInterrupt):
        transcribe(str(ctc_folder), names, out=out, **settings)
    monkeypatch.undo()
    assert len(list(out.glob("*.eaf"))) == killed
    if killed:
        with (out / "transcripts.jsonl.part").open("ab") as file:
            file.write(b'{"audio": "torn')
    outcome = transcribe(str(ctc_folder), names, out=out, **settings)
    assert [result["audio"] for result in outcome.document["results"]] == names[killed:]
    assert contents(out) == contents(tmp_path / "whole")


def test_a_run_that_was_killed_is_gone_on_with(ctc_folder, corpus, tmp_path):
    """The same with a signal that no program can answer."""
    code = (
        "import os, sys; from speechxl.decoding import transcripts; from speechxl.cli import main; real = transcripts.write;"
        "transcripts.write = lambda file, *a, **k: os.kill(os.getpid(), 9) if file.name == 'u02' else real(file, *a, **k);"
        "main(sys.argv[1:])"
    )
    out = tmp_path / "out"
    command = [
        "transcribe",
        str(ctc_folder),
        str(corpus / "u0[0-4].wav"),
        "--batch_seconds",
        "0.1",
        "--format",
        "srt,jsonl",
    ]
    assert subprocess.run([sys.executable, "-c", code, *command, "--out", str(out)]).returncode == -signal.SIGKILL
    assert names_in(out) == {"transcribe.json", "u00.srt", "u01.srt", "transcripts.jsonl.part"}
    assert main([*command, "--out", str(out)]) == 0
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert contents(out) == contents(tmp_path / "whole")


def test_shards_together_are_everything_once(ctc_folder, corpus, tmp_path):
    names, settings = [str(corpus)], {"format": "txt,jsonl", "batch_seconds": 0.1}
    whole = transcribe(str(ctc_folder), names, out=tmp_path / "whole", **settings).document["results"]
    parts = [
        transcribe(str(ctc_folder), names, out=tmp_path / "out", shard=f"{number}/3", **settings).document["results"]
        for number in (2, 1, 3)
    ]
    assert all(parts)
    assert sorted((result for part in parts for result in part), key=lambda result: result["audio"]) == whole
    lines = [f"transcripts-{number}-of-3.jsonl" for number in (1, 2, 3)]
    assert names_in(tmp_path / "out") == names_in(tmp_path / "whole") - {"transcripts.jsonl"} | set(lines)
    apart = [line for name in lines for line in (tmp_path / "out" / name).read_text().splitlines()]
    assert sorted(apart) == sorted((tmp_path / "whole" / "transcripts.jsonl").read_text().splitlines())
    assert (tmp_path / "out" / "transcribe.json").read_text() == (tmp_path / "whole" / "transcribe.json").read_text()
    again = transcribe(str(ctc_folder), names, out=tmp_path / "out", shard="2/3", **settings)
    assert again.document["skipped"] == len(parts[0])


@pytest.mark.parametrize("shard", ["0/3", "4/3", "3", "a/b", "1/0", "-1/3"])
def test_a_shard_that_is_none_is_explained(ctc_folder, corpus, shard):
    with pytest.raises(InputError, match=rf"--shard {shard}: the form is i/n with i from 1 to n, for example 3/64"):
        transcribe(str(ctc_folder), [str(corpus)], shard=shard)


def test_transcripts_of_another_model_are_not_mixed_with_those_there(ctc_folder, corpus, tmp_path):
    other, out = tmp_path / "other", tmp_path / "out"
    shutil.copytree(ctc_folder, other)
    settings = {"out": out, "format": "txt,jsonl", "precision": "32"}
    transcribe(str(ctc_folder), [str(corpus / "u0[01].wav")], **settings)
    moved = transcribe(str(other), [str(corpus / "u00.wav")], **settings)
    assert moved.document["skipped"] == 1  # a copy is the same model
    with pytest.raises(
        InputError, match=r"made with .*ctc \(\w+, precision 32\), not with .*, precision bf16\).*--overwrite"
    ):
        transcribe(str(ctc_folder), [str(corpus / "u00.wav")], **settings | {"precision": "bf16"})
    weights = load_file(other / "model.safetensors")
    save_file({name: -tensor for name, tensor in weights.items()}, other / "model.safetensors", {"format": "pt"})
    before = contents(out)
    with pytest.raises(InputError, match=r"made with .*ctc .*, not with .*other .*choose another --out"):
        transcribe(str(other), [str(corpus / "u00.wav")], **settings)
    assert contents(out) == before
    transcribe(str(other), [str(corpus / "u00.wav")], overwrite=True, **settings)
    assert audio_in(out / "transcripts.jsonl") == ["u00.wav"]  # that of u01 was by the other model
    assert transcribe(str(other), [str(corpus / "u00.wav")], **settings).document["skipped"] == 1


def test_overwriting_one_recording_keeps_the_lines_of_the_others(ctc_folder, corpus, tmp_path):
    settings = {"out": tmp_path / "out", "format": "jsonl"}
    transcribe(str(ctc_folder), [str(corpus / "u0[0-2].wav")], **settings)
    outcome = transcribe(str(ctc_folder), [str(corpus / "u01.wav")], overwrite=True, **settings)
    assert len(outcome.document["results"]) == 1
    assert sorted(audio_in(tmp_path / "out" / "transcripts.jsonl")) == ["u00.wav", "u01.wav", "u02.wav"]


def test_failures_stand_in_a_file_as_long_as_they_last(ctc_folder, corpus, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(corpus / "u00.wav", folder / "good one.wav")
    (folder / "bad.wav").write_text("no audio")
    (folder / "worse.wav").touch()
    command = ["transcribe", str(ctc_folder), str(folder), "--out", str(out)]
    assert main(command) == 4
    assert "2 of 3 recordings failed: " in capsys.readouterr().err
    lines = [json.loads(line) for line in (out / "failures.jsonl").read_text().splitlines()]
    assert [line["audio"] for line in lines] == [str(folder / "bad.wav"), str(folder / "worse.wav")]
    assert "the file is empty" in lines[1]["reason"]
    (folder / "worse.wav").unlink()
    assert main(command) == 4
    assert len((out / "failures.jsonl").read_text().splitlines()) == 1
    shutil.copy(corpus / "u01.wav", folder / "bad.wav")
    assert main(command) == 0
    assert names_in(out) == {"good one.txt", "bad.txt", "transcribe.json"}


def test_the_same_name_in_folders_and_with_other_suffixes(ctc_folder, corpus, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in ("x/ü 1.wav", "y/ü 1.wav", "y/ü 1.WAV", "transcribe.wav"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(corpus / "u00.wav", folder / name)
    transcribe(str(ctc_folder), [str(folder)], out=out, format="json")
    files = {"x/ü 1.json", "y/ü 1.wav.json", "y/ü 1.json", "transcribe.wav.json", "transcribe.json"}
    assert names_in(out) == files
    shutil.copy(corpus / "u01.wav", folder / "y" / "ü 1.AIFF.wav")
    soundfile.write(folder / "y" / "ü 1.flac", tone(0.5, 300), 16_000)  # stands before those that are done
    outcome = transcribe(str(ctc_folder), [str(folder)], out=out, format="json")
    assert outcome.document["skipped"] == 4
    assert names_in(out) == files | {"y/ü 1.AIFF.json", "y/ü 1.flac.json"}
    assert json.loads((out / "y" / "ü 1.json").read_text())["audio"] == str(folder / "y" / "ü 1.WAV")


def test_a_recording_of_the_same_name_from_elsewhere_is_not_taken_for_done(ctc_folder, corpus, tmp_path):
    for folder, source in (("jan", "u00.wav"), ("feb", "u01.wav")):
        (tmp_path / folder).mkdir()
        shutil.copy(corpus / source, tmp_path / folder / "1.wav")
    out = tmp_path / "out"
    transcribe(str(ctc_folder), [str(tmp_path / "jan")], out=out)
    with pytest.raises(
        InputError, match=r"1 in --out is the transcript of .*jan/1.wav, and that of .*feb/1.wav .*another --out"
    ):
        transcribe(str(ctc_folder), [str(tmp_path / "feb")], out=out)
    outcome = transcribe(str(ctc_folder), [str(tmp_path / "jan"), str(tmp_path / "feb")], out=out)
    assert outcome.document["skipped"] == 1
    assert names_in(out) == {"1.txt", "feb/1.txt", "transcribe.json"}


def test_rows_of_several_manifests_may_have_the_same_id(ctc_folder, corpus, tmp_path):
    manifests = []
    for name, number in (("a", 0), ("b", 1)):
        (corpus / f"{name}.tsv").write_text(f"id\tpath\n1\tu0{number}.wav\n")
        manifests.append(str(corpus / f"{name}.tsv"))
    settings = {"out": tmp_path / "out", "format": "jsonl"}
    transcribe(str(ctc_folder), manifests[:1], **settings)
    outcome = transcribe(str(ctc_folder), manifests, **settings)
    assert outcome.document["skipped"] == 1
    assert [
        json.loads(line)["audio"] for line in (tmp_path / "out" / "transcripts.jsonl").read_text().splitlines()
    ] == [
        "1",
        str(corpus / "u01.wav"),
    ]


def test_annotations_beside_a_recording_get_tiers_in_a_copy_and_are_never_replaced(ctc_folder, corpus, tmp_path):
    transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path / "first", format="eaf")
    beside = corpus / "u00.eaf"
    shutil.copy(tmp_path / "first" / "u00.eaf", beside)
    before = beside.read_bytes()
    transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=tmp_path / "second", format="eaf")
    assert "speechxl-words-2" in (tmp_path / "second" / "u00.eaf").read_text()
    for overwrite in (False, True):
        with pytest.raises(InputError, match=r"u00.eaf"):
            transcribe(str(ctc_folder), [str(corpus / "u00.wav")], out=corpus, format="eaf", overwrite=overwrite)
    beside.write_text("no xml")
    outcome = transcribe(str(ctc_folder), [str(corpus / "u0[01].wav")], out=tmp_path / "third", format="eaf")
    (failure,) = outcome.document["failures"]
    assert "u00.eaf: beside the recording, cannot be read as XML" in failure["reason"]
    assert (tmp_path / "third" / "u01.eaf").exists()
    beside.write_bytes(before)


def test_a_phoneme_model_writes_phones_in_every_format(tmp_path, corpus):
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_texts(["b a", "d o", "l"], "phoneme")
    card = Card(normalise=True, preset="tiny", units="phoneme", column="phonemes", vocabulary=vocabulary.hash)
    save_model(tmp_path / "model", new_ctc_model(small_preset(), vocabulary), card, vocabulary)
    outcome = transcribe(str(tmp_path / "model"), [str(corpus / "u00.wav")], out=tmp_path / "out", format="all")
    phones = [phone["phone"] for phone in outcome.document["results"][0]["phones"]]
    assert phones
    assert (tmp_path / "out" / "u00.ctm").read_text().splitlines()[0].split()[4] == phones[0]
    assert (tmp_path / "out" / "u00.tsv").read_text().splitlines()[1].split("\t")[2].split()[0] == phones[0]
    assert 'name = "phones"' in (tmp_path / "out" / "u00.TextGrid").read_text()
    assert "speechxl-phones" in (tmp_path / "out" / "u00.eaf").read_text()


def test_compressed_audio_of_telephones_is_transcribed(ctc_folder, corpus, tmp_path):
    pytest.importorskip("av")
    folder = tmp_path / "in"
    folder.mkdir()
    samples = soundfile.read(corpus / "u00.wav")[0]
    encode(folder / "voice note.m4a", samples, "aac", 16_000)
    outcome = transcribe(str(ctc_folder), [str(folder)], out=tmp_path / "out")
    assert outcome.document["results"][0]["duration"] == pytest.approx(len(samples) / 16_000, abs=0.1)
    assert names_in(tmp_path / "out") == {"voice note.txt", "transcribe.json"}


def test_the_same_recording_may_be_printed_twice(ctc_folder, corpus):
    assert len(transcribe(str(ctc_folder), [str(corpus / "u00.wav")] * 3).text.splitlines()) == 3


def test_files_without_a_folder_are_refused(ctc_folder, corpus):
    with pytest.raises(InputError, match=r"--format srt: files need a folder, name it with --out"):
        transcribe(str(ctc_folder), [str(corpus)], format="srt")


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
