"""Inventories from what users name: PHOIBLE, files, manifests, voices of espeak-ng."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from speechxl.data.espeak import phonemes
from speechxl.data.languages import named_language
from speechxl.data.manifest import read_cells
from speechxl.data.sources import is_manifest
from speechxl.errors import InputError
from speechxl.phonology.inventory import (
    COLUMNS,
    Inventory,
    inventory_of_texts,
    new_inventory,
    phoible_inventory,
    read_inventory,
    without_diphthongs,
)  # fmt: skip
from speechxl.phonology.phoible import Phoible, need_phoible

VOICE = "espeak:"
PHOIBLE = "phoible:"
_NUMBERS = range(121)


def find_inventory(
    name: str,
    *,
    source: str = "union",
    phoible: Path | None = None,
    marginal: bool = True,
    column: str | None = None,
    running: bool = False,
    least: int = 1,
    split_diphthongs: bool = False,
) -> Inventory:
    """The inventory that is meant.

    Args:
        name: Code or name of a language in PHOIBLE, ``phoible:1120`` for one of its inventories, ``espeak:sw`` for a voice of
            espeak-ng, or a file: phones, a lexicon, a table, a manifest.
        source: Of PHOIBLE: ``union``, ``largest`` or the number of an inventory.
        phoible: Folder of PHOIBLE.
        marginal: Whether to keep PHOIBLE's marginal phonemes.
        column: Of a table or manifest, by default one that is named like phones.
        running: Whether the column holds running text, and not phones separated by spaces.
        least: Occurrences of a phone in a file or manifest below which it is left out.
        split_diphthongs: Whether their vowels take their place.

    Raises:
        InputError: If it cannot be had, with the reason.
    """
    found = _find(name, source, phoible, marginal, column, running, least)
    return without_diphthongs(found) if split_diphthongs else found


def language_inventory(
    language: str,
    *,
    source: str = "union",
    phoible: Path | None = None,
    marginal: bool = True,
    split_diphthongs: bool = False,
) -> Inventory:
    """The inventory of a language in PHOIBLE, whatever files there are of its name; see `find_inventory`."""
    found = _of_language(need_phoible(phoible), language, source, marginal)
    return without_diphthongs(found) if split_diphthongs else found


def _find(
    name: str, source: str, phoible: Path | None, marginal: bool, column: str | None, running: bool, least: int
) -> Inventory:
    if name.startswith(VOICE):
        return espeak_inventory(name.removeprefix(VOICE))
    if name.startswith(PHOIBLE):
        return phoible_inventory(need_phoible(phoible), "", name.removeprefix(PHOIBLE), marginal=marginal)
    path = Path(name)
    if path.is_file():
        return _read(path, column, running, least)
    if path.is_dir() and (path / "manifest.tsv").is_file():
        return _read(path / "manifest.tsv", column, running, least)
    if path.suffix or "/" in name:
        raise InputError(f"{name}: there is no such file of phones.")
    return _of_language(need_phoible(phoible), name, source, marginal)


def _of_language(phoible: Phoible, name: str, source: str, marginal: bool) -> Inventory:
    return phoible_inventory(phoible, _known(phoible, name), source, marginal=marginal)


def _known(phoible: Phoible, name: str) -> str:
    """The code that a name stands for everywhere else, if PHOIBLE has its language or knows nothing of the name.

    Beside codes PHOIBLE knows Glottocodes, and names that ISO 639-3 lacks or gives to a macrolanguage.
    """
    code = named_language(name)
    if any(doculect.iso == code for doculect in phoible.doculects.values()):
        return code
    try:
        phoible.find(name)
    except InputError:
        return code
    return name


def _read(path: Path, column: str | None, running: bool, least: int) -> Inventory:
    header = path.read_text(encoding="utf-8-sig", errors="replace").partition("\n")[0].rstrip("\r").split("\t")
    if not (is_manifest(path) and "path" in header):
        return read_inventory(path, column, running=running, least=least)
    named = column or next((x for x in COLUMNS if x in header), "")
    if named not in header:
        columns = ", ".join(header)
        raise InputError(f"{path}:1: there is no column {named or 'phonemes'!r}; name one with --column: {columns}.")
    texts = ((text, place) for place, text in read_cells(path, named))
    return inventory_of_texts(texts, f"{path}:{named}", running=running, least=least)


def espeak_inventory(voice: str, texts: Sequence[str] | None = None) -> Inventory:
    """Phones that espeak-ng gives for texts.

    Args:
        voice: Such as ``sw``.
        texts: In its language; by default numbers, and names of countries, languages and the like from CLDR.

    Raises:
        InputError: If there is no such voice.
    """
    chosen = words(voice) if texts is None else texts
    found = (phone for text in chosen for word in phonemes(text, voice) for phone in word)
    return new_inventory(found, f"{VOICE}{voice}", language=voice)


@lru_cache(maxsize=8)
def words(voice: str) -> tuple[str, ...]:
    """Numbers, and where CLDR knows the language of a voice, names in it."""
    from babel import Locale, UnknownLocaleError

    numbers = [str(number) for number in _NUMBERS]
    try:
        locale = Locale.parse(voice.partition("-")[0])
    except (UnknownLocaleError, ValueError):
        return tuple(numbers)
    months = [name for width in locale.months["format"].values() for name in width.values()]
    tables: Iterable[Iterable[str]] = (locale.territories.values(), locale.languages.values(), months)
    return tuple(dict.fromkeys([*numbers, *(name for table in tables for name in table)]))
