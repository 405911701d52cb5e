"""Words and phones with times that every program accepts: whole milliseconds, in order, none empty, none overlapping."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Interval:
    """A word, a phone, or a line of several."""

    text: str
    start: int
    """Milliseconds in the recording."""
    end: int
    """Milliseconds, after ``start``."""
    score: float
    """0 to 1."""
    alternatives: str = ""
    """Other phones and their scores, as a label."""


def intervals(result: dict[str, Any], start: float, seconds: float) -> list[Interval]:
    """Words of a result, or phones where the model writes those; times that do not fit are moved.

    Args:
        result: Entry of the ``--json`` document.
        start: Where the clip begins in the recording, seconds.
        seconds: Length of the clip.
    """
    places = result["words"] or result["phones"]
    begins: list[int] = []
    earliest = round(1000 * start)
    for place in places:
        begins.append(max(round(1000 * place["start"]), earliest))
        earliest = begins[-1] + 1
    found = []
    latest = int(1000 * (start + seconds))
    for place, begin in zip(reversed(places), reversed(begins), strict=True):
        begin = min(begin, latest - 1)
        end = min(max(round(1000 * place["end"]), begin + 1), latest)
        others = ", ".join(f"{other['phone']} {other['score']:.4f}" for other in place.get("alternatives", ()))
        found.append(Interval(place["word" if "word" in place else "phone"], begin, end, place["score"], others))
        latest = begin
    return found[::-1]


def grouped(words: list[Interval], max_line_width: int, max_gap: float) -> list[Interval]:
    """Words as lines.

    Args:
        words: In order.
        max_line_width: Characters of a line; a word that is longer gets a line of its own.
        max_gap: Silence after which a line begins, seconds.
    """
    lines: list[list[Interval]] = []
    width = 0
    for word in words:
        width += 1 + len(word.text)
        if not lines or width > max_line_width or word.start - lines[-1][-1].end > 1000 * max_gap:
            lines.append([])
            width = len(word.text)
        lines[-1].append(word)
    return [
        Interval(
            " ".join(word.text for word in line),
            line[0].start,
            line[-1].end,
            sum(word.score for word in line) / len(line),
        )
        for line in lines
    ]
