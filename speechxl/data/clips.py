"""Recordings of a manifest as files that stand alone."""

import io

import soundfile

from speechxl.data.audio import probe, read_audio
from speechxl.shapes import SAMPLE_RATE, Utterance

_TOLERANCE_S = 0.02


def clip(row: Utterance) -> tuple[bytes, str]:
    """A recording as it is, or a stretch of one as FLAC at 16 kHz; and its suffix.

    Raises:
        AudioError: If it cannot be read.
    """
    if row.start < _TOLERANCE_S and abs(probe(row.path).duration - row.seconds) < _TOLERANCE_S:
        return row.path.read_bytes(), row.path.suffix.lower()
    buffer = io.BytesIO()
    soundfile.write(buffer, read_audio(row.path, row.start, row.duration), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return buffer.getvalue(), ".flac"


def hub_split(split: str) -> str:
    """What `datasets` calls a split."""
    return {"dev": "validation", "": "train"}.get(split, split)


def size_of(row: Utterance) -> int:
    """Bytes of `clip`, about."""
    return row.path.stat().st_size if row.start < _TOLERANCE_S else int(row.seconds * SAMPLE_RATE * 1.2)


def cells_of(row: Utterance) -> dict[str, str]:
    """Columns of a row beside its audio and split, under the names of a manifest."""
    said = {"id": row.id, "language": row.language, "speaker": row.speaker, "text": row.text, "phonemes": row.phonemes}
    return {**said, "label": row.label} | {key: value for key, value in row.extra.items() if key not in said}


def folder_name(split: str) -> str:
    """A split as the name of a folder or the beginning of a file's, from which no path leads elsewhere."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in split)[:80]


def unique(name: str, taken: dict[str, int]) -> str:
    """A name, or with a number if it is taken; it is taken then.

    Args:
        name: Such as that of a file.
        taken: Names, and the last number of each.
    """
    while name in taken:
        taken[name] += 1
        numbered = f"{name}-{taken[name]}"
        name = name if numbered in taken else numbered
    taken[name] = 1
    return name
