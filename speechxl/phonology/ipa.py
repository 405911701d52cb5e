"""IPA in one spelling: a phone and its parts, running text cut into phones. No torch.

One sound has many spellings: ``g`` and ``ɡ``, ``tʃ``, ``t͡ʃ``, ``ʧ`` and PHOIBLE's ``t̠ʃ``, marks in any order. Here it has one:
NFD with ``ç`` whole, a tie bar in affricates and double articulations, marks in PHOIBLE's order. Nothing is dropped
unless it is asked for, and then it is counted.
"""

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from speechxl.errors import InputError
from speechxl.phonology.letters import (
    BREAKS,
    NASALS,
    STRESS,
    TIE,
    TONE_MARKS,
    TONES,
    decompose,
    letters,
    modifiers,
    nearest_characters,
    rewrites,
)  # fmt: skip
from speechxl.text import code_points

log = logging.getLogger(__name__)
AFFRICATES = frozenset({
    "ts", "dz", "tʃ", "dʒ", "tɕ", "dʑ", "ʈʂ", "ɖʐ", "cç", "ɟʝ", "tɬ", "dɮ", "qχ", "ɢʁ", "kx", "ɡɣ", "pf", "bv", "pɸ", "bβ",
    "tθ", "dð", "tʆ", "dʓ", "ʈɬ", "cʎ", "ɡʟ", "kʟ", "ʔh", "ʡʢ",
})  # fmt: skip
"""Stop and fricative that are one sound where the source says so."""
_DOUBLE = frozenset(["kp", "ɡb", "ŋm"])
_RETRACTED = "ʃʒʆʓ"
_BACK = "\u0320"
_NOT_SYLLABIC = "\u032f"
_PREFIXING = "ʰʱˀʼʷ" + NASALS
_told: set[str] = set()


class UnknownPhone(InputError):
    """A symbol that is not IPA."""

    def __init__(self, symbol: str, character: str, place: str) -> None:
        self.symbol, self.character = symbol, character
        where = f"{place}: " if place else ""
        if character.isdigit():
            super().__init__(
                f"{where}{symbol!r} has the digit {character!r}; tones are written with tone letters such as ˥˩, or left out."
            )
        elif character in modifiers():
            super().__init__(f"{where}{symbol!r} has no letter, only marks.")
        else:
            near = ", ".join(f"{x} ({code_points(x)})" for x in nearest_characters(character))
            hint = f"; nearest are {near}" if near else ""
            super().__init__(f"{where}{symbol!r}: {code_points(character)} is not IPA{hint}.")


@dataclass
class Part:
    """A letter with what belongs to it."""

    letter: str
    before: str = ""
    after: str = ""
    tied: bool = False
    """Whether the next letter is tied to it."""

    def __str__(self) -> str:
        ranks = modifiers()
        marks = sorted(dict.fromkeys(self.after), key=lambda x: ranks[x].rank if x in ranks else -1)
        before = sorted(dict.fromkeys(self.before), key=lambda x: ranks[x].rank)
        return "".join(
            [*before, self.letter, *(x for x in marks if is_combining(x)), TIE * self.tied, *_spacing(marks)]
        )


@dataclass
class Segmented:
    """Running text in phones."""

    phones: list[str] = field(default_factory=list)
    """In their one spelling."""
    raw: list[str] = field(default_factory=list)
    """What each was in the text, with what follows and is no phone; together they are the text in NFD."""
    tones: list[str] = field(default_factory=list)
    """Of each phone, as letters or marks; empty where there are none."""
    dropped: Counter[str] = field(default_factory=Counter)
    """What was left out."""


def canonical(symbol: str, place: str = "") -> str:
    """The one spelling of a phone that is given as one, such as ``t̠ʃʰ``, ``ei`` or ``˥˩``.

    Args:
        symbol: All its letters are taken to belong together.
        place: Of the symbol, for messages, such as ``file:line``.

    Raises:
        UnknownPhone: If a character is not IPA.
    """
    try:
        return _canonical(symbol)
    except UnknownPhone as error:
        raise UnknownPhone(symbol, error.character, place) from None


@lru_cache(maxsize=65536)
def _canonical(symbol: str) -> str:
    return "|".join("".join(map(str, parts(reading))) for reading in symbol.split("|"))


def parts(symbol: str, place: str = "") -> list[Part]:
    """Letters of a phone with their modifiers, tied as in its one spelling.

    Raises:
        UnknownPhone: If a character is not IPA, or there is no letter.
    """
    found: list[Part] = []
    before = ""
    for character in _rewritten(symbol):
        if character in letters():
            found.append(Part(character, before))
            before = ""
        elif character == TIE and found:
            found[-1].tied = True
        elif character in modifiers() or character in TONE_MARKS:
            if found and not before:
                found[-1].after += character
            else:
                before += character
        elif character not in STRESS + BREAKS:
            raise UnknownPhone(symbol, character, place)
    if before and found:
        found[-1].after += before
    if not found:
        raise UnknownPhone(symbol, (symbol or " ")[0], place)
    found[-1].tied = False
    for first, second in pairwise(found):
        _tie(first, second)
    for nasal, stop in pairwise(found):  # n̠t̠ʃ is nt͡ʃ
        if stop.tied and nasal.letter == "n" and _BACK in nasal.after:
            nasal.after = nasal.after.replace(_BACK, "")
    return found


def _tie(first: Part, second: Part) -> None:
    pair = first.letter + second.letter
    if pair in AFFRICATES | _DOUBLE and not _spacing(first.after) and not second.before:
        first.tied = True
    if first.tied and second.letter in _RETRACTED and first.letter in "td":
        first.after = first.after.replace(_BACK, "")


def segment(
    text: str,
    place: str = "",
    *,
    affricates: Literal["keep", "join"] = "keep",
    stress: Literal["remove", "keep"] = "remove",
    tones: Literal["drop", "unit", "attach"] = "drop",
    on_unknown: Literal["raise", "drop", "keep"] = "raise",
) -> Segmented:
    """Cuts running text into phones, of which each has one letter, or several with tie bars.

    Args:
        text: IPA; spaces separate words or phones.
        place: Of the text, for messages.
        affricates: "join": a stop and a fricative of the same place are one phone also without a tie bar, as the output
            of grapheme-to-phoneme tools has them.
        stress: "keep": stress marks stand before their phone.
        tones: "drop": they stand only beside the phones; "unit": as phones of their own; "attach": on their phone.
        on_unknown: "drop" counts characters that are not IPA, "keep" makes each a phone.

    Raises:
        UnknownPhone: If a character is not IPA.
    """
    result = Segmented()
    lead = ""
    for raw, found, mark in _pieces(text, place, affricates, on_unknown, result.dropped):
        if found is None:
            if result.raw:
                result.raw[-1] += raw
            else:
                lead += raw
            continue
        tone = "".join(x for part in found for x in part.after if x in TONE_MARKS or x in TONES)
        for part in found:
            part.after = "".join(x for x in part.after if x not in TONE_MARKS and x not in TONES)
        phone = "".join(map(str, found))
        result.phones.append((mark if stress == "keep" else "") + phone + (tone if tones == "attach" else ""))
        result.raw.append(raw)
        result.tones.append(tone)
        if tone and tones == "unit":
            result.phones.append(tone)
            result.raw.append("")
            result.tones.append("")
        result.dropped.update(mark if stress == "remove" else "")
        result.dropped.update(tone if tones == "drop" else "")
    if result.raw:
        result.raw[0] = lead + result.raw[0]
    return result


def _pieces(
    text: str, place: str, affricates: str, on_unknown: str, dropped: Counter[str]
) -> Iterator[tuple[str, list[Part] | None, str]]:
    """Raw text, its parts (None if it is no phone), and the stress before it."""
    source = decompose(text)
    cuts = list(_PIECE.finditer(source))
    at = 0
    mark = ""
    number = 0
    while number < len(cuts):
        cut = cuts[number]
        if cut.start() > at:
            yield from _between(source[at : cut.start()], place, text, on_unknown, dropped)
            mark += "".join(x for x in source[at : cut.start()] if x in STRESS)
        raw, found = cut[0], _parts_of_piece(cut[0], place)
        at = cut.end()
        if affricates == "join" and number + 1 < len(cuts) and cuts[number + 1].start() == at:
            following = _parts_of_piece(cuts[number + 1][0], place)
            joined = found[-1].letter + following[0].letter in AFFRICATES
            if len(found) == 1 and joined and not _spacing(found[-1].after) and not following[0].before:
                raw += cuts[number + 1][0]
                at = cuts[number + 1].end()
                _tie(found[-1], following[0])
                found += following
                number += 1
        yield raw, found, mark
        mark = ""
        number += 1
    if at < len(source):
        yield from _between(source[at:], place, text, on_unknown, dropped)


def _between(
    raw: str, place: str, text: str, on_unknown: str, dropped: Counter[str]
) -> Iterator[tuple[str, list[Part] | None, str]]:
    for character in raw:
        if character.isspace() or character in STRESS + BREAKS:
            yield character, None, ""
        elif on_unknown == "keep":
            yield character, [Part(character)], ""
        elif on_unknown == "drop":
            dropped[character] += 1
            yield character, None, ""
        else:
            words = [word for word in decompose(text).split() if character in word]
            raise UnknownPhone(words[0] if words else text, character, place)


def _parts_of_piece(raw: str, place: str) -> list[Part]:
    """Parts of one phone in running text, tones among the modifiers."""
    tones = "".join(x for x in raw if x in TONES)
    rest = "".join(x for x in raw if x not in TONES)
    if not rest:
        return [Part(tones)]
    found = parts(rest, place)
    found[-1].after += tones
    return found


def _rewritten(symbol: str) -> str:
    known = rewrites()
    text = decompose(symbol)
    if not any(character in known for character in text):
        return text
    for character in text:
        if character in known and character not in _told and len(known[character].ipa) == 1:
            _told.add(character)
            seen = f"◌{character}" if unicodedata.combining(character) else character
            log.info("%s is read as %s (%s)", seen, known[character].ipa, known[character].why)
    return "".join(known[character].ipa if character in known else character for character in text)


def vowels_of(symbol: str) -> list[str]:
    """The vowels of a diphthong or triphthong, as phones of their own; any other phone alone."""
    found = parts(symbol) if "|" not in symbol else []
    if len(found) < 2 or any(letters()[part.letter].kind != "vowel" for part in found):
        return [symbol]
    return [canonical(str(Part(part.letter, part.before, part.after.replace(_NOT_SYLLABIC, "")))) for part in found]


def is_combining(character: str) -> bool:
    """Whether a mark is above or below its letter, and not beside it."""
    return "\u0300" <= character <= "\u036f" or "\u1dc0" <= character <= "\u1dff"


def _spacing(marks: str | list[str]) -> list[str]:
    return [mark for mark in marks if not is_combining(mark)]


def _piece_pattern() -> re.Pattern[str]:
    known = [*letters(), *(x for x in rewrites() if rewrites()[x].ipa[0] in letters())]
    base = "[" + "".join(re.escape(x) for x in known if x not in TONES) + "]"
    marks = [*modifiers(), *TONE_MARKS, *(x for x in rewrites() if rewrites()[x].ipa[0] in modifiers())]
    mark = "[" + "".join(re.escape(x) for x in dict.fromkeys(marks)) + "]"
    plosive = "[" + "".join(re.escape(x.character) for x in letters().values() if x.kind == "consonant") + "g]"
    vowel = "[" + "".join(x.character for x in letters().values() if x.kind == "vowel") + "]"
    before = f"[{_PREFIXING}]"
    nasal = f"[{NASALS}](?={plosive})"
    aspiration = f"(?:(?<={vowel})|(?<=[ː\u0303]))[ʰʱˀ](?={plosive})"
    after = f"(?:(?!{nasal}|{aspiration}){mark})*"
    return re.compile(f"{before}*{base}{after}(?:[\u0361\u035c]{base}{after})*[{TONES}]*|[{TONES}]+")


def without_tones(symbol: str, place: str = "") -> tuple[str, str]:
    """The one spelling of a phone without tone letters and marks, and these; the phone is empty if there is nothing else.

    Raises:
        UnknownPhone: If a character is not IPA.
    """
    readings, tones = [], ""
    for reading in symbol.split("|"):
        kept = []
        for part in parts(reading, place):
            tones += "".join(x for x in part.letter + part.after if x in TONES or x in TONE_MARKS)
            part.after = "".join(x for x in part.after if x not in TONE_MARKS)
            if part.letter not in TONES:
                kept.append(part)
        if kept:
            readings.append("".join(map(str, kept)))
    return "|".join(readings), tones


_PIECE = _piece_pattern()
