"""Rewriting texts as asked for, with a count of everything that becomes something else."""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from speechxl.config import Rewriting

READ_ALOUD = "&%@#§"
"""Punctuation for Unicode, words when read."""
_TAGS = re.compile(r"<[^<>]*>|\[[^\[\]]*\]|\{[^{}]*\}|&\w+;")
_NUMBER = re.compile(r"(?<![\w\u0300-\u036f])\d+(?:[.,:/\u066b\u066c]\d+)*")
_PARTED = re.compile(r"\d+(?:[.,:/\u066b\u066c]\d+)+")
"""Numbers with points and the like, whose parts are others: 3.5 is not 3 5."""
_JOINERS = "\u200c\u200d"
"""Needed between letters, as in Persian or Bengali."""
_INVISIBLE = frozenset("\u034f\u115f\u1160\u3164\ufe0e\ufe0f\uffa0")
_WIDE = re.compile("[\uff01-\uff5e\uff61-\uff9f\uffe0-\uffe6\u3000]+")
_VOWEL_MARKS = re.compile(
    "[\u064b-\u0652\u0656-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"  # Arabic
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0730-\u074a]"  # Hebrew, Syriac
)
_TATWEEL = re.compile("\u0640+")
_WORD_SPACES = "\u1361\u1680"
"""Punctuation that stands for a space."""
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC")
"""First words of the names of scripts in which punctuation between letters is no spelling."""
_ORTHOGRAPHIC = "\u0f0b\u05f3\u05f4"
"""Punctuation that is a part of words wherever it stands: of Tibetan and Hebrew."""
_DOTTED = frozenset({"tur", "azj", "azb", "aze", "kaz", "crh", "tat", "gag"})
"""Languages in which I and i are two letters, where they are written in Latin."""

Words = Callable[[str, str], str]
"""A number in words of a language."""


@dataclass(frozen=True)
class Change:
    """Something that becomes something else, or that is left though it might have been rewritten."""

    kind: str
    """Setting of `Rewriting` that asked for it, ``nfc``, or ``left``."""
    given: str
    becomes: str


@dataclass
class Rewriter:
    """Rewrites texts, and counts what it does.

    Attributes:
        asked: What to do.
        in_words: Numbers in words, where ``asked.digits`` wants them.
        counts: Of each change, by language.
        examples: First text of each, before and after.
    """

    asked: Rewriting
    in_words: Words | None = None
    counts: Counter[tuple[str, Change]] = field(default_factory=Counter)
    examples: dict[tuple[str, Change], tuple[str, str, str]] = field(default_factory=dict)

    def __call__(self, text: str, language: str, place: str = "") -> str:
        """A text as it was asked for.

        Args:
            text: As it stands in the manifest.
            language: ISO 639-3.
            place: For the report.
        """
        changes: Counter[Change] = Counter()
        found = self._nfc(text, changes)
        asked = self.asked
        if asked.tags == "drop":
            found = _replaced(_TAGS, lambda _: " ", found, "tags", changes)
        if asked.invisible == "drop":
            found = _without_invisible(found, changes)
        if asked.width == "fold":
            found = _replaced(_WIDE, lambda wide: unicodedata.normalize("NFKC", wide), found, "width", changes)
        if asked.vowel_marks == "drop":
            found = _replaced(_VOWEL_MARKS, lambda _: "", found, "vowel_marks", changes)
        if asked.elongation == "drop":
            found = _replaced(_TATWEEL, lambda _: "", found, "elongation", changes)
        if asked.digits != "keep":
            found = self._digits(found, language, changes)
        if asked.punctuation == "drop":
            found = self._punctuation(found, changes)
        if asked.case == "lower":
            found = _lower(found, language, changes)
        found = " ".join(unicodedata.normalize("NFC", found).split())
        for change, count in changes.items():
            self.counts[language, change] += count
            self.examples.setdefault((language, change), (place, text, found))
        return found

    def _nfc(self, text: str, changes: Counter[Change]) -> str:
        if unicodedata.is_normalized("NFC", text):
            return text
        for word in text.split():
            if (new := unicodedata.normalize("NFC", word)) != word:
                changes[Change("nfc", word, new)] += 1
        return unicodedata.normalize("NFC", text)

    def _digits(self, text: str, language: str, changes: Counter[Change]) -> str:
        """Whole numbers in words, or no numbers; those with a letter behind, or for words with a point, are left to people."""
        parts, done = [], 0
        for match in _NUMBER.finditer(text):
            number, after = match[0], text[match.end() : match.end() + 1]
            if _is_letter(after) or (self.asked.digits == "words" and not number.isdecimal()):
                changes[Change("left", number, number)] += 1
                continue
            new = "" if self.asked.digits == "drop" or self.in_words is None else self.in_words(number, language)
            changes[Change("digits", number, new)] += 1
            parts += [text[done : match.start()], f" {new} "]
            done = match.end()
        return "".join([*parts, text[done:]])

    def _punctuation(self, text: str, changes: Counter[Change]) -> str:
        written = []
        parted = list(_PARTED.finditer(text))
        within = {place for match in parted for place in range(*match.span())}
        if self.asked.digits == "keep":  # else they are counted already
            changes.update(Change("left", match[0], match[0]) for match in parted)
        for number, character in enumerate(text):
            if number in within or not unicodedata.category(character).startswith(("P", "S")) or _is_tone(character):
                written.append(character)
                continue
            stays = character in self.asked.keep or character in _ORTHOGRAPHIC
            aloud = character in READ_ALOUD or unicodedata.category(character) in ("Sc", "Sm", "So")
            inside = _is_inside(text, number)
            if stays or aloud or inside:
                written.append(character)
                if not stays:
                    changes[Change("left", character, character)] += 1
                continue
            changes[Change("punctuation", character, "")] += 1
            written.append(" ")
        return "".join(written)


def _replaced(
    pattern: re.Pattern[str], new: Callable[[str], str], text: str, kind: str, changes: Counter[Change]
) -> str:
    def replace(match: re.Match[str]) -> str:
        written = new(match[0])
        if written != match[0]:
            changes[Change(kind, match[0], written.strip())] += 1
        return written

    return pattern.sub(replace, text)


def _without_invisible(text: str, changes: Counter[Change]) -> str:
    written = []
    for number, character in enumerate(text):
        unseen = unicodedata.category(character) in ("Cc", "Cf") and not character.isspace()
        if (unseen or character in _INVISIBLE) and not (character in _JOINERS and _between(text, number)):
            changes[Change("invisible", character, "")] += 1
        else:
            written.append(character)
    return "".join(written)


def _lower(text: str, language: str, changes: Counter[Change]) -> str:
    dotted = language in _DOTTED and not re.search("[\u0400-\u04ff]", text)
    special: Mapping[int, str] = {ord("I"): "ı", ord("İ"): "i"} if dotted else {}
    new = text.translate(special).lower()
    if len(new) != len(text):  # a letter that is lowered to several
        changes[Change("case", text, new)] += 1
        return new
    for before, after in zip(text, new, strict=True):
        if before != after:
            changes[Change("case", before, after)] += 1
    return new


def _is_inside(text: str, number: int) -> bool:
    """Whether punctuation stands between letters, where it is spelling."""
    if text[number] in _WORD_SPACES or not _between(text, number):
        return False
    around = text[number - 1], text[number + 1]
    return not any(unicodedata.name(x, "").startswith(_UNSPACED) for x in around)


def _between(text: str, number: int) -> bool:
    around = text[number - 1 : number] if number else "", text[number + 1 : number + 2]
    return all(map(_is_letter, around))


def _is_letter(character: str) -> bool:
    return bool(character) and unicodedata.category(character)[0] in "LM"


def _is_tone(character: str) -> bool:
    return "\u02c2" <= character <= "\u02ff" or "\ua700" <= character <= "\ua71f"
