"""What in the symbols of texts is likely not meant, or has to be known before training. No torch."""

import csv
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from typing import Any

from speechxl.symbols import Line, Occurrences, code_points, count_parts, names, shown, unknown
from speechxl.text import SPECIAL, Vocabulary

_MOST_LETTERS = 3
"""Of a phone, such as a prenasalised affricate."""

Words = Mapping[str, Occurrences]
_TIES = "\u0361\u035c"
_LIGATURES = {"ʣ": "dz", "ʤ": "dʒ", "ʥ": "dʑ", "ʦ": "ts", "ʧ": "tʃ", "ʨ": "tɕ"}
_UNSEEN = frozenset("\u034f\u115f\u1160\u3164\ufe0e\ufe0f\uffa0")
"""Characters that are not seen, though their category does not say so."""
_WITHOUT_SPACES = ("BOPOMOFO", "CJK", "HALFWIDTH", "HANGUL", "HIRAGANA", "IDEOGRAPHIC", "KATAKANA")
"""First words of the names of scripts that are mixed with each other, and with Latin, within a word."""
_IPA_GREEK = "βθχ"
"""Greek letters that are the IPA's own symbols."""


@dataclass(frozen=True)
class Finding:
    """One class of what was found."""

    kind: str
    symbols: list[str]
    """The most frequent first."""
    count: int
    """Occurrences of them, or texts."""
    example: dict[str, str] | None
    """``place`` and ``word``."""
    advice: str

    def __str__(self) -> str:
        names = [f"{shown(symbol)} {'+'.join(code_points(symbol))}".strip() for symbol in self.symbols]
        listed = ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
        where = f"\n    {self.example['word']}  ({self.example['place']})" if self.example else ""
        return f"{self.kind}: {listed or 'texts'}: {self.count}{where}\n    {self.advice}"


def findings(
    lines: Iterable[Line], words: Words, dev: Words, units: str, vocabulary: Vocabulary | None = None
) -> list[Finding]:
    """All there is to say, what matters most first.

    Args:
        lines: Texts to train on.
        words: Their words or phones.
        dev: Those of the texts to choose the best model by.
        units: ``"char"`` or ``"phoneme"``.
        vocabulary: Of a model that is to be used.
    """
    symbols = count_parts(words, _whole if units == "phoneme" else None)
    found: list[Finding | None] = [
        _unsegmented(symbols) if units == "phoneme" else _of_characters(words, "reserved", lambda x: x == "|", "It stands "
                       "for the space in a vocabulary of characters, and finetune refuses it: replace it."),
        _unseen(symbols, dev, units),
    ]  # fmt: skip
    if vocabulary is not None:
        found += _against(vocabulary, words)
    found += [
        _of_characters(words, "invisible", _is_invisible, "They become symbols that cannot be heard: delete them, except "
                       "zero-width (non-)joiners where the spelling needs them, as in Persian or Bengali."),
        _of_characters(words, "private_use", _is_private, "They look different in every font, or are the trace of a wrong "
                       "encoding: replace them by Unicode's own characters."),
        *look_alikes(words, units),
        *tie_bars(words),
        *mark_orders(words),
        *mixed_scripts(words),
        *_raw(lines),
        _of_characters(words, "digits", _is_digit, "Write numbers as they are spoken. Digits that mark tones can stay."),
        _punctuation(words, units),
        _case(symbols),
        _singletons(symbols),
    ]  # fmt: skip
    return [finding for finding in found if finding is not None]


def look_alikes(words: Words, units: str) -> Iterator[Finding]:
    """Characters of which one may stand for another, and marks that do on the same letter.

    Punctuation counts between letters only, and a letter of another script only in a word of mixed scripts, or in one that
    could be written in the corpus's script as a whole.
    """
    places: dict[str, Occurrences] = {}
    common = Counter[str]()
    for word, found in words.items():
        for character in word:
            common[script(character)] += found.count
    common.pop("", None)
    main = max(common, key=lambda name: common[name], default="")
    for word, found in words.items():
        letters = unicodedata.normalize("NFD", word)
        stray = _stray(letters, main)
        base = ""
        for number, character in enumerate(letters):
            base = base if unicodedata.combining(character) else character
            if not _look_alikes(character) or (script(character) not in ("", main) and not stray):
                continue
            if units == "phoneme" or unicodedata.category(character)[0] in "LM" or _between_letters(letters, number):
                form = base + character if unicodedata.combining(character) else character
                places.setdefault(form, Occurrences(0, found.place, found.word)).count += found.count
    bases = ["", *sorted({form[0] for form in places if len(form) > 1})]
    for what, group in ((what, [base + x for x in group]) for what, group in _groups() for base in bases):
        here = sorted((x for x in group if x in places), key=lambda x: -places[x].count)
        if len(here) > 1:
            counts = ", ".join(f"{x} {code_points(x)[-1]} {names(x)[-1]} {places[x].count}" for x in here)
            yield Finding(
                "look_alikes", here, sum(places[x].count for x in here[1:]), places[here[-1]].example,
                f"They look alike ({what}): {counts}. If one is meant, write it everywhere.",
            )  # fmt: skip


def tie_bars(words: Words) -> Iterator[Finding]:
    """Affricates and the like that are written in several ways."""
    spelt = {unicodedata.normalize("NFD", word): found for word, found in words.items()}
    tied = {match for word in spelt for match in re.findall(f"\\w[{_TIES}]\\w", word)}
    pairs = {re.sub(f"[{_TIES}]", "", match) for match in tied} | {
        pair for letter, pair in _LIGATURES.items() if any(letter in word for word in spelt)
    }
    for pair in sorted(pairs):
        ligatures = [letter for letter, meant in _LIGATURES.items() if meant == pair]
        forms = [pair, *(f"{pair[0]}{tie}{pair[1]}" for tie in _TIES), *ligatures]
        found = {form: place for form in forms if (place := _find(spelt, form)) is not None}
        if len(found) > 1:
            here = sorted(found, key=lambda form: -found[form].count)
            counts = ", ".join(f"{form} {found[form].count}" for form in here)
            yield Finding(
                "tie_bars", here, sum(found[form].count for form in here[1:]), found[here[-1]].example,
                f"Written in several ways: {counts}. If they are one sound, write it in one.",
            )  # fmt: skip


def mark_orders(words: Words) -> Iterator[Finding]:
    """Letters that carry the same marks in different orders, which NFC leaves as they are."""
    orders: dict[tuple[str, str], dict[str, Occurrences]] = defaultdict(dict)
    for word, found in words.items():
        for letter, marks in _clusters(unicodedata.normalize("NFD", word)):
            if len(marks) > 1:
                same = orders[letter, "".join(sorted(marks))]
                place = same.setdefault(
                    unicodedata.normalize("NFC", letter + marks), Occurrences(0, found.place, found.word)
                )
                place.count += found.count
    for same in orders.values():
        if len(same) > 1:
            here = sorted(same, key=lambda form: -same[form].count)
            yield Finding(
                "mark_orders", here, sum(same[form].count for form in here[1:]), same[here[-1]].example,
                "The same marks in different orders are different symbols: choose one order.",
            )  # fmt: skip


def mixed_scripts(words: Words) -> Iterator[Finding]:
    """Letters of a rarer script, in words of several scripts and in words of their own."""
    totals = Counter[str]()
    for word, found in words.items():
        for character in word:
            totals[script(character)] += found.count
    totals.pop("", None)
    if len(totals) < 2:
        return
    inside: dict[str, Occurrences] = {}
    alone: dict[str, Occurrences] = {}
    ranked = [name for name, _ in totals.most_common()]
    main = ranked[0]
    for word, found in words.items():
        scripts = {script(character) for character in word} - {""}
        mixed = len(scripts) > 1 and scripts != {"CJK", "LATIN"}
        first = next((name for name in ranked if name in scripts), main)
        for character in word:
            if script(character) not in ("", first if mixed else main):
                place = (inside if mixed else alone).setdefault(character, Occurrences(0, found.place, found.word))
                place.count += found.count
    alone = unknown(alone, inside)
    shares = ", ".join(f"{_named(name)} {count}" for name, count in totals.most_common())
    if inside:
        likes = [(x, y) for x in inside for y in sorted(_look_alikes(x)) if script(y) == main]
        hint = ", ".join(f"{x} is like {_named(main)} {y} {code_points(y)[0]}" for x, y in likes[:4])
        yield _of(
            inside, "mixed_scripts_in_words", f"Letters of another script within a word ({shares}). {_sentence(hint)}"
            "If the language is not written so, replace them.",
        )  # fmt: skip
    if alone:
        yield _of(alone, "mixed_scripts", f"Words in another script ({shares}); are they spoken in the recordings?")


@cache
def script(character: str) -> str:
    """Script of a letter, the first word of its name; ``"CJK"`` for those of East Asia, empty where there is none."""
    if not _is_letter(character) or character in _IPA_GREEK:
        return ""
    first, _, rest = unicodedata.name(character, "").partition(" ")
    if first == "FULLWIDTH":
        first = rest.partition(" ")[0]
    if first.startswith(_WITHOUT_SPACES):
        return "CJK"
    return {"MICRO": "", "FEMININE": "LATIN", "MASCULINE": "LATIN"}.get(first, first)


def _unseen(symbols: Words, dev: Words, units: str) -> Finding | None:
    missing = unknown(count_parts(dev, _whole if units == "phoneme" else None), symbols)
    return _finding(
        "unseen_in_train", missing, "Dev rows have them and train rows have not: they count as errors whatever is learned.",
    )  # fmt: skip


def _unsegmented(symbols: Words) -> Finding | None:
    long = {x: found for x, found in symbols.items() if sum(map(_is_letter, x)) > _MOST_LETTERS}
    return _finding(
        "long_phones", long, f"They have more than {_MOST_LETTERS} letters: phones are separated by spaces; or use --units char."
    )  # fmt: skip


def _against(vocabulary: Vocabulary, words: Words) -> Iterator[Finding | None]:
    """Differences between texts and the vocabulary of a model."""
    written = {x for number, x in enumerate(vocabulary.symbols) if vocabulary.is_written(number)}
    symbols = count_parts(words, vocabulary.split)
    yield _finding(
        "not_in_model", unknown(symbols, written - SPECIAL), "The model cannot write them; finetune makes a new output layer."
    )  # fmt: skip
    unused = sorted(written - symbols.keys() - {vocabulary.delimiter or ""})
    if unused:
        yield Finding("only_in_model", unused, 0, None, "The model can write them, and these texts do not have them.")


def _raw(lines: Iterable[Line]) -> Iterator[Finding]:
    """What is mended when the texts are read, and is not in other programs."""
    composed: list[tuple[Line, str]] = []
    ordered: list[tuple[Line, str]] = []
    spaces: dict[str, Occurrences] = {}
    for line in lines:
        if not unicodedata.is_normalized("NFC", line.raw):
            word = next((x for x in line.raw.split() if not unicodedata.is_normalized("NFC", x)), "")
            (ordered if _out_of_order(line.raw) else composed).append((line, word))
        for space in re.finditer(r"[^\S ]", line.raw.strip("\r\n")):
            around = line.raw[max(0, space.start() - 10) : space.end() + 10]
            spaces.setdefault(space[0], Occurrences(0, line.place, around)).count += 1
    for kind, found, what in (
        ("mark_order", ordered, "Combining marks are not in the canonical order"),
        ("not_nfc", composed, "The text is not in NFC, so one letter can be several code points"),
    ):
        if found:
            line, word = found[0]
            example = {"place": line.place, "word": word}
            yield Finding(kind, [], len(found), example, f"{what}; speechxl mends that when it reads, others may not.")
    if spaces:
        yield _of(spaces, "spaces", "They are read as U+0020.")


def _of_characters(words: Words, kind: str, holds: Callable[[str], bool], advice: str) -> Finding | None:
    return _finding(kind, {x: found for x, found in count_parts(words).items() if holds(x)}, advice)


def _punctuation(words: Words, units: str) -> Finding | None:
    """Punctuation that is no part of a word; in the middle of one it is spelling, like an apostrophe."""
    found: dict[str, Occurrences] = {}
    for word, place in words.items():
        for number, character in enumerate(word):
            if _is_punctuation(character) and (units == "phoneme" or not _between_letters(word, number)):
                found.setdefault(character, Occurrences(0, place.place, place.word)).count += place.count
    return _finding("punctuation", found, "It is not spoken: delete what is no letter or tone mark of the orthography.")


def _case(symbols: Words) -> Finding | None:
    both = {x: found for x, found in symbols.items() if x.lower() != x and x.lower() in symbols}
    return _finding(
        "case", both, "The same letters stand in lower case as well, and case cannot be heard: lower-case the texts."
    )


def _singletons(symbols: Words) -> Finding | None:
    once = {symbol: found for symbol, found in symbols.items() if found.count == 1}
    return _finding("singletons", once, "A symbol that stands once is a mistake or cannot be learned.")


def _finding(kind: str, found: Words, advice: str) -> Finding | None:
    return _of(found, kind, advice) if found else None


def _of(found: Words, kind: str, advice: str) -> Finding:
    ordered = sorted(found, key=lambda x: -found[x].count)
    return Finding(kind, ordered, sum(x.count for x in found.values()), found[ordered[0]].example, advice)


def _named(script: str) -> str:
    return script if script == "CJK" else script.capitalize()


def _sentence(text: str) -> str:
    return f"{text}. " if text else ""


def _whole(word: str) -> list[str]:
    return [word]


def _find(words: Words, form: str) -> Occurrences | None:
    """All occurrences of a stretch within words."""
    holding = [(word.count(form), found) for word, found in words.items() if form in word]
    if not holding:
        return None
    return Occurrences(sum(n * found.count for n, found in holding), holding[0][1].place, holding[0][1].word)


def _clusters(word: str) -> list[tuple[str, str]]:
    """Letters and the combining marks on each."""
    found: list[tuple[str, str]] = []
    for character in word:
        if found and unicodedata.combining(character):
            found[-1] = found[-1][0], found[-1][1] + character
        else:
            found.append((character, ""))
    return found


def _stray(word: str, main: str) -> bool:
    """Whether a word's letters of another script may be mistakes."""
    letters = [character for character in word if script(character)]
    scripts = {script(character) for character in letters}
    if len(scripts) > 1:
        return scripts != {"CJK", "LATIN"}
    return all(any(script(other) == main for other in _look_alikes(letter)) for letter in letters)


def _between_letters(word: str, number: int) -> bool:
    around = word[number - 1 : number] if number else "", word[number + 1 : number + 2]
    return all(x and unicodedata.category(x)[0] in "LM" for x in around)


def _out_of_order(text: str) -> bool:
    classes = [unicodedata.combining(character) for character in text]
    return any(first > second > 0 for first, second in pairwise(classes))


def _is_letter(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] == "L" and category != "Lm"


def _is_invisible(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf") or character in _UNSEEN


def _is_private(character: str) -> bool:
    return unicodedata.category(character) in ("Co", "Cn", "Cs") or character == "\ufffd"


def _is_digit(character: str) -> bool:
    return unicodedata.category(character)[0] == "N"


def _is_punctuation(character: str) -> bool:
    tone = "\u02c2" <= character <= "\u02ff" or "\ua700" <= character <= "\ua71f"
    return unicodedata.category(character)[0] in "PS" and not tone and character != "\ufffd"


@cache
def _groups() -> list[tuple[str, tuple[str, ...]]]:
    """What is looked like, and the characters that do."""
    text = files("speechxl").joinpath("lookalikes.tsv").read_text(encoding="utf-8")
    rows: Iterable[dict[str, Any]] = csv.DictReader(text.splitlines(), delimiter="\t")
    return [(row["what"], tuple(chr(int(code, 16)) for code in row["code_points"].split())) for row in rows]


@cache
def _look_alikes(character: str) -> frozenset[str]:
    return frozenset(other for _, group in _groups() if character in group for other in group if other != character)
