"""Names of languages, places, currencies, months and units, spoken by espeak-ng: audio with its phones in many languages.

The names are those of Unicode's CLDR in `babel`, some thousand for a language.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from babel import Locale
from babel.localedata import locale_identifiers

from speechxl.data.espeak import Silent, has_voice, tokens
from speechxl.data.g2p.espeak import Espeak, voice_of
from speechxl.data.languages import language_fault, to_iso
from speechxl.data.synthetic import say
from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE, Utterance

_FEWEST, _MOST = 3, 30
"""Letters of a name."""
_BETWEEN = " -'’"
"""Beside letters, what a name may be written with."""
_FEWEST_NAMES = 100
"""With fewer, a locale only names its own language and the like."""


@dataclass(frozen=True)
class Part:
    """What is made of each language."""

    split: str
    names: int
    variants: Sequence[str]
    """Voices of espeak-ng, such as ``f2``, each of which stands for a speaker."""


def names(locale: str) -> list[str]:
    """What CLDR names in a language, by code point, without digits, abbreviations and what stands in brackets.

    Args:
        locale: Such as ``de``.

    Raises:
        InputError: If CLDR does not have it.
    """
    if locale not in locale_identifiers():
        raise InputError(f"CLDR has no names in {locale!r}; a code such as sw or de was expected.")
    known = Locale(locale)
    units = known._data["unit_display_names"].values()
    tables = [
        known.languages, known.territories, known.currencies,
        known.months["stand-alone"]["wide"], known.days["stand-alone"]["wide"],
        *(unit for unit in units if not isinstance(unit, str)),
    ]  # fmt: skip
    found = {name for table in tables for name in dict(table).values() if isinstance(name, str) and _is_plain(name)}
    return sorted(found)


def _is_plain(name: str) -> bool:
    return _FEWEST <= len(name) <= _MOST and all(x in _BETWEEN or _is_letter(x) for x in name)


def _is_letter(character: str) -> bool:
    """Marks of Indic scripts are no letters to `str.isalpha`."""
    return character.isalpha() or (character.isprintable() and not character.isascii() and not character.isnumeric())


def spoken(locale: str, voice: str) -> dict[str, str]:
    """Phones of those names that a voice speaks itself; not those that it gives to another, or spells.

    Args:
        locale: Of the names.
        voice: Of espeak-ng.

    Raises:
        InputError: If there is no such locale or voice.
    """
    reader = Espeak(voice)
    found = {}
    for name in names(locale):
        words = name.replace("-", " ").split()
        if any(reader.fault(word) for word in words):
            continue
        reading = reader.read(words)
        if reading.phones and not any(rewrite.kind == "context" for rewrite in reading.rewrites):
            found[name] = " ".join(reading.phones)
    return found


def named_languages() -> dict[str, str]:
    """Locales of CLDR whose names espeak-ng can speak, by ISO 639-3."""
    found: dict[str, str] = {}
    for locale in sorted(locale_identifiers()):
        able = "_" not in locale and has_voice(locale) and any(tokens("1", locale))
        if able and len(names(locale)) >= _FEWEST_NAMES and (language := to_iso(locale)):
            found.setdefault(language, locale)
    return dict(sorted(found.items()))


def write_names(folder: Path, languages: Mapping[str, str], parts: Sequence[Part], seed: int) -> Iterator[Utterance]:
    """Speaks names, each in one of the parts only.

    Args:
        folder: For ``audio``.
        languages: Locale of each language, by ISO 639-3.
        parts: What is made of each.
        seed: Of what is in which part, and of voices, rates, pitches and backgrounds; those of a language do not depend
            on which others there are. Waveforms do a little: espeak-ng goes on with the phases of what it said before. The
            same calls in another process make the same.

    Yields:
        Rows of a manifest beside ``audio``, with the phones in their column.

    Raises:
        InputError: If CLDR or espeak-ng does not have a language.
    """
    for language, locale in languages.items():
        if fault := language_fault(language):
            raise InputError(fault)
        voice = locale if has_voice(locale) else voice_of(language)
        key = (seed, *language.encode())
        phones = spoken(locale, voice)
        order = iter(np.random.default_rng(key).permutation(sorted(phones)).tolist())
        for place, part in enumerate(parts):
            made = 0
            while made < part.names and (name := next(order, None)):
                rng = np.random.default_rng((*key, place, made))
                try:
                    samples = say(name, f"{voice}+{(variant := rng.choice(part.variants))}", rng)
                except Silent:
                    continue
                path = folder / "audio" / language / f"{part.split}-{made:04d}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, samples, SAMPLE_RATE)
                yield Utterance(
                    path, str(path.relative_to(folder)), duration=len(samples) / SAMPLE_RATE, language=language,
                    speaker=f"{language}-{variant}", split=part.split, text=name, phonemes=phones[name],
                )  # fmt: skip
                made += 1
