"""Rows of a manifest as tiers of the recordings that they are from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechxl.data.clips import unique
from speechxl.shapes import Utterance


@dataclass(frozen=True)
class Lane:
    """Rows that do not overlap: those of one speaker, language and tier."""

    name: str
    speaker: str
    language: str
    rows: list[Utterance]


def by_recording(rows: Sequence[Utterance], out: Path, suffix: str) -> Iterator[tuple[Path, Path, list[Lane]]]:
    """Each recording with the file that its annotations go to, and its tiers.

    Recordings of the same name in several folders get files with numbers.
    """
    taken: dict[str, int] = {}
    groups: dict[Path, list[Utterance]] = {}
    for row in rows:
        groups.setdefault(row.path, []).append(row)
    for path, own in groups.items():
        yield path, out / f"{unique(path.stem, taken)}{suffix}", list(_lanes(own))


def _lanes(rows: Sequence[Utterance]) -> Iterator[Lane]:
    """Tiers of a recording; a row that overlaps with another one of its tier goes to a second one."""
    groups: dict[tuple[str, str, str], list[list[Utterance]]] = {}
    for row in sorted(rows, key=lambda row: (row.start, row.seconds)):
        name = row.extra.get("tier") or row.speaker or "speech"
        lanes = groups.setdefault((name, row.speaker, row.language), [])
        free = next((lane for lane in lanes if _end(lane[-1]) <= round(1000 * row.start)), None)
        if free is None:
            lanes.append([row])
        else:
            free.append(row)
    taken: dict[str, int] = {}
    for (name, speaker, language), lanes in groups.items():
        for lane in lanes:
            yield Lane(unique(name, taken), speaker, language, lane)


def milliseconds(row: Utterance) -> tuple[int, int]:
    """Start and end, at least one apart."""
    start = round(1000 * row.start)
    return start, max(_end(row), start + 1)


def _end(row: Utterance) -> int:
    return round(1000 * (row.start + row.seconds))
