"""ISO 639-3 codes, and what else languages are called."""

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

import iso639

from speechxl.errors import InputError

log = logging.getLogger(__name__)
COLLECTIVE = frozenset({"mis", "und", "mul", "zxx", "qaa"})
"""Codes for what has none of its own."""
_MEMBERS = 8
"""Of a macrolanguage that are listed."""

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
def find_language(name: str) -> str:
    """ISO 639-3 code of what a user calls a language; what it was taken for is logged.

    Args:
        name: Code of ISO 639-1, -2 or -3, locale such as zh-CN, or name in English; case and accents do not matter. Where most
            speech under the code or name of a macrolanguage is in one of its languages, as for sw, that is meant.

    Raises:
        InputError: If there is none, or there are several, with the nearest names.
    """
    folded = _folded(name)
    if name in COLLECTIVE or iso639.is_language(name, "pt3") or retired(name):
        return name
    match = re.fullmatch(r"([a-z]{2,3})(-[a-z0-9]{2,8})*", folded.replace("_", "-"))
    named = "-" in folded and folded in _named()  # such as Avá-Canoeiro, which looks like a locale
    if (
        match
        and not named
        and (code := INDIVIDUAL.get(folded.replace("_", "-")) or INDIVIDUAL.get(match[1]) or _of_code(match[1]))
    ):
        return _told(name, code)
    codes = _named().get(folded, [])
    codes = [code for code in codes if not members(code)] or codes
    if len(codes) == 1:
        language = iso639.Lang(codes[0])
        return _told(name, INDIVIDUAL.get(language.pt1, codes[0]) if members(codes[0]) else codes[0])
    if codes:
        raise InputError(f"{name!r} is the name of several languages: {', '.join(map(_shown, codes))}; use the code.")
    raise InputError(f"{name!r} is no language of ISO 639-3{_near(name)}.")


def named_language(name: str) -> str:
    """The same as `find_language`, and the name itself where that finds nothing; for names that others know, too."""
    try:
        return find_language(name)
    except InputError:
        return name


def languages_meant(names: Iterable[str] | None) -> list[str]:
    """What is compared to the languages of rows: names as they are, and the codes that they stand for."""
    return list(dict.fromkeys(form for name in names or () for form in (name, named_language(name))))


def language_fault(code: str) -> str | None:
    """What is wrong with a language code; None if it is one of ISO 639-3."""
    if code in COLLECTIVE or iso639.is_language(code, "pt3"):
        return None
    if not code:
        return "no language"
    if retired(code):
        return None
    try:
        return f"{code!r} is not an ISO 639-3 code; use {find_language(code)!r}"
    except InputError:
        return f"{code!r} is not an ISO 639-3 code{_near(code)}"


@lru_cache(maxsize=4096)
def retired(code: str) -> str | None:
    """What to use in the place of a code that ISO 639-3 has withdrawn; None if it has not."""
    if not re.fullmatch("[a-z]{3}", code):
        return None  # names are withdrawn with their codes, and are no codes themselves
    try:
        iso639.Lang(code)
    except iso639.exceptions.DeprecatedLanguageValue as error:
        return str(error)
    except iso639.exceptions.InvalidLanguageValue:
        pass
    return None


@lru_cache(maxsize=1024)
def members(code: str) -> str:
    """Languages of a macrolanguage, such as "swc (Congo Swahili), swh (Swahili (individual language))"; empty for others."""
    try:
        individuals = iso639.Lang(code).individuals()
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return ""
    more = f" and {len(individuals) - _MEMBERS} more" if len(individuals) > _MEMBERS else ""
    return ", ".join(f"{language.pt3} ({language.name})" for language in individuals[:_MEMBERS]) + more


def _told(name: str, code: str) -> str:
    macro = f", a macrolanguage; name one of {shown} where it is known" if (shown := members(code)) else ""
    log.info("language %r is taken for %s%s", name, _shown(code), macro)
    return code


def _of_code(code: str) -> str:
    try:
        return iso639.Lang(code).pt3
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return ""


def _near(name: str) -> str:
    """The nearest names and codes, for messages."""
    folded = _folded(name)
    near = [code for found in get_close_matches(folded, _named(), 3, 0.7) for code in _named()[found]]
    words = [code for full, codes in _named().items() if folded in full.split() and len(folded) > 3 for code in codes]
    if re.fullmatch("[a-z]{3,4}", folded):
        near += get_close_matches(folded, _codes(), 3, 0.6)
    shown = list(dict.fromkeys([*near, *words]))[:5]
    return f"; nearest are {', '.join(map(_shown, shown))}" if shown else ""


def _shown(code: str) -> str:
    try:
        return f"{code} ({iso639.Lang(code).name})"
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return code


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(x for x in plain if not unicodedata.combining(x)).casefold().split())


@lru_cache(maxsize=1)
def _named() -> dict[str, list[str]]:
    """Codes by names, with and without what stands in brackets, and with both parts of an inverted name in order."""
    found: dict[str, set[str]] = defaultdict(set)
    for language in iso639.iter_langs():
        for name in (language.name, *language.other_names()) if language.pt3 else ():
            plain = re.sub(r"\s*\([^()]*\)", "", name)
            turned = " ".join(reversed(plain.split(", "))) if plain.count(", ") == 1 else plain
            for form in (name, plain, turned):
                found[_folded(form)].add(language.pt3)
    return {name: sorted(codes) for name, codes in found.items()}


@lru_cache(maxsize=1)
def _codes() -> list[str]:
    return [language.pt3 for language in iso639.iter_langs() if language.pt3]


@lru_cache(maxsize=4096)
def as_iso(name: str) -> str:
    """ISO 639-3 code of what other tools call a language: a code, a locale, an English name; empty if there is none.

    Args:
        name: Such as swh, sw, sw_KE, Swahili, ENG.
    """
    try:
        return find_language(name.strip()) if name.strip() else ""
    except InputError:
        return ""
