"""Inventories: the phones of a language, and where they are known from. No torch."""

import csv
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from speechxl.errors import InputError
from speechxl.phonology.ipa import canonical, segment, vowels_of, without_tones
from speechxl.phonology.letters import decompose
from speechxl.phonology.phoible import Doculect, Phoible

COLUMNS = ("phonemes", "phones", "ipa", "phoneme", "phone", "segment")
"""Names that a table's column of phones may have, in any case."""
_MOST_LETTERS = 4
"""Of a phone, such as ``ŋ͡mk͡p``."""


@dataclass(frozen=True)
class Inventory:
    """Phones of a language.

    Attributes:
        symbols: In any spelling and order; they are kept in their one spelling, each once, by code point, without tones.
        source: Where they are from, such as ``phoible:union`` or a file.
        language: Code, where it is known.
        name: Of the language.
        doculects: Inventories of PHOIBLE that it was made of.
        counts: How many of them have a phone, or how often it stands in texts.
        allophones: That PHOIBLE lists of a phone.
        spelling: How a phone is spelled in the source, where that is different.
        tones: What was left out, with its count.
    """

    symbols: tuple[str, ...]
    source: str = "list"
    language: str = ""
    name: str = ""
    doculects: tuple[Doculect, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    allophones: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    spelling: Mapping[str, str] = field(default_factory=dict)
    tones: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        phones = {without_tones(symbol)[0] for symbol in self.symbols} - {""}
        object.__setattr__(self, "symbols", tuple(sorted(phones)))
        if not self.symbols:
            raise InputError(f"{self.source}: there are no phones in the inventory.")

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self.symbols

    @property
    def title(self) -> str:
        """For people."""
        named = " ".join(filter(None, [self.language, self.name]))
        return f"{named} ({self.source})" if named else self.source


def new_inventory(symbols: Iterable[str], source: str = "list", language: str = "") -> Inventory:
    """Of phones in any spelling; tones are left out and counted.

    Raises:
        InputError: If one is not IPA, or there are none.
    """
    return _collect(((symbol, "" if source == "list" else source) for symbol in symbols), source, language=language)


def phoible_inventory(phoible: Phoible, language: str, source: str = "union", *, marginal: bool = True) -> Inventory:
    """Inventory of a language in PHOIBLE.

    Args:
        phoible: Where to look.
        language: ISO 639-3 or 639-1 code, Glottocode, or name; may be empty if the source is a number.
        source: ``union`` of the language's inventories, the ``largest`` of them, or the number of one.
        marginal: Whether to keep phonemes that are marginal wherever the language has them, such as those of loan words.

    Raises:
        InputError: If there is no such language or number.
    """
    chosen = _choose(phoible, language, source)
    counts: Counter[str] = Counter()
    tones: Counter[str] = Counter()
    central: set[str] = set()
    allophones: dict[str, dict[str, None]] = {}
    spelling: dict[str, str] = {}
    for doculect in chosen:
        for row in phoible.rows(doculect.id):
            if row.kind == "tone":
                tones[row.phoneme] += 1
                continue
            symbol = canonical(row.phoneme)
            counts[symbol] += 1
            if not row.marginal:
                central.add(symbol)
            if symbol != row.phoneme:
                spelling[symbol] = row.phoneme
            allophones.setdefault(symbol, {}).update(dict.fromkeys(row.allophones))
    symbols = tuple(sorted(symbol for symbol in counts if marginal or symbol in central))
    first = chosen[0]
    return Inventory(
        symbols, f"phoible:{source}", first.iso or first.glottocode, phoible.names.get(first.glottocode, first.name),
        tuple(chosen), counts, {x: tuple(allophones[x]) for x in symbols if allophones[x]},
        {x: spelling[x] for x in symbols if x in spelling}, tones,
    )  # fmt: skip


def _choose(phoible: Phoible, language: str, source: str) -> list[Doculect]:
    if source.isdigit():
        known = phoible.doculects.get(int(source))
        if known is None:
            raise InputError(f"PHOIBLE ({phoible.version}) has no inventory {source}.")
        if language and known not in phoible.find(language):
            found = ", ".join(map(str, phoible.find(language)))
            raise InputError(
                f"Inventory {source} of PHOIBLE is one of {known.name}; those of {language!r} are {found}."
            )
        return [known]
    if source not in ("union", "largest"):
        raise InputError(f"Of PHOIBLE, 'union', 'largest' or the number of an inventory was expected, not {source!r}.")
    doculects = phoible.find(language)
    if source == "union":
        return doculects
    return [max(doculects, key=lambda x: (sum(row.kind != "tone" for row in phoible.rows(x.id)), -x.id))]


def read_inventory(path: Path, column: str | None = None, *, running: bool = False, least: int = 1) -> Inventory:
    """Inventory in a file: a phone a line, a lexicon (word, tab, phones), or a table with a column of phones.

    Args:
        path: UTF-8; tables are separated by tabs, or by commas if the name ends in ``.csv``. A line that begins with ``#`` is
            a comment.
        column: Of a table; by default one that is named like phones.
        running: Whether a line, or a cell of the column, is text in IPA, and not phones separated by spaces.
        least: Occurrences of a phone below which it is left out.

    Raises:
        InputError: With the line of what is not IPA, or if nothing is there.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not UTF-8 text.") from None
    delimiter = "," if path.suffix == ".csv" else "\t"
    header = next(csv.reader(lines[:1], delimiter=delimiter), [])
    named = column or next((x for x in header if x.strip().lower() in COLUMNS), None)
    if column and column not in header:
        raise InputError(f"{path}:1: there is no column {column!r}; there are {', '.join(header)[:100]}.")
    if named is None:
        numbered: Iterable[tuple[str, int]] = (
            (line.split("\t")[-1], number) for number, line in enumerate(lines, 1) if line[:1] != "#"
        )
    else:
        numbered = _cells(lines, delimiter, header.index(named))
    if running:
        return inventory_of_texts(((x, f"{path}:{line}") for x, line in numbered), str(path), running=True, least=least)
    return _collect(((x, f"{path}:{line}") for cell, line in numbered for x in cell.split()), str(path), least)


def inventory_of_texts(
    texts: Iterable[tuple[str, str]], source: str, *, running: bool = False, least: int = 1
) -> Inventory:
    """Inventory of what stands in transcripts.

    Args:
        texts: Transcripts and their places, such as ``manifest:line``.
        source: Of them.
        running: Whether phones are not separated by spaces.
        least: Occurrences of a phone below which it is left out.

    Raises:
        InputError: With the place of what is not IPA, or what are words and not phones.
    """
    return _collect(_phones(texts, running), source, least)


def _phones(texts: Iterable[tuple[str, str]], running: bool) -> Iterator[tuple[str, str]]:
    for text, place in texts:
        if running:
            yield from ((phone, place) for phone in segment(text, place).phones if phone)
            continue
        for symbol in text.split():
            if len(symbol) > _MOST_LETTERS and len(segment(symbol, place, on_unknown="keep").phones) > _MOST_LETTERS:
                raise InputError(f"{place}: {symbol!r} is not one phone: separate phones by spaces, or use --running.")
            yield symbol, place


def _collect(symbols: Iterable[tuple[str, str]], source: str, least: int = 1, language: str = "") -> Inventory:
    counts: Counter[str] = Counter()
    tones: Counter[str] = Counter()
    spelling: dict[str, str] = {}
    seen: dict[str, tuple[str, str]] = {}
    for given, place in symbols:
        if given not in seen:
            seen[given] = without_tones(given, place)
        symbol, tone = seen[given]
        tones.update([tone] if tone else [])
        counts.update([symbol] if symbol else [])
        if symbol and symbol != decompose(given) and not tone:
            spelling[symbol] = min(given, spelling.get(symbol, given))
    kept = tuple(sorted(symbol for symbol, count in counts.items() if count >= least))
    return Inventory(
        kept, source, counts={x: counts[x] for x in kept}, spelling={x: y for x, y in spelling.items() if x in kept},
        tones=tones, language=language,
    )  # fmt: skip


def _cells(lines: list[str], delimiter: str, place: int) -> Iterator[tuple[str, int]]:
    rows = csv.reader(lines, delimiter=delimiter)
    next(rows)
    for row in rows:
        if len(row) > place:
            yield row[place], rows.line_num


def without_diphthongs(inventory: Inventory) -> Inventory:
    """The same with the vowels of diphthongs in their place, for models that write them one by one."""
    counts: Counter[str] = Counter()
    for symbol in inventory.symbols:
        for vowel in vowels_of(symbol):
            counts[vowel] += inventory.counts.get(symbol, 1)
    return replace(inventory, symbols=tuple(sorted(counts)), counts=counts)


@dataclass(frozen=True)
class Difference:
    """Two inventories beside each other."""

    both: tuple[str, ...]
    first: tuple[str, ...]
    """Phones that only the first has."""
    second: tuple[str, ...]


def difference(first: Inventory, second: Inventory) -> Difference:
    """What two inventories share, and what only one has."""
    one, two = set(first.symbols), set(second.symbols)
    return Difference(tuple(sorted(one & two)), tuple(sorted(one - two)), tuple(sorted(two - one)))
