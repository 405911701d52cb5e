import json
import shutil

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest
from speechxl.data.shards import read_index
from speechxl.errors import InputError
from speechxl.verbs.prepare import prepare


@pytest.fixture
def recordings(corpus, tmp_path):
    folder = tmp_path / "field recordings"
    (folder / "ana").mkdir(parents=True)
    for number in range(3):
        shutil.copy(corpus / f"u0{number}.wav", folder / "ana" / f"frase {number}.wav")
        (folder / "ana" / f"frase {number}.txt").write_text(f"texto {number}\n", encoding="utf-8")
    return folder


def test_a_folder_becomes_a_manifest_beside_the_recordings(recordings, tmp_path):
    outcome = prepare("folder", recordings, tmp_path / "data", language="quy", split="train")
    rows = read_manifest(tmp_path / "data" / "manifest.tsv")
    assert [(row.text, row.speaker, row.language, row.split) for row in rows] == [
        (f"texto {number}", "ana", "quy", "train") for number in range(3)
    ]
    assert all(row.path.exists() and row.duration > 0.5 for row in rows)
    assert outcome.document["utterances"] == outcome.document["with_text"] == 3
    assert not (tmp_path / "data" / "manifest.dropped.tsv").exists()


def test_what_is_left_out_is_reported_in_a_file(recordings, tmp_path):
    (recordings / "bad.wav").write_text("no")
    outcome = prepare("folder", recordings, tmp_path / "m.jsonl", language="quy")
    assert outcome.document["dropped"] == 1
    assert "bad.wav\tnot audio" in (tmp_path / "m.dropped.tsv").read_text()
    assert len(read_manifest(tmp_path / "m.jsonl")) == 3


def test_a_table_with_named_columns(recordings, tmp_path, capsys):
    (recordings / "t.csv").write_text("clip,ipa\nana/frase 0.wav,a b\n")
    arguments = [
        "prepare",
        "csv",
        recordings / "t.csv",
        tmp_path / "m.tsv",
        "--columns.path",
        "clip",
        "--columns.text=ipa",
        "--json",
    ]
    assert main([str(argument) for argument in arguments]) == 0
    assert json.loads(capsys.readouterr().out)["utterances"] == 1
    assert read_manifest(tmp_path / "m.tsv")[0].text == "a b"
    arguments = [
        "prepare",
        "csv",
        recordings / "t.csv",
        tmp_path / "n.tsv",
        "--columns",
        "text=ipa",
        "path=clip",
        "--json",
    ]
    assert main([str(argument) for argument in arguments]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["utterances"] == 1
    assert "columns: text = 'ipa', path = 'clip'" in captured.err
    assert read_manifest(tmp_path / "n.tsv")[0].text == "a b"


def test_nothing_usable_is_exit_code_5(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert main(["prepare", "folder", str(tmp_path / "empty"), str(tmp_path / "m.tsv")]) == 5
    assert not (tmp_path / "m.tsv").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"language": "xyzzy"}, "'xyzzy' is no language of ISO 639-3"),
        ({"columns": {"text": "a"}}, "--columns is of csv, .*; 'folder' has no use for it"),
    ],
)
def test_wrong_settings_are_explained(recordings, tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        prepare("folder", recordings, tmp_path / "m.tsv", **options)


def test_an_existing_manifest_is_kept_unless_told_otherwise(recordings, tmp_path):
    (tmp_path / "m.tsv").write_text("mine")
    with pytest.raises(InputError, match="stands there already; replace it with --overwrite"):
        prepare("folder", recordings, tmp_path / "m.tsv", language="quy")
    prepare("folder", recordings, tmp_path / "m.tsv", language="quy", overwrite=True)
    assert len(read_manifest(tmp_path / "m.tsv")) == 3


def test_a_manifest_becomes_shards_and_what_is_damaged_is_reported(corpus, tmp_path, capsys):
    (corpus / "u03.wav").write_bytes(b"no")
    arguments = ["prepare", "shards", str(corpus), str(tmp_path / "s"), "--corpus", "radio", "--threads", "2", "--json"]
    assert main(arguments) == 4
    document = json.loads(capsys.readouterr().out)
    index = read_index(tmp_path / "s")
    assert document["utterances"] == sum(shard.utterances for shard in index) == 13
    assert document["hours"] == pytest.approx(sum(shard.hours for shard in index))
    assert (document["files"], document["dropped"]) == (len(index), 1) == (4, 1)
    dropped = (tmp_path / "s" / "shards.dropped.tsv").read_text()
    assert "u03.wav: not audio" in dropped
    assert dropped.count("manifest.tsv:") == 1
    assert main(arguments) == 2
    assert "quy/radio, swh/radio stands there already" in capsys.readouterr().err


def test_shards_are_named_after_the_folder_and_take_what_the_manifest_does_not_say(recordings, tmp_path):
    prepare("folder", recordings, tmp_path / "data [1]" / "m.tsv")
    prepare("shards", tmp_path / "data [1]" / "m.tsv", tmp_path / "s", language="quy", split="train", shard_seconds=1.0)
    index = read_index(tmp_path / "s")
    assert {(shard.language, shard.corpus, shard.split) for shard in index} == {("quy", "data_1_", "train")}
    assert len(index) == 2


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("shards", {"shard_seconds": 0.0}, "--shard_seconds must be a positive number of seconds, got 0"),
        ("shards", {"threads": 0}, "--threads must be at least 1, got 0"),
        ("shards", {"corpus": "a/b"}, "corpus 'a/b' cannot name a file"),
        ("folder", {"corpus": "a"}, "--corpus is of shards; 'folder' has no use for it"),
    ],
)
def test_wrong_settings_of_shards_are_explained(corpus, tmp_path, kind, options, message):
    with pytest.raises(InputError, match=message):
        prepare(kind, corpus, tmp_path / "s", **options)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file: is a file, a folder for the shards was expected"):
        prepare("shards", corpus, tmp_path / "file")


def test_languages_are_named_in_any_way_and_written_as_iso_639_3(corpus, tmp_path):
    rows = read_manifest(corpus / "manifest.tsv")
    lines = [
        "path\ttext\tlanguage",
        *(f"{row.path}\t{row.text}\t{name}" for row, name in zip(rows, ["Swahili", "", "en"], strict=False)),
    ]
    (tmp_path / "t.tsv").write_text("\n".join(lines) + "\n")
    assert prepare("csv", tmp_path / "t.tsv", tmp_path / "m.tsv", language="Ayacucho Quechua").code == 0
    assert [row.language for row in read_manifest(tmp_path / "m.tsv")] == ["swh", "quy", "eng"]
    with pytest.raises(InputError, match="'Quechwa' is no language of ISO 639-3; nearest are que"):
        prepare("csv", tmp_path / "t.tsv", tmp_path / "n.tsv", language="Quechwa")
