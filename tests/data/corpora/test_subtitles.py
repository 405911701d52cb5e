import pysubs2
import pytest

from speechxl.data.corpora.subtitles import read, read_cues
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.data.corpora.annotated import write_tone

SRT = "1\n00:00:00,500 --> 00:00:01,250\n<i>Habari</i> ya\nleo?\n\n2\n00:00:02,000 --> 00:00:03,000\n{\\an8}Nzuri & salama\n"
VTT = (
    "WEBVTT - talk\n\nNOTE\nnot said\n\nSTYLE\n::cue {}\n\nintro\n00:00:00.500 --> 00:00:01.250 align:start\n"
    "<v Ana María>Habari <00:00:00.900><c>ya</c> leo?\n\n00:00:02.000 --> 00:00:03.000\nNzuri &amp; salama\n"
)


def parted(items):
    items = list(items)
    return [x for x in items if isinstance(x, Utterance)], [x for x in items if isinstance(x, Fault)]


@pytest.mark.parametrize(("name", "content"), [("la plática.sw.srt", SRT), ("la plática.vtt", VTT)])
def test_cues_are_those_that_pysubs2_reads(tmp_path, name, content):
    write_tone(tmp_path / "la plática.wav")
    (tmp_path / name).write_text(content, encoding="utf-8-sig", newline="\r\n")
    rows, faults = parted(read(tmp_path))
    expected = pysubs2.load(str(tmp_path / name))
    assert [(row.start, row.start + row.duration) for row in rows] == [
        (pytest.approx(event.start / 1000), pytest.approx(event.end / 1000)) for event in expected
    ]
    assert [row.text for row in rows] == ["Habari ya leo?", "Nzuri & salama"]
    assert not faults
    assert rows[0].language == ("swh" if "sw." in name else "")
    assert rows[0].speaker == ("Ana María" if name.endswith("vtt") else "")
    assert "<" in rows[0].extra["raw_text"]


def test_what_cannot_be_used_is_reported_with_its_line(tmp_path):
    write_tone(tmp_path / "a.wav")
    (tmp_path / "a.srt").write_text(
        SRT + "\nlost words\n\n3\n00:00:03,500 --> 00:00:09,000\nlate\n\n4\n00:00:03,000 --> 00:00:03,200\n<b></b>\n"
    )
    (tmp_path / "b.srt").write_text(SRT)
    (tmp_path / "c.srt").write_bytes(b"\xff\x00")
    rows, faults = parted(read(tmp_path))
    assert len(rows) == 2
    said = {fault.place.rpartition("/")[2]: fault.message for fault in faults}
    assert "no times such as" in said["a.srt:10"]
    assert "is not within the 4.000 s" in said["a.srt:12"]
    assert said["a.srt:16"] == "empty line"
    assert "its recording is missing" in said["b.srt:1"]
    assert "byte 0xff is not UTF-8" in said["c.srt:1"]
    with pytest.raises(InputError, match=r"c.srt:1: byte"):
        list(read_cues(tmp_path / "c.srt"))


def test_hours_may_be_left_out(tmp_path):
    (tmp_path / "a.vtt").write_text("WEBVTT\n\n00:01.5 --> 01:02.250\nx\n")
    (cue,) = read_cues(tmp_path / "a.vtt")
    assert (cue.start, cue.end) == (1.5, 62.25)
