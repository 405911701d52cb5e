"""Transcripts as files and documents."""

import json
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.shapes import Hypothesis, Utterance

LINES = "transcripts.jsonl"
FORMATS = ("txt", "json", "jsonl")


def read_formats(names: str) -> list[str]:
    """Formats from their names, separated by commas."""
    formats = [name.strip() for name in names.split(",") if name.strip()]
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"--format {name}: there is no such format; choose among {', '.join(FORMATS)}.")
    return formats


def name(utterance: Utterance) -> str:
    """What the user called it."""
    return utterance.id


def document(utterance: Utterance, seconds: float, hypothesis: Hypothesis, units: str) -> dict[str, Any]:
    """One entry of the ``--json`` document; times are in the recording, not in the stretch."""
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
        "audio": name(utterance),
        "duration": round(seconds, 3),
        "language": utterance.language or None,
        "text": hypothesis.text,
        "words": places if units == "char" else [],
        "phones": places if units == "phoneme" else [],
        "warnings": [] if hypothesis.text else ["nothing was recognised"],
    }


def targets(out: Path, utterances: Sequence[Utterance], formats: Collection[str], *, overwrite: bool) -> list[Path]:
    """File without suffix for each recording, in a tree like that of the recordings.

    Raises:
        InputError: If something stands there already, or two recordings would share a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, a folder was expected.")
    paths = [Path(os.path.normpath(utterance.path)) for utterance in utterances]
    common = Path(os.path.commonpath([path.parent for path in paths]))
    files = []
    taken: dict[Path, str] = {}
    for utterance, path in zip(utterances, paths, strict=True):
        inner = path.relative_to(common)
        place = f"@{utterance.start:g}" if utterance.start else ""
        file = out / inner.with_name(inner.stem + place)
        if file in taken:
            file = out / inner.with_name(inner.name + place)
        if file in taken:
            raise InputError(f"{name(utterance)} and {taken[file]} would be written to the same file {file}.txt.")
        taken[file] = name(utterance)
        files.append(file)
    written = [out / LINES] if "jsonl" in formats else []
    written += [suffixed(file, suffix) for file in files for suffix in formats if suffix != "jsonl"]
    standing = [file for file in written if file.exists()]
    if standing and not overwrite:
        raise InputError(
            f"{standing[0]} stands there already ({len(standing)} such files); replace them with --overwrite."
        )
    return files


def suffixed(file: Path, suffix: str) -> Path:
    """Name with a suffix added; a dot in the name itself is kept."""
    return file.with_name(f"{file.name}.{suffix}")


def write(file: Path, result: dict[str, Any], formats: Collection[str]) -> None:
    """Writes the files of one recording."""
    if "txt" in formats:
        write_text(suffixed(file, "txt"), result["text"] + "\n")
    if "json" in formats:
        write_text(suffixed(file, "json"), json.dumps(result, ensure_ascii=False, indent=1) + "\n")


def write_lines(path: Path, results: Sequence[dict[str, Any]]) -> None:
    """Writes all results, one JSON object a line."""
    write_text(path, "".join(json.dumps(result, ensure_ascii=False) + "\n" for result in results))
