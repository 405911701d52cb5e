"""Which distance finds the phoneme that an allophone belongs to, and feature weights fitted to that.

For every inventory of PHOIBLE with allophones, each allophone that is no phoneme there is given to its nearest phoneme, which
should be one of those that list it. Ties count by expectation. Weights are fitted by families: those of a fold are not
seen by the weights that are tested on it.
"""

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize

from speechxl.errors import InputError
from speechxl.phonology.distance import Metric, new_metric
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.ipa import UnknownPhone, canonical
from speechxl.phonology.phoible import Phoible, need_phoible

FOLDS = 5
FLOOR = 0.1
"""Least weight: no two phones that differ are the same."""


@dataclass(frozen=True)
class Case:
    """An allophone of an inventory."""

    family: str
    phone: str
    phonemes: tuple[str, ...]
    right: frozenset[int]
    """Numbers of the phonemes that list it."""


def cases(phoible: Phoible, *, composed: bool = False) -> Iterator[Case]:
    """All cases; with those whose phone is not in the table only if it is asked for."""
    for id, doculect in phoible.doculects.items():
        rows = [row for row in phoible.rows(id) if row.kind != "tone"]
        phonemes = tuple(canonical(row.phoneme) for row in rows)
        owners: dict[str, set[int]] = defaultdict(set)
        for number, row in enumerate(rows):
            for allophone in row.allophones:
                phone = _readable(allophone, phoible.table)
                if phone and phone not in phonemes and (composed or phone in phoible.table):
                    owners[phone].add(number)
        family = phoible.families.get(doculect.glottocode, doculect.glottocode)
        yield from (Case(family, phone, phonemes, frozenset(right)) for phone, right in owners.items())


def _readable(symbol: str, table: FeatureTable) -> str:
    try:
        table.values([canonical(symbol)])
    except (UnknownPhone, InputError):
        return ""
    return canonical(symbol)


def accuracy(found: Sequence[Case], metric: Metric) -> tuple[float, float]:
    """Share of the cases whose nearest phoneme is right, and of those with ties."""
    phones = sorted({case.phone for case in found})
    phonemes = sorted({phoneme for case in found for phoneme in case.phonemes})
    rows = {phone: place for place, phone in enumerate(phones)}
    columns = {phoneme: place for place, phoneme in enumerate(phonemes)}
    distances = metric.matrix(phones, phonemes)
    right = tied = 0.0
    for case in found:
        own = distances[rows[case.phone], [columns[phoneme] for phoneme in case.phonemes]]
        best = np.flatnonzero(own <= own.min() + 1e-9)
        right += len(case.right.intersection(best.tolist())) / len(best)
        tied += len(best) > 1
    return right / len(found), tied / len(found)


def first_accuracy(found: Sequence[Case], metric: Metric) -> float:
    """The same with ties resolved as `Metric.ranked` does."""
    right = 0
    for case in found:
        _, order = metric.ranked([case.phone], case.phonemes)
        right += int(order[0, 0]) in case.right
    return right / len(found)


def fit(found: Sequence[Case], table: FeatureTable, pull: float) -> np.ndarray:
    """(A,) weights by which the right phonemes are likeliest, p ∝ exp(-distance), pulled towards their mean."""
    symbols = sorted({x for case in found for x in (case.phone, *case.phonemes)})
    rows = {symbol: place for place, symbol in enumerate(symbols)}
    values = table.values(symbols)
    first = np.repeat([rows[case.phone] for case in found], [len(case.phonemes) for case in found])
    second = np.array([rows[phoneme] for case in found for phoneme in case.phonemes])
    differences = np.abs(values.start[first] - values.start[second]).astype(np.float32)
    differences += np.abs(values.end[first] - values.end[second])
    differences /= 4
    begins = np.cumsum([0, *(len(case.phonemes) for case in found)])[:-1]
    right = np.zeros(len(second), bool)
    for begin, case in zip(begins, found, strict=True):
        right[begin + np.array(sorted(case.right))] = True
    sizes = np.diff([*begins, len(second)])

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        scores = -(differences @ weights.astype(np.float32)).astype(np.float64)
        scores -= np.repeat(np.maximum.reduceat(scores, begins), sizes)
        odds = np.exp(scores)
        whole = np.add.reduceat(odds, begins)
        good = np.add.reduceat(np.where(right, odds, 0), begins)
        likely = odds / np.repeat(whole, sizes) - np.where(right, odds / np.repeat(good, sizes), 0)
        gradient = -(likely.astype(np.float32) @ differences).astype(np.float64)
        off = weights - weights.mean()
        return (
            float(np.log(whole / good).sum() + pull * (off**2).sum()),
            gradient + 2 * pull * off,
        )

    start = np.full(len(table.names), 2.0)
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * len(start))
    weights = result.x / result.x.mean()
    return np.maximum(weights, FLOOR)


def families_in_folds(found: Sequence[Case]) -> dict[str, int]:
    """Fold of each family; the largest are dealt out first, always to the smallest fold."""
    sizes: dict[str, int] = defaultdict(int)
    for case in found:
        sizes[case.family] += 1
    filled = [0] * FOLDS
    folds = {}
    for family in sorted(sizes, key=lambda x: (-sizes[x], x)):
        folds[family] = filled.index(min(filled))
        filled[folds[family]] += sizes[family]
    return folds


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phoible", type=Path)
    parser.add_argument("--fit", action="store_true", help="fit weights, and test them across families")
    parser.add_argument("--pull", type=float, default=1.0, help="of weights towards their mean")
    parser.add_argument("--write", type=Path, help="table of weights fitted to all cases")
    options = parser.parse_args()
    phoible = need_phoible(options.phoible)
    table = phoible.table
    found = list(cases(phoible))
    metrics = {
        "uniform": new_metric("phoible", phoible=table, weights="uniform"),
        "shipped weights": new_metric("phoible", phoible=table),
        "hamming": new_metric("hamming", phoible=table),
        "panphon": new_metric("panphon"),
    }
    results: dict[str, Any] = {}
    for name, metric in metrics.items():
        rate, ties = accuracy(found, metric)
        first = first_accuracy(found, metric)
        results[name] = {"accuracy": round(rate, 4), "ties": round(ties, 4), "ties resolved": round(first, 4)}
    if options.fit:
        begun = time.perf_counter()
        results["fitted, other families"] = _across_families(found, table, options.pull)
        results["fitted, other families"]["seconds"] = round(time.perf_counter() - begun, 1)
    if options.write:
        weights = fit(found, table, options.pull)
        lines = [f"{name}\t{weight:.3f}\n" for name, weight in zip(table.names, weights, strict=True)]
        made = f"# benchmarks/allophones.py --pull {options.pull:g} --write: {len(found)} cases of PHOIBLE ({phoible.version})\n"
        options.write.write_text(f"{made}feature\tweight\n" + "".join(lines), encoding="utf-8")
    families = {case.family for case in found}
    document = {"schema": 1, "benchmark": "allophones", "phoible": phoible.version, "cases": len(found)}
    print(json.dumps(document | {"families": len(families), "results": results}))


def _across_families(found: Sequence[Case], table: FeatureTable, pull: float) -> dict[str, Any]:
    folds = families_in_folds(found)
    right = first = 0.0
    for fold in range(FOLDS):
        weights = fit([case for case in found if folds[case.family] != fold], table, pull)
        held_out = [case for case in found if folds[case.family] == fold]
        metric = Metric("fitted", table, weights)
        right += accuracy(held_out, metric)[0] * len(held_out)
        first += first_accuracy(held_out, metric) * len(held_out)
    return {"accuracy": round(right / len(found), 4), "ties resolved": round(first / len(found), 4), "pull": pull}


if __name__ == "__main__":
    main()
