"""Text and its symbols: normalisation and the vocabulary of a CTC model, or those of its languages. No torch."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

from speechxl.errors import InputError

SPECIAL = frozenset({"<pad>", "[PAD]", "<s>", "</s>", "<unk>", "[UNK]"})
"""Names of symbols that published vocabularies hold and that are never written."""


def normalise(text: str) -> str:
    """Unicode NFC with single spaces; nothing else is changed."""
    return " ".join(unicodedata.normalize("NFC", text).split())


class UnknownSymbol(InputError):
    """Text holds symbols that the vocabulary lacks."""

    def __init__(self, text: str, symbols: Sequence[str]) -> None:
        self.counts = Counter(symbols)
        self.symbols = list(self.counts)
        names = ", ".join(f"{symbol!r} ({code_points(symbol)})" for symbol in self.symbols[:5])
        super().__init__(f"{text!r} has symbols outside the vocabulary: {names}.")


class UnknownLanguage(InputError):
    """A model with a vocabulary for each language has none for this one."""

    def __init__(self, language: str, languages: Sequence[str]) -> None:
        wanted = repr(language) if language else "speech whose language is not known"
        super().__init__(f"the model has a vocabulary for each of {', '.join(languages)}, and none for {wanted}")


@dataclass(frozen=True)
class Vocabulary:
    """Symbols of a CTC model and their numbers.

    Attributes:
        symbols: Symbol of each number; a symbol may be several characters.
        blank: Number of the CTC blank.
        delimiter: Symbol that stands for a space; None for phones, which are separated by spaces in the text.
    """

    symbols: tuple[str, ...]
    blank: int = 0
    delimiter: str | None = "|"
    languages: ClassVar[tuple[str, ...]] = ()
    _ids: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ids = {symbol: number for number, symbol in enumerate(self.symbols)}
        if len(ids) < len(self.symbols):
            twice = [symbol for symbol, count in Counter(self.symbols).items() if count > 1]
            raise InputError(f"Symbols stand twice in the vocabulary: {twice}; each symbol has one number.")
        object.__setattr__(self, "_ids", ids)

    @classmethod
    def from_texts(cls, texts: Iterable[str], units: str) -> "Vocabulary":
        """Vocabulary of the symbols that occur, sorted by code point.

        Args:
            texts: Training texts; nothing else, so that the test set is not peeked at.
            units: ``"char"``: code points after NFC; ``"phoneme"``: what stands between spaces.
        """
        symbols: set[str] = set()
        for text in texts:
            symbols.update(normalise(text).split() if units == "phoneme" else normalise(text).replace(" ", ""))
        reserved = symbols & {"<pad>", "<unk>", *(["|"] if units == "char" else [])}
        if reserved:
            raise InputError(
                f"The text holds {sorted(reserved)}, which the vocabulary reserves; replace it in the text."
            )
        if not symbols:
            raise InputError("The training text holds no symbols; is the text column empty?")
        delimiter = None if units == "phoneme" else "|"
        return cls(("<pad>", "<unk>", *([delimiter] if delimiter else []), *sorted(symbols)), 0, delimiter)

    def __len__(self) -> int:
        return len(self.symbols)

    @property
    def units(self) -> str:
        """``"char"`` or ``"phoneme"``."""
        return "phoneme" if self.delimiter is None else "char"

    @property
    def hash(self) -> str:
        """Short name of exactly this vocabulary."""
        document = json.dumps([self.symbols, self.blank, self.delimiter], ensure_ascii=False)
        return hashlib.sha256(document.encode()).hexdigest()[:16]

    @property
    def written(self) -> list[str]:
        """Symbols that a text may hold, and what stands for a space in it."""
        return [symbol for number, symbol in enumerate(self.symbols) if self.is_written(number)]

    @property
    def document(self) -> dict[str, Any]:
        """What ``vocab.json`` holds."""
        return {symbol: number for number, symbol in enumerate(self.symbols)}

    def of(self, language: str) -> "Vocabulary":
        """Vocabulary of a language: this one."""
        del language
        return self

    def outputs(self, language: str) -> Sequence[int]:
        """Outputs of the model that stand for the symbols of a language: all."""
        del language
        return range(len(self))

    def split(self, text: str) -> list[str]:
        """Symbols of a text, the longest that fit first; characters outside the vocabulary stand alone."""
        text = normalise(text)
        return text.split() if self.delimiter is None else self._pattern.findall(text.replace(" ", self.delimiter))

    def encode(self, text: str, without: Collection[str] = ()) -> list[int]:
        """Numbers of a text's symbols.

        Args:
            text: Any; it is normalised.
            without: Symbols that are passed over.

        Raises:
            UnknownSymbol: If the vocabulary lacks a symbol.
        """
        symbols = [symbol for symbol in self.split(text) if symbol not in without]
        unknown = [symbol for symbol in symbols if symbol not in self]
        if unknown:
            raise UnknownSymbol(text, unknown)
        return [self._ids[symbol] for symbol in symbols]

    def __contains__(self, symbol: object) -> bool:
        """Whether a text may hold the symbol."""
        return symbol in self._ids and symbol not in SPECIAL

    def decode(self, ids: Iterable[int]) -> str:
        """Text of numbers; the blank and special symbols are not written."""
        symbols = [self.symbols[number] for number in ids if self.is_written(number)]
        if self.delimiter is None:
            return normalise(" ".join(symbols))
        return normalise("".join(symbols).replace(self.delimiter, " "))

    def is_written(self, number: int) -> bool:
        """Whether the symbol belongs to the text."""
        return number != self.blank and self.symbols[number] not in SPECIAL

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        longer = sorted((symbol for symbol in self.symbols if len(symbol) > 1), key=len, reverse=True)
        return re.compile("|".join([*map(re.escape, longer), "."]), re.DOTALL)


@dataclass(frozen=True)
class Vocabularies:
    """Vocabularies of the languages of a CTC model, which share nothing but the blank.

    The model's outputs are the blank, then the other symbols of each language.

    Attributes:
        languages: ISO 639-3 codes.
        parts: Vocabulary of each; its blank is its first symbol.
    """

    languages: tuple[str, ...]
    parts: tuple[Vocabulary, ...]
    blank: ClassVar[int] = 0

    @classmethod
    def from_texts(cls, texts: Mapping[str, Iterable[str]], units: str) -> "Vocabularies":
        """Vocabularies of the symbols that occur in each language; see `Vocabulary.from_texts`."""
        parts = []
        for own in texts.values():
            part = Vocabulary.from_texts(own, units)
            symbols = tuple(symbol for symbol in part.symbols if symbol != "<unk>")  # which is never a target
            parts.append(replace(part, symbols=symbols))
        return cls(tuple(texts), tuple(parts))

    def __len__(self) -> int:
        return 1 + sum(len(part) - 1 for part in self.parts)

    @property
    def units(self) -> str:
        """``"char"`` or ``"phoneme"``."""
        return self.parts[0].units

    @property
    def symbols(self) -> tuple[str, ...]:
        """Of all languages, each once."""
        return tuple(dict.fromkeys(symbol for part in self.parts for symbol in part.symbols))

    @property
    def hash(self) -> str:
        """Short name of exactly these vocabularies."""
        document = json.dumps([[*self.languages], *(part.hash for part in self.parts)])
        return hashlib.sha256(document.encode()).hexdigest()[:16]

    @property
    def document(self) -> dict[str, Any]:
        """What ``vocab.json`` holds."""
        return {
            language: dict(zip(part.symbols, self.outputs(language), strict=True))
            for language, part in zip(self.languages, self.parts, strict=True)
        }

    @property
    def written(self) -> dict[str, list[str]]:
        """Symbols that a text in each language may hold, and what stands for a space in it."""
        return {language: self.of(language).written for language in self.languages}

    def of(self, language: str) -> Vocabulary:
        """Vocabulary of a language.

        Raises:
            UnknownLanguage: If it has none.
        """
        return self.parts[self._place(language)]

    def outputs(self, language: str) -> Sequence[int]:
        """Outputs of the model that stand for the symbols of a language, in the order of its vocabulary.

        Raises:
            UnknownLanguage: If it has none.
        """
        place = self._place(language)
        first = 1 + sum(len(part) - 1 for part in self.parts[:place])
        return [self.blank, *range(first, first + len(self.parts[place]) - 1)]

    def _place(self, language: str) -> int:
        if language not in self.languages:
            raise UnknownLanguage(language, self.languages)
        return self.languages.index(language)


def code_points(symbol: str) -> str:
    """Code points of a symbol with their Unicode names."""
    return " + ".join(f"U+{ord(character):04X} {unicodedata.name(character, 'unnamed')}" for character in symbol)
