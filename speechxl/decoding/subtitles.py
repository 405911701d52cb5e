"""Lines with times: SubRip, WebVTT, and the table that whisper writes."""

from html import escape

import pysubs2

from speechxl.decoding.intervals import Interval


def srt(lines: list[Interval]) -> str:
    """SubRip."""
    return _subtitles(lines).to_string("srt", keep_ssa_tags=True)


def vtt(lines: list[Interval]) -> str:
    """WebVTT, in which < and & mean something."""
    lines = [Interval(escape(line.text, quote=False), line.start, line.end, line.score) for line in lines]
    return _subtitles(lines).to_string("vtt", keep_ssa_tags=True)


def tsv(lines: list[Interval]) -> str:
    """Columns start and end, in milliseconds, and text."""
    rows = [(str(line.start), str(line.end), " ".join(line.text.split())) for line in lines]
    return "".join("\t".join(row) + "\n" for row in [("start", "end", "text"), *rows])


def _subtitles(lines: list[Interval]) -> pysubs2.SSAFile:
    file = pysubs2.SSAFile()
    file.events = [pysubs2.SSAEvent(line.start, line.end, line.text) for line in lines]
    return file
