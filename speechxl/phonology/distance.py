"""How far phones are from each other, and which is nearest. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from speechxl.errors import InputError
from speechxl.phonology.features import FeatureTable, panphon_table
from speechxl.phonology.ipa import parts
from speechxl.phonology.letters import read_table

DistanceName = Literal["phoible", "hamming", "panphon"]
Weights = Literal["fitted", "uniform"]


@dataclass(frozen=True, eq=False)
class Metric:
    """A distance between phones, in features: 1 for one that is + instead of -.

    Attributes:
        name: Of the distance.
        table: Features.
        weights: (A,) of the features.
        categories: Whether a feature counts fully if it differs at all, as in Hamming's distance (Xu et al. 2021); else half
            the difference, averaged over the phone's start and end.
    """

    name: str
    table: FeatureTable
    weights: np.ndarray
    categories: bool = False

    def matrix(self, symbols: Sequence[str], others: Sequence[str]) -> np.ndarray:
        """(N, M) distances; 0 for a phone and itself, and for two that share all features."""
        first, second = self.table.values(symbols), self.table.values(others)
        if self.categories:
            start = first.start[:, None] != second.start[None]
            differ = start | (first.end[:, None] != second.end[None])
            return differ @ self.weights
        start = np.abs(first.start[:, None] - second.start[None]) @ self.weights
        return (start + np.abs(first.end[:, None] - second.end[None]) @ self.weights) / 4

    def ranked(self, symbols: Sequence[str], others: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(N, M) distances, and (N, M) the others' numbers from the nearest to the farthest.

        Of phones at the same distance, the same symbol comes first, then the same base letters, then fewer marks, then what
        more inventories of PHOIBLE have, then the order of code points: whatever the order they are given in.
        """
        distances = self.matrix(symbols, others)
        shape = distances.shape
        letters = [base_letters(symbol) for symbol in symbols]
        bases = [base_letters(other) for other in others]
        same = np.array([[x != y for y in others] for x in symbols]).reshape(shape)
        base = np.array([[x != y for y in bases] for x in letters]).reshape(shape)
        marks = np.array([len(other) - len(base) for other, base in zip(others, bases, strict=True)])
        rare = np.array([-self.table.count(other) for other in others])
        names = np.argsort(np.argsort(np.array(others, dtype=object), kind="stable"), kind="stable")
        keys = [np.broadcast_to(key, shape) for key in (names, rare, marks)]
        return distances, np.lexsort([*keys, base, distances.round(9), same], axis=-1)


@lru_cache(maxsize=16384)
def base_letters(symbol: str) -> str:
    """A phone without its marks."""
    return "".join(part.letter for reading in symbol.split("|") for part in parts(reading))


def fitted_weights(names: Sequence[str]) -> np.ndarray:
    """(A,) weights of PHOIBLE's features, fitted to the lists of allophones by ``benchmarks/allophones.py``.

    Two phones never share all weighted features but differ in others: no weight is 0.
    """
    known = {row["feature"]: float(row["weight"]) for row in read_table("weights.tsv")}
    return np.array([known.get(name, 1.0) for name in names])


def new_metric(
    name: DistanceName | None = None, *, phoible: FeatureTable | None = None, weights: Weights = "fitted"
) -> Metric:
    """A distance by its name.

    Args:
        name: ``phoible``; ``hamming``, the number of differing features (Xu et al. 2021); ``panphon``. By default ``phoible``
            where its features are there, else ``panphon``.
        phoible: Features of PHOIBLE; without them, ``hamming`` is of panphon's.
        weights: Of ``phoible``.

    Raises:
        InputError: If PHOIBLE is asked for and is not there.
    """
    name = name or ("panphon" if phoible is None else "phoible")
    if name == "phoible":
        if phoible is None:
            raise InputError(
                "The distance phoible needs PHOIBLE: speechxl inventory install, or name its folder with --phoible."
            )
        fitted = fitted_weights(phoible.names) if weights == "fitted" else np.ones(len(phoible.names))
        return Metric(f"phoible:{weights}", phoible, fitted)
    table = panphon_table() if name == "panphon" or phoible is None else phoible
    named = name if name == "panphon" else f"hamming:{table.name}"
    return Metric(named, table, np.ones(len(table.names)), categories=name == "hamming")
