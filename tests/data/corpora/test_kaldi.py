import shutil

import pytest

from speechxl.cli import main
from speechxl.data.corpora.kaldi import read
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.data.corpora.annotated import write_tone


@pytest.fixture
def data(tmp_path):
    """``egs/data/train`` as recipes make it, with paths that begin at ``egs``."""
    folder = tmp_path / "egs" / "data" / "train"
    folder.mkdir(parents=True)
    write_tone(tmp_path / "egs" / "corpus" / "long tape.wav")
    write_tone(tmp_path / "egs" / "corpus" / "b.wav", 1.0)
    (folder / "wav.scp").write_text("tape corpus/long tape.wav\nb corpus/b.wav\nunused corpus/b.wav\n")
    (folder / "segments").write_text("ana-1 tape 0.5 1.25\nana-2 tape 2.0 -1\nñusta-1 b 0 1.0\n", encoding="utf-8")
    (folder / "text").write_text("ana-1 ñan  rin\nana-2\nñusta-1 arí\nlost words here\n", encoding="utf-8")
    (folder / "utt2spk").write_text("ana-1 ana\nana-2 ana\nñusta-1 ñusta\n", encoding="utf-8")
    (folder / "utt2lang").write_text("ana-1 quy\nana-2 qu\n")
    (folder / "spk2gender").write_text("ana f\n")
    return folder


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


def test_segments_texts_speakers_and_languages(data, tmp_path):
    rows, faults = parted(read(data, tmp_path / "a"))
    assert [(row.id, row.start, row.duration, row.text, row.speaker, row.language, row.extra) for row in rows] == [
        ("ana-1", 0.5, 0.75, "ñan rin", "ana", "quy", {"gender": "f"}),
        ("ana-2", 2.0, 2.0, "", "ana", "que", {"gender": "f"}),
        ("ñusta-1", 0.0, 1.0, "arí", "ñusta", "", {}),
    ]
    assert rows[0].path == tmp_path / "egs" / "corpus" / "long tape.wav"
    assert sorted(fault.message for fault in faults) == [
        "no segment of the recording 'unused' is named",
        "text of 'lost', of which there is no recording",
    ]


def test_without_segments_each_recording_is_an_utterance(data, tmp_path):
    (data / "segments").unlink()
    (data / "text").write_text("b words\n")
    rows, _ = parted(read(data, tmp_path / "a"))
    assert [(row.id, row.start, row.duration, row.text) for row in rows] == [
        ("tape", 0.0, 4.0, ""), ("b", 0.0, 1.0, "words"), ("unused", 0.0, 1.0, ""),
    ]  # fmt: skip


def test_commands_are_run_only_when_that_is_allowed(data, tmp_path, capsys):
    mark = tmp_path / "was here"
    source = tmp_path / "egs" / "corpus" / "b.wav"
    (data / "segments").unlink()
    (data / "text").write_text("b words\n")
    (data / "wav.scp").write_text(f"b touch '{mark}'; cat '{source}' |\nc exit 3 |\n")
    arguments = ["prepare", "kaldi", str(data), str(tmp_path / "m.tsv"), "--language", "quy"]
    assert main(arguments) == 2
    assert "wav.scp:1: is a command, \"touch '" in (said := capsys.readouterr().err)
    assert "as are 2 of 2 entries. Commands are run with --allow_pipes" in said
    assert not mark.exists()
    assert main([*arguments, "--allow_pipes"]) == 0
    (row,) = read_manifest(tmp_path / "m.tsv")
    assert mark.exists()
    assert row.path.parent == tmp_path / "m.audio"
    assert row.path.read_bytes() == source.read_bytes()
    assert "the command 'exit 3' gave nothing (code 3)" in (tmp_path / "m.dropped.tsv").read_text()


def test_wav_files_in_archives(data, tmp_path):
    first, second = (data.parents[1] / "corpus" / name for name in ("b.wav", "long tape.wav"))
    (data / "all.ark").write_bytes(b"b " + first.read_bytes() + b"tape " + second.read_bytes())
    place = 2 + first.stat().st_size + 5
    (data / "wav.scp").write_text(f"b {data}/all.ark:2\ntape all.ark:{place}\nbad all.ark:7\ngone none.ark:1\n")
    for name in ("segments", "text"):
        (data / name).unlink()
    rows, faults = parted(read(data, tmp_path / "a"))
    assert [row.path.read_bytes() for row in rows] == [first.read_bytes(), second.read_bytes()]
    assert "no wav file begins there" in faults[0].message
    assert "none.ark: there is no such file" in faults[1].message


def test_what_cannot_be_used_is_reported_with_its_line(data, tmp_path):
    (data / "segments").write_text("a tape x 2\nb nobody 0 1\nc tape 3 9\nd tape nan 2\ne\nf b 0 0.5\n")
    (data / "wav.scp").write_text("tape corpus/long tape.wav\nb ../../etc/passwd\n")
    rows, faults = parted(read(data, tmp_path / "a"))
    assert not rows
    said = {fault.place.rpartition("/")[2]: fault.message for fault in faults}
    assert said["segments:1"] == "'tape x 2' is not recording, start and end."
    assert said["segments:2"] == "the recording 'nobody' is not in wav.scp"
    assert "from 3.000 s to 9.000 s is not within the 4.000 s" in said["segments:3"]
    assert "is not recording, start and end" in said["segments:4"]
    assert "stands alone" in said["segments:5"]
    assert "there is no such file" in said["segments:6"] or "not audio" in said["segments:6"]
    shutil.rmtree(data)
    with pytest.raises(InputError, match=r"no wav.scp in it"):
        list(read(data, tmp_path / "a"))


def test_a_name_that_several_folders_have_is_not_guessed(data, tmp_path):
    root = tmp_path / "audio"
    write_tone(root / "x" / "001.wav")
    write_tone(root / "y" / "001.wav", 1.0)
    (data / "segments").unlink()
    (data / "text").unlink()
    (data / "wav.scp").write_text("one /old/disc/y/001.wav\ntwo /old/disc/001.wav\n")
    rows, faults = parted(read(data, tmp_path / "a", audio_root=root))
    assert [(row.id, row.path) for row in rows] == [("one", root / "y" / "001.wav")]
    assert "nor just one of that name below" in faults[0].message
