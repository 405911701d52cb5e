"""Whether two classifiers differ, and how sure their measures are, by draws of whole groups of utterances.

Utterances of one sentence, or of one speaker, are not independent; they are drawn and exchanged together.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from speechxl.evaluation.metrics import interval_of
from speechxl.evaluation.predictions import Predictions, accuracy, macro_f1, numbers_of

MEASURES: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {"accuracy": accuracy, "macro_f1": macro_f1}
"""Of tables of confusions (..., C, C)."""
_HELD = 1 << 23
"""Numbers that are held at once."""


def intervals(
    references: Sequence[str],
    predictions: Predictions,
    groups: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap intervals of accuracy and macro-F1; None where there are not two groups.

    Args:
        references: N labels.
        predictions: Of the same utterances.
        groups: N names of what is drawn together, such as sentences; None for each utterance by itself.
        level: Share of the draws inside.
        draws: Times that the groups are drawn with replacement.
        seed: Of the draws.
    """
    table = group_tables(references, predictions, groups)
    drawn = _bootstrap([table], len(predictions.labels), draws, seed)
    return {name: interval_of(values, level) for name, (values,) in drawn.items()}


def difference_intervals(
    references: Sequence[str],
    first: Predictions,
    second: Predictions,
    groups: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
) -> dict[str, tuple[float, float] | None]:
    """Percentile bootstrap intervals of what the first has more than the second; each draw is the same for both.

    Args:
        references: N labels.
        first: Of the same utterances.
        second: Likewise, with the same ids and labels.
        groups: As for `intervals`.
        level: Share of the draws inside.
        draws: Times that the groups are drawn with replacement.
        seed: Of the draws.
    """
    tables = [group_tables(references, one, groups) for one in _paired(first, second)]
    drawn = _bootstrap(tables, len(first.labels), draws, seed)
    return {
        name: None if one is None or two is None else interval_of(one - two, level)
        for name, (one, two) in drawn.items()
    }


def randomisation_test(
    references: Sequence[str],
    first: Predictions,
    second: Predictions,
    groups: Sequence[str] | None = None,
    *,
    draws: int = 9999,
    seed: int = 0,
) -> dict[str, float]:
    """Probability of a difference as large if the two were exchangeable (approximate randomisation; Noreen 1989).

    Args:
        references: N labels.
        first: Of the same utterances.
        second: Likewise, with the same ids and labels.
        groups: What is exchanged together; None for each utterance by itself.
        draws: Random exchanges; the least probability is 1 / (draws + 1).
        seed: Of the draws.

    Returns:
        Two-sided, by measure.
    """
    one, two = (group_tables(references, predictions, groups) for predictions in _paired(first, second))
    classes = len(first.labels)
    sums = [np.asarray(table.sum(axis=0)).reshape(classes, classes) for table in (one, two)]
    observed = {name: abs(float(measure(sums[0]) - measure(sums[1]))) for name, measure in MEASURES.items()}
    beyond = dict.fromkeys(MEASURES, 0)
    rng = np.random.default_rng(seed)
    for block in blocks(draws, one.shape):
        moved = as_tables(rng.integers(0, 2, (block, one.shape[0])) @ (two - one), classes)
        for name, measure in MEASURES.items():
            drawn = np.abs(measure(sums[0] + moved) - measure(sums[1] - moved))
            beyond[name] += int((drawn >= observed[name] - 1e-12).sum())
    return {name: (count + 1) / (draws + 1) for name, count in beyond.items()}


@dataclass(frozen=True)
class McNemar:
    """Utterances that only one of two classifiers has right (McNemar 1947)."""

    first_only: int
    second_only: int
    p_value: float
    """Of the exact two-sided test; 1 if there are none."""


def mcnemar_test(references: Sequence[str], first: Predictions, second: Predictions) -> McNemar:
    """Whether one classifier is right more often, utterance by utterance; it takes these to be independent.

    Args:
        references: N labels.
        first: Of the same utterances.
        second: Likewise, with the same ids and labels.
    """
    from scipy.stats import binomtest  # which takes a second to import

    _paired(first, second)
    truth = numbers_of(references, first.labels)
    one, two = first.numbers == truth, second.numbers == truth
    only, other = int((one & ~two).sum()), int((two & ~one).sum())
    return McNemar(only, other, float(binomtest(only, only + other).pvalue) if only + other else 1.0)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of several tests, adjusted so that none is too small by chance (Holm 1979)."""
    adjusted: dict[str, float] = {}
    last = 0.0
    for rank, (name, value) in enumerate(sorted(p_values.items(), key=lambda item: item[1])):
        last = max(last, min(1.0, (len(p_values) - rank) * value))
        adjusted[name] = last
    return {name: adjusted[name] for name in p_values}


def _paired(first: Predictions, second: Predictions) -> tuple[Predictions, Predictions]:
    if first.ids != second.ids or first.labels != second.labels:
        raise ValueError("Two classifiers are compared on the same utterances in the same order, with the same labels.")
    return first, second


def group_tables(references: Sequence[str], predictions: Predictions, groups: Sequence[str] | None) -> csr_array:
    """(G, C * C) confusions of each group, the groups in the order in which they occur."""
    classes = len(predictions.labels)
    truth = numbers_of(references, predictions.labels)
    names = range(len(truth)) if groups is None else groups
    if len(names) != len(truth) or len(truth) != len(predictions.ids):
        raise ValueError("References, predictions and groups are of the same utterances.")
    places: dict[object, int] = {}
    rows = [places.setdefault(name, len(places)) for name in names]
    cells = truth * classes + predictions.numbers
    return csr_array((np.ones(len(rows)), (rows, cells)), shape=(len(places), classes * classes))


def _bootstrap(tables: Sequence[csr_array], classes: int, draws: int, seed: int) -> dict[str, list[np.ndarray | None]]:
    """(draws,) of each measure of each table."""
    groups = tables[0].shape[0]
    if groups < 2:  # one group has nothing to be drawn against
        return {name: [None] * len(tables) for name in MEASURES}
    rng = np.random.default_rng(seed)
    found: dict[str, list[list[np.ndarray]]] = {name: [[] for _ in tables] for name in MEASURES}
    for block in blocks(draws, tables[0].shape):
        weights = rng.multinomial(groups, np.full(groups, 1 / groups), block)
        for place, table in enumerate(tables):
            confusions = as_tables(weights @ table, classes)
            for name, measure in MEASURES.items():
                found[name][place].append(measure(confusions))
    return {name: [np.concatenate(blocks) for blocks in own] for name, own in found.items()}


def blocks(draws: int, shape: tuple[int, ...]) -> Iterator[int]:
    """Numbers of draws of tables of a shape that fit into memory at once."""
    size = max(1, _HELD // max(1, *shape))
    for done in range(0, draws, size):
        yield min(size, draws - done)


def as_tables(cells: np.ndarray, classes: int) -> np.ndarray:
    """(..., C * C) as (..., C, C)."""
    return np.asarray(cells).reshape(-1, classes, classes)
