"""The document of a comparison, from what all systems say of the test rows."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from speechxl.classification.regimes import shown
from speechxl.evaluation.calibration import brier_score, calibration_error, negative_log_likelihood
from speechxl.evaluation.class_comparison import (
    exchange_test,
    guesses,
    mean_difference_intervals,
    mean_intervals,
    means,
)
from speechxl.evaluation.predictions import class_scores, numbers_of
from speechxl.evaluation.significance import holm
from speechxl.verbs.compare_cells import CHANCE, MAJORITY, Cell, Cells, Place
from speechxl.verbs.systems import System

MEASURE = "macro_f1"
"""What systems are compared by first."""
_CALIBRATION = {"ece": calibration_error, "nll": negative_log_likelihood, "brier": brier_score}


def results(cells: Cells, *, draws: int) -> list[dict[str, Any]]:
    """Measures of each system, in each regime, with each number of examples: of all test languages, and of each.

    Args:
        cells: What was predicted.
        draws: Of the bootstrap.
    """
    found = []
    for place in cells.places:
        tests = cells.tests(place)
        for test in [None, *tests]:
            for system in cells.systems:
                if own := cells.of(system, place, test):
                    found.append(_named(system, place, test) | _measures(own, draws, whole=test is not None))
            found.append(_named(CHANCE, place, test) | _chance(cells, place, test, draws))
    return found


def _named(system: str, place: Place, test: str | None) -> dict[str, Any]:
    return {"system": system, "regime": place[0], "shots": place[1], "test": None if test is None else shown(test)}


def _measures(cells: Sequence[Cell], draws: int, *, whole: bool) -> dict[str, Any]:
    """Of one system.

    Args:
        cells: Its trainings, on one test language or several.
        draws: Of the bootstrap.
        whole: Whether to add confusions and classes.
    """
    seeds = sorted({cell.seed for cell in cells})
    each = [means([cell.judged for cell in cells if cell.seed == seed]) for seed in seeds]
    found: dict[str, Any] = {
        "utterances": sum({cell.test: len(cell.references) for cell in cells}.values()),
        **means([cell.judged for cell in cells]),
        "intervals": mean_intervals([cell.judged for cell in cells], draws=draws),
        "per_seed": {name: [one[name] for one in each] for name in each[0]},
        "sd": {name: _deviation([one[name] for one in each]) for name in each[0]},
        **_calibration(cells),
    }
    if whole:
        labels = sorted({label for cell in cells for label in cell.predictions.labels})
        table = confusions(cells, labels)
        scores = class_scores(table)
        found["confusion"] = {"labels": labels, "counts": table.tolist()}
        found["per_class"] = {
            label: {name: float(getattr(scores, name)[place]) for name in ("precision", "recall", "f1")}
            for place, label in enumerate(labels)
        }
    return found


def confusions(cells: Sequence[Cell], labels: Sequence[str]) -> np.ndarray:
    """(C, C) utterances of each label (rows) that were taken for each label, over all trainings."""
    table = np.zeros((len(labels), len(labels)), dtype=int)
    for cell in cells:
        own = numbers_of(cell.predictions.labels, labels)
        table[np.ix_(own, own)] += cell.judged.confusion.astype(int)
    return table


def _calibration(cells: Sequence[Cell]) -> dict[str, float]:
    """Mean over trainings, then over languages."""
    found = {}
    for name, measure in _CALIBRATION.items():
        each: dict[str, list[float]] = {}
        for cell in cells:
            truth = numbers_of(cell.references, cell.predictions.labels)
            each.setdefault(cell.test, []).append(measure(cell.predictions.probabilities, truth))
        found[name] = float(np.mean([np.mean(own) for own in each.values()]))
    return found


def _chance(cells: Cells, place: Place, test: str | None, draws: int) -> dict[str, Any]:
    """What guessing gives on the same rows."""
    own = cells.of(MAJORITY, place, test)  # each training once
    asked = {
        (cell.test, *cell.predictions.labels): (cell.test, cell.references, cell.predictions.labels) for cell in own
    }
    values, ranges = guesses(list(asked.values()), draws=draws)
    return {
        "utterances": sum({cell.test: len(cell.references) for cell in own}.values()),
        **values,
        "intervals": ranges,
    }


def _deviation(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def tests(cells: Cells, systems: Mapping[str, System], *, draws: int) -> list[dict[str, Any]]:
    """Differences of all pairs of systems, with their intervals and whether they may be chance.

    Probabilities of the means over languages are adjusted for all pairs of a regime that ask the same question, those of
    single languages for the languages of a pair (Holm 1979).

    Args:
        cells: What was predicted.
        systems: By name.
        draws: Of the bootstrap; exchanges are ten times as many.
    """
    found: list[dict[str, Any]] = []
    for place in cells.places:
        languages = cells.tests(place)
        families: dict[str, list[dict[str, Any]]] = {}
        for first, second, what in _ordered(systems):
            base = {"what": what, "first": first, "second": second, "regime": place[0], "shots": place[1]}
            whole = base | {"test": None} | _difference(cells, first, second, place, None, draws)
            families.setdefault(what, []).append(whole)
            each = [
                base | {"test": shown(language)} | _difference(cells, first, second, place, language, draws)
                for language in (languages if len(languages) > 1 else [])
            ]
            found += _adjusted(each)
        for family in families.values():
            found += _adjusted(family)
    return found


def _difference(cells: Cells, first: str, second: str, place: Place, test: str | None, draws: int) -> dict[str, Any]:
    pairs = cells.pairs(first, second, place, test)
    one, two = means([a for a, _ in pairs]), means([b for _, b in pairs])
    return {
        "difference": {name: one[name] - two[name] for name in one},
        "intervals": mean_difference_intervals(pairs, draws=draws),
        "p_value": exchange_test(pairs, draws=10 * draws - 1),
    }


def _adjusted(family: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With probabilities adjusted for each other."""
    for name in (MEASURE, "accuracy"):
        values = holm({str(place): test["p_value"][name] for place, test in enumerate(family)})
        for place, test in enumerate(family):
            test.setdefault("holm", {})[name] = values[str(place)]
    return family


def _ordered(systems: Mapping[str, System]) -> Iterator[tuple[str, str, str]]:
    """Pairs in an order in which the difference means something, and what it means.

    transcription: references less transcripts; sides: speech less transcripts; bound: references less speech; systems: others.
    """
    bounds = [system.oracle() for system in systems.values()]
    perfect = {name for name, system in systems.items() if system in bounds}
    for one, two in combinations(systems, 2):
        a, b = systems[one], systems[two]
        if b.oracle() == a or a.oracle() == b:
            yield (one, two, "transcription") if b.oracle() == a else (two, one, "transcription")
        elif a.side != b.side:
            speech, text = (one, two) if a.side == "speech" else (two, one)
            yield (text, speech, "bound") if text in perfect else (speech, text, "sides")
        else:
            yield one, two, "systems"


def matrices(cells: Cells) -> list[dict[str, Any]]:
    """Macro-F1 and accuracy of each training language (rows) on each test language (columns), mean over seeds."""
    found = []
    for shots in sorted({cell.shots for cell in cells.found}, key=lambda shots: (shots is None, shots or 0)):
        alone = [cell for cell in cells.found if len(cell.train) == 1 and cell.shots == shots]
        if not any(cell.train[0] != cell.test for cell in alone):
            continue
        train, test = sorted({cell.train[0] for cell in alone}), sorted({cell.test for cell in alone})
        for system in cells.systems:
            own = [cell for cell in alone if cell.system == system]
            values: dict[str, list[list[float | None]]] = {MEASURE: [], "accuracy": []}
            for source in train:
                row = [[c.judged for c in own if c.train == (source,) and c.test == target] for target in test]
                for name, table in values.items():
                    table.append([means(judged)[name] if judged else None for judged in row])
            found.append(
                {"system": system, "shots": shots, "train": [*map(shown, train)], "test": [*map(shown, test)], **values}
            )
    return found
