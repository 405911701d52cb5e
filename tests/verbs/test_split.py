import json
from dataclasses import replace

import pytest

from speechxl.cli import main
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.verbs.split import split


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def speakers(corpus):
    rows = read_manifest(corpus / "manifest.tsv")
    rows = [replace(row, speaker=f"{row.language}{number // 2 % 4}") for number, row in enumerate(rows)]
    write_manifest(corpus / "manifest.tsv", rows)
    return corpus


def test_a_manifest_is_divided_and_the_table_says_how(speakers, tmp_path, capsys):
    assert main(["split", str(speakers), str(tmp_path / "out"), "--json"]) == 0
    said = capsys.readouterr()
    document = json.loads(said.out)
    rows = read_manifest(tmp_path / "out" / "manifest.tsv")
    old = read_manifest(speakers / "manifest.tsv")
    assert [replace(row, split="", origin="") for row in rows] == [
        replace(row, split="", origin="", path=new.path, id=new.id) for row, new in zip(old, rows, strict=True)
    ]
    assert [row.path.resolve() for row in rows] == [row.path.resolve() for row in old]
    for language in ("swh", "quy"):
        of = {row.speaker: set() for row in rows if row.language == language}
        for row in rows:
            if row.language == language:
                of[row.speaker].add(row.split)
        assert sorted(map(len, of.values())) == [1, 1, 1, 1]
        assert document["languages"][language]["train"]["groups"] == 2
    assert sum(part["utterances"] for x in document["languages"].values() for part in x.values()) == 14
    assert "14 rows had a split, which is replaced" in said.err
    assert main(["split", str(speakers), str(tmp_path / "out")]) == 2
    assert "stands there already; replace it with --overwrite" in capsys.readouterr().err
    assert main(["split", str(speakers), str(tmp_path / "out"), "--overwrite"]) == 0
    assert capsys.readouterr().out.startswith("language  train min  dev min  test min  train speakers")


def test_rows_of_one_split_are_divided_and_others_stay(speakers, tmp_path, caplog):
    outcome = split(speakers, tmp_path / "m.tsv", rows="train", test="0")
    old, new = read_manifest(speakers / "manifest.tsv"), read_manifest(tmp_path / "m.tsv")
    assert [row.split for row in new[10:]] == [row.split for row in old[10:]] == ["dev"] * 4
    assert {row.split for row in new[:10]} == {"train", "dev"}
    assert (outcome.document["utterances"], outcome.document["kept"]) == (10, 4)
    assert "are also in splits that stay as they are: speaker " in caplog.text


def test_recordings_and_columns_can_be_kept_together(speakers, tmp_path):
    rows = [
        replace(row, extra={"session": str(place % 5)})
        for place, row in enumerate(read_manifest(speakers / "manifest.tsv"))
    ]
    write_manifest(speakers / "manifest.tsv", rows)
    split(speakers, tmp_path / "s.tsv", by="session")
    found = {(row.extra["session"], row.split) for row in read_manifest(tmp_path / "s.tsv")}
    assert len(found) == 5
    split(speakers, tmp_path / "r.tsv", by="recording")
    assert {row.split for row in read_manifest(tmp_path / "r.tsv")} == {"train", "dev", "test"}


def test_missing_durations_and_speakers_are_made_up_for(corpus, tmp_path, caplog):
    rows = [replace(row, duration=None, speaker="") for row in read_manifest(corpus / "manifest.tsv")]
    write_manifest(corpus / "manifest.tsv", rows)
    document = split(corpus, tmp_path / "m.tsv", dev="20%", test="20%").document
    assert document["unnamed"] == 14
    assert "14 of 14 rows name no speaker; they are divided by recording" in caplog.text
    assert all(part["minutes"] > 0 for parts in document["languages"].values() for part in parts.values())


def test_too_few_speakers_are_a_warning_with_the_cure(corpus, tmp_path, caplog):
    rows = [replace(row, speaker=row.language) for row in read_manifest(corpus / "manifest.tsv")]
    write_manifest(corpus / "manifest.tsv", rows)
    split(corpus, tmp_path / "m.tsv")
    assert "swh: nothing in dev and test, as there are only 1 speakers; with one split less (--test 0)" in caplog.text


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"by": "village"}, InputError, "--by village: there is no such column; there are speaker, recording"),
        ({"rows": "other"}, NothingMatched, "no row with split 'other'; there are dev, train"),
        ({"dev": "x"}, InputError, "--dev x: a share such as"),
    ],
)
def test_wrong_settings_of_split_are_explained(corpus, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        split(corpus, tmp_path / "m.tsv", **options)
    assert not (tmp_path / "m.tsv").exists()


def test_a_recording_whose_length_is_not_known_is_named(corpus, tmp_path):
    rows = [replace(row, duration=None) for row in read_manifest(corpus / "manifest.tsv")]
    write_manifest(corpus / "manifest.tsv", rows)
    (corpus / "u03.wav").unlink()
    with pytest.raises(InputError, match=r"manifest.tsv:5: its duration is not known"):
        split(corpus, tmp_path / "m.tsv")
