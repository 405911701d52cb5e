"""A language pack of IARPA's Babel programme: telephone speech in ``audio``, times and texts in ``transcription``."""

import re
from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise

LANGUAGES = {
    "101": "yue", "102": "asm", "103": "ben", "104": "pus", "105": "tur", "106": "tgl", "107": "vie", "201": "hat",
    "202": "swh", "203": "lao", "204": "tam", "205": "kmr", "206": "zul", "207": "tpi", "301": "ceb", "302": "kaz",
    "303": "tel", "304": "lit", "305": "gug", "306": "ibo", "307": "amh", "401": "khk", "402": "jav", "403": "luo",
    "404": "kat",
}  # fmt: skip
"""Numbers of the languages in names such as BABEL_OP3_202_10184_20131114_213042_inLine."""
_SPLITS = {"training": "train", "sub-train": "train", "dev": "dev", "eval": "test"}
_NAME = re.compile(r"BABEL_\w+?_(\d{3})_(\d+)_(\d{8})_(\d{6})_(\w+)")
_TAG = re.compile(r"<[^<>\s]*>")
"""<no-speech>, <breath>, <laugh>, <hes> and others."""


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Stretches between the times of each transcription; tags are taken out of the text, which stands whole in "raw_text".

    Stretches without words, and those with words that nobody understood, ``(())``, are reported.

    Args:
        source: Folder with ``conversational/training/audio`` and ``transcription``, or one above or below it.
        audio_root: Folder below which recordings are that are not beside their transcriptions.

    Raises:
        InputError: If there are no transcriptions.
    """
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder; a language pack of Babel was expected.")
    recordings = Recordings(audio_root)
    files = sorted(path for path in source.rglob("*.txt") if path.parent.name == "transcription")
    if not files:
        raise NothingMatched(f"{source}: no folder 'transcription' with .txt below this folder.")
    for file in files:
        folder = file.parent.parent / "audio"
        path = next(
            (path for path in sorted(folder.glob(f"{_escaped(file.stem)}.*")) if path.suffix.lower() in SUFFIXES), None
        )
        path = path.absolute() if path else recordings.find([], file)
        try:
            text = read_plain(file, "transcription")
        except InputError as error:
            yield Fault.of(file, error)
            continue
        if path is None:
            yield Fault(str(file), f"its recording is missing; looked for {folder / file.stem}.sph and the like.")
            continue
        yield from _stretches(file, text, path, recordings)


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]*?])", r"[\1]", name)


def _stretches(file: Path, text: str, path: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    named = _NAME.match(file.stem)
    language = LANGUAGES.get(named[1], "") if named else ""
    speaker = f"{named[2]}_{named[5]}" if named else file.stem
    split = next((_SPLITS[part] for part in file.parts[::-1] if part in _SPLITS), "")
    begin: float | None = None
    said: list[str] = []
    where = 1
    for number, line in enumerate(text.split("\n"), start=1):
        time = re.fullmatch(r"\s*\[(\d+(?:\.\d+)?)\]\s*", line)
        if time is None:
            said += [line] if line.strip() else []
            continue
        end = float(time[1])
        if begin is not None or said:
            place = f"{file}:{where}"
            raw = normalise(" ".join(said))
            words = normalise(_TAG.sub(" ", raw))
            if begin is None:
                yield Fault(place, "text before the first time")
            elif not words:
                yield Fault(place, "no words, " + (raw if len(raw) < 40 else "tags only"))
            elif "(())" in words:
                yield Fault(place, "words that were not understood, (())")
            else:
                yield _row(
                    place, f"{file.stem}@{begin:g}", path, begin, end, recordings, words, raw, language, speaker, split
                )
        begin, said, where = end, [], number
    if said:
        yield Fault(f"{file}:{where}", "text after the last time; the file is truncated")


def _row(
    place: str, id: str, path: Path, begin: float, end: float, recordings: Recordings, words: str, raw: str, language: str,
    speaker: str, split: str,
) -> Utterance | Fault:  # fmt: skip
    try:
        start, duration = recordings.stretch(path, begin, end)
    except AudioError as error:
        return Fault(place, str(error))
    extra = {"raw_text": raw} if raw != words else {}
    return Utterance(path, id, start, duration, language, speaker, split, words, extra=extra, origin=place)
