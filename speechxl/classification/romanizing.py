"""Any script in Latin letters, by uroman. No torch."""

import logging
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from speechxl.errors import InputError

log = logging.getLogger(__name__)
ACKNOWLEDGEMENT = (
    "This project uses the universal romanizer software 'uroman' written by Ulf Hermjakob, USC Information Sciences Institute "
    "(2015-2020). Bibliography: Ulf Hermjakob, Jonathan May, and Kevin Knight. 2018. Out-of-the-box universal romanization tool "
    "uroman. In Proceedings of the 56th Annual Meeting of Association for Computational Linguistics, Demo Track."
)
"""What the licence of uroman asks publications to say."""
_CLAUSES = re.compile(r"([\s。、，；：？！,.;:?!]+)")
_FRACTION = re.compile(r"(百?分之)")


def romanize(texts: Sequence[str], languages: Sequence[str]) -> list[str]:
    """Texts as uroman writes them: with case, digits and much punctuation, see `forms.latin`.

    uroman 1.3.1 fails at incomplete Chinese fractions (isi-nlp/uroman, issue 16); such clauses are taken apart.

    Args:
        texts: N texts.
        languages: ISO 639-3 code of each; empty where it is not known.

    Raises:
        InputError: If uroman is not installed.
    """
    whole = [_romanized(text, language) for text, language in zip(texts, languages, strict=True)]
    apart = sum(not intact for _, intact in whole)
    if apart:
        log.warning(
            "uroman failed at %d of %d texts; what it failed at was romanized in smaller parts", apart, len(whole)
        )
    return [text for text, _ in whole]


@lru_cache(maxsize=1 << 17)
def _romanized(text: str, language: str) -> tuple[str, bool]:
    """Romanized text, and whether uroman took it whole."""
    found = _tried(text, language)
    if found is not None:
        return found, True
    return "".join(_clause(part, language) for part in _CLAUSES.split(text)), False


def _clause(text: str, language: str) -> str:
    found = _tried(text, language)
    if found is not None:
        return found
    parts = [part for part in _FRACTION.split(text) if part]
    if len(parts) == 1:
        parts = list(text)
    return " ".join(found for part in parts if (found := _part(part, language)))


def _part(text: str, language: str) -> str:
    found = _tried(text, language)
    if found is None:
        return " ".join(_tried(character, language) or character for character in text)
    return found


def _tried(text: str, language: str) -> str | None:
    """None where uroman fails."""
    try:
        return str(_uroman().romanize_string(text, language or None))
    except AttributeError:
        return None


@lru_cache(maxsize=1)
def _uroman() -> Any:
    """Its tables, which take seconds to read."""
    try:
        from uroman import Uroman
    except ImportError:
        raise InputError("Romanized text needs uroman: pip install 'speechxl[romanize]'.") from None
    return Uroman()
