"""Phones with their times, as corpora with alignments bring them along."""

import unicodedata
from os.path import normpath
from pathlib import Path
from typing import NamedTuple

from speechxl.errors import InputError

ALIGNMENT = "alignment.tsv"
"""Name that is looked for beside a manifest."""


class Segment(NamedTuple):
    """A stretch of a recording in which one phone is heard."""

    start: float
    """Seconds from the beginning of the recording."""
    end: float
    """Seconds."""
    phone: str
    """NFC."""


def read_alignment(path: Path) -> dict[str, list[Segment]]:
    """Reads an alignment: tab-separated, with columns ``path``, ``start_s``, ``end_s`` and ``phone`` or ``unit``.

    Args:
        path: The table; the paths in it are relative to it.

    Returns:
        Segments of each recording in order of time; the key is its absolute path, normalised.

    Raises:
        InputError: With the line that cannot be used.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text.") from None
    header = lines[0].split("\t") if lines else []
    label = "phone" if "phone" in header else "unit"
    columns = ("path", "start_s", "end_s", label)
    if missing := [name for name in columns if name not in header]:
        names = "phone (or unit)" if missing == ["unit"] else ", ".join(missing)
        raise InputError(
            f"{path}:1: no column {names} in the header line {'  '.join(header)[:80]!r}; "
            "path, start_s, end_s and phone were expected, separated by tabs."
        )
    places = [header.index(name) for name in columns]
    folder = path.parent.absolute()
    recordings: dict[str, list[Segment]] = {}
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            cells = line.split("\t")
            try:
                name, start, end, phone = (cells[place] for place in places)
                segment = Segment(float(start), float(end), unicodedata.normalize("NFC", phone.strip()))
            except (IndexError, ValueError):
                raise InputError(
                    f"{path}:{number}: {line!r}; path, two times in seconds and a phone were expected."
                ) from None
            if not 0 <= segment.start <= segment.end:
                raise InputError(f"{path}:{number}: a segment from {start} s to {end} s; it must end after it starts.")
            recordings.setdefault(normpath(folder / name), []).append(segment)
    return {name: sorted(segments) for name, segments in recordings.items()}
