"""ISO 639-3 codes."""

from difflib import get_close_matches
from functools import lru_cache

import iso639

COLLECTIVE = frozenset({"mis", "und", "mul", "zxx", "qaa"})
"""Codes for what has none of its own."""


@lru_cache(maxsize=4096)
def language_fault(code: str) -> str | None:
    """What is wrong with a language code; None if it is one of ISO 639-3."""
    if code in COLLECTIVE or iso639.is_language(code, "pt3"):
        return None
    if not code:
        return "no language"
    if retired(code):
        return None
    try:
        return f"{code!r} is not an ISO 639-3 code; use {iso639.Lang(code).pt3!r}"
    except iso639.exceptions.InvalidLanguageValue:
        near = get_close_matches(code, _codes(), 3, 0.6)
        return f"{code!r} is not an ISO 639-3 code" + (f"; nearest are {', '.join(near)}" if near else "")


def retired(code: str) -> str | None:
    """What to use in the place of a code that ISO 639-3 has withdrawn; None if it has not."""
    try:
        iso639.Lang(code)
    except iso639.exceptions.DeprecatedLanguageValue as error:
        return str(error)
    except iso639.exceptions.InvalidLanguageValue:
        pass
    return None


@lru_cache(maxsize=1)
def _codes() -> list[str]:
    return [language.pt3 for language in iso639.iter_langs() if language.pt3]
