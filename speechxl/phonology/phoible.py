"""PHOIBLE (Moran and McCloy 2019): phoneme inventories of languages and features of segments, read from a folder. No torch.

The official ``phoible.csv`` is read, and the compact form ``inventories.csv``, ``segment_features.csv``, which
`install` makes of it.
"""

import csv
import hashlib
import io
import logging
import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TextIO

from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.phonology.features import FeatureTable, new_table, phoible_marks

log = logging.getLogger(__name__)
VERSIONS = {
    "395e0977c3a5402af9cd5effd4ffdf0e47396336241fac534a4706e3cd8a7ecf": "phoible/dev b92abff",
    "0816e698563b68ec6a309bab404a06dfb221d4334aa5ffcbc0c18f2bd01844b8": "phoible/dev 614c823",
    "e86d005bb5532d7bd33ea362187c04b363215d551ab597cb15317a6a10675a9e": "phoible/dev 9cfbaa6, compact",
}
"""By the SHA-256 of ``phoible.csv``, or of ``inventories.csv``."""
OFFICIAL, COMPACT, FEATURES, LANGUAGES = "phoible.csv", "inventories.csv", "segment_features.csv", "languages.csv"
_COLUMNS = (
    "InventoryID", "Glottocode", "ISO6393", "LanguageName", "SpecificDialect", "Source", "Phoneme", "SegmentClass", "Allophones",
    "Marginal",
)  # fmt: skip
_OTHERS = ("GlyphID",)
_NOTE = "version.txt"
_FEW = 20


@dataclass(frozen=True)
class Row:
    """A phoneme of an inventory, as PHOIBLE spells it."""

    phoneme: str
    kind: str
    """``consonant``, ``vowel`` or ``tone``."""
    allophones: tuple[str, ...]
    marginal: bool
    """Of loan words and the like, as far as the source says so."""


@dataclass(frozen=True)
class Doculect:
    """A language as one source describes it."""

    id: int
    glottocode: str
    iso: str
    name: str
    dialect: str
    source: str

    def __str__(self) -> str:
        return f"{self.id} ({', '.join(filter(None, [self.source, self.dialect]))})"


class Phoible:
    """Inventories and features in a folder, read when they are first asked for.

    Attributes:
        folder: Where they are.
        version: Of the data, as far as it is known.
    """

    def __init__(self, folder: Path) -> None:
        """Opens a folder.

        Args:
            folder: With ``phoible.csv``, or ``inventories.csv`` and ``segment_features.csv``; or ``phoible.csv`` itself.

        Raises:
            InputError: If they are not there.
        """
        self.folder = folder.parent if folder.name == OFFICIAL else folder
        self._compact = (self.folder / COMPACT).is_file() and (self.folder / FEATURES).is_file()
        if not self._compact and not (self.folder / OFFICIAL).is_file():
            raise InputError(
                f"{folder}: there is no PHOIBLE; {OFFICIAL} is expected, or {COMPACT} with {FEATURES}. "
                "speechxl inventory install fetches it."
            )

    @cached_property
    def version(self) -> str:
        """Name of a known version, else the beginning of its SHA-256."""
        digest = hashlib.sha256(self._path.read_bytes()).hexdigest()
        if digest in VERSIONS:
            return VERSIONS[digest]
        note = self.folder / _NOTE
        if note.is_file():
            return note.read_text(encoding="utf-8").strip()
        log.warning(
            "%s: of an unknown version (SHA-256 %s); it is read by the names of its columns", self._path, digest
        )
        return f"unknown {digest[:8]}"

    @property
    def _path(self) -> Path:
        return self.folder / (COMPACT if self._compact else OFFICIAL)

    @cached_property
    def table(self) -> FeatureTable:
        """Features of all segments."""
        return new_table(*self._features(), phoible_marks())

    def _features(self) -> tuple[str, list[str], list[tuple[str, Sequence[str], int]]]:
        if self._compact:
            path = self.folder / FEATURES
            header, *rows = _read(path)
            _check(path, header, ("segment", "n_inventories", "syllabic", "nasal"))
            first = header.index("n_inventories") + 1
            return "phoible", header[first:], [(row[0], row[first:], int(row[first - 1])) for row in rows]
        header = self.header
        names = [name for name in header if name not in (*_COLUMNS, *_OTHERS)]
        _check(self._path, names, ("syllabic", "nasal"))
        numbers = [header.index(name) for name in names]
        phoneme = header.index("Phoneme")
        counts: dict[str, int] = defaultdict(int)
        values: dict[str, list[str]] = {}
        for row in csv.reader(line for lines in self._lines.values() for line in lines):
            counts[row[phoneme]] += 1
            if row[phoneme] not in values:
                values[row[phoneme]] = [row[number].replace("NA", "0") or "0" for number in numbers]
        return "phoible", names, [(symbol, cells, counts[symbol]) for symbol, cells in values.items()]

    @cached_property
    def header(self) -> list[str]:
        """Columns of the table of inventories."""
        with _open(self._path) as file:
            header = next(csv.reader(file), [])
        _check(self._path, header, _COLUMNS)
        if header[0] != _COLUMNS[0]:
            raise InputError(
                f"{self._path}: of an unknown version: the first column is {header[0]}, not {_COLUMNS[0]}."
            )
        return header

    @cached_property
    def _lines(self) -> dict[int, list[str]]:
        """Lines of each inventory; of most, nothing but the number is looked at."""
        if not self.header:
            return {}
        found: dict[str, list[str]] = defaultdict(list)
        with _open(self._path) as file:
            try:
                next(file)
                for line in file:
                    found[line.partition(",")[0]].append(line)
                return {int(number): lines for number, lines in found.items()}
            except UnicodeDecodeError:
                raise InputError(f"{self._path}: is not UTF-8; is it PHOIBLE's?") from None
            except ValueError:
                odd = next(number for number in found if not number.isdigit())
                raise InputError(
                    f"{self._path}: {odd[:40]!r} is not the number of an inventory; is the file whole?"
                ) from None

    @cached_property
    def doculects(self) -> dict[int, Doculect]:
        """All inventories by their ids."""
        places = [self.header.index(name) for name in _COLUMNS[1:6]]
        rows = csv.reader(lines[0] for lines in self._lines.values())
        return {
            id: Doculect(id, *(_cell(row[place]) for place in places))
            for id, row in zip(self._lines, rows, strict=True)
        }

    def rows(self, id: int) -> list[Row]:
        """Phonemes of an inventory, with its tones."""
        phoneme, kind, allophones, marginal = (self.header.index(name) for name in _COLUMNS[6:])
        return [
            Row(row[phoneme], row[kind], tuple(_cell(row[allophones]).split()), row[marginal] == "TRUE")
            for row in csv.reader(self._lines[id])
        ]

    def write(self, folder: Path) -> None:
        """Writes the compact form; it is there as a whole or not at all."""
        _, names, segments = self._features()
        places = [self.header.index(name) for name in _COLUMNS]
        rows = csv.reader(line for lines in self._lines.values() for line in lines)
        inventories = [list(_COLUMNS), *([row[place] for place in places] for row in rows)]
        (folder / COMPACT).unlink(missing_ok=True)
        write_text(
            folder / FEATURES, _csv([["segment", "n_inventories", *names], *([s, n, *v] for s, v, n in segments)])
        )
        if (self.folder / LANGUAGES).is_file():
            write_text(folder / LANGUAGES, (self.folder / LANGUAGES).read_text(encoding="utf-8"))
        write_text(folder / _NOTE, f"{self.version}\n")
        write_text(folder / COMPACT, _csv(inventories))

    @cached_property
    def names(self) -> dict[str, str]:
        """Names of languages by Glottocode, where ``languages.csv`` is there."""
        return {code: name for code, name, _ in self._languages()}

    @cached_property
    def families(self) -> dict[str, str]:
        """Families of languages by Glottocode, where ``languages.csv`` is there; an isolate is its own."""
        return {code: family or name for code, name, family in self._languages()}

    def _languages(self) -> Iterator[tuple[str, str, str]]:
        path = self.folder / LANGUAGES
        if path.is_file():
            header, *rows = _read(path)
            places = [header.index(name) for name in ("Glottocode", "Name", "Family_Name") if name in header]
            if len(places) == 3:
                yield from ((row[places[0]], row[places[1]], row[places[2]]) for row in rows)

    def find(self, language: str) -> list[Doculect]:
        """Inventories of a language.

        Args:
            language: ISO 639-3 or 639-1 code, Glottocode, or name; case and accents of names do not matter.

        Raises:
            InputError: If there are none, with members of a macrolanguage and the nearest names.
        """
        doculects = list(self.doculects.values())
        for found in (
            [x for x in doculects if language.lower() in (x.iso, x.glottocode)],
            [x for x in doculects if len(language) == 2 and x.iso == _three_letters(language)],
            self._named.get(_folded(language), []),
        ):
            if found:
                return sorted(found, key=lambda x: x.id)
        raise InputError(f"PHOIBLE ({self.version}) has no inventory of {language!r}{self._hint(language)}")

    @cached_property
    def _named(self) -> dict[str, list[Doculect]]:
        found: dict[str, list[Doculect]] = defaultdict(list)
        for doculect in self.doculects.values():
            for name in {_folded(doculect.name), _folded(self.names.get(doculect.glottocode, doculect.name))}:
                found[name].append(doculect)
        return found

    def _hint(self, language: str) -> str:
        """What may have been meant."""
        codes = {doculect.iso: doculect.name for doculect in reversed(self.doculects.values())}
        members, whole = relatives(language)
        if members:
            have = [f"{code} {codes[code]}" for code in members if code in codes]
            more = f" and {len(have) - _FEW} more" if len(have) > _FEW else ""
            if have:
                return f", a macrolanguage; of its members it has {', '.join(have[:_FEW])}{more}."
        if whole in codes:
            return f"; it belongs to {whole} {codes[whole]}, of which there is one."
        if siblings := [f"{code} {codes[code]}" for code in relatives(whole)[0] if code in codes] if whole else []:
            return f"; of {whole}, the macrolanguage that it belongs to, it has {', '.join(siblings[:_FEW])}."
        near = get_close_matches(_folded(language), self._named, 3, 0.6)
        shown = [
            f"{self._named[name][0].iso or self._named[name][0].glottocode} {self._named[name][0].name}"
            for name in near
        ]
        if re.fullmatch("[a-z]{3}", language) and not shown:
            shown = [f"{code} {codes[code]}" for code in get_close_matches(language, codes, 3, 0.6)]
        return f"; nearest are {', '.join(shown)}." if shown else "; speechxl inventory list shows all."


@lru_cache(maxsize=4)
def open_phoible(folder: Path | None = None) -> Phoible | None:
    """PHOIBLE in a folder, else where ``SPEECHXL_PHOIBLE`` says, else as installed; None if there is none.

    Raises:
        InputError: If a folder is named and has none.
    """
    named = folder or (Path(os.environ["SPEECHXL_PHOIBLE"]) if os.environ.get("SPEECHXL_PHOIBLE") else None)
    if named is not None:
        return Phoible(named)
    return Phoible(cache_folder()) if (cache_folder() / COMPACT).is_file() else None


def need_phoible(folder: Path | None = None) -> Phoible:
    """`open_phoible`, where there is no doing without.

    Raises:
        InputError: With what to do.
    """
    found = open_phoible(folder)
    if found is None:
        raise InputError(
            "PHOIBLE is not installed: speechxl inventory install fetches it, --phoible FOLDER names a copy; "
            "without it, files of phones and voices of espeak-ng, such as espeak:sw, serve."
        )
    return found


def cache_folder() -> Path:
    """Where PHOIBLE is installed: in ``XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechxl" / "phoible"


def relatives(language: str) -> tuple[list[str], str]:
    """Members of a macrolanguage, and the macrolanguage that a language belongs to, by their ISO 639-3 codes."""
    import iso639

    try:
        known = iso639.Lang(language)
        whole = known.macro()
        return [member.pt3 for member in known.individuals()], whole.pt3 if whole else ""
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return [], ""


def _three_letters(code: str) -> str:
    import iso639

    try:
        return iso639.Lang(code.lower()).pt3
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return ""


def _folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name)
    return " ".join("".join(x for x in plain if not unicodedata.combining(x)).casefold().split())


def _cell(value: str) -> str:
    return "" if value == "NA" else value


def _open(path: Path) -> TextIO:
    return path.open(encoding="utf-8-sig", newline="")


def _read(path: Path) -> list[list[str]]:
    with _open(path) as file:
        try:
            return list(csv.reader(file)) or [[]]
        except UnicodeDecodeError:
            raise InputError(f"{path}: is not UTF-8; is it PHOIBLE's?") from None


def _csv(rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()


def _check(path: Path, header: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing:
        known = ", ".join(VERSIONS.values())
        raise InputError(
            f"{path}: of an unknown version: no column {', '.join(missing)} in {', '.join(header)[:100]!r}. Known are {known}."
        )
