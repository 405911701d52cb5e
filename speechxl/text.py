"""Text and its symbols: normalisation and the vocabulary of a CTC model. No torch."""

import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

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


def code_points(symbol: str) -> str:
    """Code points of a symbol with their Unicode names."""
    return " + ".join(f"U+{ord(character):04X} {unicodedata.name(character, 'unnamed')}" for character in symbol)
