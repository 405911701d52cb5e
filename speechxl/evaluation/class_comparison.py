"""Classifiers compared over several test sets and several trainings: means, their intervals, whether they differ.

A test set is a language; its trainings are seeds and, across languages, sources. A mean is that over the trainings of a
test set, then over test sets. Groups are drawn, and exchanged, with all that was said of them: by every training, and in
every language that has them, such as the sentences of a parallel corpus.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from speechxl.evaluation.metrics import interval_of
from speechxl.evaluation.predictions import Predictions, confusion_counts, numbers_of
from speechxl.evaluation.significance import MEASURES, as_tables, blocks, group_tables

Pair = tuple["Judged", "Judged"]


@dataclass(frozen=True, eq=False)
class Judged:
    """A test set as one training judged it."""

    test: str
    """Name of the test set."""
    groups: list[str]
    """G names."""
    table: csr_array
    """(G, C * C) confusions of each group."""
    classes: int
    """C."""

    @property
    def confusion(self) -> np.ndarray:
        """(C, C)."""
        return as_tables(np.asarray(self.table.sum(axis=0)), self.classes)[0]


def judged(test: str, references: Sequence[str], predictions: Predictions, groups: Sequence[str]) -> Judged:
    """What one training says of a test set.

    Args:
        test: Name of the test set.
        references: N labels.
        predictions: Of the same utterances.
        groups: N names of what is drawn together.
    """
    return Judged(
        test, list(dict.fromkeys(groups)), group_tables(references, predictions, groups), len(predictions.labels)
    )


def means(cells: Sequence[Judged]) -> dict[str, float]:
    """Each measure, mean over trainings, then over test sets."""
    found = _Means()
    for cell in cells:
        found.add(cell.test, {name: measure(cell.confusion)[None] for name, measure in MEASURES.items()})
    return {name: float(value[0]) for name, value in found.found.items()}


def mean_intervals(
    cells: Sequence[Judged], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap intervals of `means`; None where a test set has not two groups.

    Args:
        cells: Of any number of test sets and trainings.
        level: Share of the draws inside.
        draws: Times that the groups are drawn with replacement.
        seed: Of the draws.
    """
    drawn = _drawn([cells], draws, seed)
    return {name: None if drawn is None else interval_of(drawn[name][0], level) for name in MEASURES}


def mean_difference_intervals(
    pairs: Sequence[Pair], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap intervals of what the first of each pair has more than the second, on average.

    Args:
        pairs: Of the same utterances; each draw is the same for both.
        level: Share of the draws inside.
        draws: Times that the groups are drawn with replacement.
        seed: Of the draws.
    """
    _check(pairs)
    drawn = _drawn([[first for first, _ in pairs], [second for _, second in pairs]], draws, seed)
    return {
        name: None if drawn is None else interval_of(drawn[name][0] - drawn[name][1], level) for name in MEASURES
    }  # fmt: skip


def exchange_test(pairs: Sequence[Pair], *, draws: int = 9999, seed: int = 0) -> dict[str, float]:
    """Probability of a mean difference as large if the two were exchangeable (approximate randomisation; Noreen 1989).

    Args:
        pairs: Of the same utterances.
        draws: Random exchanges; the least probability is 1 / (draws + 1).
        seed: Of the draws.

    Returns:
        Two-sided, by measure.
    """
    _check(pairs)
    tests = _groups([first for first, _ in pairs])
    sums = [(first.confusion, second.confusion) for first, second in pairs]
    observed = _Means()
    for (first, _), (one, two) in zip(pairs, sums, strict=True):
        observed.add(first.test, {name: (measure(one) - measure(two))[None] for name, measure in MEASURES.items()})
    least = {name: abs(float(value[0])) - 1e-12 for name, value in observed.found.items()}
    beyond = dict.fromkeys(MEASURES, 0)
    for sides in _exchanges(tests, draws, seed):
        drawn = _Means()
        for (first, second), (one, two) in zip(pairs, sums, strict=True):
            moved = as_tables(sides[first.test] @ (second.table - first.table), first.classes)
            drawn.add(
                first.test, {name: measure(one + moved) - measure(two - moved) for name, measure in MEASURES.items()}
            )
        for name, values in drawn.found.items():
            beyond[name] += int((np.abs(values) >= least[name]).sum())
    return {name: (count + 1) / (draws + 1) for name, count in beyond.items()}


def _check(pairs: Sequence[Pair]) -> None:
    for first, second in pairs:
        sizes = first.table.sum(axis=1), second.table.sum(axis=1)
        alike = (first.test, first.groups, first.classes) == (second.test, second.groups, second.classes)
        if not alike or not np.array_equal(*sizes):
            raise ValueError(
                "Two classifiers are compared on the same utterances in the same order, with the same labels."
            )


def guesses(
    tests: Sequence[tuple[str, Sequence[str], Sequence[str]]], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """What guessing gives, each label as often: `means` over draws, and the ranges that hold most draws.

    Args:
        tests: Name, labels of the utterances, and all labels, of each test set and training.
        level: Share of the draws inside.
        draws: Times that all utterances are guessed.
        seed: Of the guesses.
    """
    rng = np.random.default_rng(seed)
    found = _Means()
    for name, references, labels in tests:
        truth = numbers_of(references, labels)
        tables = np.stack(
            [confusion_counts(truth, rng.integers(0, len(labels), len(truth)), len(labels)) for _ in range(draws)]
        )
        found.add(name, {measure: function(tables) for measure, function in MEASURES.items()})
    drawn = found.found
    ranges = {measure: np.quantile(values, [(1 - level) / 2, (1 + level) / 2]) for measure, values in drawn.items()}
    return (
        {measure: float(values.mean()) for measure, values in drawn.items()},
        {measure: (float(low), float(high)) for measure, (low, high) in ranges.items()},
    )


class _Means:
    """Measures, mean over the trainings of a test set, then over test sets."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[str, np.ndarray]] = {}
        self._counts: Counter[str] = Counter()

    def add(self, test: str, values: dict[str, np.ndarray]) -> None:
        """Adds (draws,) of each measure of one training on a test set."""
        before = self._sums.get(test)
        self._sums[test] = values if before is None else {name: before[name] + value for name, value in values.items()}
        self._counts[test] += 1

    @property
    def found(self) -> dict[str, np.ndarray]:
        """(draws,) of each measure."""
        each = [{name: total / self._counts[test] for name, total in own.items()} for test, own in self._sums.items()]
        return {name: np.asarray(np.mean([own[name] for own in each], axis=0)) for name in MEASURES}


def _groups(cells: Sequence[Judged]) -> dict[str, list[str]]:
    """Groups of each test set."""
    found: dict[str, list[str]] = {}
    for cell in cells:
        if found.setdefault(cell.test, cell.groups) != cell.groups:
            raise ValueError(
                f"The test set {cell.test!r} has other utterances, or another order of them, in some trainings."
            )
    return found


def _drawn(sides: Sequence[Sequence[Judged]], draws: int, seed: int) -> dict[str, list[np.ndarray]] | None:
    """(draws,) of each measure of each list of cells, each draw with the same groups for all; None if nothing can be drawn."""
    tests = _groups([cell for cells in sides for cell in cells])
    if any(len(own) < 2 for own in tests.values()):
        return None
    found: dict[str, list[list[np.ndarray]]] = {name: [[] for _ in sides] for name in MEASURES}
    for weights in _resampled(tests, draws, seed):
        for place, cells in enumerate(sides):
            drawn = _Means()
            for cell in cells:
                table = as_tables(weights[cell.test] @ cell.table, cell.classes)
                drawn.add(cell.test, {name: measure(table) for name, measure in MEASURES.items()})
            for name, values in drawn.found.items():
                found[name][place].append(values)
    return {name: [np.concatenate(own) for own in each] for name, each in found.items()}


def _resampled(tests: dict[str, list[str]], draws: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """How often each group is drawn, among those that stand in the same test sets: (block, G) of each test set."""
    sizes = Counter(_strata(tests).values())

    def draw(rng: np.random.Generator, block: int, stratum: tuple[str, ...]) -> np.ndarray:
        return rng.multinomial(sizes[stratum], np.full(sizes[stratum], 1 / sizes[stratum]), block)

    return _by_group(tests, draws, seed, draw)


def _exchanges(tests: dict[str, list[str]], draws: int, seed: int) -> Iterator[dict[str, np.ndarray]]:
    """Whether each group is exchanged: (block, G) of each test set."""
    sizes = Counter(_strata(tests).values())
    return _by_group(tests, draws, seed, lambda rng, block, stratum: rng.integers(0, 2, (block, sizes[stratum])))


def _by_group(
    tests: dict[str, list[str]],
    draws: int,
    seed: int,
    draw: Callable[[np.random.Generator, int, tuple[str, ...]], np.ndarray],
) -> Iterator[dict[str, np.ndarray]]:
    """Draws of all groups, as the test sets have them."""
    strata = _strata(tests)
    members: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for group, stratum in strata.items():
        members[stratum].append(group)
    column = {group: place for place, group in enumerate(group for own in members.values() for group in own)}
    places = {name: np.array([column[group] for group in own]) for name, own in tests.items()}
    rng = np.random.default_rng(seed)
    for block in blocks(draws, (len(column),)):
        drawn = np.concatenate([draw(rng, block, stratum) for stratum in members], axis=1)
        yield {name: drawn[:, own] for name, own in places.items()}


def _strata(tests: dict[str, list[str]]) -> dict[str, tuple[str, ...]]:
    """Test sets that each group stands in."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, own in tests.items():
        for group in own:
            found[group].append(name)
    return {group: tuple(names) for group, names in found.items()}
