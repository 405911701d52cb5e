"""Forms of a text for a classifier: its own script, Latin letters, phones. No torch."""

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from speechxl.classification.numbers import in_words
from speechxl.classification.romanizing import romanize
from speechxl.phonology.ipa import UnknownPhone, canonical, segment
from speechxl.text import normalise

Digits = Literal["drop", "keep", "words"]
_MARKS = str.maketrans({mark: "'" for mark in "’‘ʼʻ`´"})


class TextForm(ABC):
    """What a text becomes before it is classified; the same for references and transcripts."""

    units: ClassVar[Literal["char", "phoneme"]] = "char"
    """What the text consists of: characters, or phones between spaces."""

    @abstractmethod
    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> list[str]:
        """Texts in this form.

        Args:
            texts: N texts.
            languages: ISO 639-3 code of each; empty where it is not known.
        """


@dataclass(frozen=True)
class Native(TextForm):
    """The script that it is written in, without case and punctuation."""

    digits: Digits = "keep"
    """Numbers are left out, kept, or written in words (num2words, extra romanize)."""

    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> list[str]:
        """See `TextForm`."""
        pairs = zip(texts, languages, strict=True)
        return [native(_numbers(text, language, self.digits), self.digits) for text, language in pairs]


@dataclass(frozen=True)
class Romanized(TextForm):
    """Latin letters by uroman (Hermjakob, May and Knight 2018), normalised as in MMS (Pratap et al. 2023): a to z, ' and digits.

    The licence of uroman asks publications for an acknowledgement, see `romanizing.ACKNOWLEDGEMENT`.
    """

    digits: Digits = "keep"
    """Numbers are left out, as in MMS, kept, or written in words of the language before (num2words). uroman writes Chinese
    numerals as digits, so that leaving digits out leaves out words there."""

    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> list[str]:
        """See `TextForm`."""
        plain = [
            _numbers(unicodedata.normalize("NFKC", text), language, self.digits)
            for text, language in zip(texts, languages, strict=True)
        ]
        return [latin(text, self.digits) for text in romanize(plain, languages)]


@dataclass(frozen=True)
class Phones(TextForm):
    """Phones between spaces, in one spelling; what is not IPA stays as it is."""

    units: ClassVar[Literal["char", "phoneme"]] = "phoneme"
    running: bool = False
    """Whether the text is running IPA, which is cut into phones, and not phones between spaces already."""

    def __call__(self, texts: Sequence[str], languages: Sequence[str]) -> list[str]:
        """See `TextForm`."""
        del languages
        return [" ".join(self._phones(normalise(text))) for text in texts]

    def _phones(self, text: str) -> list[str]:
        if self.running:
            return segment(text, on_unknown="keep").phones
        return [_spelling(symbol) for symbol in text.split()]


def native(text: str, digits: Digits = "keep") -> str:
    """A text without case, punctuation and differences of compatibility, with single spaces.

    Args:
        text: Any.
        digits: ``"drop"`` leaves them out.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    gone = ("P", "Nd") if digits == "drop" else ("P",)
    return " ".join("".join(" " if unicodedata.category(x).startswith(gone) else x for x in folded).split())


def latin(text: str, digits: Digits = "keep") -> str:
    """A romanized text of a to z and ', with digits where they are kept, and single spaces."""
    letters = "a-z0-9" if digits == "keep" else "a-z"
    return " ".join(re.sub(f"[^{letters}' ]", " ", text.translate(_MARKS).lower()).split())


def _numbers(text: str, language: str, digits: Digits) -> str:
    return in_words(text, language) if digits == "words" else text


def _spelling(symbol: str) -> str:
    try:
        return canonical(symbol)
    except UnknownPhone:
        return symbol
