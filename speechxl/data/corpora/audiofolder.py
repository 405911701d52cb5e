"""A folder in the manner of `datasets`: recordings, and ``metadata.csv`` or ``metadata.jsonl`` with ``file_name``."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.corpora.csv import cells_of, choose_columns, read_rows, row_utterance, show_columns
from speechxl.data.manifest import Fault
from speechxl.data.plain import json_object, read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

SPLITS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "val": "dev",
    "test": "test",
}
"""Names of folders and files that are those of splits."""


def read(source: Path, columns: Mapping[str, str] | None = None) -> Iterator[Utterance | Fault]:
    """Rows of all tables below a folder, then the recordings that no table names.

    The split is that of the table, or that of the folder that it is in. Without any table, recordings in folders get the
    folder's name as their label.

    Args:
        source: The folder.
        columns: Which column of the tables is ``path``, ``text``, ``speaker``, ...; the others are guessed.

    Raises:
        InputError: If there is no such folder, or a table in it has no column with files.
    """
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder.")
    tables = sorted(path for path in source.rglob("metadata.*") if path.suffix in (".csv", ".jsonl"))
    if other := next(source.rglob("metadata.parquet"), None):
        yield Fault(str(other), "is not read; metadata.csv or metadata.jsonl was expected.")
    recordings = Recordings()
    named: set[Path] = set()
    for table in tables:
        for item in _table(table, dict(columns or {}), recordings):
            if isinstance(item, Utterance):
                named.add(item.path.resolve())
                split = item.split or _split(table.parent, source) or _split(item.path.parent, source)
                inner = table.parent.relative_to(source)
                yield replace(item, id=(inner / item.id).as_posix(), split=SPLITS.get(split.lower(), split))
            else:
                yield item
    for path in sorted(source.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and path.resolve() not in named:
            yield _alone(path, source, recordings, labelled=not tables)


def _table(table: Path, columns: Mapping[str, str], recordings: Recordings) -> Iterator[Utterance | Fault]:
    rows: list[tuple[str, dict[str, str]]] = []
    if table.suffix == ".csv":
        header, lines = read_rows(table)
        for number, row in lines:
            if None in row:
                yield Fault(
                    f"{table}:{number}", "more fields than the header has; put text that holds commas in quotes."
                )
            else:
                rows.append((f"{table}:{number}", row))
    else:
        for number, line in enumerate(read_plain(table, "table", utf16=False).split("\n"), start=1):
            if line.strip():
                try:
                    row = json_object(line)
                except InputError as error:
                    yield Fault(f"{table}:{number}", str(error))
                    continue
                rows.append((f"{table}:{number}", {k: "" if v is None else str(v) for k, v in row.items()}))
        header = list(dict.fromkeys(key for _, row in rows for key in row))
    if not rows:
        return
    if "file_name" in header and "path" not in columns:
        columns = {**columns, "path": "file_name"}
    chosen = choose_columns(table, header, columns)
    show_columns(header, chosen)
    for place, row in rows:
        cells = cells_of(row, chosen)
        extra = {column: row.get(column) or "" for column in header if column not in chosen.values()}
        try:
            yield row_utterance(table, place, cells, extra, recordings)
        except AudioError as error:
            yield Fault(place, str(error))
        except ValueError as error:
            yield Fault(place, f"{error}; start, end and duration are numbers of seconds.")


def _split(folder: Path, source: Path) -> str:
    if not folder.absolute().is_relative_to(source.absolute()):
        return ""
    parts = folder.absolute().relative_to(source.absolute()).parts
    return next((SPLITS[part.lower()] for part in parts if part.lower() in SPLITS), "")


def _alone(path: Path, source: Path, recordings: Recordings, *, labelled: bool) -> Utterance | Fault:
    """A recording that no table names."""
    try:
        start, duration = recordings.stretch(path.absolute(), 0.0)
    except AudioError as error:
        return Fault(str(path), str(error).removeprefix(f"{path.absolute()}: "))
    inner = path.relative_to(source)
    kinds = [part for part in inner.parts[:-1] if part.lower() not in SPLITS]
    label = f"label:{normalise(kinds[-1])}" if labelled and kinds else ""
    return Utterance(
        path.absolute(),
        inner.as_posix(),
        start,
        duration,
        split=_split(path.parent, source),
        label=label,
        origin=str(path),
    )
