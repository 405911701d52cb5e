"""Data sets of the Hugging Face hub as they lie on a disk: Parquet tables that hold the recordings. Nothing is decoded."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.data import embedded
from speechxl.data.parquet import raw_rows, schema_of
from speechxl.errors import InputError

_SHARD = re.compile(r"(?P<split>[a-z]+)(-\d+-of-\d+)?|\d+")
_ROWS = 16
"""That are held in memory at once; a row may hold several recordings."""


def find_tables(source: Path) -> dict[str, dict[str, list[Path]]]:
    """Files of each split of each configuration.

    Both forms of the hub are found, ``CONFIGURATION/SPLIT-00000-of-00003.parquet`` and ``CONFIGURATION/SPLIT/0000.parquet``.

    Args:
        source: Folder with the tables of one configuration or several, at any depth.

    Raises:
        InputError: If there is none.
    """
    found: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(source.rglob("*.parquet")):
        name = _SHARD.fullmatch(path.stem)
        if name is not None:
            split, folder = (name["split"], path.parent) if name["split"] else (path.parent.name, path.parent.parent)
            found[folder.name][split].append(path)
    if not found:
        raise InputError(
            f"{source}: no Parquet tables CONFIGURATION/SPLIT-*.parquet; download them with "
            "huggingface-cli download --repo-type dataset NAME --local-dir FOLDER."
        )
    return {name: dict(splits) for name, splits in found.items()}


def read_rows(paths: Sequence[Path], columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Rows of tables, in order; a class is its name.

    Args:
        paths: Tables of one split.
        columns: That the tables need to have; others are given as well.

    Raises:
        InputError: If a column is absent, or a file is damaged.
    """
    for path in paths:
        names = schema_of(path).names
        if absent := [column for column in columns if column not in names]:
            raise InputError(f"{path}: lacks the columns {', '.join(absent)}; it has {', '.join(names)}.")
        yield from raw_rows(path, _ROWS)


def save_audio(cell: Mapping[str, Any], folder: Path, name: str) -> Path:
    """Writes a recording as it is, and gives its file; what stands there already is kept if it is the same.

    Args:
        cell: ``bytes`` and ``path`` as `datasets` stores them.
        folder: To write to.
        name: Without ending, which is that of its format, else of ``path``, else .wav.

    Raises:
        InputError: If the table holds no recording.
    """
    content = cell.get("bytes")
    if not content:
        raise InputError(f"{name}: the table holds no recording, only the path {cell.get('path')!r}.")
    return embedded.save_audio(folder, f"{name}{Path(cell.get('path') or '').suffix or '.wav'}", content)
