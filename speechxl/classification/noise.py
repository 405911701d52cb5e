"""Errors in texts at a given rate. No torch.

Every draw follows from the seed, the name of the text and the place in it, not from the other texts; only the rate of
draws is fitted to all of them, as some errors undo each other.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np

from speechxl.errors import InputError
from speechxl.evaluation.metrics import count_errors
from speechxl.text import normalise

_DELETED, _INSERTED = 0.2, 0.4
"""Of random errors, a fifth are deletions, a fifth insertions, the rest substitutions."""
_LOST = 0.15
"""Characters whose systematic error is that they are not heard."""
_HALVINGS = 12
_MOST = 0.9


def with_errors(
    texts: Sequence[str], languages: Sequence[str], names: Sequence[str], *, rate: float, kind: str, seed: int = 0
) -> list[str]:
    """Texts with errors, of which there are as many per character in all texts together as asked for.

    Args:
        texts: N texts; spaces are characters too.
        languages: N codes; characters are those of the texts of a language.
        names: N names, by which the draws of texts are told apart.
        rate: Character error rate, from 0 to 0.9.
        kind: ``"random"``: every character alike. ``"systematic"``: the rate of a character of a language is drawn from an
            exponential distribution, and its wrong reading is always the same.
        seed: Of the draws.

    Raises:
        InputError: If the rate is not in the range, or more than such errors can give.
    """
    if not 0 <= rate <= _MOST:
        raise InputError(f"A character error rate of {rate} was asked for; it is from 0 to {_MOST}.")
    texts = list(texts)
    if rate == 0 or not any(texts):
        return texts
    makers = {language: _maker(language, texts, languages, kind, seed) for language in sorted(set(languages))}
    drawn = [_Draws(text, name, seed) for text, name in zip(texts, names, strict=True)]

    def spoiled(level: float) -> list[str]:
        return [makers[language].spoil(one, level) for one, language in zip(drawn, languages, strict=True)]

    def reached(level: float) -> float:
        return count_errors(texts, spoiled(level), "char").rate or 0.0

    low, high = 0.0, 1.0
    while (most := reached(high)) < rate:
        low, high = high, high * 2
        if high > 1 << 10:
            raise InputError(
                f"{kind} errors give these texts a character error rate of {most:.2f} at most; {rate} was asked for."
            )
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if reached(middle) < rate else (low, middle)
    return min((spoiled(level) for level in (low, high)), key=lambda found: _distance(texts, found, rate))


class _Draws:
    """What is drawn for a text, the same at every rate.

    Attributes:
        text: The text.
        chances: (U,) of an error at each character.
        kinds: (U,) which error.
        others: (U,) which other character.
    """

    def __init__(self, text: str, name: str, seed: int) -> None:
        digest = sha256(f"{seed}\0{name}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        self.text = text
        self.chances, self.kinds, self.others = rng.random((3, len(text)))


class _Random:
    """Any error at any character."""

    def __init__(self, alphabet: list[str]) -> None:
        self.alphabet = alphabet

    def spoil(self, drawn: _Draws, level: float) -> str:
        """A text with errors where its chances are below the level."""
        written = list(drawn.text)
        for place in np.flatnonzero(drawn.chances < level):
            character = written[place]
            other = self.alphabet[int(drawn.others[place] * len(self.alphabet))]
            if drawn.kinds[place] < _DELETED:
                written[place] = ""
            elif drawn.kinds[place] < _INSERTED:
                written[place] = character + other
            else:
                written[place] = other if other != character else ""
        return normalise("".join(written))


class _Systematic:
    """One error of each character."""

    def __init__(self, alphabet: list[str], language: str, seed: int) -> None:
        self.rates: dict[str, float] = {}
        self.readings: dict[str, str] = {}
        for character in alphabet:
            key = f"{seed}\0{language}\0{character}"
            self.rates[character] = float(-np.log1p(-_unit(key)))
            others = [other for other in alphabet if other != character]
            lost = _unit(f"{key}\0lost") < _LOST or not others
            # the highest of the draws of all pairs: another alphabet rarely changes it
            self.readings[character] = "" if lost else max(others, key=lambda other: _unit(f"{key}\0{other}"))

    def spoil(self, drawn: _Draws, level: float) -> str:
        """A text with errors where its chances are below the level times the rate of the character."""
        written = "".join(
            self.readings[character] if chance < level * self.rates[character] else character
            for character, chance in zip(drawn.text, drawn.chances, strict=True)
        )
        return normalise(written)


def _maker(
    language: str, texts: Sequence[str], languages: Sequence[str], kind: str, seed: int
) -> _Random | _Systematic:
    alphabet = sorted({x for text, own in zip(texts, languages, strict=True) if own == language for x in text})
    if kind == "random":
        return _Random(alphabet)
    if kind == "systematic":
        return _Systematic(alphabet, language, seed)
    raise InputError(f"Errors are 'random' or 'systematic', not {kind!r}.")


def _unit(key: str) -> float:
    """A number from 0 up to 1 that looks drawn."""
    return int.from_bytes(sha256(key.encode()).digest()[:6], "big") / (1 << 48)


def _distance(texts: Sequence[str], found: Sequence[str], rate: float) -> float:
    return abs((count_errors(texts, found, "char").rate or 0.0) - rate)
