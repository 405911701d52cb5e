"""Words and phones of a known text with their places in a recording."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from torch import Tensor

from speechxl.decoding.alignment import STAR, align_symbols
from speechxl.decoding.path import PAUSE_S
from speechxl.errors import InputError
from speechxl.models.frames import FrameGeometry
from speechxl.text import UnknownSymbol, Vocabulary, normalise

ANYTHING = "*"
"""A word of a text that stands for any speech that is not written down."""


@dataclass(frozen=True)
class Script:
    """What is aligned of a text."""

    units: list[str]
    """Words of a character model, phones of a phoneme model, as they are written; without stars."""
    symbols: list[str]
    """U symbols as they are written."""
    tokens: list[int]
    """(U,) their numbers, or `STAR`."""
    owners: list[int | None]
    """(U,) the unit each belongs to; None for what separates words, and for stars of the text."""
    unknown: list[str]
    """Symbols outside the vocabulary, as often as they occur."""


@dataclass(frozen=True)
class Placed:
    """A word, a phone or a character with its place in the recording."""

    text: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    score: float | None
    """Geometric mean of the probabilities of its frames; None where none of its symbols is in the vocabulary."""
    parts: list["Placed"] = field(default_factory=list)
    """Characters of a word."""


@dataclass(frozen=True)
class Placement:
    """A text with its place in the recording."""

    units: list[Placed]
    score: float
    """Geometric mean of the probabilities of the frames of all symbols of the vocabulary."""


def read_script(
    text: str, vocabulary: Vocabulary, *, unknown: Literal["error", "skip", "star"] = "error", star: bool = False
) -> Script:
    """What is to be aligned of a text.

    Args:
        text: Any; ``*`` as a word of its own stands for any speech.
        vocabulary: Of the model.
        unknown: What symbols that the vocabulary lacks are: an error, passed over, or any speech.
        star: Whether there may be any speech before and after the text as well.

    Raises:
        UnknownSymbol: If ``unknown`` is "error" and there are some.
        InputError: If nothing is left to align.
    """
    numbers = {symbol: number for number, symbol in enumerate(vocabulary.symbols)}
    units: list[str] = []
    entries: list[tuple[str, int, int | None]] = []
    missing: list[str] = []
    for word in [*[ANYTHING] * star, *normalise(text).split(), *[ANYTHING] * star]:
        if word == ANYTHING:
            entries.append((ANYTHING, STAR, None))
            continue
        symbols = vocabulary.split(word)
        strange = [symbol for symbol in symbols if symbol not in vocabulary]
        missing += strange
        kept = [symbol for symbol in symbols if unknown == "star" or symbol in vocabulary]
        if vocabulary.delimiter and kept and entries and entries[-1][2] is not None:
            entries.append((vocabulary.delimiter, numbers[vocabulary.delimiter], None))
        for symbol in kept:
            token = STAR if symbol in strange else numbers[symbol]
            entries.append((symbol, token, len(units)))
        units.append(word)
    if missing and unknown == "error":
        raise UnknownSymbol(text, missing)
    if all(token == STAR or owner is None for _, token, owner in entries):
        raise InputError(f"{text!r} has no symbol that the vocabulary knows; there is nothing to align.")
    return Script(
        units,
        [symbol for symbol, _, _ in entries],
        [token for _, token, _ in entries],
        [owner for *_, owner in entries],
        missing,
    )


def place(logits: Tensor, script: Script, vocabulary: Vocabulary, geometry: FrameGeometry, seconds: float) -> Placement:
    """Finds where in a recording its text is.

    Args:
        logits: (F, V).
        script: What is said.
        vocabulary: Symbols of the V outputs.
        geometry: For the times.
        seconds: Of the recording.

    Raises:
        InputError: If the recording is too short for the text.
    """
    emissions = logits.float().log_softmax(-1).numpy()
    spans = align_symbols(emissions, script.tokens, vocabulary.blank)
    heard = [
        emissions[first:stop, token] if token != STAR else emissions[:0, 0]
        for first, stop, token in zip(spans.first, spans.stop, script.tokens, strict=True)
    ]
    times = _times(script, spans.first, spans.stop, geometry, phones=vocabulary.delimiter is None)
    members: list[list[int]] = [[] for _ in script.units]
    for number, owner in enumerate(script.owners):
        if owner is not None:
            members[owner].append(number)
    units: list[Placed | None] = []
    for unit, numbers in zip(script.units, members, strict=True):
        parts = [Placed(script.symbols[number], *times[number], _score([heard[number]])) for number in numbers]
        score = _score([heard[number] for number in numbers])
        units.append(Placed(unit, parts[0].start, parts[-1].end, score, parts) if parts else None)
    spoken = [frames for frames, owner in zip(heard, script.owners, strict=True) if owner is not None]
    return Placement(_filled(units, script.units, seconds), _score(spoken) or 0.0)


def _times(
    script: Script, first: np.ndarray, stop: np.ndarray, geometry: FrameGeometry, *, phones: bool
) -> list[tuple[float, float]]:
    """Beginning and end of each symbol, seconds; short blanks inside a word, or between phones, are divided in the middle."""
    starts, ends = ([geometry.seconds(int(frame)) for frame in frames] for frames in (first, stop))
    for left, (one, other) in enumerate(zip(script.owners, script.owners[1:], strict=False)):
        together = one is not None and other is not None and other - one <= int(phones)
        if together and starts[left + 1] - ends[left] <= PAUSE_S:
            ends[left] = starts[left + 1] = (ends[left] + starts[left + 1]) / 2
    return list(zip(starts, ends, strict=True))


def _score(heard: Sequence[np.ndarray]) -> float | None:
    frames = np.concatenate(heard) if heard else np.empty(0)
    return math.exp(frames.mean(dtype=float)) if len(frames) else None


def _filled(units: Sequence[Placed | None], texts: Sequence[str], seconds: float) -> list[Placed]:
    """Puts units of which no symbol was aligned between their neighbours, in equal parts."""
    filled: list[Placed] = []
    for number, unit in enumerate(units):
        if unit is None:
            following = next((other for other in units[number:] if other), None)
            waiting = next((count for count, other in enumerate(units[number:]) if other), len(units) - number)
            start = filled[-1].end if filled else 0.0
            end = following.start if following else seconds
            unit = Placed(texts[number], start, start + (end - start) / waiting, None)
        filled.append(unit)
    return filled
