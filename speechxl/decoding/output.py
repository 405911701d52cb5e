"""Transcripts as files and documents."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.decoding import annotations, subtitles
from speechxl.decoding.intervals import Interval, grouped, intervals
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.shapes import Hypothesis, Phone, Utterance, Word

FORMATS = ("txt", "json", "jsonl", "srt", "vtt", "tsv", "ctm", "TextGrid", "eaf")
"""What can be written; jsonl is one file for all recordings."""


def read_formats(names: str) -> list[str]:
    """Formats from their names in any case, separated by commas; ``all`` is all of them."""
    formats: list[str] = []
    for name in filter(None, map(str.strip, names.split(","))):
        found = [known for known in FORMATS if name.lower() in (known.lower(), "all")]
        if not found:
            raise InputError(f"--format {name}: there is no such format; choose among {', '.join(FORMATS)}, all.")
        formats += found
    if not formats:
        raise InputError(f"--format {names!r}: no format is named; choose among {', '.join(FORMATS)}, all.")
    return list(dict.fromkeys(formats))


def document(
    name: str,
    utterance: Utterance,
    seconds: float,
    hypothesis: Hypothesis,
    units: str,
    attributes: Mapping[str, Sequence[str] | None] | None = None,
) -> dict[str, Any]:
    """One entry of the ``--json`` document; times are in the recording, not in the stretch.

    Args:
        name: What the user calls the recording.
        utterance: The recording, or the stretch of one.
        seconds: Its length.
        hypothesis: What was recognised.
        units: ``"char"`` or ``"phoneme"``.
        attributes: Of each phone, in words; None where they are not wanted.
    """
    places = [
        {
            "word" if units == "char" else "phone": word.text,
            "start": round(utterance.start + word.start, 3),
            "end": round(utterance.start + min(word.end, seconds), 3),
            "score": round(word.score, 4),
            **_details(word, attributes),
        }
        for word in hypothesis.words
    ]
    return {
        "audio": name,
        "duration": round(seconds, 3),
        "language": utterance.language or None,
        "text": hypothesis.text,
        "words": places if units == "char" else [],
        "phones": places if units == "phoneme" else [],
        "warnings": [] if hypothesis.text else ["nothing was recognised"],
    }


def _details(word: Word, attributes: Mapping[str, Sequence[str] | None] | None) -> dict[str, Any]:
    """What is known of a phone beside its place."""
    details: dict[str, Any] = {}
    if isinstance(word, Phone):
        details["alternatives"] = [{"phone": phone, "score": round(score, 4)} for phone, score in word.alternatives]
    if attributes is not None:
        own = attributes.get(word.text)
        details["attributes"] = None if own is None else list(own)
    return details


def suffixed(file: Path, suffix: str) -> Path:
    """Name with a suffix added; a dot in the name itself is kept."""
    return file.with_name(f"{file.name}.{suffix}")


def write(
    file: Path,
    name: str,
    result: dict[str, Any],
    utterance: Utterance,
    seconds: float,
    units: str,
    formats: Collection[str],
    *,
    max_line_width: int = 42,
    max_gap: float = 1.0,
) -> None:
    """Writes the files of one recording, each complete or not at all.

    Args:
        file: Their name without suffix.
        name: Of the recording in a CTM file.
        result: Its `document`.
        utterance: The recording, or the stretch of one.
        seconds: Its length.
        units: ``"char"`` or ``"phoneme"``, what the model writes.
        formats: Which files; jsonl is not among those of one recording.
        max_line_width: Characters of a subtitle's line.
        max_gap: Seconds of silence after which a line begins.

    Raises:
        AnnotationError: If annotations stand beside the recording and cannot be added to.
    """
    words = intervals(result, utterance.start, seconds)
    lines = grouped(words, max_line_width, max_gap)
    tier = "words" if units == "char" else "phones"
    if "txt" in formats:
        write_text(suffixed(file, "txt"), result["text"] + "\n")
    if "json" in formats:
        write_text(suffixed(file, "json"), json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    if "srt" in formats:
        write_text(suffixed(file, "srt"), subtitles.srt(lines))
    if "vtt" in formats:
        write_text(suffixed(file, "vtt"), subtitles.vtt(lines))
    if "tsv" in formats:
        write_text(suffixed(file, "tsv"), subtitles.tsv(lines))
    if "ctm" in formats:
        write_text(suffixed(file, "ctm"), annotations.ctm(words, name))
    if "TextGrid" in formats:
        _write_praat(suffixed(file, "TextGrid"), words, tier, utterance.path, utterance.start + seconds)
    if "eaf" in formats:
        target = suffixed(file, "eaf")
        beside = _beside(utterance.path, (".eaf",), target)
        write_text(target, annotations.elan(words, tier, utterance.path, file.parent, beside))


def _write_praat(target: Path, words: list[Interval], tier: str, recording: Path, end: float) -> None:
    beside = _beside(recording, (".TextGrid", ".textgrid"), target)
    if beside is not None:
        write_text(target, annotations.praat_beside(words, tier, end, beside))
        return
    grid = annotations.praat(words, tier, end)
    replace_file(
        target, lambda part: grid.save(str(part), "long_textgrid", includeBlankSpaces=True, reportingMode="error")
    )


def _beside(recording: Path, suffixes: Sequence[str], target: Path) -> Path | None:
    """Annotations that stand beside a recording, unless they are what is written."""
    for suffix in suffixes:
        beside = recording.with_suffix(suffix)
        if beside.is_file() and not (target.exists() and beside.samefile(target)):
            return beside
    return None
