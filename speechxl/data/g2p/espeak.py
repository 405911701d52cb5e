"""espeak-ng as a reader of text. It is given stretches of words, as it heeds what stands beside a word (liaison, numbers)."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import iso639

from speechxl.data.espeak import has_voice, tokens, voices
from speechxl.data.families import language_families
from speechxl.data.g2p.reading import Reading, Rewrite, bare, has_digits
from speechxl.data.languages import INDIVIDUAL
from speechxl.errors import InputError
from speechxl.phonology.espeak import SWITCH, clean
from speechxl.phonology.ipa import UnknownPhone
from speechxl.phonology.letters import STRESS, decompose
from speechxl.phonology.phoible import relatives

_MOST_PHONES = 4
"""Of a letter; where there are more, the voice says the letters' names, such as ``Chinese letter``."""
_CARRIER = "ma{}a"
_MOST_OF_CARRIER = 6
_FEW = 6
_LATIN = ("LATIN SMALL", "MODIFIER LETTER")
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")


class Espeak:
    """A voice.

    Letters that a voice does not know it spells, with the name of the letter or even the number of its code point, and what is
    written in another alphabet it gives to the voice of another language. Neither is how the text is spoken; such words are
    refused.
    """

    def __init__(self, voice: str, *, foreign: bool = False) -> None:
        """Chooses a voice.

        Args:
            voice: Such as ``sw``.
            foreign: Whether words that the voice of another language speaks are taken as that speaks them.

        Raises:
            InputError: If there is no such voice, or it has no dictionary.
        """
        self.name = f"espeak:{voice}"
        self._voice, self._foreign = voice, foreign
        if not tokens("1", voice):
            raise InputError(f"espeak-ng has a voice {voice!r}, but not its dictionary.")
        self._faults: dict[str, str | None] = {}
        self._cleaned: dict[str, tuple[tuple[str, ...], tuple[Rewrite, ...]]] = {}
        self._letters: dict[str, tuple[str | None, tuple[Rewrite, ...]]] = {}

    def fault(self, word: str) -> str | None:
        """Why a word cannot be read; None if it can."""
        if word not in self._faults:
            self._faults[word] = self._fault(word)
        return self._faults[word]

    def read(self, words: Sequence[str]) -> Reading:
        """Phones of words that follow each other."""
        found = self._tokens(" ".join(words))
        rewrites: list[Rewrite] = []
        if not self._foreign and self._switches(found):  # a phrase that the dictionary gives to another voice
            found = [token for word in words for token in self._tokens(word)]
            rewrites.append(Rewrite("context", " ".join(words), "words one by one"))
        phones: list[str] = []
        for token in found:
            cleaned, changed = self._clean(token)
            phones += cleaned
            rewrites += changed
        for word in words:
            for letter in _foreign_letters(word):
                rewrites += self._letter(letter)[1]
            if has_digits(word):
                read = chain.from_iterable(self._clean(token)[0] for token in self._tokens(word))
                rewrites.append(Rewrite("digits", bare(word), " ".join(read)))
        return Reading(tuple(phones), tuple(rewrites))

    def _fault(self, word: str) -> str | None:
        found = self._tokens(word)
        switches = self._switches(found)
        if switches and not self._foreign:
            return f"read by the voice of another language ({', '.join(switches)})"
        try:
            count = sum(len(self._clean(token)[0]) for token in found)
        except UnknownPhone as error:
            return f"espeak-ng says {error.symbol!r}, which is not IPA"
        if not count:
            return "espeak-ng says nothing"
        for letter in _foreign_letters(word):
            if wrong := self._letter(letter)[0]:
                return wrong
        if pictures := [character for character in word if _is_picture(character)]:
            return f"espeak-ng says the name of {' '.join(pictures)}"
        whole = _APOSTROPHE.sub("", bare(word))
        if whole != bare(word) and count > len(self._plain(whole)) + 1:
            return "espeak-ng says the names of the letters beside the apostrophe"
        letters = [character for character in word if unicodedata.category(character)[0] == "L"]
        if len(letters) == len(bare(word)) and not word.isascii() and count > _MOST_PHONES * len(letters):
            return "espeak-ng says the names of its letters"
        return None

    def _tokens(self, text: str) -> list[str]:
        return list(chain.from_iterable(tokens(text, self._voice)))

    def _switches(self, found: Sequence[str]) -> list[str]:
        own = self._voice.partition("-")[0]
        names = (token.strip("()") for token in found if SWITCH.fullmatch(token))
        return sorted({name for name in names if name.partition("-")[0] != own})

    def _clean(self, token: str) -> tuple[tuple[str, ...], tuple[Rewrite, ...]]:
        if token not in self._cleaned:
            phones = tuple(clean(token, self.name))
            plain = "".join(character for character in token if character not in STRESS)
            rewrites = [Rewrite("stress", mark, "") for mark in STRESS if mark in token]
            if SWITCH.fullmatch(token):
                rewrites.append(Rewrite("switch", token, ""))
            elif "".join(phones) != decompose(plain):
                rewrites.append(Rewrite("spelling", plain, " ".join(phones)))
            self._cleaned[token] = phones, tuple(rewrites)
        return self._cleaned[token]

    def _letter(self, letter: str) -> tuple[str | None, tuple[Rewrite, ...]]:
        """What is wrong with a letter; else like which other it is read."""
        if letter not in self._letters:
            said = self._plain(_CARRIER.format(letter))
            simple = unicodedata.normalize("NFD", letter)[0]
            if len(said) > _MOST_OF_CARRIER:
                self._letters[letter] = f"espeak-ng says the name of the letter {letter}", ()
            elif simple != letter and self._plain(_CARRIER.format(simple)) == said:
                self._letters[letter] = None, (Rewrite("letter", letter, simple),)
            else:
                self._letters[letter] = None, ()
        return self._letters[letter]

    def _plain(self, text: str) -> list[str]:
        """Tokens without stress and switches."""
        return [plain for token in self._tokens(text) if (plain := token.strip(STRESS)) and not SWITCH.fullmatch(token)]


def voice_of(language: str) -> str:
    """The voice that speaks a language.

    Args:
        language: ISO 639-3.

    Raises:
        InputError: If there is none, with those of its macrolanguage or its family.
    """
    codes = [language, *_two_letters(language), *(x for x, known in INDIVIDUAL.items() if known == language)]
    for code in codes:
        if has_voice(code):
            return code
    members, whole = relatives(language)
    kin = [code for near in (whole, *members) if near for code in (near, *_two_letters(near)) if has_voice(code)]
    if kin:
        raise InputError(
            f"espeak-ng has no voice for {language!r}; of its macrolanguage {whole or language} it has "
            f"{', '.join(kin)}: name one as --g2p espeak:{kin[0]}."
        )
    families = language_families()
    family = families.get(language)
    near = [voice for voice in voices() if family and families.get(_three_letters(voice)) == family]
    hint = f"; of the same family ({family}) are {', '.join(near[:_FEW])}, as --g2p espeak:{near[0]}" if near else ""
    raise InputError(f"espeak-ng has no voice for {language!r}{hint}; epitran or a lexicon may serve.")


def _two_letters(language: str) -> list[str]:
    try:
        return list(filter(None, [iso639.Lang(language).pt1]))
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return []


def _three_letters(voice: str) -> str:
    try:
        return iso639.Lang(voice.partition("-")[0]).pt3
    except (iso639.exceptions.InvalidLanguageValue, iso639.exceptions.DeprecatedLanguageValue):
        return ""


@lru_cache(maxsize=65536)
def _foreign_letters(word: str) -> tuple[str, ...]:
    """Letters of the Latin alphabet and modifiers that are not ASCII, in lower case, each once."""
    if word.isascii():
        return ()
    lower = dict.fromkeys(unicodedata.normalize("NFC", word.lower()))
    return tuple(x for x in lower if not x.isascii() and unicodedata.name(x, "").startswith(_LATIN))


def _is_picture(character: str) -> bool:
    """Whether a character is an emoji or the like, and not a sign such as ° or №."""
    return unicodedata.category(character) == "So" and character > "\u24ff"
