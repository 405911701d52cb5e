"""Parquet tables as the hub has them, written with the library that writes those."""

import io

import numpy as np
import pyarrow
import pytest
import soundfile
from datasets import Audio, ClassLabel, Features, List, Value
from pyarrow import parquet

from speechxl.data.hub_tables import find_tables, read_rows, save_audio
from speechxl.errors import InputError

FEATURES = Features(
    {
        "name": Value("string"),
        "topic": ClassLabel(names=["travel", "sports"]),
        "audio": List(Audio(sampling_rate=16_000)),
    }
)


def sound(seconds=0.2, rate=16_000):
    """A recording as the tables hold it."""
    held = io.BytesIO()
    soundfile.write(held, np.zeros(round(seconds * rate)), rate, format="WAV")
    return {"bytes": held.getvalue(), "path": "x.wav"}


def write(path, rows, features=FEATURES):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=features.arrow_schema), path)


def test_splits_are_found_in_both_forms_of_the_hub(tmp_path):
    for name in (
        "data/eng_Latn/train-00000-of-00002",
        "data/eng_Latn/train-00001-of-00002",
        "data/eng_Latn/test",
        "swh/test/0000",
    ):
        write(tmp_path / f"{name}.parquet", [])
    found = find_tables(tmp_path)
    assert {name: {split: len(paths) for split, paths in own.items()} for name, own in found.items()} == {
        "eng_Latn": {"train": 2, "test": 1}, "swh": {"test": 1},
    }  # fmt: skip
    with pytest.raises(InputError, match=r"none: no Parquet tables CONFIGURATION/SPLIT-\*.parquet"):
        find_tables(tmp_path / "none")


def test_rows_come_in_order_and_classes_by_name(tmp_path):
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, numbers in zip(paths, (range(20), range(20, 25)), strict=True):
        write(path, [{"name": f"u{n}", "topic": n % 2, "audio": [sound(), sound(0.1)]} for n in numbers])
    rows = list(read_rows(paths, ["name", "topic"]))
    assert [row["name"] for row in rows] == [f"u{n}" for n in range(25)]
    assert [row["topic"] for row in rows[:3]] == ["travel", "sports", "travel"]
    assert len(rows[0]["audio"]) == 2


def test_tables_that_cannot_be_used_are_named(tmp_path):
    write(tmp_path / "a.parquet", [])
    with pytest.raises(InputError, match=r"a.parquet: lacks the columns text; it has name, topic, audio"):
        list(read_rows([tmp_path / "a.parquet"], ["name", "text"]))
    (tmp_path / "b.parquet").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(InputError, match=r"b.parquet: is no Parquet file that can be read"):
        list(read_rows([tmp_path / "b.parquet"], ["name"]))


def test_a_table_that_is_damaged_inside_is_named_with_the_row(tmp_path):
    write(tmp_path / "a.parquet", [{"name": f"u{n}" * 50, "topic": n % 2, "audio": [sound()]} for n in range(100)])
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    data[1_000 : len(data) // 2] = bytes(len(data) // 2 - 1_000)
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(InputError, match=r"a.parquet: is damaged at row \d+ or after it"):
        list(read_rows([tmp_path / "a.parquet"], ["name"]))


def test_recordings_are_written_as_they_are_and_once(tmp_path):
    cell = sound(0.3, 8_000)
    path = save_audio(cell, tmp_path / "audio", "u1")
    assert (path.name, path.read_bytes()) == ("u1.wav", cell["bytes"])
    before = path.stat().st_mtime_ns
    assert save_audio(cell, tmp_path / "audio", "u1").stat().st_mtime_ns == before
    with pytest.raises(InputError, match=r"u2: the table holds no recording, only the path 'x.mp3'"):
        save_audio({"bytes": None, "path": "x.mp3"}, tmp_path, "u2")
