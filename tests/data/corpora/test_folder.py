import shutil

import pytest

from speechxl.data.corpora.folder import read
from speechxl.data.manifest import Fault
from speechxl.errors import InputError


def test_texts_of_the_same_name_and_speakers_by_folder(corpus, tmp_path):
    folder = tmp_path / "recordings"
    for speaker, name, text in [
        ("ana", "one", b"da lo"),
        ("ana", "two", "\ufeffé".encode()),
        ("ben", "one", "lá".encode("utf-16")),
    ]:
        (folder / speaker).mkdir(parents=True, exist_ok=True)
        shutil.copy(corpus / "u00.wav", folder / speaker / f"{name}.wav")
        (folder / speaker / f"{name}.txt").write_bytes(text)
    shutil.copy(corpus / "u01.wav", folder / "three.wav")
    rows = list(read(folder))
    assert [(row.path.name, row.speaker, row.text) for row in rows] == [
        ("one.wav", "ana", "da lo"),
        ("two.wav", "ana", "é"),
        ("one.wav", "ben", "lá"),
        ("three.wav", "", ""),
    ]
    assert all(row.duration > 0.5 for row in rows)


def test_what_cannot_be_used_is_reported(corpus, tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "bad.wav").write_text("no audio")
    (folder / "lonely.txt").write_text("no recording")
    shutil.copy(corpus / "u00.wav", folder / "latin.wav")
    (folder / "latin.txt").write_bytes("é".encode("latin-1"))
    faults = [item for item in read(folder)]
    assert all(isinstance(fault, Fault) for fault in faults)
    assert [fault.place.rpartition("/")[2] for fault in faults] == ["bad.wav", "latin.wav", "lonely.txt"]
    assert "not audio" in faults[0].message
    assert "cannot be read" in faults[1].message
    assert "text without a recording" in faults[2].message


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(InputError, match="nope: there is no such folder"):
        list(read(tmp_path / "nope"))
