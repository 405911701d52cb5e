"""ISO 639-3 codes."""

import logging
from difflib import get_close_matches
from functools import lru_cache

import iso639

log = logging.getLogger(__name__)
COLLECTIVE = frozenset({"mis", "und", "mul", "zxx", "qaa"})
"""Codes for what has none of its own."""

INDIVIDUAL = {
    "ar": "arb", "az": "azj", "et": "ekk", "fa": "pes", "gn": "gug", "lv": "lvs", "mn": "khk", "ms": "zsm",
    "ne": "npi", "no": "nob", "or": "ory", "sq": "als", "sw": "swh", "uz": "uzn", "yi": "ydd", "zh": "cmn",
    "zh-hk": "yue",
}  # fmt: skip
"""Languages that Common Voice and FLEURS have under the code of a macrolanguage, which ISO 639-3 distinguishes. Where it is not
said which of its languages is recorded (ff, kln, om, ps, sc, syr, zza), the code stays that of the macrolanguage."""


@lru_cache(maxsize=1024)
def to_iso(locale: str) -> str:
    """ISO 639-3 code of a corpus's locale; empty if there is none.

    Args:
        locale: Such as sw, sv-SE, zh-TW, rm-sursilv, kab, es_419, cmn_hans_cn.
    """
    locale = locale.lower().replace("_", "-")
    code = locale.partition("-")[0]
    if individual := INDIVIDUAL.get(locale) or INDIVIDUAL.get(code):
        return individual
    try:
        return iso639.Lang(code).pt3
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        log.warning("locale %r has no code in ISO 639-3; name the language with --language", locale)
        return ""


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
