"""A table of recordings: comma-, semicolon- or tab-separated, with one header line."""

import csv
from collections.abc import Iterator, Mapping
from io import StringIO
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError, probe
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

GUESSES = {
    "path": ("path", "file", "filename", "file_name", "audio", "audio_filepath", "wav", "wav_filename", "recording"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text", "utterance"),
    "phonemes": ("phonemes", "phones", "ipa"),
    "language": ("language", "lang", "locale", "iso"),
    "speaker": ("speaker", "speaker_id", "client_id", "spk"),
    "split": ("split", "set", "subset", "partition"),
    "label": ("label",),
    "id": ("id", "utt_id", "utterance_id"),
    "start": ("start_s", "start", "offset", "begin"),
    "end": ("end_s", "end"),
    "duration": ("duration_s", "duration"),
}  # fmt: skip
"""Names under which the columns of a manifest stand in the tables of other tools."""


def read(source: Path, columns: Mapping[str, str] | None = None) -> Iterator[Utterance | Fault]:
    """Rows of a table whose audio is named relative to it.

    Args:
        source: The table.
        columns: Which column of the table is ``path``, ``text``, ``speaker``, ...; the others are guessed.
    """
    header, rows = _rows(source)
    chosen = choose_columns(source, header, columns or {})
    for number, row in rows:
        place = f"{source}:{number}"
        if None in row:
            yield Fault(
                place, f"more fields than the {len(header)} of the header; put text that holds commas in quotes."
            )
            continue
        cells = {name: (row.get(column) or "").strip() for name, column in chosen.items()}
        try:
            yield _utterance(source, place, cells, {c: row[c] or "" for c in header if c not in chosen.values()})
        except AudioError as error:
            yield Fault(place, str(error))
        except ValueError as error:
            yield Fault(place, f"{error}; start, end and duration are numbers of seconds.")


def choose_columns(source: Path, header: list[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Column of the table for each column of a manifest: what was asked for, then the usual names."""
    for name, column in columns.items():
        if name not in GUESSES:
            raise InputError(
                f"--columns.{name}={column}: there is no {name!r} in a manifest; choose among {', '.join(GUESSES)}."
            )
        if column not in header:
            raise InputError(f"{source}:1: no column {column!r} (asked for as {name}); there are {', '.join(header)}.")
    lower = {column.lower(): column for column in header}
    guessed = {name: lower[guess] for name, names in GUESSES.items() for guess in reversed(names) if guess in lower}
    chosen = {**guessed, **columns}
    if "path" not in chosen:
        raise InputError(
            f"{source}:1: none of the columns {', '.join(header)} looks like the audio file; say which: --columns.path=COLUMN"
        )
    return chosen


def _rows(source: Path) -> tuple[list[str], list[tuple[int, dict[Any, str]]]]:
    try:
        text = source.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{source}: there is no such table.") from None
    except (UnicodeDecodeError, IsADirectoryError) as error:
        raise InputError(f"{source}: is not a UTF-8 text file ({error}).") from None
    if not text.strip():
        raise InputError(f"{source}: the table is empty.")
    delimiter = max("\t;,", key=text.partition("\n")[0].count)
    quoting: Any = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, restval="")
    try:
        return list(reader.fieldnames or []), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise InputError(f"{source}:{reader.line_num}: {error}.") from None


def _utterance(source: Path, place: str, cells: dict[str, str], extra: dict[str, str]) -> Utterance:
    path = source.parent.absolute() / cells["path"]
    total = probe(path).duration
    start = float(cells.get("start") or 0)
    end = float(cells["end"]) if cells.get("end") else total
    duration = float(cells["duration"]) if cells.get("duration") else end - start
    if start < 0 or duration <= 0 or start + duration > total + 0.1:
        raise AudioError(
            f"the stretch from {start:.2f} s to {start + duration:.2f} s is not within the {total:.2f} s of {path}."
        )
    named = {
        name: normalise(cells.get(name, "")) for name in ("language", "speaker", "split", "text", "phonemes", "label")
    }
    extra = {column: normalise(value) for column, value in extra.items() if column}
    id = cells.get("id") or (f"{cells['path']}@{start:g}" if cells.get("start") else cells["path"])
    return Utterance(path, id, start, duration, **named, extra=extra, origin=place)
