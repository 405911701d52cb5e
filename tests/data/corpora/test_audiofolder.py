import json

import pytest

from speechxl.data.corpora.audiofolder import read
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_tone


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "validation"):
        for name in ("1.wav", "sub dir/ñ 2.wav"):
            write_tone(tmp_path / "set" / split / name, 1.0)
    return tmp_path / "set"


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_in_the_folders_of_their_splits(folder, kind, tmp_path):
    for split in ("train", "validation"):
        rows = [
            {"file_name": "1.wav", "transcription": "uno, dos", "age": 30},
            {"file_name": "sub dir/ñ 2.wav", "age": 5},
        ]
        lines = ["file_name,transcription,age", '1.wav,"uno, dos",30', "sub dir/ñ 2.wav,,5"]
        text = "\n".join(lines if kind == "csv" else [json.dumps(row) for row in rows])
        (folder / split / f"metadata.{kind}").write_text(text + "\n", encoding="utf-8")
    rows, faults = parted(read(folder))
    assert not faults
    assert [(row.id, row.split, row.text, row.extra) for row in rows] == [
        ("train/1.wav", "train", "uno, dos", {"age": "30"}),
        ("train/sub dir/ñ 2.wav", "train", "", {"age": "5"}),
        ("validation/1.wav", "dev", "uno, dos", {"age": "30"}),
        ("validation/sub dir/ñ 2.wav", "dev", "", {"age": "5"}),
    ]
    assert prepare("audiofolder", folder, tmp_path / "m.tsv", language="spa").document["utterances"] == 4


def test_one_table_for_all_and_recordings_that_it_does_not_name(folder):
    (folder / "metadata.csv").write_text("file_name,text,ipa\ntrain/1.wav,uno,u n o\nnone.wav,dos,\na,b,c,d\n")
    (folder / "bad.wav").write_text("no")
    rows, faults = parted(read(folder, {"text": "ipa"}))
    assert [(row.id, row.split, row.text) for row in rows if row.text] == [("train/1.wav", "train", "u n o")]
    assert len([row for row in rows if not row.text]) == 3
    assert [fault.place.rpartition("/")[2] for fault in faults] == ["metadata.csv:4", "metadata.csv:3", "bad.wav"]
    assert "more fields than the header has" in faults[0].message
    assert "there is no such file" in faults[1].message


def test_without_a_table_folders_are_labels(tmp_path):
    for name in ("train/dog/1.wav", "train/cat/2.wav", "test/dog/3.wav", "4.wav"):
        write_tone(tmp_path / name, 0.5)
    rows, _ = parted(read(tmp_path))
    assert {(row.id, row.split, row.label) for row in rows} == {
        ("train/dog/1.wav", "train", "label:dog"), ("train/cat/2.wav", "train", "label:cat"),
        ("test/dog/3.wav", "test", "label:dog"), ("4.wav", "", ""),
    }  # fmt: skip


def test_what_is_malformed_is_said(folder):
    (folder / "metadata.jsonl").write_text('{"file_name": "train/1.wav", "offset": "x"}\n{"file_name"\n')
    (folder / "metadata.parquet").write_text("")
    _, faults = parted(read(folder))
    assert [fault.place.rpartition("/")[2] for fault in faults] == [
        "metadata.parquet",
        "metadata.jsonl:2",
        "metadata.jsonl:1",
    ]
    assert "is not read; metadata.csv or metadata.jsonl was expected" in faults[0].message
    assert "start, end and duration are numbers" in faults[2].message
    with pytest.raises(InputError, match="there is no such folder"):
        list(read(folder / "none"))
    (folder / "metadata.jsonl").unlink()
    (folder / "metadata.csv").write_text("file_name,text\ntrain/1.wav," + "x" * 10_000_000 + "\n")
    with pytest.raises(InputError, match=r"metadata.csv:\d: field larger than field limit"):
        list(read(folder))
