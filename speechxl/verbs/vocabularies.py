"""Vocabularies for training: of the training text or from a file, one or one for each language; and what they lack."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from speechxl.errors import InputError
from speechxl.models.vocabularies import read_vocabularies
from speechxl.shapes import Utterance
from speechxl.symbols import Line, Occurrences, code_points, count_parts, count_words, shown, unknown
from speechxl.text import UnknownLanguage, Vocabularies, Vocabulary, normalise
from speechxl.verbs.corpora import target

log = logging.getLogger(__name__)


def training_vocabulary(
    rows: Sequence[Utterance], units: str, column: str, given: Path | None, *, separate: bool, language: str | None
) -> Vocabulary | Vocabularies:
    """Vocabulary of training rows or of each of their languages, or what is given.

    Args:
        rows: Training rows.
        units: ``"char"`` or ``"phoneme"``.
        column: Of the targets.
        given: File with a vocabulary; None for the symbols of the rows.
        separate: Whether each language has its own.
        language: Whose vocabulary is taken from a file that has one for each.

    Raises:
        InputError: If a language is not known or the only one, or a file holds something else.
    """
    texts: dict[str, list[str]] = {}
    for row in sorted(rows, key=lambda row: row.language):
        if separate and not row.language:
            raise InputError(f"{row}: has no language, which --separate_vocabularies needs; add it to the manifest.")
        texts.setdefault(row.language if separate else "", []).append(target(row, column))
    if separate and len(texts) < 2:
        raise InputError(f"--separate_vocabularies: all rows are in {min(texts)}; leave it out.")
    if given is None:
        return Vocabularies.from_texts(texts, units) if separate else Vocabulary.from_texts(texts[""], units)
    symbols = read_symbols(given, units, language)
    if separate and not symbols.languages:
        raise InputError(
            f"--vocabulary {given}: holds one vocabulary; --separate_vocabularies needs vocab.json of a model that was trained "
            "with it. Leave one of them out."
        )
    if symbols.languages and not separate:
        raise InputError(
            f"--vocabulary {given}: holds one vocabulary for each of {', '.join(symbols.languages)}; they are used with "
            "--separate_vocabularies."
        )
    return symbols


def read_symbols(path: Path, units: str, language: str | None = None) -> Vocabulary | Vocabularies:
    """Vocabulary from a text file with one symbol a line, or from ``vocab.json``, which may have one for each language."""
    folder = path if path.is_dir() else path.parent
    if path.is_dir() or path.name == "vocab.json":
        try:
            found = read_vocabularies(str(folder))
        except InputError:
            if language is None:
                raise
            found = read_vocabularies(str(folder), language)
        if isinstance(found, Vocabularies) and language is None:
            return replace(found, parts=tuple(_in_units(part, units) for part in found.parts))
        return _in_units(found.of(language or ""), units)
    try:
        symbols = [normalise(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--vocabulary {path}: cannot be read ({error}).") from None
    delimiter = "|" if units == "char" else None
    first = ["<pad>", "<unk>", *([delimiter] if delimiter else [])]
    return Vocabulary((*first, *(symbol for symbol in symbols if symbol not in first)), 0, delimiter)


def _in_units(vocabulary: Vocabulary, units: str) -> Vocabulary:
    return replace(vocabulary, delimiter=vocabulary.delimiter if units == "char" else None)


def unseen_symbols(
    held: Sequence[Utterance], column: str, symbols: Vocabulary | Vocabularies
) -> dict[str, Occurrences]:
    """Symbols of dev texts that the vocabulary of their language lacks, the most frequent first; they are named.

    Raises:
        InputError: If there is no vocabulary for a language.
    """
    rows: dict[str, list[Utterance]] = {}
    for row in held:
        rows.setdefault(row.language if symbols.languages else "", []).append(row)
    found: dict[str, Occurrences] = {}
    for language, own in rows.items():
        try:
            vocabulary = symbols.of(language)
        except UnknownLanguage as error:
            raise InputError(f"{own[0]}: a dev row, but {error}: no training row is in it. See --dev.") from None
        words = count_words((Line(str(row), target(row, column)) for row in own), vocabulary.units)
        for symbol, here in unknown(count_parts(words, vocabulary.split), vocabulary.symbols).items():
            found.setdefault(symbol, replace(here, count=0)).count += here.count
    unseen = unknown(found, ())
    _name(unseen)
    return unseen


def _name(unseen: Mapping[str, Occurrences]) -> None:
    if unseen:
        names = [
            f"{shown(symbol)} {'+'.join(code_points(symbol))} ({found.count}, as in {found.word!r} at {found.place})"
            for symbol, found in unseen.items()
        ]
        more = f" and {len(names) - 10} more, see speechxl vocab" if len(names) > 10 else ""
        log.warning(
            "dev holds symbols that training never saw, they count as errors: %s%s", ", ".join(names[:10]), more
        )
