"""Data sets of the hub, and Parquet files as they have them: the audio is taken as it is, without `torchcodec`."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from speechxl.data.corpora.csv import cells_of, choose_columns, show_columns
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.parquet import has_ids, header_of, parquet_files, read_rows, split_of
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise

_CONVERTED = "refs/convert/parquet"
"""Version of any data set that the hub has made Parquet files of."""
_UNUSED = ("path", "start", "end", "duration", "id")
"""Columns of tables that say nothing of audio that is in the row; ids are those of sentences in some data sets."""


def read(
    source: Path,
    audio: Path,
    columns: Mapping[str, str] | None = None,
    subset: str | None = None,
    revision: str | None = None,
) -> Iterator[Utterance | Fault]:
    """Rows with their splits, ``validation`` as "dev".

    Args:
        source: ``org/name``, or a folder of Parquet files, or one.
        audio: Folder for the recordings.
        columns: Which column is ``text``, ``speaker``, ...; the others are guessed.
        subset: Configuration, which is the folder that files are in; "all" for all.
        revision: Version; by default the newest, or else the Parquet files that the hub has made of it.

    Raises:
        InputError: If it cannot be had, or has no Parquet files, or several configurations.
    """
    folder = source if source.exists() else download(source, subset, revision)
    files = parquet_files(folder)
    if not files:
        raise NothingMatched(f"{source}: no .parquet file below this folder.")
    files = _of_subset(files, folder, subset, source)
    recordings = Recordings()
    shown: tuple[str, ...] = ()
    for file in files:
        inner = file.relative_to(folder).as_posix() if folder.is_dir() else file.name
        try:
            column, header = header_of(file)
            every = choose_columns(file, ["\0path", *header], {**(columns or {}), "path": "\0path"})
            own = has_ids(file)
            unused = [name for name in _UNUSED if name not in (columns or {}) and not (own and name == "id")]
            chosen = {name: column for name, column in every.items() if name not in unused}
            taken = {*every.values()} if own else {*every.values()} - {every.get("id")}
            if shown != tuple(header):
                show_columns(header, {"audio": column, **chosen})
                shown = tuple(header)
            for row in read_rows(file, audio, f"{inner.removesuffix('.parquet')}-", recordings):
                if isinstance(row, Fault):
                    yield row
                    continue
                cells = {name: normalise(cell) for name, cell in cells_of(row.cells, chosen).items()}
                extra = {key: normalise(value) for key, value in row.cells.items() if key not in taken and value}
                if row.name and not own:
                    extra.setdefault("file", normalise(row.name))
                language = as_iso(cells.pop("language", ""))
                split = cells.pop("split", "") or split_of(file)
                yield Utterance(
                    row.path, cells.get("id") or f"{inner}#{row.number}", 0.0, recordings.seconds(row.path), language,
                    cells.get("speaker", ""), split, cells.get("text", ""), cells.get("phonemes", ""),
                    cells.get("label", ""), extra, row.place,
                )  # fmt: skip
        except InputError as error:
            if file == source:
                raise
            yield Fault.of(file, error)


def _of_subset(files: list[Path], folder: Path, subset: str | None, source: Path) -> list[Path]:
    """Files of a configuration."""
    if folder.is_file():
        return files
    names = {file: _subset(file.relative_to(folder)) for file in files}
    there = sorted(set(names.values()))
    if subset == "all" or (subset is None and len(there) == 1):
        return files
    if subset is None:
        raise InputError(
            f"{source}: has several configurations: {', '.join(there)[:500]}; name one with --subset, or all."
        )
    if subset not in there:
        raise InputError(f"--subset {subset}: is not in {source}; there are {', '.join(there)[:500]}.")
    return [file for file in files if names[file] == subset]


def _subset(file: Path) -> str:
    """Configuration that a path in a data set names: its folder, but for ``data`` and those of splits."""
    parts = [part for part in file.parts[:-1] if part != "data" and part not in ("train", "test", "validation", "dev")]
    return "/".join(parts) or "default"


def download(source: Path, subset: str | None, revision: str | None) -> Path:
    """Folder of the Parquet files of a data set, out of the cache or from the hub.

    Raises:
        InputError: If it cannot be had.
    """
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled

    name = source.as_posix()
    if name.count("/") != 1 or source.is_absolute() or name.startswith("."):
        raise InputError(f"{name}: there is no such file or folder; a data set of the hub is named org/name.")
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")
    reason = "it holds no Parquet files"
    for version in [revision] if revision else [None, _CONVERTED]:
        try:
            files = None if offline else HfApi().list_repo_files(name, repo_type="dataset", revision=version)
            wanted = [Path(file) for file in files or [] if file.endswith(".parquet")]
            if files is not None and not wanted:
                continue
            chosen = _of_subset([Path("/", file) for file in wanted], Path("/"), subset, source) if wanted else []
            patterns = [file.relative_to("/").as_posix() for file in chosen] or ["*.parquet"]
            folder = snapshot_download(
                name, repo_type="dataset", revision=version, allow_patterns=patterns, local_files_only=offline
            )
            if parquet_files(Path(folder)):
                return Path(folder)
        except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OfflineModeIsEnabled, OSError) as error:
            reason = " ".join(str(error).split())[:300]
    raise InputError(
        f"{name}: cannot be had from the hub ({reason}). On a machine with network: hf download {name} --repo-type dataset "
        "--local-dir FOLDER; then name that folder here."
    )
