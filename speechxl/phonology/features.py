"""Features of phones at their start and at their end, from a table, or put together from letters and marks. No torch.

A contour, such as a diphthong or an affricate, ends with other values than it starts with; with the start alone,
``tɕ`` and ``tɕʰ`` or ``e`` and ``ei`` would be the same.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import yaml

from speechxl.errors import InputError
from speechxl.phonology.ipa import AFFRICATES, Part, canonical, is_combining, parts
from speechxl.phonology.letters import TONE_MARKS, TONES, letters, modifiers

Origin = Literal["table", "composed"]
_SIGN = {"+": 1, "-": -1, "0": 0}
_STAND_INS = {
    "ǀ": ("kǀ", "t̪"), "ǁ": ("kǁ", "tɬ"), "ǃ": ("kǃ", "t"), "‼": ("k‼", "ʈ"), "ǂ": ("kǂ", "c"), "ʘ": ("kʘ", "p"), "ʛ": ("ɠ",),
    "ȶ": ("tʲ",), "ȡ": ("ɟ", "dʲ"), "ȵ": ("ɲ",), "ȴ": ("ʎ", "lʲ"), "ʆ": ("ʃʲ",), "ʓ": ("ʒʲ",), "ᴅ": ("ɾ",), "R": ("r",),
    "N": ("n",), "ᶑ": ("ɗ",), "ɧ": ("x",), "ʜ": ("ħ",), "ʢ": ("ʕ",), "ʡ": ("ʔ",), "ⱱ": ("v",), "ɫ": ("lˠ", "l"), "ɺ": ("l",),
    "ʍ": ("w̥", "w"), "ɶ": ("œ",), "ɞ": ("œ",),
}  # fmt: skip
"""For letters that a table has in combinations only, or not at all."""

Effects = Mapping[int, tuple[int | None, int | None]]
"""By the feature's number, the value at the start and at the end."""


@dataclass(frozen=True)
class Values:
    """Features of N phones."""

    symbols: tuple[str, ...]
    start: np.ndarray
    """(N, A) -1, 0 or 1."""
    end: np.ndarray
    """(N, A) the same at the end."""
    origin: tuple[Origin, ...]
    """Whether a phone stands in the table."""

    @property
    def means(self) -> np.ndarray:
        """(N, A) between start and end."""
        return (self.start + self.end) / 2


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """Features of known phones, and how marks change them.

    Attributes:
        name: ``phoible`` or ``panphon``.
        names: A features.
        symbols: N known phones in their one spelling.
        start: (N, A) -1, 0 or 1.
        end: (N, A).
        counts: (N,) inventories that have the phone; 0 where that is not known.
        marks: What a mark does to a consonant and to a vowel: feature and values at the start and the end, None where
            they stay as they are.
    """

    name: str
    names: tuple[str, ...]
    symbols: tuple[str, ...]
    start: np.ndarray
    end: np.ndarray
    counts: np.ndarray
    marks: Mapping[str, tuple[Effects, Effects]]
    _rows: dict[str, int] = field(init=False, repr=False)
    _made: dict[str, tuple[np.ndarray, np.ndarray]] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        rows: dict[str, int] = {}
        for row in np.argsort(-self.counts, kind="stable"):  # of two spellings of one phone, the commoner
            rows.setdefault(self.symbols[row], int(row))
        object.__setattr__(self, "_rows", rows)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._rows

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the features of all phones and of what marks do, whatever file they were read from."""
        order = sorted(self._rows)
        rows = [self._rows[symbol] for symbol in order]
        marks = {mark: [sorted(effects.items()) for effects in both] for mark, both in sorted(self.marks.items())}
        digest = hashlib.sha256(json.dumps([self.names, order, marks], ensure_ascii=False).encode())
        digest.update(self.start[rows].astype(np.int8).tobytes() + self.end[rows].astype(np.int8).tobytes())
        return digest.hexdigest()

    def count(self, symbol: str) -> int:
        """Inventories that have the phone."""
        return int(self.counts[self._rows[symbol]]) if symbol in self._rows else 0

    def values(self, symbols: Sequence[str]) -> Values:
        """Features of phones in their one spelling; those that the table lacks are put together from their parts.

        Raises:
            InputError: If a letter is not in the table.
        """
        found = [self._values(symbol) for symbol in symbols]
        shape = (len(symbols), len(self.names))
        start = np.array([start for start, _, _ in found], np.int8).reshape(shape)
        end = np.array([end for _, end, _ in found], np.int8).reshape(shape)
        return Values(tuple(symbols), start, end, tuple(origin for _, _, origin in found))

    def _values(self, symbol: str) -> tuple[np.ndarray, np.ndarray, Origin]:
        if symbol in self._rows:
            row = self._rows[symbol]
            return self.start[row], self.end[row], "table"
        start, end = self._composed(symbol)
        return start, end, "composed"

    def _composed(self, symbol: str) -> tuple[np.ndarray, np.ndarray]:
        if symbol not in self._made:
            self._made[symbol] = self._compose(symbol)
        return self._made[symbol]

    def _compose(self, symbol: str) -> tuple[np.ndarray, np.ndarray]:
        readings = symbol.split("|")
        if len(readings) > 1:
            return self._values(readings[0])[:2]
        found = parts(symbol)
        if len(found) == 1:
            return self._of_part(found[0], symbol)
        *others, last = found
        marks = [mark for mark in _marks(last) if not is_combining(mark)]
        if marks:  # those of the whole, such as length
            rest = [*others, Part(last.letter, last.before, last.after.replace(marks[-1], ""))]
            start, end = (values.copy() for values in self._values(canonical("".join(map(str, rest))))[:2])
            return self._marked(start, end, marks[-1], last)
        groups = _groups(found)
        if len(groups) > 1 or len(found) > 2:
            groups = groups if len(groups) > 1 else [[part] for part in found]
            ends = [self._values(canonical("".join(map(str, group))))[:2] for group in (groups[0], groups[-1])]
            return ends[0][0], ends[1][1]
        first, second = (self._values(canonical(str(Part(part.letter, part.before, part.after))))[:2] for part in found)
        if found[0].letter + found[1].letter in AFFRICATES and "continuant" in self.names:
            return self._affricate(first[0], second)
        if letters()[found[0].letter].manner == letters()[found[1].letter].manner:  # both at once
            return np.maximum(first[0], second[0]), np.maximum(first[1], second[1])
        return first[0], second[1]

    def _affricate(self, stop: np.ndarray, fricative: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """A stop that is released as a fricative of its place."""
        start, end = (value.copy() for value in fricative)
        for name in ("periodicGlottalSource", "continuant"):
            start[self.names.index(name)] = stop[self.names.index(name)]
        end[self.names.index("continuant")] = -1
        return start, end

    def _of_part(self, part: Part, symbol: str) -> tuple[np.ndarray, np.ndarray]:
        """The longest beginning of the letter's marks that is in the table, changed by the others."""
        marks = _marks(part)
        for kept in range(len(marks), -1, -1):
            known = canonical(part.letter + "".join(marks[:kept]))
            if known in self._rows and known != symbol:
                row = self._rows[known]
                break
        else:
            kept, row = 0, self._stand_in(part.letter, symbol)
        start, end = self.start[row].copy(), self.end[row].copy()
        for mark in marks[kept:]:
            start, end = self._marked(start, end, mark, part)
        for mark in part.before:
            for feature, (first, last) in self._effects(mark, part).items():
                value = last if first is None else first
                start[feature] = start[feature] if value is None else value
        return start, end

    def _stand_in(self, letter: str, symbol: str) -> int:
        for other in _STAND_INS.get(letter, ()):
            if canonical(other) in self._rows:
                return self._rows[canonical(other)]
        raise InputError(f"{symbol!r}: the letter {letter!r} is not among the features of {self.name}.")

    def _marked(self, start: np.ndarray, end: np.ndarray, mark: str, part: Part) -> tuple[np.ndarray, np.ndarray]:
        for feature, (first, last) in self._effects(mark, part).items():
            start[feature] = start[feature] if first is None else first
            end[feature] = end[feature] if last is None else last
        return start, end

    def _effects(self, mark: str, part: Part) -> Effects:
        return self.marks.get(mark, ({}, {}))[letters()[part.letter].kind == "vowel"]

    def differences(self, first: str, second: str) -> list[str]:
        """Features in which two phones differ, such as ``+nasal`` for what the second has."""
        values = self.values([first, second])
        told = []
        for place, name in enumerate(self.names):
            before, after = ((values.start[n, place], values.end[n, place]) for n in (0, 1))
            if before != after:
                told.append("→".join(dict.fromkeys("0+-"[value] for value in after)) + name)
        return told


def _marks(part: Part) -> list[str]:
    """What follows a letter, in order, without tones."""
    marks = str(Part(part.letter, "", part.after))[len(part.letter) :]
    return [mark for mark in marks if mark not in TONE_MARKS and mark not in TONES]


def _groups(found: Sequence[Part]) -> list[list[Part]]:
    """Letters that are tied to each other together."""
    groups = [[found[0]]]
    for before, part in pairwise(found):
        groups[-1].append(part) if before.tied else groups.append([part])
    return groups


def new_table(
    name: str,
    names: Sequence[str],
    rows: Iterable[tuple[str, Sequence[str], int]],
    marks: Mapping[str, tuple[str, str]],
) -> FeatureTable:
    """A table from text.

    Args:
        name: Of the table.
        names: A features.
        rows: Phone as it is spelled, A values such as ``+``, ``0`` or ``-,+``, number of inventories.
        marks: For a mark, its effects on consonants and on vowels, such as ``spreadGlottis=+ labial=.,+``.
    """
    symbols, cells, counts = [], [], []
    for symbol, values, count in rows:
        symbols.append(canonical(symbol))
        cells.append(values)
        counts.append(count)
    known: dict[str, tuple[int, int]] = {}
    flat = []
    for values in cells:
        for value in values:
            if value not in known:
                known[value] = _SIGN[value[0]], _SIGN[value[-1]]
            flat.append(known[value])
    ends = np.array(flat, np.int8).reshape(len(symbols), len(names), 2)
    numbers = {name: place for place, name in enumerate(names)}
    effects = {mark: (_effects(first, numbers), _effects(second, numbers)) for mark, (first, second) in marks.items()}
    return FeatureTable(
        name, tuple(names), tuple(symbols), ends[..., 0], ends[..., 1], np.array(counts, dtype=int), effects
    )


def _effects(text: str, numbers: Mapping[str, int]) -> Effects:
    found = {}
    for effect in text.split():
        name, _, value = effect.partition("=")
        first, _, last = value.partition(",")
        if name in numbers:  # a release of PHOIBLE may lack one
            found[numbers[name]] = _SIGN.get(first), _SIGN.get(last or first)
    return found


def phoible_marks() -> dict[str, tuple[str, str]]:
    """What marks do to the features of PHOIBLE."""
    return {mark.character: (mark.consonant, mark.vowel) for mark in modifiers().values()}


def panphon_folder() -> Path:
    """Where panphon has its tables."""
    found = find_spec("panphon")
    if found is None or not found.submodule_search_locations:
        raise InputError("panphon is not installed; its table of features is needed: pip install panphon")
    return Path(found.submodule_search_locations[0]) / "data"


@lru_cache(maxsize=1)
def panphon_table() -> FeatureTable:
    """The features of panphon (Mortensen et al. 2016), from its wheel."""
    folder = panphon_folder()
    rows = list(csv.reader((folder / "ipa_all.csv").read_text(encoding="utf-8").splitlines()))
    definitions = yaml.safe_load((folder / "diacritic_definitions.yml").read_text(encoding="utf-8"))
    marks = {}
    for definition in definitions["diacritics"]:
        effect = " ".join(f"{name}={value}" for name, value in definition["content"].items())
        marks[definition["marker"]] = effect, effect
    known = ((row[0], row[1:], 0) for row in rows[1:] if _is_known(row[0]))
    return new_table("panphon", rows[0][1:], known, marks)


def _is_known(symbol: str) -> bool:
    try:
        canonical(symbol)
    except InputError:
        return False
    return True
