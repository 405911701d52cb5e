"""Parquet files as the hub has them: ``data/train-00000-of-00002.parquet``, with the audio inside."""

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from speechxl.data.audio import AudioError
from speechxl.data.clips import cells_of, clip, folder_name, hub_split, size_of
from speechxl.data.manifest import Fault
from speechxl.data.parquet import OWN
from speechxl.files import replace_file
from speechxl.shapes import Utterance

_BYTES = 500_000_000
"""Of a file, about."""
_GROUP = 100
"""Rows of a row group."""


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Writes recordings as they are, and stretches as FLAC at 16 kHz, with all columns.

    Args:
        rows: With durations.
        out: Folder; files of an earlier time in its ``data`` are removed.

    Returns:
        Files, and rows whose audio cannot be read.
    """
    files: list[Path] = []
    faults: list[Fault] = []
    ordered = sorted(rows, key=lambda row: folder_name(hub_split(row.split)))
    columns = list(dict.fromkeys(key for row in rows for key in cells_of(row)))
    columns = [column for column in columns if any(cells_of(row).get(column) for row in rows)]
    for old in (out / "data").glob("*-of-*.parquet"):
        old.unlink()
    for split, group in groupby(ordered, key=lambda row: folder_name(hub_split(row.split))):
        parts = list(_parts(list(group)))
        for number, part in enumerate(parts):
            file = out / "data" / f"{split}-{number:05d}-of-{len(parts):05d}.parquet"
            replace_file(file, lambda path, part=part: _write(path, part, columns, faults))  # type: ignore[misc]
            files.append(file)
    return files, faults


def _parts(rows: list[Utterance]) -> Iterator[list[Utterance]]:
    """Rows of each file."""
    part: list[Utterance] = []
    size = 0
    for row in rows:
        if part and size + size_of(row) > _BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += size_of(row)
    yield part


def _write(path: Path, rows: list[Utterance], columns: list[str], faults: list[Fault]) -> None:
    audio = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
    features: dict[str, Any] = {column: {"dtype": "string", "_type": "Value"} for column in columns}
    features["audio"] = {"sampling_rate": None, "_type": "Audio"}
    schema = pyarrow.schema(
        [("audio", audio), *((column, pyarrow.string()) for column in columns)],
        metadata={"huggingface": json.dumps({"info": {"features": features}}), OWN: b"1"},
    )
    with pyarrow.parquet.ParquetWriter(path, schema, compression={column: "zstd" for column in columns}) as writer:
        for first in range(0, len(rows), _GROUP):
            lines = []
            for row in rows[first : first + _GROUP]:
                try:
                    data, suffix = clip(row)
                except AudioError as error:
                    faults.append(Fault(str(row), str(error)))
                    continue
                name = f"{Path(row.id).name.removesuffix(suffix)}{suffix}"
                lines.append({"audio": {"bytes": data, "path": name}, **cells_of(row)})
            writer.write_table(pyarrow.Table.from_pylist(lines, schema))
