"""epitran (extra ``g2p``): rules and tables for languages that are spelled as they are spoken. Words are read one by one."""

import shutil
import unicodedata
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import resources
from typing import Any

from speechxl.data.g2p.reading import Reading, Rewrite, bare, has_digits, is_punctuation
from speechxl.data.languages import INDIVIDUAL
from speechxl.errors import InputError
from speechxl.phonology.ipa import UnknownPhone, segment
from speechxl.phonology.letters import STRESS, decompose
from speechxl.phonology.phoible import relatives

_ENGLISH = "eng-Latn"


class Epitran:
    """The rules of a language in a script."""

    def __init__(self, code: str) -> None:
        """Reads the rules, which takes some seconds.

        Args:
            code: Such as ``swa-Latn``.

        Raises:
            InputError: If epitran is not installed, or has no such rules.
        """
        package = _package()
        if code == _ENGLISH and shutil.which("lex_lookup") is None:
            raise InputError(
                "epitran reads English by lex_lookup of flite, which is not installed "
                "(https://github.com/festvox/flite); --g2p espeak reads English without it."
            )
        if code not in codes() and code not in package.Epitran.special:
            near = ", ".join(get_close_matches(code, codes(), 3, 0.6))
            raise InputError(f"epitran has no rules {code!r}{'; nearest are ' if near else ''}{near}.")
        try:
            self._rules: Any = package.Epitran(code)
        except Exception as error:
            raise InputError(f"epitran could not read its rules {code!r} ({error}).") from error
        self.name = f"epitran:{code}"
        self._readings: dict[str, Reading | str] = {}

    def fault(self, word: str) -> str | None:
        """Why a word cannot be read; None if it can."""
        reading = self._reading(word)
        return reading if isinstance(reading, str) else None

    def read(self, words: Sequence[str]) -> Reading:
        """Phones of words that follow each other."""
        phones: list[str] = []
        rewrites: list[Rewrite] = []
        for word in words:
            reading = self._reading(word)
            if isinstance(reading, str):
                raise KeyError(word)
            phones += reading.phones
            rewrites += reading.rewrites
        return Reading(tuple(phones), tuple(rewrites))

    def _reading(self, word: str) -> Reading | str:
        plain = bare(word)
        if plain not in self._readings:
            self._readings[plain] = self._read(plain)
        return self._readings[plain]

    def _read(self, word: str) -> Reading | str:
        if has_digits(word):
            return "a number, which epitran does not read"
        said = _letters(self._rules.transliterate(word))
        known = _letters(self._rules.strict_trans(word))
        if said != known:  # what it does not know it leaves as it is
            unknown = sorted(set(said) - set(known)) or sorted(set(word.lower()))
            return f"epitran does not know {' '.join(unknown)}"
        try:
            found = segment(said, self.name, affricates="join")
        except UnknownPhone as error:
            return f"epitran says {error.symbol!r}, which is not IPA"
        if not found.phones:
            return "epitran says nothing"
        changed = [
            Rewrite("spelling", plain, phone)
            for phone, raw in zip(found.phones, found.raw, strict=True)
            if (plain := "".join(x for x in decompose(raw) if x not in STRESS)) != phone
        ]
        marks = [Rewrite("stress", mark, "") for mark in STRESS for _ in range(said.count(mark))]
        return Reading(tuple(found.phones), (*marks, *changed))


def codes() -> list[str]:
    """Languages and scripts of all rules."""
    _package()
    folder = resources.files("epitran") / "data" / "map"
    names = [entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv")]
    return sorted([*names, _ENGLISH])


def code_of(language: str, texts: Sequence[str]) -> str:
    """The rules for a language in the script of its texts.

    Args:
        language: ISO 639-3.
        texts: In the language.

    Raises:
        InputError: If there are none, or several that serve.
    """
    known = codes()
    macro = [relatives(language)[1]] if language in INDIVIDUAL.values() else []
    for wanted in (language, *filter(None, macro)):
        scripts = [code for code in known if code.count("-") == 1 and code.startswith(f"{wanted}-")]
        if len(scripts) < 2:
            if scripts:
                return scripts[0]
            continue
        counts = {code: sum(_in_script(text, code.partition("-")[2]) for text in texts) for code in scripts}
        most = [code for code in scripts if counts[code] == max(counts.values())]
        if len(most) == 1:
            return most[0]
        raise InputError(
            f"epitran has several rules for {language!r}: name one, as --g2p epitran:{most[0]}, of {most}."
        )
    near = [x for x in known if x.startswith(f"{language}-")] or get_close_matches(f"{language}-Latn", known, 3, 0.7)
    hint = f"; nearest are {', '.join(near)}: name one as --g2p epitran:{near[0]}" if near else ""
    raise InputError(f"epitran has no rules for {language!r}{hint}.")


def _package() -> Any:
    try:
        import epitran
    except ImportError:
        raise InputError("--g2p epitran needs epitran: pip install 'speechxl[g2p]'.") from None
    return epitran


def _letters(said: str) -> str:
    """Without punctuation, which epitran leaves as it is."""
    return "".join(x for x in unicodedata.normalize("NFC", said) if not is_punctuation(x) and not x.isspace())


def _in_script(text: str, script: str) -> int:
    """Letters of a script, by the first letters of its name."""
    start = script[:3].upper()
    return sum(unicodedata.name(character, "").startswith(start) for character in text)
