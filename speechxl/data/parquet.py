"""Parquet files whose rows hold recordings, read a row group at a time; the audio stays as it is."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from speechxl.data.audio import AudioError
from speechxl.data.embedded import save_audio
from speechxl.data.manifest import Fault
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError

SPLITS = {"validation": "dev", "valid": "dev", "val": "dev", "dev": "dev", "train": "train", "test": "test"}
OWN = b"speechxl"
"""Key in the metadata of files whose ids are those of rows."""
_ROWS = 64
"""In memory at a time."""


@dataclass(frozen=True)
class Row:
    """A row with its recording."""

    place: str
    number: int
    """From 0 in its file."""
    path: Path
    """Recording, a file."""
    name: str
    """What the recording is called in the row, perhaps nothing."""
    cells: dict[str, str]
    """Other columns as text, classes by their names."""


def parquet_files(folder: Path) -> list[Path]:
    """Those below a folder, or the file itself."""
    if folder.is_file():
        return [folder]
    return sorted(path for path in folder.rglob("*.parquet") if path.is_file() and not path.name.startswith("."))


def split_of(file: Path) -> str:
    """Split that a file's name says (``train-00000-of-00005.parquet``), or its folder's where it is a number."""
    name = re.split(r"-\d+-of-\d+|\.parquet$", file.name)[0]
    name = file.parent.name if name.isdecimal() or name in ("part", "data") else name
    return SPLITS.get(name.lower(), name.lower() if name.lower() in SPLITS.values() else name)


def has_ids(file: Path) -> bool:
    """Whether the column "id" is that of a manifest; in other files it may be that of a sentence."""
    return OWN in (pyarrow.parquet.read_schema(file).metadata or {})


def schema_of(file: Path) -> pyarrow.Schema:
    """Columns of a file.

    Raises:
        InputError: If it is no Parquet file.
    """
    try:
        return pyarrow.parquet.read_schema(file)
    except FileNotFoundError:
        raise InputError(f"{file}: there is no such file.") from None
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{file}: is no Parquet file that can be read ({_one_line(error)}).") from None


def header_of(file: Path) -> tuple[str, list[str]]:
    """The column with audio, and the names of the others.

    Raises:
        InputError: If it is no Parquet file, or has no such column.
    """
    schema = schema_of(file)
    audio = [field.name for field in schema if _is_audio(field.type)]
    named = [name for name in ("audio", "path", "file") if name in schema.names]
    if not audio and not named:
        raise InputError(f"{file}: no column holds audio; there are {', '.join(schema.names)[:300]}.")
    column = (audio or named)[0]
    return column, [name for name in schema.names if name != column]


def read_rows(file: Path, audio: Path, prefix: str, recordings: Recordings) -> Iterator[Row | Fault]:
    """Rows of a file.

    Args:
        file: Parquet.
        audio: Folder for the recordings that are in it.
        prefix: Of the names of these.
        recordings: That have been opened.

    Raises:
        InputError: If it is no Parquet file, or has no recordings.
    """
    column, others = header_of(file)
    for number, row in enumerate(raw_rows(file)):
        place = f"{file}#{number}"
        try:
            path, name = _saved(row[column], file, audio, f"{prefix}{number:07d}", recordings)
        except AudioError as error:
            yield Fault(place, str(error))
        else:
            yield Row(place, number, path, name, {other: _cell(row[other]) for other in others})


def raw_rows(file: Path, together: int = _ROWS) -> Iterator[dict[str, Any]]:
    """Rows of a file as they are, but classes by their names.

    Args:
        file: Parquet.
        together: That are held in memory at once.

    Raises:
        InputError: If the file is damaged.
    """
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            classes = _classes(table.schema_arrow.metadata)
            for batch in table.iter_batches(together):
                for row in batch.to_pylist():
                    yield {name: _named(value, classes.get(name)) for name, value in row.items()}
                    number += 1
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise InputError(f"{file}: is damaged at row {number} or after it ({_one_line(error)}).") from None


def _is_audio(kind: pyarrow.DataType) -> bool:
    if pyarrow.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _saved(value: Any, file: Path, audio: Path, prefix: str, recordings: Recordings) -> tuple[Path, str]:
    data = value.get("bytes") if isinstance(value, Mapping) else value
    name = str((value.get("path") if isinstance(value, Mapping) else value if isinstance(value, str) else "") or "")
    if isinstance(data, bytes) and data:
        path = save_audio(audio, f"{prefix}.bin", data)
        try:
            recordings.seconds(path)
        except AudioError as error:
            path.unlink()
            raise AudioError(f"its audio: {str(error).removeprefix(f'{path}: ')}") from None
        return path, Path(name).name
    if not name:
        raise AudioError("has no audio.")
    return recordings.locate(name, [file.absolute().parent]), Path(name).name


def _classes(metadata: Mapping[bytes, bytes] | None) -> dict[str, list[str]]:
    """Names of the classes of columns, where `datasets` has noted them."""
    try:
        features = json.loads((metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
        return {name: each["names"] for name, each in features.items() if each.get("_type") == "ClassLabel"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _named(value: Any, classes: list[str] | None) -> Any:
    return str(classes[value]) if classes and isinstance(value, int) and 0 <= value < len(classes) else value


def _cell(value: Any) -> str:
    if value is None or isinstance(value, bytes):
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
