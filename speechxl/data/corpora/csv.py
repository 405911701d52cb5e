"""A table of recordings: comma-, semicolon- or tab-separated, with one header line."""

import csv
import logging
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError
from speechxl.data.languages import language_fault, to_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

log = logging.getLogger(__name__)
GUESSES = {
    "path": ("path", "file", "filename", "file_name", "audio", "audio_filepath", "wav", "wav_filename", "recording"),
    "text": ("text", "sentence", "transcript", "transcription", "normalized_text", "utterance", "raw_transcription"),
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
    header, rows = read_rows(source)
    chosen = choose_columns(source, header, columns or {})
    show_columns(header, chosen)
    recordings = Recordings()
    for number, row in rows:
        place = f"{source}:{number}"
        if None in row:
            yield Fault(
                place, f"more fields than the {len(header)} of the header; put text that holds commas in quotes."
            )
            continue
        cells = cells_of(row, chosen)
        try:
            extra = {c: row[c] or "" for c in header if c not in chosen.values()}
            yield row_utterance(source, place, cells, extra, recordings)
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
    lower = {column.lower(): column for column in header if column not in columns.values()}
    guessed = {name: lower[guess] for name, names in GUESSES.items() for guess in reversed(names) if guess in lower}
    chosen = {**guessed, **columns}
    if "path" not in chosen:
        raise InputError(
            f"{source}:1: none of the columns {', '.join(header)} looks like the audio file; say which: --columns.path=COLUMN"
        )
    return chosen


def cells_of(row: Mapping[Any, str | None], chosen: Mapping[str, str]) -> dict[str, str]:
    """Cells under the names of a manifest; a label without a kind gets its column's name as its kind."""
    cells = {name: (row.get(column) or "").strip() for name, column in chosen.items()}
    if cells.get("label") and ":" not in cells["label"]:
        cells["label"] = f"{chosen['label']}:{cells['label']}"
    return cells


def show_columns(header: Sequence[str], chosen: Mapping[str, str]) -> None:
    """Says what was taken for what, and what is carried along."""
    others = [column for column in header if column and column not in chosen.values()]
    taken = ", ".join(f"{name} = {column!r}" for name, column in chosen.items())
    log.info(
        "columns: %s%s; others with --columns text=NAME", taken, f"; carried along: {', '.join(others)}" * bool(others)
    )


def read_rows(source: Path) -> tuple[list[str], list[tuple[int, dict[Any, str]]]]:
    """Names of the columns of a table, and its rows with their lines.

    Raises:
        InputError: If it is no such table.
    """
    text = read_plain(source, "table")
    if not text.strip():
        raise InputError(f"{source}: the table is empty.")
    delimiter = max("\t;,", key=text.partition("\n")[0].count)
    quoting: Any = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    reader = csv.DictReader(StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, restval="")
    try:
        return list(reader.fieldnames or []), [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        said = (
            f"{error}; is a quotation mark not closed?"
            if "field larger" in str(error)
            else str(error).rstrip(".") + "."
        )
        raise InputError(f"{source}:{reader.line_num + 1}: {said}") from None


def row_utterance(
    source: Path, place: str, cells: Mapping[str, str], extra: Mapping[str, str], recordings: Recordings
) -> Utterance:
    """Row of a manifest out of cells under its names.

    Args:
        source: The table, beside which paths begin.
        place: For messages.
        cells: By name in `GUESSES`.
        extra: Other columns.
        recordings: That have been opened.

    Raises:
        AudioError: If the stretch is not in the recording, or that cannot be read.
        ValueError: If a time is no number.
    """
    if not cells.get("path"):
        raise AudioError("names no recording.")
    path = source.parent.absolute() / cells["path"]
    start = float(cells.get("start") or 0)
    end = float(cells["end"]) if cells.get("end") else None
    if cells.get("duration"):
        end = start + float(cells["duration"])
    start, duration = recordings.stretch(path, start, end)
    named = {name: normalise(cells.get(name, "")) for name in ("speaker", "split", "text", "phonemes", "label")}
    language = normalise(cells.get("language", ""))
    code = language if language_fault(language) is None else to_iso(language) if language else ""
    others = {normalise(column): normalise(value) for column, value in extra.items() if column.strip()}
    id = cells.get("id") or (f"{cells['path']}@{start:g}" if cells.get("start") else cells["path"])
    return Utterance(path, id, start, duration, code or language, **named, extra=others, origin=place)
