"""Hashes of models and recordings, by which what was computed with them is found again. No torch at import."""

from collections.abc import Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from speechxl.errors import InputError
from speechxl.shapes import Utterance

_NOT_WEIGHTS = frozenset({".md", ".png"})


def model_hash(source: str) -> str:
    """Hash of a model: of all files in its folder but notes and pictures, or the commit of a name on the hub.

    Raises:
        InputError: If there is no such folder, and the hub gives no model of that name.
    """
    folder = Path(source)
    if folder.is_dir():
        return _folder_hash(folder, tuple((path, path.stat().st_mtime_ns) for path in _files(folder)))
    from transformers import AutoConfig

    try:
        commit = getattr(AutoConfig.from_pretrained(source), "_commit_hash", None)
    except (OSError, ValueError) as error:
        raise InputError(missing_model(source, error)) from None
    return sha256(f"{source}@{commit}".encode()).hexdigest()


def missing_model(source: str, error: Exception) -> str:
    """What to say of a model that cannot be loaded."""
    return (
        f"{source}: transformers cannot load it from there or from the hub ({(str(error).splitlines() or [''])[0]}). "
        "Without network, copy the model's files to a folder and name that; speechxl fetch NAME FOLDER gets them elsewhere."
    )


def audio_hash(row: Utterance) -> str:
    """Hash of what is heard in an utterance: its file's content and the place in it; of its path if there is no such file."""
    try:
        status = row.path.stat()
        content = _file_hash(row.path, status.st_mtime_ns, status.st_size)
    except OSError:
        content = str(row.path)
    return sha256(f"{content}\0{row.start:.6f}\0{row.duration}".encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if path.suffix not in _NOT_WEIGHTS and not path.name.startswith("."))


@lru_cache(maxsize=64)
def _folder_hash(folder: Path, files: tuple[tuple[Path, int], ...]) -> str:
    digest = sha256()
    for path, _ in files:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{path.stat().st_size}\0".encode())
        for block in _blocks(path):
            digest.update(block)
    return digest.hexdigest()


@lru_cache(maxsize=1 << 16)
def _file_hash(path: Path, time: int, size: int) -> str:
    del time, size
    digest = sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            yield block
