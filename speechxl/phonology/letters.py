"""The letters and marks of the IPA: their order, what other characters stand for them, which are nearest to an unknown one."""

import csv
import unicodedata
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from importlib.resources import files

TIE = "\u0361"
TONES = "˥˦˧˨˩↓↑"
TONE_MARKS = frozenset("\u0300\u0301\u0302\u030b\u030c\u030f\u1dc4\u1dc5\u1dc6\u1dc7\u1dc8\u1dc9")
"""Combining marks that stand for tones; the macron is read as length."""
STRESS = "ˈˌ"
BREAKS = ".‿|‖↗↘"
"""Boundaries of syllables, links and groups: no sounds."""
NASALS = "ᵐⁿᶯᶮᵑᶰ"
"""Raised nasals: before a consonant they belong to it."""
_KEYBOARD = {
    "A": "ɑ", "B": "β", "C": "ç", "D": "ð", "E": "ɛ", "F": "ɱ", "G": "ɢ", "H": "ħ", "I": "ɪ", "J": "ɲ", "K": "ɬ", "L": "ʎ",
    "M": "ɯ", "N": "ŋ", "O": "ɔ", "P": "ʋ", "Q": "ɒ", "R": "ʁ", "S": "ʃ", "T": "θ", "U": "ʊ", "V": "ʌ", "W": "ʍ", "X": "χ",
    "Y": "ʏ", "Z": "ʒ", "@": "ə", "?": "ʔ", "{": "æ", "}": "ʉ", "&": "ɶ",
}  # fmt: skip
"""X-SAMPA, which is often left in transcripts."""


@dataclass(frozen=True)
class Letter:
    """A base letter."""

    character: str
    kind: str
    """``consonant``, ``vowel`` or ``tone``."""
    place: str
    """Of consonants; front, central or back of vowels."""
    manner: str
    """Of consonants; height of vowels."""
    voice: str
    """Voiceless or voiced; rounded or unrounded."""


@dataclass(frozen=True)
class Modifier:
    """A mark on a letter, or a raised letter beside it."""

    character: str
    name: str
    rank: int
    """Place among the modifiers of a letter."""
    consonant: str
    """What it does to the features of a consonant, such as ``spreadGlottis=+``; ``.,+`` leaves the start as it is."""
    vowel: str


@dataclass(frozen=True)
class Rewrite:
    """A character that stands for IPA."""

    ipa: str
    why: str


@cache
def letters() -> dict[str, Letter]:
    """By character."""
    return {row["letter"]: Letter(*row.values()) for row in read_table("letters.tsv")}


@cache
def modifiers() -> dict[str, Modifier]:
    """By character, in the order in which they follow a letter, which is that of PHOIBLE."""
    found = {}
    for rank, row in enumerate(read_table("modifiers.tsv")):
        character = chr(int(row["code_point"], 16))
        found[character] = Modifier(character, row["name"], rank, row["consonant"], row["vowel"])
    return found


@cache
def rewrites() -> dict[str, Rewrite]:
    """By character, after NFD."""
    return {
        "".join(chr(int(code, 16)) for code in row["code_point"].split()): Rewrite(
            unicodedata.normalize("NFD", row["ipa"]), row["why"]
        )
        for row in read_table("rewrites.tsv")
    }


def read_table(name: str) -> list[dict[str, str]]:
    """Rows of one of the package's own tables; a line that begins with # says how it was made."""
    text = files("speechxl.phonology").joinpath("tables").joinpath(name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line[:1] != "#"]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def nearest_characters(character: str, count: int = 3) -> list[str]:
    """Characters of the IPA that may be meant by another one: X-SAMPA's, the same letter without marks, alike by name."""
    found = [_KEYBOARD[character]] if character in _KEYBOARD else []
    found += [x for x in (unicodedata.normalize("NFKD", character)[:1], character.lower()) if x in letters()]
    name = unicodedata.name(character, "")
    if unicodedata.category(character)[0] not in "LM":
        return found
    known = [*letters(), *modifiers()]
    alike = {x: SequenceMatcher(None, name, unicodedata.name(x), autojunk=False).ratio() for x in known}
    found += sorted(known, key=lambda x: (-alike[x], x))
    return list(dict.fromkeys(found))[:count]


def decompose(text: str) -> str:
    """NFD, but ç, which is a letter of its own, whole."""
    return unicodedata.normalize("NFD", text).replace("c\u0327", "ç")
