"""Words of a text, and what a tool makes of them."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_READ_OUT = "&%@#§"
"""Punctuation for Unicode, words when read."""


@dataclass(frozen=True)
class Rewrite:
    """A difference between what a text, or a tool, has and what is written."""

    kind: str
    """``spelling`` of a phone; ``stress``, ``tone`` or ``switch`` of language left out; ``digits`` read; ``letter`` read like
    another; ``case`` of a word in a lexicon; ``pronunciations`` of which the first is taken; ``context`` not heeded."""
    given: str
    becomes: str


@dataclass(frozen=True)
class Reading:
    """Phones of some words in their one spelling, and what was rewritten."""

    phones: tuple[str, ...]
    rewrites: tuple[Rewrite, ...] = ()


class Tool(Protocol):
    """One way from words to phones; whether it can read a word does not depend on the words beside it."""

    @property
    def name(self) -> str:
        """For reports."""
        ...

    def fault(self, word: str) -> str | None:
        """Why a word cannot be read; None if it can."""
        ...

    def read(self, words: Sequence[str]) -> Reading:
        """Phones of words that follow each other, all without fault."""
        ...


def words_of(text: str) -> list[str]:
    """What stands between spaces; punctuation that stands alone belongs to the word before it."""
    words: list[str] = []
    for word in text.split():
        if bare(word):
            words.append(word)
        elif words:
            words[-1] += f" {word}"
    return words


def bare(word: str) -> str:
    """A word without the punctuation before and after it."""
    marks = "".join(character for character in set(word) if is_punctuation(character))
    return word.strip(marks + " ")


def is_punctuation(character: str) -> bool:
    """Whether a character is not read, and no letter."""
    return unicodedata.category(character)[0] in "PC" and character not in _READ_OUT


def has_digits(word: str) -> bool:
    """Whether a word is, or has, a number."""
    return any(unicodedata.category(character)[0] == "N" for character in word)
