"""A pronunciation lexicon: word, tab, phones. Words are read one by one."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speechxl.data.g2p.reading import Reading, Rewrite, bare, has_digits
from speechxl.errors import InputError
from speechxl.phonology.ipa import parts, without_tones
from speechxl.phonology.letters import STRESS, decompose, letters
from speechxl.text import normalise

_MOST_LETTERS = 4
"""Of a phone, such as ``ŋ͡mk͡p``."""
_NO_STRESS = {ord(mark): None for mark in STRESS}


@dataclass(frozen=True)
class _Entry:
    reading: Reading
    count: int
    """Of pronunciations."""


class Lexicon:
    """Words of a file with their phones.

    A word is looked up as it stands, then without the punctuation around it, then in any case.
    """

    def __init__(self, path: Path) -> None:
        """Reads a file.

        Args:
            path: UTF-8; a line has a word, a tab, and phones that are separated by spaces. Columns of numbers between them, as
                in dictionaries of the Montreal Forced Aligner, are passed over, and so are lines that begin with ``#`` and
                have no tab. A word may have several lines, of which the first counts.

        Raises:
            InputError: With the line of what is wrong.
        """
        self.name = path.name
        self._entries: dict[str, _Entry] = {}
        for number, line in enumerate(_read(path), start=1):
            if line.strip() and not (line.startswith("#") and "\t" not in line):
                word, reading = _entry(line, f"{path}:{number}")
                known = self._entries.get(word)
                same = known is None or known.reading.phones == reading.phones
                count = (known.count if known else 1) + (not same)
                self._entries[word] = _Entry(known.reading if known else reading, count)
        if not self._entries:
            raise InputError(f"{path}: there are no words in the lexicon.")
        self._folded: dict[str, str] = {}
        for word in self._entries:
            self._folded.setdefault(word.casefold(), word)

    def fault(self, word: str) -> str | None:
        """Why a word cannot be read; None if it can."""
        if self._find(word) is not None:
            return None
        return "a number that is not in the lexicon" if has_digits(word) else "not in the lexicon"

    def read(self, words: Sequence[str]) -> Reading:
        """Phones of words that follow each other."""
        phones: list[str] = []
        rewrites: list[Rewrite] = []
        for word in words:
            found = self._find(word)
            if found is None:
                raise KeyError(word)
            entry = self._entries[found]
            phones += entry.reading.phones
            rewrites += entry.reading.rewrites
            if found != word and found != bare(word):
                rewrites.append(Rewrite("case", bare(word), found))
            if entry.count > 1:
                first = f"{' '.join(entry.reading.phones)} (first of {entry.count})"
                rewrites.append(Rewrite("pronunciations", found, first))
        return Reading(tuple(phones), tuple(rewrites))

    def _find(self, word: str) -> str | None:
        for form in (word, bare(word)):
            if form in self._entries:
                return form
        return self._folded.get(word.casefold()) or self._folded.get(bare(word).casefold())


def _read(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line}: is not UTF-8 text.") from None


def _entry(line: str, place: str) -> tuple[str, Reading]:
    word, *between = line.rstrip("\r").split("\t")
    if not between:
        raise InputError(f"{place}: {line.strip()[:60]!r} has no tab; a line has a word, a tab and its phones.")
    phones = between.pop().split()
    if not all(_is_number(cell) for cell in between):
        raise InputError(f"{place}: {len(between) + 2} columns; a line has a word, a tab and its phones.")
    if not word.strip() or not phones:
        raise InputError(f"{place}: {'no word' if not word.strip() else f'no phones for {word!r}'}.")
    found: list[str] = []
    rewrites: list[Rewrite] = []
    for given in phones:
        plain = given.translate(_NO_STRESS)
        phone, tone = without_tones(plain, place) if plain else ("", "")
        if not _is_one(phone):
            raise InputError(f"{place}: {given!r} is not one phone: separate phones by spaces.")
        found += [phone] if phone else []
        rewrites += [Rewrite("stress", mark, "") for mark in STRESS if mark in given]
        rewrites += [Rewrite("tone", tone, "")] if tone else []
        if phone and not tone and phone != decompose(plain):
            rewrites.append(Rewrite("spelling", given, phone))
    if not found:
        raise InputError(f"{place}: no phones for {word!r}.")
    return normalise(word), Reading(tuple(found), tuple(rewrites))


def _is_one(phone: str) -> bool:
    """Whether letters can be one phone: consonants, or vowels, and not many."""
    kinds = {letters()[part.letter].kind for part in parts(phone)} if phone else set()
    return len(kinds) < 2 and (not phone or len(parts(phone)) <= _MOST_LETTERS)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
