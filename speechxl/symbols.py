"""Counting the symbols of texts, with an example of each. No torch."""

import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from speechxl.text import normalise

_CONTEXT = 2
"""Phones on both sides of an example."""


@dataclass(frozen=True)
class Line:
    """The text of one row."""

    place: str
    """``manifest:line``."""
    raw: str
    """As it stands in the manifest."""

    @cached_property
    def text(self) -> str:
        """Normalised, as it is trained on."""
        return normalise(self.raw)


@dataclass
class Occurrences:
    """How often something stands in texts, and where it stands first."""

    count: int
    place: str
    """``manifest:line``."""
    word: str
    """The word around it, for phones the phones around it."""

    @property
    def example(self) -> dict[str, str]:
        """For a report."""
        return {"place": self.place, "word": self.word}


def count_words(lines: Iterable[Line], units: str) -> dict[str, Occurrences]:
    """What stands between spaces, words or phones, in the order of the texts.

    Args:
        lines: Texts.
        units: ``"char"`` or ``"phoneme"``.
    """
    words: dict[str, Occurrences] = {}
    for line in lines:
        parts = line.text.split()
        for number, word in enumerate(parts):
            found = words.get(word)
            if found is not None:
                found.count += 1
            else:
                context = [word] if units == "char" else parts[max(0, number - _CONTEXT) : number + _CONTEXT + 1]
                words[word] = Occurrences(1, line.place, " ".join(context))
    return words


def count_parts(
    words: Mapping[str, Occurrences], split: Callable[[str], Iterable[str]] | None = None
) -> dict[str, Occurrences]:
    """Parts of words, such as symbols, with the first word that holds each.

    Args:
        words: Of `count_words`.
        split: Parts of a word; by default its code points.
    """
    parts: dict[str, Occurrences] = {}
    for word, found in words.items():
        for part in split(word) if split else word:
            if part in parts:
                parts[part].count += found.count
            else:
                parts[part] = Occurrences(found.count, found.place, found.word)
    return parts


def unknown(symbols: Mapping[str, Occurrences], known: Collection[str]) -> dict[str, Occurrences]:
    """Those that are not known, the most frequent first."""
    missing = {symbol: found for symbol, found in symbols.items() if symbol not in known}
    return dict(sorted(missing.items(), key=lambda item: -item[1].count))


def code_points(symbol: str) -> list[str]:
    """Such as ``["U+0062", "U+0301"]``."""
    return [f"U+{ord(character):04X}" for character in symbol]


def names(symbol: str) -> list[str]:
    """Unicode's names of a symbol's code points."""
    return [unicodedata.name(character, "(no name)") for character in symbol]


def describe(symbol: str, found: Occurrences) -> dict[str, Any]:
    """One entry of the ``--json`` document."""
    return {
        "symbol": symbol,
        "count": found.count,
        "code_points": code_points(symbol),
        "names": names(symbol),
        "example": found.example,
    }


def shown(symbol: str) -> str:
    """A symbol for people: marks on a dotted circle, nothing for what cannot be seen."""
    visible = "".join("" if unicodedata.category(x) in ("Cc", "Cf", "Co", "Cn", "Cs") else x for x in symbol)
    return f"\u25cc{visible}" if visible and unicodedata.category(visible[0])[0] == "M" else visible
