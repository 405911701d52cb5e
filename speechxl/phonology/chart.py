"""Phones in the order of the IPA chart. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speechxl.phonology.ipa import AFFRICATES, Part, parts
from speechxl.phonology.letters import Letter, letters

_PLACES = (
    "bilabial", "labiodental", "dental", "alveolar", "postalveolar", "retroflex", "alveolo-palatal", "palatal", "velar", "uvular",
    "pharyngeal", "glottal", "labial-velar", "labial-palatal", "placeless",
)  # fmt: skip
_MANNERS = (
    "plosive", "nasal", "trill", "tap", "lateral tap", "fricative", "lateral fricative", "affricate", "approximant",
    "lateral approximant", "implosive", "click", "prenasalised", "other",
)  # fmt: skip
_HEIGHTS = ("close", "near-close", "close-mid", "mid", "open-mid", "near-open", "open")
_BACKNESS = ("front", "central", "back")
_LABIAL = {"w": "labial-velar", "ʍ": "labial-velar", "ɥ": "labial-palatal"}


@dataclass(frozen=True)
class Grid:
    """A part of the chart."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]
    """Name, and the phones of each column; voiceless and unrounded first."""


def chart(symbols: Iterable[str]) -> list[Grid]:
    """Consonants, vowels, and what has no cell of its own; only rows and columns that have something."""
    consonants: dict[tuple[str, str], list[tuple[str, str]]] = {}
    vowels: dict[tuple[str, str], list[tuple[str, str]]] = {}
    others: dict[str, list[str]] = {}
    for symbol in sorted(symbols):
        found = parts(symbol.split("|")[0])
        known = [letters()[part.letter] for part in found]
        if all(letter.kind == "vowel" for letter in known):
            if len(found) == 1:
                cell = known[0].manner, known[0].place
                vowels.setdefault(cell, []).append(((known[0].voice == "rounded" and "1") or "0", symbol))
            else:
                others.setdefault("diphthongs" if len(found) == 2 else "triphthongs", []).append(symbol)
        elif all(letter.kind == "consonant" for letter in known):
            consonants.setdefault(_cell(found, known), []).append((_voice(found[-1], known[-1]), symbol))
        else:
            others.setdefault("other", []).append(symbol)
    grids = [
        _grid("consonants", _MANNERS, _PLACES, consonants), _grid("vowels", _HEIGHTS, _BACKNESS, vowels),
    ]  # fmt: skip
    grids += [Grid(title, (), (("", (tuple(others[title]),)),)) for title in others]
    return [grid for grid in grids if grid.rows]


def _cell(found: Sequence[Part], known: Sequence[Letter]) -> tuple[str, str]:
    """Manner and place."""
    last = known[-1]
    place = _LABIAL.get(last.character, last.place)
    if len(known) == 1:
        return last.manner, place
    click = next((letter for letter in known if letter.manner == "click"), None)
    if click:
        return "click", click.place
    if found[0].letter + found[1].letter in AFFRICATES and len(found) == 2:
        return "affricate", place
    if known[0].manner == "nasal" and last.manner != "nasal":
        return "prenasalised", _place_of_rest(found, place)
    if found[0].tied and len(found) == 2:
        return last.manner, "labial-velar" if known[0].place == "velar" and last.place == "bilabial" else place
    return "other", place


def _place_of_rest(found: Sequence[Part], place: str) -> str:
    rest = [part for part in found if letters()[part.letter].manner != "nasal"]
    double = len(rest) == 2 and rest[0].tied and rest[0].letter in "kɡ" and rest[1].letter in "pb"
    return "labial-velar" if double else place


def _voice(part: Part, letter: Letter) -> str:
    if "\u0325" in part.after or "\u030a" in part.after:
        return "0"
    return "1" if letter.voice == "voiced" or "\u032c" in part.after else "0"


def _grid(
    title: str, rows: Sequence[str], columns: Sequence[str], cells: dict[tuple[str, str], list[tuple[str, str]]]
) -> Grid:
    used = tuple(column for column in columns if any(place == column for _, place in cells))
    lines = []
    for row in rows:
        line = tuple(tuple(symbol for _, symbol in sorted(cells.get((row, column), []))) for column in used)
        if any(line):
            lines.append((row, line))
    return Grid(title, used, tuple(lines))
