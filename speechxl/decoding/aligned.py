"""Alignments as documents, tables and files for Praat."""

import json
from collections.abc import Collection, Iterator, Sequence
from os.path import relpath
from pathlib import Path
from typing import Any

from speechxl.data.sources import common_folder
from speechxl.decoding.output import suffixed
from speechxl.decoding.placing import Placed, Placement
from speechxl.decoding.transcripts import assign
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.shapes import Utterance

WORDS, CHARACTERS = "alignment.tsv", "characters.tsv"
"""Tables of all recordings."""
FORMATS = ("tsv", "json", "TextGrid")


def read_formats(names: str) -> list[str]:
    """Formats from their names, separated by commas."""
    formats = [name.strip() for name in names.split(",") if name.strip()]
    for name in formats:
        if name not in FORMATS:
            raise InputError(f"--format {name}: there is no such format; choose among {', '.join(FORMATS)}.")
    return formats


def document(
    utterance: Utterance, seconds: float, text: str, placement: Placement, units: str, unknown: Sequence[str]
) -> dict[str, Any]:
    """One entry of the ``--json`` document; times are in the recording, not in the stretch.

    Args:
        utterance: Where it is from.
        seconds: Of the audio.
        text: As it was given.
        placement: Of the text.
        units: ``"char"`` or ``"phoneme"``.
        unknown: Symbols that the vocabulary lacks.
    """

    def entry(kind: str, unit: Placed) -> dict[str, Any]:
        return {
            kind: unit.text,
            "start": round(utterance.start + unit.start, 3),
            "end": round(utterance.start + unit.end, 3),
            "score": None if unit.score is None else round(unit.score, 4),
        }

    words = [entry("word", word) | {"chars": [entry("char", part) for part in word.parts]} for word in placement.units]
    return {
        "audio": utterance.id,
        "duration": round(seconds, 3),
        "language": utterance.language or None,
        "text": text,
        "words": words if units == "char" else [],
        "phones": [entry("phone", phone) for phone in placement.units] if units == "phoneme" else [],
        "score": round(placement.score, 4),
        "warnings": [f"outside the vocabulary: {' '.join(dict.fromkeys(unknown))}"] if unknown else [],
    }


def tiers(result: dict[str, Any]) -> dict[str, list[tuple[str, float, float, float | None]]]:
    """Label, start, end and score of all words and characters, or phones, of a document."""
    entries = {
        "word": result["words"],
        "char": [char for word in result["words"] for char in word["chars"]],
        "phone": result["phones"],
    }
    return {
        name: [(unit[name], unit["start"], unit["end"], unit["score"]) for unit in units]
        for name, units in entries.items()
        if units
    }


def lines(results: Sequence[dict[str, Any]]) -> Iterator[str]:
    """A table for people: words, or phones, of all recordings."""
    for number, result in enumerate(results):
        (name, units), *_ = tiers(result).items()
        if number == 0:
            yield f"audio\tstart\tend\tscore\t{name}"
        for label, start, end, score in units:
            yield f"{result['audio']}\t{start:.3f}\t{end:.3f}\t{_number(score)}\t{label}"


def write_tables(out: Path, utterances: Sequence[Utterance], results: Sequence[dict[str, Any]]) -> None:
    """Writes ``alignment.tsv``, and ``characters.tsv`` for words: the form that `read_alignment` reads."""
    files = {"word": (WORDS, "word"), "char": (CHARACTERS, "unit"), "phone": (WORDS, "phone")}
    rows: dict[str, list[str]] = {}
    for utterance, result in zip(utterances, results, strict=True):
        path = relpath(utterance.path, out)
        for name, units in tiers(result).items():
            rows.setdefault(name, []).extend(
                f"{path}\t{start:.3f}\t{end:.3f}\t{label}\t{_number(score)}\n" for label, start, end, score in units
            )
    for name, table in rows.items():
        file, column = files[name]
        write_text(out / file, f"path\tstart_s\tend_s\t{column}\tscore\n" + "".join(table))


def targets(out: Path, utterances: Sequence[Utterance], formats: Collection[str], *, overwrite: bool) -> list[Path]:
    """File without suffix for each recording, in a tree like that of the recordings.

    Raises:
        InputError: If something stands there already, or two recordings would share a file.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, a folder was expected.")
    files = [out / entry.file for entry in assign(utterances, common_folder([], utterances), {})]
    written = [out / name for name in (WORDS, CHARACTERS) if "tsv" in formats]
    written += [suffixed(file, suffix) for file in files for suffix in formats if suffix != "tsv"]
    standing = [file for file in written if file.exists()]
    if standing and not overwrite:
        raise InputError(
            f"{standing[0]} stands there already ({len(standing)} such files); replace them with --overwrite."
        )
    return files


def write(file: Path, result: dict[str, Any], start: float, formats: Collection[str]) -> None:
    """Writes the files of one recording, whose utterance begins at ``start`` seconds."""
    if "json" in formats:
        write_text(suffixed(file, "json"), json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    if "TextGrid" in formats:
        _write_textgrid(suffixed(file, "TextGrid"), result, start)


def _write_textgrid(path: Path, result: dict[str, Any], start: float) -> None:
    """Writes words and characters, or phones, as tiers of Praat.

    Args:
        path: File.
        result: Document of an utterance.
        start: Where in the recording it begins, seconds.
    """
    from praatio.data_classes.interval_tier import IntervalTier
    from praatio.data_classes.textgrid import Textgrid

    end = start + result["duration"]
    grid = Textgrid(0, end)
    for name, units in tiers(result).items():
        intervals = [(begin, min(stop, end), label) for label, begin, stop, _ in units if stop > begin]
        if intervals:
            grid.addTier(IntervalTier(f"{name}s", intervals, 0, end))
    replace_file(path, lambda part: grid.save(str(part), format="long_textgrid", includeBlankSpaces=True))


def _number(score: float | None) -> str:
    return "" if score is None else f"{score:.4f}"
