"""Faults of texts, and of the codes of languages."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from speechxl.data.checks.classes import Finding, finding
from speechxl.data.languages import language_fault, members, retired
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.text import code_points, normalise

_DIGITS = re.compile(r"(?<![\w\u0300-\u036f])\d[\d.,:/]*")
"""After a letter, they mark a tone."""
_TAGS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|&\w+;")
_LOWER, _FEWEST = 0.8, 10
"""Share of texts without capitals, and their number, from which on others are odd."""
_SHOWN = 5


@dataclass(frozen=True)
class Symbols:
    """The symbols that texts may hold."""

    column: str
    """Manifest column of the texts."""
    source: str
    """What has them, for messages."""
    split: Callable[[str, str], Sequence[str]]
    """Symbols of a text in a language."""
    unknown: Callable[[Sequence[str], str], Collection[str]]
    """Those that it may not hold in a language."""


def text_faults(
    utterance: Utterance,
    has_text: bool,
    frames: Callable[[int], int],
    frames_needed: Callable[[Sequence[str]], int],
    symbols: Symbols | None,
) -> Iterator[Finding]:
    """What is wrong with the text of a row, as far as it can be told without the others."""
    text = normalise(utterance.text)
    if has_text and not text and not (symbols and target(utterance, symbols.column)):
        yield finding("empty_text", utterance, "no text, but other rows have one")
    given = frames(round(utterance.seconds * SAMPLE_RATE)) if utterance.duration else None
    for what, parts in _targets(utterance, symbols).items():
        if parts and given is not None and given < (needed := frames_needed(parts)):
            message = f"{what} of {len(parts)} symbols needs {needed} frames, {utterance.seconds:.2f} s give {given}"
            yield finding("too_short", utterance, message)
    if symbols and (wrong := _unknown(utterance, symbols)):
        yield finding("unknown_symbol", utterance, f"not in {symbols.source}: {wrong}")
    if tags := _TAGS.findall(text):
        yield finding("tags", utterance, f"{', '.join(tags[:_SHOWN])} in {text!r}")
    if digits := _DIGITS.findall(_TAGS.sub(" ", text)):
        yield finding(
            "digits", utterance, f"{', '.join(digits[:_SHOWN])} in {text!r}; write numbers as they are spoken"
        )


def case_faults(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Texts with capitals, in languages where most have none."""
    by_language: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.text.upper() != utterance.text.lower():
            by_language[utterance.language].append(utterance)
    for rows in by_language.values():
        cased = [row for row in rows if row.text != row.text.lower()]
        if len(rows) >= _FEWEST and len(cased) <= (1 - _LOWER) * len(rows):
            for row in cased:
                yield finding(
                    "mixed_case", row, f"{row.text!r}; {len(rows) - len(cased)} of {len(rows)} have no capitals"
                )


def language_faults(utterances: Sequence[Utterance], known: Collection[str]) -> Iterator[Finding]:
    """Codes that are none, or that the model does not know.

    Args:
        utterances: Rows.
        known: Languages of the model; empty if there is none, or it does not say.
    """
    counts = Counter(utterance.language for utterance in utterances)
    told: set[str] = set()
    for utterance in utterances:
        code = utterance.language
        if not code:
            continue
        if wrong := language_fault(code):
            yield finding("unknown_language", utterance, wrong)
        elif known and code not in known:
            message = f"{code!r} is not among the languages of the model: {', '.join(sorted(known))}"
            yield finding("language_not_in_model", utterance, message)
        if not wrong and (advice := retired(code)):
            yield finding("retired_language", utterance, advice)
        if not wrong and code not in told and (own := members(code)):
            told.add(code)
            message = f"{code!r}, of {counts[code]} rows, is a macrolanguage: which of {own} is it?"
            yield finding("macrolanguage", utterance, message)


def target(utterance: Utterance, column: str) -> str:
    """Text of a column, normalised."""
    value = getattr(utterance, column) if column in ("text", "phonemes") else utterance.extra.get(column, "")
    return normalise(value)


def _targets(utterance: Utterance, symbols: Symbols | None) -> dict[str, Sequence[str]]:
    if symbols is not None:
        return {symbols.column: symbols.split(target(utterance, symbols.column), utterance.language)}
    return {"text": list(normalise(utterance.text)), "phonemes": utterance.phonemes.split()}


def _unknown(utterance: Utterance, symbols: Symbols) -> str:
    parts = symbols.split(target(utterance, symbols.column), utterance.language)
    return _shown(tuple(dict.fromkeys(symbols.unknown(parts, utterance.language))))


@lru_cache(maxsize=1024)
def _shown(symbols: tuple[str, ...]) -> str:
    more = f" and {len(symbols) - _SHOWN} more" if len(symbols) > _SHOWN else ""
    return ", ".join(f"{symbol!r} ({code_points(symbol)})" for symbol in symbols[:_SHOWN]) + more
