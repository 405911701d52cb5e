"""Transcripts as files and documents."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from speechxl.decoding import annotations, subtitles
from speechxl.decoding.intervals import grouped, intervals
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.shapes import Hypothesis, Utterance

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


def document(name: str, utterance: Utterance, seconds: float, hypothesis: Hypothesis, units: str) -> dict[str, Any]:
    """One entry of the ``--json`` document; times are in the recording, not in the stretch.

    Args:
        name: What the user calls the recording.
        utterance: The recording, or the stretch of one.
        seconds: Its length.
        hypothesis: What was recognised.
        units: ``"char"`` or ``"phoneme"``.
    """
    places = [
        {
            "word" if units == "char" else "phone": word.text,
            "start": round(utterance.start + word.start, 3),
            "end": round(utterance.start + min(word.end, seconds), 3),
            "score": round(word.score, 4),
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
        grid = annotations.praat(words, tier, utterance.start + seconds)
        replace_file(
            suffixed(file, "TextGrid"),
            lambda part: grid.save(str(part), "long_textgrid", includeBlankSpaces=True, reportingMode="error"),
        )
    if "eaf" in formats:
        target = suffixed(file, "eaf")
        beside: Path | None = utterance.path.with_suffix(".eaf")
        if beside is not None and (not beside.is_file() or (target.exists() and beside.samefile(target))):
            beside = None
        write_text(target, annotations.elan(words, tier, utterance.path, file.parent, beside))
