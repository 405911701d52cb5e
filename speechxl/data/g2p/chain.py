"""Tools in the order in which they are asked: words that one cannot read go to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from speechxl.data.g2p.epitran import Epitran, code_of
from speechxl.data.g2p.espeak import Espeak, voice_of
from speechxl.data.g2p.lexicon import Lexicon
from speechxl.data.g2p.reading import Reading, Rewrite, Tool, bare, words_of
from speechxl.errors import InputError


@dataclass(frozen=True)
class Choice:
    """A tool as it is named."""

    kind: str
    """``espeak``, ``epitran`` or ``lexicon``."""
    which: str
    """Voice, rules or path; empty for those of the language."""


@dataclass(frozen=True)
class Pronunciation:
    """Phones of a text."""

    phones: tuple[str, ...]
    words: tuple[tuple[str, str], ...]
    """Words that were read, each with its tool."""
    unknown: tuple[tuple[str, str], ...]
    """Words that none could read, each with the reasons."""
    rewrites: tuple[tuple[str, Rewrite], ...]
    """Each with its tool."""


def read_choices(names: str) -> list[Choice]:
    """Tools of a comma-separated list, such as ``lexicon.tsv,espeak``.

    Raises:
        InputError: If one is neither a tool nor a file.
    """
    choices = []
    for name in filter(None, map(str.strip, names.split(","))):
        kind, colon, which = name.partition(":")
        if kind in ("espeak", "epitran") and (which or not colon):
            choices.append(Choice(kind, which))
        elif Path(name).is_file():
            choices.append(Choice("lexicon", name))
        else:
            raise InputError(
                f"--g2p {name}: there is no such file; a lexicon was expected (word, tab, phones), or espeak, "
                "espeak:VOICE, epitran, epitran:CODE."
            )
    if not choices:
        raise InputError("--g2p names no tool; for example lexicon.tsv,espeak.")
    return choices


class Chain:
    """Opens tools, each of them once."""

    def __init__(self, choices: Sequence[Choice], *, foreign: bool = False) -> None:
        """Names the tools.

        Args:
            choices: In the order in which they are asked.
            foreign: Of `Espeak`.
        """
        self._choices = choices
        self._foreign = foreign
        self._opened: dict[Choice, Tool] = {
            choice: Lexicon(Path(choice.which)) for choice in choices if _is_file(choice)
        }

    def tools(self, language: str, texts: Sequence[str]) -> tuple[list[Tool], list[str]]:
        """Tools for a language, and why others cannot serve.

        Args:
            language: ISO 639-3; may be empty.
            texts: In the language.

        Raises:
            InputError: If a tool that is named in full cannot be had, or none can.
        """
        found: list[Tool] = []
        faults: list[str] = []
        for choice in self._choices:
            try:
                found.append(self._open(self._named(choice, language, texts)))
            except InputError as error:
                if choice.which:
                    raise
                faults.append(str(error))
        return found, faults

    def _named(self, choice: Choice, language: str, texts: Sequence[str]) -> Choice:
        if choice.which:
            return choice
        if not language:
            raise InputError(f"--g2p {choice.kind} needs the language of the rows: name it with --language.")
        return Choice(choice.kind, voice_of(language) if choice.kind == "espeak" else code_of(language, texts))

    def _open(self, choice: Choice) -> Tool:
        if choice not in self._opened:
            is_voice = choice.kind == "espeak"
            self._opened[choice] = Espeak(choice.which, foreign=self._foreign) if is_voice else Epitran(choice.which)
        return self._opened[choice]


def _is_file(choice: Choice) -> bool:
    return choice.kind == "lexicon"


def pronounce(text: str, tools: Sequence[Tool]) -> Pronunciation:
    """Phones of a text; words that stand together and have the same tool are read together.

    Args:
        text: Normalised.
        tools: In the order in which they are asked.
    """
    owned = [(word, *_owner(word, tools)) for word in words_of(text)]
    unknown = tuple((bare(word), reason) for word, tool, reason in owned if tool is None)
    phones: list[str] = []
    words: list[tuple[str, str]] = []
    rewrites: list[tuple[str, Rewrite]] = []
    for tool, run in groupby(((word, tool) for word, tool, _ in owned), key=lambda item: item[1]):
        if tool is None:
            continue
        stretch = [word for word, _ in run]
        reading: Reading = tool.read(stretch)
        phones += reading.phones
        words += [(bare(word), tool.name) for word in stretch]
        rewrites += [(tool.name, rewrite) for rewrite in reading.rewrites]
    return Pronunciation(tuple(phones), tuple(words), unknown, tuple(rewrites))


def _owner(word: str, tools: Sequence[Tool]) -> tuple[Tool | None, str]:
    """The first tool that can read a word, and else why none can."""
    reasons = []
    for tool in tools:
        fault = tool.fault(word)
        if fault is None:
            return tool, ""
        reasons.append(fault)
    return None, "; ".join(dict.fromkeys(reasons))
