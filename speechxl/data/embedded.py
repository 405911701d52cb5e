"""Recordings that are no files of their own, written into a folder that belongs to the manifest."""

import hashlib
import re
from pathlib import Path

_MARKS = {
    b"RIFF": ".wav",
    b"fLaC": ".flac",
    b"OggS": ".ogg",
    b"ID3": ".mp3",
    b"\x1aE\xdf\xa3": ".webm",
    b"NIST": ".sph",
}
"""First bytes of formats."""


def save_audio(folder: Path, name: str, data: bytes) -> Path:
    """Writes a recording as it is.

    Args:
        folder: For recordings.
        name: What the corpus calls it. Whatever it holds, no path leads out of the folder.
        data: File in any format.

    Returns:
        The file, the same for the same name.
    """
    plain = re.sub(r"[^\w@+=-]+", "_", re.sub(r"\.\w{2,4}$", "", name)).strip("_")[:80]
    if plain != name.rpartition(".")[0]:
        plain = f"{plain}-{hashlib.blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=4).hexdigest()}"
    path = folder / f"{plain}{_suffix(name, data)}"
    folder.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)
    return path.absolute()


def _suffix(name: str, data: bytes) -> str:
    """Of the format that its first bytes are of; if they say nothing, of its name."""
    for mark, suffix in _MARKS.items():
        if data.startswith(mark):
            return suffix
    if data[4:8] == b"ftyp":
        return ".m4a"
    if data[:1] == b"\xff":
        return ".mp3"
    named = re.search(r"\.\w{2,4}$", name)
    return named[0].lower() if named else ".bin"
