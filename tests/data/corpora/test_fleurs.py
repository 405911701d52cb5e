import pyarrow
import pyarrow.parquet
import pytest
import soundfile

from speechxl.data.corpora.fleurs import read
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError
from speechxl.verbs.prepare import prepare
from tests.conftest import tone

LINES = {
    "train": [
        '10\t100.wav\tHabari "ya" leo?\thabari ya leo\th a b a r i | y a | l e o |\t12800\tMALE',
        "10\t101.wav\tHabari ya leo?\thabari ya leo\th a b a r i | y a | l e o |\t14400\tFEMALE",
    ],
    "dev": ["11\t200.wav\tMoja\tmoja\tm o j a |\t12800\tMALE"],
    "test": ["12\t300.wav\tMbili, tatu\tmbili tatu\tm b i l i | t a t u |\t12800\tOTHER"],
}


def write_language(folder, audio="audio/{}"):
    """A language as google/fleurs has it; the sentences are made up."""
    for split, lines in LINES.items():
        recordings = folder / audio.format(split)
        recordings.mkdir(parents=True)
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        for number, line in enumerate(lines):
            soundfile.write(recordings / line.split("\t")[1], tone(0.8 + 0.1 * number, 300.0, number), 16_000)
    return folder


@pytest.mark.parametrize("audio", ["audio/{}", "{}"])
def test_both_layouts_give_splits_texts_and_sentences(tmp_path, audio):
    rows = list(read(write_language(tmp_path / "sw_ke", audio), tmp_path / "a"))
    assert [(row.id, row.split, row.language, row.text) for row in rows] == [
        ("swh/train/100.wav", "train", "swh", "habari ya leo"),
        ("swh/train/101.wav", "train", "swh", "habari ya leo"),
        ("swh/dev/200.wav", "dev", "swh", "moja"),
        ("swh/test/300.wav", "test", "swh", "mbili tatu"),
    ]
    assert rows[0].extra == {"sentence": "10", "raw_transcription": 'Habari "ya" leo?', "gender": "male"}
    assert rows[1].duration == pytest.approx(0.9)


def test_several_languages_become_one_manifest(tmp_path):
    for name in ("sw_ke", "cmn_hans_cn"):
        write_language(tmp_path / "data" / name)
    assert prepare("fleurs", tmp_path, tmp_path / "all.tsv").document["utterances"] == 8
    assert {row.language for row in read_manifest(tmp_path / "all.tsv")} == {"swh", "cmn"}


def test_what_is_missing_or_damaged_is_reported_and_the_rest_is_kept(tmp_path):
    folder = write_language(tmp_path / "sw_ke")
    (folder / "audio" / "train" / "101.wav").unlink()
    (folder / "audio" / "dev" / "200.wav").write_bytes(b"no sound")
    with (folder / "test.tsv").open("a") as file:
        file.write("13\t301.wav\tNne\n")
    items = list(read(folder, tmp_path / "a"))
    assert [item.id for item in items if not isinstance(item, Fault)] == ["swh/train/100.wav", "swh/test/300.wav"]
    faults = [str(item) for item in items if isinstance(item, Fault)]
    assert len(faults) == 3
    assert "train.tsv:2" in faults[0]
    assert "101.wav" in faults[0]
    assert "test.tsv:2: 3 fields" in faults[2]


@pytest.mark.parametrize(
    ("name", "says"), [("audio/train.tar.gz", "tar -xzf"), ("train.tar.gz", "tar -xzf"), ("note.txt", "neither")]
)
def test_recordings_that_are_not_there_as_files(tmp_path, name, says):
    folder = tmp_path / "sw_ke"
    (folder / name).parent.mkdir(parents=True)
    (folder / name).touch()
    (folder / "train.tsv").write_text(LINES["train"][0])
    with pytest.raises(InputError, match=says):
        list(read(folder, tmp_path / "a"))


def test_other_folders_are_told_from_fleurs(tmp_path):
    (tmp_path / "sw_ke").mkdir()
    with pytest.raises(InputError, match="no language of FLEURS"):
        list(read(tmp_path, tmp_path / "a"))
    with pytest.raises(InputError, match="no such folder"):
        list(read(tmp_path / "none", tmp_path / "a"))


@pytest.mark.parametrize("name", ["sw_ke/{}-00000-of-00001.parquet", "sw_ke/{}/0000.parquet"])
def test_parquet_files_give_the_same_rows(tmp_path, name):
    folder = write_language(tmp_path / "sw_ke")
    expected = list(read(folder, tmp_path / "a"))
    for split, lines in LINES.items():
        cells = [line.split("\t") for line in lines]
        rows = [
            {
                "id": int(id), "num_samples": int(samples), "path": file, "transcription": text, "raw_transcription": raw,
                "audio": {"bytes": (folder / "audio" / split / file).read_bytes(), "path": file}, "gender": gender,
            }
            for id, file, raw, text, _, samples, gender in cells
        ]  # fmt: skip
        path = tmp_path / "packed" / name.format({"dev": "validation"}.get(split, split))
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    found = list(read(tmp_path / "packed", tmp_path / "a"))
    assert len(found) == 4
    for mine, theirs in zip(
        sorted(found, key=lambda row: row.id), sorted(expected, key=lambda row: row.id), strict=True
    ):
        assert (mine.id, mine.split, mine.text, mine.language) == (
            theirs.id,
            theirs.split,
            theirs.text,
            theirs.language,
        )
        assert (mine.duration, mine.extra) == (theirs.duration, theirs.extra)
        assert mine.path.read_bytes() == theirs.path.read_bytes()
        assert mine.path.parent == tmp_path / "a"


def test_other_parquet_files_are_reported(tmp_path):
    (tmp_path / "sw_ke").mkdir()
    pyarrow.parquet.write_table(pyarrow.table({"audio": [b"x"]}), tmp_path / "sw_ke" / "train.parquet")
    (tmp_path / "sw_ke" / "test.parquet").write_bytes(b"PAR1")
    faults = list(read(tmp_path, tmp_path / "a"))
    assert [type(fault) for fault in faults] == [Fault, Fault]
    assert "is no Parquet file that can be read" in faults[0].message
    assert "no column transcription and no raw_transcription; besides audio there are" in faults[1].message
