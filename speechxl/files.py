"""Writing files so that nothing is ever half written."""

import os
from collections.abc import Callable
from pathlib import Path
from secrets import token_hex

_UMASK = os.umask(0o022)
os.umask(_UMASK)


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8 text under a temporary name and renames it."""
    replace_file(path, lambda part: part.write_text(text, encoding="utf-8"))


def replace_file(path: Path, write: Callable[[Path], object]) -> None:
    """Calls ``write`` with a temporary name in the same folder, then renames to ``path``, which appears at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{token_hex(4)}.part")
    try:
        write(part)
        part.chmod(0o666 & ~_UMASK)  # safetensors makes files that only their owner may read
        with part.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
