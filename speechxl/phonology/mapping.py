"""From the phones of a model to those of a language, as one sparse matrix that is applied to posteriors. No torch.

A model knows the phones of its training languages. `new_map` says for each of them what it stands for in another inventory; the
inventory is an argument of decoding and never part of a checkpoint. What was mapped where stands in a `Report`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.special import log_softmax

from speechxl.errors import InputError
from speechxl.phonology import espeak
from speechxl.phonology.composition import Composition, new_composition
from speechxl.phonology.distance import Metric
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.ipa import UnknownPhone, without_tones
from speechxl.phonology.report import Report, Training, new_report
from speechxl.text import Vocabulary, normalise

Strategy = Literal["exact", "nearest", "tr2tgt", "pinned", "assign", "soft", "compose", "blend"]
TAU = 0.6
PENALTY, WEIGHT = 4.0, 0.3
MAX_DISTANCE = 3.0
_LEAST = 1e-4
"""Shares of a source below this are left out of the matrix."""
FLOOR = 1e-6
"""Least posterior: a phone that nothing stands for can still win in a blend."""


@dataclass(frozen=True)
class Settings:
    """How phones are mapped."""

    strategy: Strategy = "soft"
    """exact: phones that the inventory lacks are masked; nearest: each becomes the nearest of the inventory; tr2tgt: so, then
    each phone that is left over takes the nearest of the model (Xu et al. 2021); pinned: so, but exact phones stay, and
    only spare ones are taken; assign: so, with the least total distance; soft: exact phones stay, the others are shared by
    distance; compose: a head scores phones by their features; blend: of soft and compose."""
    tau: float = TAU
    """Of soft: the distance over which a share falls to 1/e."""
    max_distance: float = MAX_DISTANCE
    """Of pinned and assign: the farthest that a phone is taken for another. Beyond it, the report calls a phone far."""
    penalty: float = PENALTY
    """Of compose: subtracted from the logits of phones that were not heard in training."""
    weight: float = WEIGHT
    """Of compose in blend."""

    def __post_init__(self) -> None:
        for name in ("tau", "max_distance"):
            if getattr(self, name) <= 0:
                raise InputError(f"{name} must be positive, got {getattr(self, name)}.")
        if self.penalty < 0:
            raise InputError(f"penalty must be at least 0, got {self.penalty}.")
        if not 0 <= self.weight <= 1:
            raise InputError(f"weight must be from 0 to 1, got {self.weight}.")

    @property
    def decisive(self) -> dict[str, float]:
        """Parameters that the strategy depends on."""
        names = {"soft": ["tau"], "compose": ["penalty"], "blend": ["tau", "penalty", "weight"]}
        return {name: getattr(self, name) for name in names.get(self.strategy, [])}


@dataclass(frozen=True, eq=False)
class PhoneMap:
    """A model's phones as those of an inventory.

    Attributes:
        inventory: T phones; in what `apply` gives they have the numbers 1 to T, and 0 is the blank.
        matrix: (V, 1 + T) share of each symbol of the model that a phone gets.
        settings: How it was made.
        report: What was mapped where.
        composition: Of compose and blend.
    """

    inventory: Inventory
    matrix: csr_array
    settings: Settings
    report: Report
    composition: Composition | None = None

    @property
    def dense(self) -> np.ndarray:
        """(V, 1 + T) float32, for a product on a GPU: posteriors @ dense."""
        return self.matrix.toarray().astype(np.float32)

    @property
    def weight(self) -> float:
        """Of the composition."""
        return {"compose": 1.0, "blend": self.settings.weight}.get(self.settings.strategy, 0.0)

    @property
    def vocabulary(self) -> Vocabulary:
        """Of what `apply` gives; its symbols are in NFC, as all text is."""
        return Vocabulary(("<pad>", *map(normalise, self.inventory.symbols)), 0, None)

    def apply(self, emissions: np.ndarray, bins: np.ndarray | None = None) -> np.ndarray:
        """Log posteriors of the inventory's phones.

        Args:
            emissions: (..., V) log posteriors of the model's symbols.
            bins: (..., 1 + N) scores of the blank and of feature values by a composition head, for compose and blend.

        Returns:
            (..., 1 + T).
        """
        flat = emissions.reshape(-1, emissions.shape[-1])
        mapped = np.exp(flat) @ self.matrix
        mapped = np.maximum(mapped / np.maximum(mapped.sum(-1, keepdims=True), FLOOR), FLOOR)
        mapped = np.log(mapped / mapped.sum(-1, keepdims=True))
        if self.composition is not None:
            if bins is None:
                raise InputError(f"The strategy {self.settings.strategy} needs the scores of a composition head.")
            composed = self.composition.apply(bins.reshape(-1, bins.shape[-1]))
            mapped = log_softmax((1 - self.weight) * mapped + self.weight * composed, axis=-1)
        return mapped.reshape(*emissions.shape[:-1], mapped.shape[-1])


def new_map(
    vocabulary: Vocabulary,
    inventory: Inventory,
    metric: Metric,
    settings: Settings = Settings(),
    training: Training | None = None,
    table: FeatureTable | None = None,
) -> PhoneMap:
    """Maps the phones of a model.

    Args:
        vocabulary: Of the model; symbols in espeak-ng's own spelling are understood as well.
        inventory: Of the language.
        metric: Distance between phones.
        settings: Strategy and its parameters.
        training: What the model has heard, for the report, and for what compose has not heard; by default all of its phones.
        table: Features that the model's heads put phones together from, for compose and blend; by default those of the distance.

    Raises:
        InputError: If the model writes no phones, or none that is near to any of the inventory.
    """
    check_units(vocabulary.units)
    spelled = read_symbols([x for number, x in enumerate(vocabulary.symbols) if vocabulary.is_written(number)])
    sources = sorted({phone for phone in spelled.values() if phone})
    if not sources:
        raise InputError("No symbol of the model is IPA, so there is nothing to map.")
    shares = phone_shares(sources, inventory.symbols, metric, settings)
    rows = {phone: row for row, phone in enumerate(sources)}
    numbers = [(number, rows[spelled[x]]) for number, x in enumerate(vocabulary.symbols) if spelled.get(x)]
    whole = np.zeros((len(vocabulary), 1 + len(inventory)))
    whole[vocabulary.blank, 0] = 1
    whole[[number for number, _ in numbers], 1:] = shares[[row for _, row in numbers]]
    composition = None
    if settings.strategy in ("compose", "blend"):
        heard = sorted(training.counts) if training and training.counts else sources
        composition = new_composition(table or metric.table, inventory.symbols, heard, settings.penalty)
    report = new_report(
        sources, inventory, metric, shares, settings.strategy, settings.max_distance, spelled, training or Training(),
        settings.decisive,
    )  # fmt: skip
    if report.nearest > settings.max_distance:
        raise InputError(
            f"{inventory.title}: no phone of the model is near to any of the inventory; the nearest are {report.nearest:.1f} "
            f"features apart ({settings.max_distance:g} at most). Is it an inventory of phones?"
        )
    return PhoneMap(inventory, csr_array(whole), settings, report, composition)


def check_units(units: str) -> None:
    """Raises InputError for a model that writes characters."""
    if units == "char":
        raise InputError(
            "The model writes characters, not phones, and an inventory of phones has no meaning for it; "
            "finetune with --units phoneme, or leave the inventory out."
        )


def read_symbols(symbols: Sequence[str]) -> dict[str, str]:
    """The phone that each symbol of a model stands for, in its one spelling; empty for what is no phone, such as a tone.

    If some symbols are espeak-ng's own mnemonics, all are read as its output, where ``th`` is one sound.
    """
    phones = {symbol: _ipa(symbol) for symbol in symbols}
    if any(phone is None and _mnemonic(symbol) for symbol, phone in phones.items()):
        phones = {symbol: _mnemonic(symbol) for symbol in symbols}
    return {symbol: phone or "" for symbol, phone in phones.items()}


def _ipa(symbol: str) -> str | None:
    try:
        return without_tones(symbol)[0]
    except UnknownPhone:
        return None


def _mnemonic(symbol: str) -> str | None:
    try:
        return without_tones(espeak.symbol(symbol))[0]
    except UnknownPhone:
        return _ipa(symbol)


def phone_shares(sources: Sequence[str], targets: Sequence[str], metric: Metric, settings: Settings) -> np.ndarray:
    """What each source stands for.

    Args:
        sources: S phones in their one spelling, each once.
        targets: T phones likewise.
        metric: Distance.
        settings: Strategy and its parameters; of compose, that of soft, which the composition replaces.

    Returns:
        (S, T) shares; each row sums to 1, or is empty where the source stands for nothing. The order of phones makes no
        difference.
    """
    first, second = sorted(sources), sorted(targets)
    distances, nearest = metric.ranked(first, second)
    shares = np.zeros(distances.shape)
    columns = {phone: column for column, phone in enumerate(second)}
    exact = {row: columns[phone] for row, phone in enumerate(first) if phone in columns}
    if settings.strategy in ("soft", "compose", "blend"):
        shares = _soft(distances, settings.tau)
        for row, column in exact.items():
            shares[row] = 0
            shares[row, column] = 1
    elif settings.strategy == "exact":
        for row, column in exact.items():
            shares[row, column] = 1
    else:
        chosen = nearest[:, 0].copy()
        if settings.strategy == "tr2tgt":
            _take_nearest(chosen, metric.ranked(second, first)[1])
        elif settings.strategy != "nearest":
            for row, column in _spare(first, second, exact, distances, metric, settings):
                chosen[row] = column
        shares[np.arange(len(first)), chosen] = 1
    rows = {phone: row for row, phone in enumerate(first)}
    return shares[np.ix_([rows[phone] for phone in sources], [columns[phone] for phone in targets])]


def _soft(distances: np.ndarray, tau: float) -> np.ndarray:
    shares = np.exp(-(distances - distances.min(axis=1, keepdims=True)) / tau)
    shares /= shares.sum(axis=1, keepdims=True)
    shares[shares < _LEAST] = 0
    return shares / shares.sum(axis=1, keepdims=True)


def _take_nearest(chosen: np.ndarray, nearest_source: np.ndarray) -> None:
    """Step 2 of Xu et al. 2021: what is not covered takes the nearest source from what that stood for, by code point."""
    covered = set(chosen.tolist())
    for target, ranked in enumerate(nearest_source):
        if target not in covered:
            chosen[ranked[0]] = target


def _spare(
    sources: Sequence[str],
    targets: Sequence[str],
    exact: Mapping[int, int],
    distances: np.ndarray,
    metric: Metric,
    settings: Settings,
) -> Iterable[tuple[int, int]]:
    """Sources that no target equals, and the missing targets that they are taken for."""
    rows = [row for row in range(len(sources)) if row not in exact]
    columns = [column for column in range(len(targets)) if column not in set(exact.values())]
    if not rows or not columns:
        return
    cost = distances[np.ix_(rows, columns)]
    if settings.strategy == "assign":
        for row, column in zip(*linear_sum_assignment(cost), strict=True):
            if cost[row, column] <= settings.max_distance:
                yield rows[row], columns[column]
        return
    _, ranked = metric.ranked([targets[column] for column in columns], [sources[row] for row in rows])
    place = np.argsort(ranked, axis=1).T  # (rows, columns) place of a row among those nearest to a column
    pairs = np.lexsort([place.ravel(), cost.round(9).ravel()])
    taken: set[int] = set()
    found: set[int] = set()
    for pair in pairs:
        row, column = divmod(int(pair), len(columns))
        if cost[row, column] > settings.max_distance:
            return
        if row not in taken and column not in found:
            taken.add(row)
            found.add(column)
            yield rows[row], columns[column]
