"""Symbols in columns."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from speechxl.symbols import shown


def table(symbols: Sequence[dict[str, Any]]) -> str:
    """Symbols of the ``--json`` document of `vocab`, one a line."""
    rows = [["symbol", "count", "code points", "name", "first example"]]
    for symbol in symbols:
        example = f"{symbol['example']['word']}  ({symbol['example']['place']})"
        names, points = " + ".join(symbol["names"]), " ".join(symbol["code_points"])
        rows.append([shown(symbol["symbol"]), str(symbol["count"]), points, names, example])
    widths = [min(44, max(map(width, cells))) for cells in zip(*rows, strict=True)]
    lines = []
    for *cells, example in rows:
        spaces = [" " * (most - width(cell)) for cell, most in zip(cells, widths, strict=False)]
        padded = [
            space + cell if n == 1 else cell + space for n, (cell, space) in enumerate(zip(cells, spaces, strict=True))
        ]
        lines.append("  ".join([*padded, example]))
    return "\n".join(lines)


def width(text: str) -> int:
    """Columns that a terminal takes for a text."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
