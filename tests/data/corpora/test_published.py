"""Published corpora in the layouts in which they are unpacked; words and names are made up."""

import pytest

from speechxl.data.corpora import babel, librispeech, segments, ucla, voxangeles, voxpopuli
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.prepare import prepare
from tests.data.corpora.annotated import write_textgrid, write_tone


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


def ends(fault):
    return fault.place.rpartition("/")[2]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_librispeech(tmp_path):
    root = tmp_path / "LibriSpeech"
    for name in ("train-clean-100/19/198/19-198-0000", "train-clean-100/19/198/19-198-0009", "dev-other/7/1/7-1-0000"):
        write_tone(root / f"{name}.flac", 0.5)
    write(root / "train-clean-100/19/198/19-198.trans.txt", "19-198-0000 ONE TWO\n19-198-0001 THREE\n")
    write(root / "dev-other/7/1/7-1.trans.txt", "7-1-0000 FOUR\n")
    rows, faults = parted(librispeech.read(tmp_path))
    assert [(row.id, row.speaker, row.split, row.text, row.language, row.extra["subset"]) for row in rows] == [
        ("7-1-0000", "7", "dev", "FOUR", "eng", "dev-other"),
        ("19-198-0000", "19", "train", "ONE TWO", "eng", "train-clean-100"),
    ]
    assert [(ends(fault), fault.message) for fault in faults] == [
        ("19-198.trans.txt:2", "there is no recording '19-198-0001'."),
        ("19-198-0009.flac", "is not in 19-198.trans.txt"),
    ]
    alone, _ = parted(librispeech.read(root / "dev-other"))
    assert [row.split for row in alone] == ["dev"]


def test_mls(tmp_path):
    root = tmp_path / "mls_polish_opus"
    for id, book in (("10_20_000000", "20"), ("10_20_000001", "20")):
        write_tone(root / "train" / "audio" / "10" / book / f"{id}.flac", 0.5)
    write(root / "train" / "transcripts.txt", "10_20_000000\tżółty  kot\n10_20_000007\tnie ma\n")
    rows, faults = parted(librispeech.read(root))
    assert [(row.id, row.speaker, row.split, row.text, row.language) for row in rows] == [
        ("10_20_000000", "10", "train", "żółty kot", "pol")
    ]
    assert [fault.message for fault in faults] == ["there is no recording '10_20_000007'.", "is not in transcripts.txt"]
    with pytest.raises(InputError, match=r"neither \*.trans.txt \(LibriSpeech\) nor transcripts.txt"):
        list(librispeech.read(tmp_path / "mls_polish_opus" / "train" / "audio"))
    with pytest.raises(InputError, match="LibriSpeech or a language of MLS was expected"):
        list(librispeech.read(tmp_path / "none"))


def test_voxpopuli(tmp_path):
    folder = tmp_path / "transcribed_data" / "pl"
    write_tone(folder / "2017" / "20170101-0900-PLENARY-1-pl_20170101-09:00:05_3.ogg", 0.5)
    write_tone(tmp_path / "unlabelled_data" / "hu" / "2010" / "20100101_hu_0.ogg", 0.5)
    head = "id\traw_text\tnormalized_text\tspeaker_id\tsplit\tgender\n"
    write(
        folder / "asr_train.tsv",
        f"{head}20170101-0900-PLENARY-1-pl_20170101-09:00:05_3\tDzień 1.\tdzień pierwszy\t88\ttrain\tmale\n"
        "20170101-x\tA\ta\t\ttrain\t\n",
    )
    write(folder / "asr_dev.tsv", "id\ttext\n1\ta\n")
    rows, faults = parted(voxpopuli.read(tmp_path))
    assert [(row.text, row.language, row.speaker, row.split, row.extra) for row in rows] == [
        ("dzień pierwszy", "pol", "88", "train", {"raw_text": "Dzień 1.", "gender": "male"}),
        ("", "hun", "", "", {}),
    ]
    assert [ends(fault) for fault in faults] == ["asr_dev.tsv:1", "asr_train.tsv:3"]
    assert "no column normalized_text" in faults[0].message
    assert "20170101-x.ogg: there is no such file" in faults[1].message
    (tmp_path / "empty").mkdir()
    for folder, message in (("empty", "neither asr_train.tsv"), ("none", "the root of VoxPopuli was expected")):
        with pytest.raises(InputError, match=message):
            list(voxpopuli.read(tmp_path / folder))


def test_babel(tmp_path):
    root = tmp_path / "IARPA-babel202b" / "BABEL_OP2_202" / "conversational" / "training"
    name = "BABEL_OP2_202_10184_20131114_213042_inLine"
    write_tone(root / "audio" / f"{name}.wav")
    write(
        root / "transcription" / f"{name}.txt",
        "[0.000]\n<no-speech>\n[0.500]\nhabari <hes> ya leo\n[1.250]\nnzuri (()) sana\n[2.0]\nsawa\n[2.5]\n~ late\n[9.0]\ncut\n",
    )
    write(root / "transcription" / f"{name.replace('inLine', 'outLine')}.txt", "[0.0]\na\n[1.0]\n")
    rows, faults = parted(babel.read(tmp_path))
    assert [(row.start, row.duration, row.text, row.language, row.split, row.speaker) for row in rows] == [
        (0.5, 0.75, "habari ya leo", "swh", "train", "10184_inLine"), (2.0, 0.5, "sawa", "swh", "train", "10184_inLine"),
    ]  # fmt: skip
    assert rows[0].extra == {"raw_text": "habari <hes> ya leo"}
    assert [(ends(fault).rpartition("Line.txt")[2], fault.message[:24]) for fault in faults] == [
        (":1", "no words, <no-speech>"),
        (":5", "words that were not unde"),
        (":9", "the stretch from 2.500 s"),
        (":11", "text after the last time"),
        ("", "its recording is missing"),
    ]
    for folder, message in (
        (root / "audio", "no folder 'transcription'"),
        (tmp_path / "no", "a language pack of Babel"),
    ):
        with pytest.raises(InputError, match=message):
            list(babel.read(folder))


def test_ucla(tmp_path):
    for id in ("abk-002-000", "abk-002-001", "abk-002-006"):
        write_tone(tmp_path / "sample" / "abk" / "audio" / f"{id}.wav", 0.5)
    write(tmp_path / "sample" / "abk" / "text.txt", "abk-002-000 a d͡ʒ ʃʲ\nabk-002-001\nabk-002-002 a\n\n")
    rows, faults = parted(ucla.read(tmp_path))
    assert [(row.id, row.phonemes, row.language, row.text) for row in rows] == [("abk-002-000", "a d͡ʒ ʃʲ", "abk", "")]
    assert [(ends(fault), fault.message) for fault in faults] == [
        ("text.txt:2", "no phones"),
        ("text.txt:3", "there is no recording 'abk-002-002'."),
        ("abk-002-006.wav", "is not in text.txt"),
    ]
    with pytest.raises(InputError, match=r"a folder such as abk with text.txt and audio was expected"):
        list(ucla.read(tmp_path / "sample" / "abk" / "audio"))


def test_voxangeles(tmp_path):
    folder = tmp_path / "audited_aligned" / "ace"
    write_tone(folder / "ace_word-list_0_1.wav")
    write_textgrid(folder / "ace_word-list_0_1.TextGrid", points=False)
    write_textgrid(folder / "ace_word-list_0_2.TextGrid", points=False)
    write(folder / "ace_word-list_0_3.TextGrid", "no")
    write(tmp_path / "audited_aligned" / "bem.zip", "")
    rows, faults = parted(voxangeles.read(tmp_path))
    assert [(row.phonemes, row.language, row.extra) for row in rows] == [("ɲ an", "ace", {"word": 'ñan di"go! si'})]
    assert sorted((ends(fault), fault.message[:23]) for fault in faults) == [
        ("ace_word-list_0_2.TextGrid", "its recording is missin"),
        ("ace_word-list_0_3.TextGrid:1", "the file ends where the"),
        ("bem.zip", "is packed; unpack it th"),
    ]
    packed = tmp_path / "packed"
    write(packed / "bem.zip", "")
    with pytest.raises(InputError, match=r"bem.zip: is packed, as are 1 languages; unpack them there: unzip bem.zip"):
        list(voxangeles.read(packed))


@pytest.mark.parametrize(
    "table",
    [
        "0.500000\t1.250000\tñan\n\\\t100.0\t200.0\n2\t3\trin wasi\n",
        "start\tend\ttext\n500\t1250\tñan\n2000\t3000\trin wasi\n",
        "text,begin,end,speaker\nñan,0.5,1.25,Ana\nrin wasi,2,3,\n",
        "start,end,text\n0.5,1.25,ñan\n2,3,rin wasi\n",
    ],
)
def test_tables_of_long_recordings(tmp_path, table):
    write_tone(tmp_path / "tape 1.wav")
    write_tone(tmp_path / "tape 2.wav", 0.5)
    write(tmp_path / "tape 1.txt", table)
    rows, faults = parted(segments.read(tmp_path))
    assert [(row.start, row.duration, row.text) for row in rows] == [(0.5, 0.75, "ñan"), (2.0, 1.0, "rin wasi")]
    assert rows[0].speaker == ("Ana" if "Ana" in table else "")
    assert [fault.message for fault in faults] == ["no table of start, end and text has its name"]


def test_commas_in_the_last_column_are_text_and_faults_have_lines(tmp_path):
    write_tone(tmp_path / "a.wav")
    write(tmp_path / "a.csv", "0,1,one, two\nx,2,no\n1,nan,no\n1,2,\n3,90,late\n")
    write(tmp_path / "b.csv", "0,1,x\n")
    rows, faults = parted(segments.read(tmp_path))
    assert [row.text for row in rows] == ["one, two"]
    said = {ends(fault): fault.message for fault in faults}
    assert "has no start and end in seconds" in said["a.csv:2"]
    assert "is not within" in said["a.csv:3"]
    assert said["a.csv:4"] == "empty text"
    assert "is not within" in said["a.csv:5"]
    assert "there is no recording with its name" in said["b.csv"]
    with pytest.raises(InputError, match=r"b.csv: there is no recording with its name"):
        list(segments.read(tmp_path / "b.csv"))


def test_every_kind_of_the_verb_has_a_reader(tmp_path):
    import typing
    from importlib import import_module

    kinds = typing.get_args(typing.get_type_hints(prepare)["kind"])
    assert len(kinds) > 20
    for kind in set(kinds) - {"shards", "phonemes", "text"}:
        assert import_module(f"speechxl.data.corpora.{kind.replace('-', '_')}").read
    write_tone(tmp_path / "abk" / "audio" / "x.wav", 0.5)
    write(tmp_path / "abk" / "text.txt", "x a b\n")
    assert prepare("ucla", tmp_path, tmp_path / "m.tsv").document["utterances"] == 1
    assert read_manifest(tmp_path / "m.tsv")[0].phonemes == "a b"
