"""References and hypotheses of phone recognisers as phones in one spelling."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from speechxl.errors import InputError
from speechxl.phonology.distance import Metric
from speechxl.phonology.features import FeatureTable, Origin, Values
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.ipa import UnknownPhone, canonical, parts, without_tones
from speechxl.phonology.letters import TONES
from speechxl.phonology.mapping import read_symbols
from speechxl.text import normalise

MODEL = "model"
"""Source of the inventory that is all phones of a model."""
_BLOCK = 64


@dataclass(frozen=True, eq=False)
class PhoneTexts:
    """N references and as many hypotheses.

    Attributes:
        symbols: V phones in their one spelling, by code point; what is not IPA as it stands.
        references: N sequences of their numbers.
        hypotheses: N.
        not_ipa: Numbers of symbols that are not IPA.
        texts: The references as they stand, and the hypotheses.
    """

    symbols: tuple[str, ...]
    references: Sequence[np.ndarray]
    hypotheses: Sequence[np.ndarray]
    not_ipa: frozenset[int]
    texts: tuple[Sequence[str], Sequence[str]]

    def lengths(self) -> np.ndarray:
        """(N,) phones of the references."""
        return np.array([len(reference) for reference in self.references], int)

    def counts(self, sequences: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
        """(V,) how often each phone stands in some of the references or hypotheses."""
        chosen = [sequences[row] for row in rows]
        return np.bincount(np.concatenate([np.empty(0, int), *chosen]), minlength=len(self.symbols))


def read_texts(references: Sequence[str], hypotheses: Sequence[str], symbols: Sequence[str] = ()) -> PhoneTexts:
    """Phones of texts in which they are separated by spaces.

    Args:
        references: N texts.
        hypotheses: As many.
        symbols: Of the model; if some are espeak-ng's own mnemonics, hypotheses are read as its output.
    """
    own = _own_spelling(symbols)
    split = [
        [[own.get(x, x) for x in normalise(text).split()] for text in hypotheses],
        [normalise(text).split() for text in references],
    ]
    spelled = {token: _phone(token) for texts in split for text in texts for token in text}
    kept = sorted({phone or token for token, phone in spelled.items()})
    numbers = {phone: number for number, phone in enumerate(kept)}
    rows = {token: numbers[phone or token] for token, phone in spelled.items()}
    said, written = ([np.array([rows[token] for token in text], int) for text in texts] for texts in split)
    return PhoneTexts(
        tuple(kept), written, said, frozenset(rows[token] for token, phone in spelled.items() if phone is None),
        (references, hypotheses),
    )  # fmt: skip


def in_one_spelling(
    references: Sequence[str], hypotheses: Sequence[str], symbols: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """The same texts with each phone in its one spelling; arguments are those of `read_texts`."""
    texts = read_texts(references, hypotheses, symbols)
    first, second = (
        [" ".join(texts.symbols[number] for number in sequence) for sequence in sequences]
        for sequences in (texts.references, texts.hypotheses)
    )
    return first, second


def model_inventory(symbols: Iterable[str]) -> Inventory | None:
    """All phones that a model can write; None if it writes none."""
    named = list(symbols)
    own = _own_spelling(named)
    phones = {toneless(phone) for symbol in named if (phone := _phone(own.get(symbol, symbol)))}
    return Inventory(tuple(sorted(phones - {""})), MODEL) if phones - {""} else None


def oracle_inventory(references: Iterable[str], language: str = "") -> Inventory:
    """The phones that stand in references, without what is not IPA.

    Raises:
        InputError: If there are none.
    """
    tokens = {token for text in references for token in normalise(text).split()}
    return Inventory(tuple(phone for token in tokens if (phone := _phone(token))), "oracle", language)


def _own_spelling(symbols: Sequence[str]) -> dict[str, str]:
    """Phones of espeak-ng's mnemonics; empty for a model without."""
    read = read_symbols(symbols)
    if not any(phone and _phone(symbol) is None for symbol, phone in read.items()):
        return {}
    return {normalise(symbol): phone for symbol, phone in read.items() if phone}


@lru_cache(maxsize=65536)
def _phone(token: str) -> str | None:
    try:
        return canonical(token)
    except UnknownPhone:
        return None


@lru_cache(maxsize=65536)
def toneless(symbol: str) -> str:
    """A phone without tones, empty if it is one; what is not IPA as it is."""
    try:
        return without_tones(symbol)[0]
    except UnknownPhone:
        return symbol


@lru_cache(maxsize=65536)
def folded(symbol: str) -> tuple[str, ...]:
    """Letters of a phone without marks, length, ties and tones: ``t͡ʃʰ`` is ``t`` and ``ʃ``; what is not IPA as it is."""
    try:
        return tuple(part.letter for part in parts(symbol.split("|")[0]) if part.letter not in TONES)
    except UnknownPhone:
        return (symbol,)


@dataclass(frozen=True, eq=False)
class PhoneFeatures:
    """What is known of V phones.

    Attributes:
        table: Features.
        values: Of the phones; all 0 for those without.
        known: (V,) whether a phone has features.
        differences: (V, V) 0 for the same symbol, up to 1 for phones that differ in all features, and for those without any.
    """

    table: FeatureTable
    values: Values
    known: np.ndarray
    differences: np.ndarray


def features_of(symbols: Sequence[str], metric: Metric) -> PhoneFeatures:
    """Features of phones, whatever they are."""
    known = np.array([_has_features(symbol, metric.table) for symbol in symbols], bool)
    named = [symbol for symbol, has in zip(symbols, known, strict=True) if has]
    values = metric.table.values(named)
    shape = (len(symbols), len(metric.table.names))
    start, end = np.zeros(shape, np.int8), np.zeros(shape, np.int8)
    start[known], end[known] = values.start, values.end
    differences = np.ones((len(symbols), len(symbols)))
    blocks = [metric.matrix(named[at : at + _BLOCK], named) for at in range(0, len(named), _BLOCK)]
    if blocks:
        differences[np.ix_(known, known)] = np.concatenate(blocks) / metric.weights.sum()
    np.fill_diagonal(differences, 0)
    origin: list[Origin] = ["table" if symbol in metric.table else "composed" for symbol in symbols]
    return PhoneFeatures(metric.table, Values(tuple(symbols), start, end, tuple(origin)), known, differences)


def _has_features(symbol: str, table: FeatureTable) -> bool:
    if _phone(symbol) is None:
        return False
    try:
        table.values([symbol])
    except InputError:  # a letter that the table lacks
        return False
    return True


def named_counts(symbols: Sequence[str], counts: np.ndarray, chosen: Iterable[int]) -> dict[str, int]:
    """Some phones with their counts, the commonest first."""
    found = Counter({symbols[number]: int(counts[number]) for number in chosen if counts[number]})
    return dict(sorted(found.items(), key=lambda x: (-x[1], x[0])))
