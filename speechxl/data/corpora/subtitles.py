"""Recordings with subtitles beside them: SubRip (``.srt``) and WebVTT (``.vtt``)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from speechxl.data.audio import AudioError
from speechxl.data.languages import to_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.data.tiers import annotation_files, name_of
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}")
"""Of HTML, times of words in WebVTT, and codes of other subtitle formats."""
_LANGUAGE = re.compile(r"\.([a-z]{2,3}(?:-[A-Za-z]{2,4})?)$")
"""As in talk.sw.srt."""


@dataclass(frozen=True)
class Cue:
    """A line with its times."""

    line: int
    start: float
    """Seconds."""
    end: float
    raw: str


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Cues; tags are taken out of the text, which stands whole in the column "raw_text" where it had any.

    The speaker is that of WebVTT's voice tags, the language that of names such as talk.sw.srt.

    Args:
        source: File, or a folder below which they are.
        audio_root: Folder below which recordings are that do not stand beside their subtitles.
    """
    recordings = Recordings(audio_root)
    for file in annotation_files(source, (".srt", ".vtt")):
        try:
            cues = list(read_cues(file))
        except InputError as error:
            if file == source:
                raise
            yield Fault.of(file, error)
            continue
        language = _LANGUAGE.search(file.stem)
        bare = file.stem[: language.start()] if language else file.stem
        recording = recordings.find([], file) or recordings.find([], file.with_name(bare))
        code = to_iso(language[1]) if language else ""
        for cue in cues:
            if isinstance(cue, Fault):
                yield cue
            elif recording is None:
                yield Fault(f"{file}:{cue.line}", "its recording is missing; name its folder: --audio_root.")
            else:
                yield _utterance(file, f"{name_of(file, source)}{file.suffix}", cue, recording, recordings, code)


def read_cues(file: Path) -> Iterator[Cue | Fault]:
    """Cues of a file, and blocks in which there is no time.

    Raises:
        InputError: If it is no text file.
    """
    number = 1
    for block in re.split(r"(\n[ \t]*(?=\n))", read_plain(file, "file of subtitles")):
        begun, number = number, number + block.count("\n")
        lines = block.strip("\n").split("\n")
        begun += len(block) - len(block.lstrip("\n"))
        if not block.strip() or re.match(r"\s*(WEBVTT|NOTE|STYLE|REGION|X-TIMESTAMP-MAP)\b", block):
            continue
        place = next((place for place, line in enumerate(lines[:2]) if "-->" in line), None)
        times = _TIMES.fullmatch(lines[place]) if place is not None else None
        if place is None or times is None:
            yield Fault(f"{file}:{begun}", f"no times such as 00:00:01,000 --> 00:00:02,000 in {lines[0][:40]!r}.")
            continue
        yield Cue(begun, _seconds(times.groups()[:4]), _seconds(times.groups()[4:]), "\n".join(lines[place + 1 :]))


def _seconds(parts: tuple[str | None, ...]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction}")


def _utterance(
    file: Path, name: str, cue: Cue, recording: Path, recordings: Recordings, language: str
) -> Utterance | Fault:
    place = f"{file}:{cue.line}"
    voice = _VOICE.search(cue.raw)
    stripped = _TAG.sub("", cue.raw)
    text = normalise(unescape(stripped) if file.suffix.lower() == ".vtt" else stripped)
    if not text:
        return Fault(place, "empty line")
    try:
        start, duration = recordings.stretch(recording, cue.start, cue.end)
    except AudioError as error:
        return Fault(place, str(error))
    raw = normalise(cue.raw)
    return Utterance(
        recording, f"{name}#{cue.line}", start, duration, language=language, speaker=normalise(voice[1]) if voice else "",
        text=text, extra={"raw_text": raw} if raw != text else {}, origin=place,
    )  # fmt: skip
