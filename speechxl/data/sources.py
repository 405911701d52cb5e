"""What a user points at: manifests, folders of recordings, single recordings, patterns."""

import glob
import logging
import os
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from speechxl.data.audio import SUFFIXES
from speechxl.data.corpora import folder
from speechxl.data.manifest import Fault, read_manifest
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
MANIFESTS = frozenset({".tsv", ".json", ".jsonl", ".ndjson"})
"""File names that are taken for manifests."""


def is_manifest(path: Path) -> bool:
    """Whether a name is that of a manifest."""
    return bool(MANIFESTS & set(path.suffixes[-2:]))


def read_corpora(paths: Iterable[Path], split: str | None = None) -> list[Utterance]:
    """Utterances of several corpora.

    Args:
        paths: Manifests, folders that hold ``manifest.tsv``, folders of recordings with texts beside them, or single
            recordings with theirs.
        split: Rows to keep; None for all.

    Raises:
        NothingMatched: If no row is left.
    """
    utterances: list[Utterance] = []
    paths = list(paths)
    for path in paths:
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            utterances.append(_with_text(path))
        else:
            utterances += _read_folder(path) if path.is_dir() else read_manifest(path)
    chosen = utterances if split is None else [utterance for utterance in utterances if utterance.split == split]
    if not chosen:
        names = ", ".join(map(str, paths))
        splits = sorted({utterance.split or "(none)" for utterance in utterances})
        what = f"no row with split {split!r}; there are {', '.join(splits)}" if utterances else "no utterance"
        raise NothingMatched(f"{names}: {what}.")
    return chosen


def find_audio(names: Sequence[str], split: str | None = None) -> list[Utterance]:
    """Recordings named one by one, by folder (searched below, too), by pattern or by manifest, in the given order.

    Raises:
        NothingMatched: If a pattern or a folder holds none.
    """
    found: list[Utterance] = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            files = [
                file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and not file.name.startswith(".")
            ]
            if not files:
                raise NothingMatched(
                    f"{path}: no recording below this folder; looked for {' '.join(sorted(SUFFIXES))}."
                )
            found += [_recording(file) for file in sorted(files)]
        elif is_manifest(path):
            found += read_corpora([path], split)
        elif path.exists() or not glob.has_magic(name):
            found.append(_recording(path))
        else:
            files = [Path(file) for file in sorted(glob.glob(name, recursive=True)) if not Path(file).is_dir()]
            if not files:
                raise NothingMatched(f"{name}: no file matches the pattern.")
            found += [_recording(file) for file in files]
    return found


def common_folder(names: Sequence[str], utterances: Sequence[Utterance]) -> Path:
    """The folder below which all recordings are, and all folders that were named."""
    folders = [os.path.abspath(name) for name in names if Path(name).is_dir()]
    return Path(os.path.commonpath([*folders, *{os.path.normpath(utterance.path.parent) for utterance in utterances}]))


def read_shard(shard: str) -> tuple[int, int]:
    """Which shard of how many, counted from 1.

    Raises:
        InputError: If it is not of the form i/n.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", shard)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise InputError(f"--shard {shard}: the form is i/n with i from 1 to n, for example 3/64.")
    return int(match[1]), int(match[2])


def shard_of(utterance: Utterance, shards: int) -> int:
    """The shard, from 1, that does a recording and its stretches: by a hash of its path as it was given."""
    path = str(utterance.path) if utterance.origin else utterance.id
    return zlib.crc32(os.fsencode(path)) % shards + 1


def _recording(path: Path) -> Utterance:
    return Utterance(path.absolute(), str(path))


def _with_text(path: Path) -> Utterance:
    try:
        return replace(_recording(path), text=folder.read_text(path))
    except UnicodeError as error:
        raise InputError(f"{path}: its text cannot be read: {error}.") from None


def _read_folder(path: Path) -> list[Utterance]:
    if (path / "manifest.tsv").exists():
        return read_manifest(path / "manifest.tsv")
    utterances = []
    for item in folder.read(path):
        if isinstance(item, Fault):
            log.warning("left out: %s", item)
        else:
            utterances.append(item)
    if not utterances:
        raise InputError(f"{path}: neither manifest.tsv nor recordings below this folder.")
    return utterances
