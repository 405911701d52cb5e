"""Praat's TextGrids, long and short, also as ELAN and others write them.

As Praat itself does, only numbers, strings in quotes and flags in angle brackets that stand alone are read; names such as
``xmin =`` or ``intervals [1]:`` are for people, and programs write them differently.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechxl.data.plain import read_plain
from speechxl.data.tiers import Annotation, Tier
from speechxl.errors import InputError

_TOKEN = re.compile(r'"(?:[^"]|"")*"|![^\n]*|<[^<>\s]*>|[^\s"<=]+|["<]')
"""Strings, comments, flags, and what is between spaces."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class GridTier:
    """A tier as it stands in a file."""

    name: str
    start: float
    """Seconds."""
    end: float
    entries: list[tuple[tuple[float, ...], str]]
    """Start and end of an interval, or the time of a point; and what is written there."""
    points: bool = False


@dataclass(frozen=True)
class Grid:
    """A TextGrid."""

    start: float
    """Seconds."""
    end: float
    all: list[GridTier]

    @property
    def tiers(self) -> list[Tier]:
        """Tiers of intervals."""
        return [
            Tier(
                tier.name,
                [Annotation(f"{number}.{k}", t[0], t[1], text) for k, (t, text) in enumerate(tier.entries, start=1)],
                number,
            )
            for number, tier in enumerate(self.all, start=1)
            if not tier.points
        ]

    @property
    def points(self) -> list[GridTier]:
        """Tiers of moments, which have no length and are no utterances."""
        return [tier for tier in self.all if tier.points]


class _Tokens:
    """What a file holds, one after the other, with its place for messages."""

    def __init__(self, path: Path, text: str) -> None:
        self._path, self._text, self._at = path, text, 0
        self._tokens = self._free_standing()

    def _free_standing(self) -> Iterator[str]:
        for match in _TOKEN.finditer(self._text):
            token, self._at = match[0], match.start()
            if token == '"':
                raise self.fault("a quotation mark is not closed")
            if token[0] == '"' or (token[0] == "<" and len(token) > 1) or _NUMBER.fullmatch(token):
                yield token

    def fault(self, message: str) -> InputError:
        return InputError(f"{self._path}:{self._text.count(chr(10), 0, self._at) + 1}: {message}.")

    def _next(self, kind: str) -> str:
        token = next(self._tokens, None)
        if token is None:
            self._at = len(self._text)
            raise self.fault(f"the file ends where {kind} was expected; it is truncated")
        return token

    def string(self, kind: str) -> str:
        token = self._next(kind)
        if not token.startswith('"'):
            raise self.fault(f"{kind} in quotes was expected, found {token[:40]}")
        return token[1:-1].replace('""', '"')

    def number(self, kind: str) -> float:
        token = self._next(kind)
        if token[0] in '"<' or not math.isfinite(number := float(token)):
            raise self.fault(f"{kind} was expected, found {token[:40]}")
        return number

    def count(self, kind: str) -> int:
        number = self.number(kind)
        if number < 0 or number != int(number):
            raise self.fault(f"{kind} is {number:g}")
        return int(number)

    def flag(self) -> str:
        return self._next("<exists>")


def read_textgrid(path: Path) -> Grid:
    """Tiers of intervals, and the names of those of points.

    Raises:
        InputError: If it is not a TextGrid in text form.
    """
    if path.is_file() and path.open("rb").read(12) == b"ooBinaryFile":
        raise InputError(f"{path}: is a binary TextGrid; open it in Praat and save it as a text file.")
    tokens = _Tokens(path, read_plain(path, "TextGrid"))
    first = tokens.string("the file type")
    if first == "Praat chronological TextGrid text file":
        raise InputError(f"{path}: is a chronological TextGrid; open it in Praat and save it as a text file.")
    kind = tokens.string("TextGrid") if first.startswith("ooTextFile") else first
    if kind != "TextGrid":
        raise InputError(f"{path}: holds a {kind[:40]!r} of Praat, a TextGrid was expected.")
    begin, end = tokens.number("the beginning"), tokens.number("the end")
    if tokens.flag() != "<exists>":
        return Grid(begin, end, [])
    return Grid(begin, end, [_tier(tokens) for _ in range(tokens.count("the number of tiers"))])


def _tier(tokens: _Tokens) -> GridTier:
    kind, name = tokens.string("the kind of a tier"), tokens.string("the name of a tier")
    if kind not in ("IntervalTier", "TextTier"):
        raise tokens.fault(f"the tier {name!r} is of the kind {kind[:40]!r}, IntervalTier or TextTier was expected")
    start, end = tokens.number("the beginning of a tier"), tokens.number("the end of a tier")
    words = (
        ("the start of an interval", "the end of an interval") if kind == "IntervalTier" else ("the time of a point",)
    )
    entries = []
    for _ in range(tokens.count("the number of intervals")):
        times = tuple(tokens.number(word) for word in words)
        entries.append((times, tokens.string("the text of an interval")))
    return GridTier(name, start, end, entries, kind == "TextTier")


def with_silence(name: str, entries: Sequence[tuple[float, float, str]], start: float, end: float) -> GridTier:
    """A tier of intervals with empty ones between them, as Praat wants it.

    Args:
        name: Of the tier.
        entries: Start, end and text, in order and without overlaps.
        start: Of the tier, seconds.
        end: Of the tier, seconds.
    """
    filled: list[tuple[tuple[float, ...], str]] = []
    at = start
    for begin, stop, text in [*entries, (end, end, "")]:
        if begin > at:
            filled.append(((at, begin), ""))
        if stop > begin:
            filled.append(((begin, stop), text))
        at = max(at, stop)
    return GridTier(name, start, end, filled)


def textgrid_text(grid: Grid) -> str:
    """A TextGrid in the long form."""
    lines = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", *_span(grid, "")]
    lines += ["tiers? <exists>", f"size = {len(grid.all)}", "item []:"]
    for number, tier in enumerate(grid.all, start=1):
        kind, each = ("TextTier", "points") if tier.points else ("IntervalTier", "intervals")
        lines += [f"    item [{number}]:", f'        class = "{kind}"', f'        name = "{_quoted(tier.name)}"']
        lines += [*_span(tier, " " * 8), f"        {each}: size = {len(tier.entries)}"]
        names = ("number", "", "mark") if tier.points else ("xmin", "xmax", "text")
        for place, (times, text) in enumerate(tier.entries, start=1):
            lines.append(f"        {each} [{place}]:")
            lines += [f"            {name} = {time!r}" for name, time in zip(names, times, strict=False)]
            lines.append(f'            {names[2]} = "{_quoted(text)}"')
    return "\n".join(lines) + "\n"


def _span(of: Grid | GridTier, margin: str) -> list[str]:
    return [f"{margin}xmin = {of.start!r}", f"{margin}xmax = {of.end!r}"]


def _quoted(text: str) -> str:
    return text.replace('"', '""')
