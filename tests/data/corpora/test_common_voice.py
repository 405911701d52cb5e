import tarfile

import pytest

from speechxl.data.audio import probe, read_audio
from speechxl.data.corpora.common_voice import read
from speechxl.data.languages import language_fault, to_iso
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.common_voice import OLD, speaker, write_release

NAME = "cv-corpus-21.0-2025-03-14"


def clip(number, client="ana", sentence="habari", locale="sw", **more):
    return {"path": f"common_voice_{locale}_{number}.mp3", "client_id": client, "sentence": sentence, **more}


TABLES = {
    "train": [clip(1, "ana", 'alisema "ndiyo', accents="Kenya", age="twenties"), clip(2, "ana", "moja")],
    "dev": [clip(3, "ben", "mbili")],
    "test": [clip(4, "cho", "tatu")],
    "validated": [
        clip(1, "ana", 'alisema "ndiyo'),
        clip(3, "ben", "mbili"),
        clip(5, "dia", "nne"),
        clip(6, "dia", "tatu"),
        clip(7, "cho", "tano"),
    ],
    "other": [clip(8, "eno", "sita"), clip(9, "ben", "saba")],
    "invalidated": [clip(10, "eno", "nane")],
}


@pytest.fixture
def release(tmp_path):
    write_release(tmp_path / NAME, "sw", TABLES)
    return tmp_path / NAME


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("columns", [None, OLD])
@pytest.mark.parametrize("durations", [True, False])
def test_the_splits_of_a_release_are_kept(tmp_path, end, columns, durations):
    more = {} if columns is None else {"columns": columns}
    folder = write_release(tmp_path / NAME, "sw", TABLES, durations=durations, end=end, **more)
    rows = list(read(folder))
    assert [(row.id, row.split, row.text) for row in rows] == [
        ("common_voice_sw_1.mp3", "train", 'alisema "ndiyo'),
        ("common_voice_sw_2.mp3", "train", "moja"),
        ("common_voice_sw_3.mp3", "dev", "mbili"),
        ("common_voice_sw_4.mp3", "test", "tatu"),
    ]
    assert {row.language for row in rows} == {"swh"}
    assert {row.extra["locale"] for row in rows} == {"sw"}
    assert rows[0].speaker == rows[1].speaker == speaker("ana")[:16] != rows[2].speaker
    for row in rows:
        assert len(read_audio(row.path)) / 16_000 == pytest.approx(row.duration, abs=0.1)


def test_an_unpaired_quote_does_not_swallow_the_lines_after_it(release):
    table = release / "sw" / "train.tsv"
    lines = table.read_text().splitlines()
    table.write_text("\n".join([lines[0], lines[1].replace('alisema "ndiyo', '"kesho'), lines[2]]) + "\n")
    assert [row.text for row in read(release / "sw") if row.split == "train"] == ['"kesho', "moja"]


def test_durations_are_those_of_the_release_and_clips_are_then_not_opened(release, monkeypatch):
    monkeypatch.setattr("speechxl.data.corpora.common_voice.probe", lambda path: pytest.fail(f"opened {path}"))
    path = release / "sw" / "clip_durations.tsv"
    path.write_text(path.read_text().replace("common_voice_sw_1.mp3\t1000", "common_voice_sw_1.mp3\t1234"))
    assert next(iter(read(release))).duration == 1.234


def test_accents_stand_in_one_column_whatever_the_release_calls_it(tmp_path):
    for number, (columns, name) in enumerate([(None, "accents"), (OLD, "accent")]):
        more = {} if columns is None else {"columns": columns}
        folder = write_release(tmp_path / str(number), "sw", {"train": [clip(1, **{name: "Kenya"})]}, **more)
        (row,) = read(folder)
        assert row.extra["accents"] == "Kenya"


def test_clips_in_no_split_are_told_apart_by_speakers_and_sentences_of_dev_and_test(release):
    rows = list(read(release / "sw", all_clips=True))[4:]
    assert [(row.id, row.split, row.text) for row in rows] == [
        ("common_voice_sw_5.mp3", "validated", "nne"),
        ("common_voice_sw_6.mp3", "overlap", "tatu"),
        ("common_voice_sw_7.mp3", "overlap", "tano"),
        ("common_voice_sw_8.mp3", "other", ""),
        ("common_voice_sw_9.mp3", "overlap", ""),
    ]
    assert [row.extra["unchecked_text"] for row in rows[3:]] == ["sita", "saba"]


def test_several_languages_of_a_release(release):
    write_release(release, "sv-SE", {"train": [clip(1, locale="sv-SE", sentence="hej")]})
    assert [(row.language, row.extra["locale"]) for row in read(release)] == [("swe", "sv-SE")] + [("swh", "sw")] * 4
    assert len(list(read(release.parent))) == 5


def test_clips_that_cannot_be_used_are_reported_with_their_line(release):
    (release / "sw" / "clips" / "common_voice_sw_1.mp3").unlink()
    (release / "sw" / "clip_durations.tsv").unlink()
    (release / "sw" / "clips" / "common_voice_sw_2.mp3").write_bytes(b"")
    with (release / "sw" / "dev.tsv").open("a") as file:
        file.write("\t".join("x" * 20) + "\n")
    faults = [item for item in read(release) if isinstance(item, Fault)]
    assert [fault.place.rpartition("/")[2] for fault in faults] == ["train.tsv:2", "train.tsv:3", "dev.tsv:3"]
    assert "common_voice_sw_1.mp3: there is no such file" in faults[0].message
    assert "the file is empty" in faults[1].message
    assert faults[2].message == "20 fields, but the header has 13 columns."


def test_names_without_suffix_and_converted_clips_are_found(tmp_path):
    rows = [clip(1), clip(2)]
    folder = write_release(tmp_path, "ky", {"train": [row | {"path": row["path"][:-4]} for row in rows]}, columns=OLD)
    first, second = read(folder)
    assert first.path == folder / "clips" / "common_voice_sw_1.mp3"
    second.path.rename(second.path.with_suffix(".flac"))
    assert list(read(folder))[1].path.suffix == ".flac"


@pytest.mark.parametrize(
    ("locale", "iso"),
    [("ky", "kir"), ("rw", "kin"), ("sv-SE", "swe"), ("zh-CN", "cmn"), ("zh-TW", "cmn"), ("zh-HK", "yue"), ("ne-NP", "npi"),
     ("nan-tw", "nan"), ("rm-sursilv", "roh"), ("hy-AM", "hye"), ("nn-NO", "nno"), ("kab", "kab"), ("kmr", "kmr"),
     ("et", "ekk"), ("fa", "pes"), ("pa-IN", "pan"), ("ar", "arb")],
)  # fmt: skip
def test_locales_become_codes_of_single_languages(locale, iso):
    assert to_iso(locale) == iso
    assert language_fault(iso) is None


def test_a_locale_without_a_code_is_left_to_the_user(tmp_path, caplog):
    folder = write_release(tmp_path, "x-new", {"train": [clip(1)]})
    prepare("common_voice", folder, tmp_path / "m.tsv", language="quy")
    assert read_manifest(tmp_path / "m.tsv")[0].language == "quy"
    assert "locale 'x-new' has no code in ISO 639-3" in caplog.text


def test_what_is_not_a_release_is_explained(release, tmp_path):
    with pytest.raises(InputError, match="there is no such folder"):
        list(read(tmp_path / "nope"))
    packed = tmp_path / "packed"
    packed.mkdir()
    with tarfile.open(packed / "ky.tar.gz", "w:gz") as archive:
        archive.add(release, arcname=NAME)
    with pytest.raises(InputError, match=r"unpack it \(tar -xf ky.tar.gz\)"):
        list(read(packed / "ky.tar.gz"))
    with pytest.raises(InputError, match=r"There is ky.tar.gz: unpack it"):
        list(read(packed))
    (release / "sw" / "train.tsv").write_text("client_id\tpath\n")
    with pytest.raises(InputError, match=r"train.tsv:1: no column sentence; there are client_id, path"):
        list(read(release))
    (release / "sw" / "clips").rename(release / "elsewhere")
    with pytest.raises(InputError, match="tables but no folder clips"):
        list(read(release))


def test_a_delta_release_has_no_splits(tmp_path):
    folder = write_release(tmp_path, "sw", {"validated": [clip(1)], "other": [clip(2)]})
    with pytest.raises(InputError, match=r"there is validated.tsv, other.tsv, but no train.tsv.*--all_clips"):
        list(read(folder))
    assert [row.split for row in read(folder, all_clips=True)] == ["validated", "other"]


@pytest.mark.parametrize("kind", ["common_voice", "common-voice"])
def test_prepare_writes_a_manifest_of_a_release(release, tmp_path, kind):
    (release / "sw" / "clips" / "common_voice_sw_2.mp3").unlink()
    outcome = prepare(kind, release, tmp_path / "data", all_clips=True)
    assert (outcome.document["utterances"], outcome.document["with_text"], outcome.document["dropped"]) == (8, 6, 1)
    rows = read_manifest(tmp_path / "data" / "manifest.tsv")
    assert rows[0].text == 'alisema "ndiyo'
    assert rows[0].extra["age"] == "twenties"
    assert all(row.path.exists() for row in rows)


def test_all_clips_is_for_common_voice_only(release, tmp_path):
    with pytest.raises(InputError, match="--all_clips is of common_voice; 'folder' has no use for it"):
        prepare("folder", release, tmp_path / "m.tsv", all_clips=True)


@pytest.mark.parametrize("value", ["9" * 5_000, "0", "²", "-3", "1e3"])
def test_a_length_that_cannot_be_is_looked_up(release, value):
    table = release / "sw" / "clip_durations.tsv"
    clips = sorted((release / "sw" / "clips").iterdir())
    table.write_text("clip\tduration[ms]\n" + "".join(f"{clip.name}\t{value}\n" for clip in clips))
    rows = [row for row in read(release / "sw") if isinstance(row, Utterance)]
    assert rows
    assert all(row.duration == pytest.approx(probe(row.path).duration) for row in rows)
