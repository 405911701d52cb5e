"""Numbers of a text in words. No torch."""

import re
from collections.abc import Callable
from functools import lru_cache

from speechxl.errors import InputError

_LONGEST = 15
"""Digits of a number that is read as one; longer ones are read digit by digit."""
_CODES = {"arb": "ar", "azj": "az", "kaz": "kz", "lvs": "lv", "nob": "no", "pes": "fa"}
"""Those of num2words where they are not the two-letter codes of ISO 639-1."""


def in_words(text: str, language: str) -> str:
    """A text whose numbers are written in words of its language, by num2words.

    Args:
        text: With digits of any script.
        language: ISO 639-3.

    Raises:
        InputError: If there are digits, and num2words is not installed or does not know the language.
    """
    return re.sub(r"\d+", lambda found: f" {_word(found[0], language)} ", text) if re.search(r"\d", text) else text


@lru_cache(maxsize=65536)
def _word(digits: str, language: str) -> str:
    speak = _speaker(language)
    if len(digits) <= _LONGEST and (digits[0] != "0" or len(digits) == 1):
        return speak(int(digits))
    return " ".join(speak(int(digit)) for digit in digits)


@lru_cache(maxsize=256)
def _speaker(language: str) -> Callable[[int], str]:
    import iso639

    try:
        from num2words import CONVERTER_CLASSES, num2words
    except ImportError:
        raise InputError("Numbers in words need num2words: pip install 'speechxl[romanize]'.") from None
    code = _CODES.get(language) or (iso639.Lang(language).pt1 if iso639.is_language(language, "pt3") else "")
    if code not in CONVERTER_CLASSES:
        raise InputError(
            f"num2words has no words for the numbers of the language {language or '(not known)'!r}; choose digits: keep or drop, "
            "or write them in words."
        )
    return lambda number: str(num2words(number, lang=code))
