"""What a classifier of any kind says of utterances, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechxl.errors import InputError


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of C classes for N utterances.

    Attributes:
        ids: N names of utterances.
        labels: C names of classes, each once.
        probabilities: (N, C), rows that sum to 1.
    """

    ids: list[str]
    labels: list[str]
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        shape = len(self.ids), len(self.labels)
        if self.probabilities.shape != shape:
            raise ValueError(f"Probabilities are {self.probabilities.shape}, of these ids and labels {shape}.")
        if len(set(self.labels)) < len(self.labels):
            raise ValueError(f"A label stands twice among {self.labels}.")
        sums = self.probabilities.sum(axis=1)
        if not (self.probabilities >= 0).all() or not np.allclose(sums, 1, atol=1e-3):
            raise ValueError("Probabilities are from 0 to 1, and those of an utterance sum to 1.")

    @property
    def numbers(self) -> np.ndarray:
        """(N,) number of the likeliest class, the first of equals."""
        return self.probabilities.argmax(axis=1)

    @property
    def best(self) -> list[str]:
        """N likeliest classes."""
        return [self.labels[number] for number in self.numbers]

    def select(self, rows: Sequence[int]) -> "Predictions":
        """Of some utterances."""
        return Predictions([self.ids[row] for row in rows], self.labels, self.probabilities[np.array(rows, dtype=int)])


def numbers_of(references: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """(N,) numbers of labels.

    Args:
        references: N labels.
        labels: All C of them.

    Raises:
        InputError: If one is not among them.
    """
    places = {label: number for number, label in enumerate(labels)}
    unknown = sorted(set(references) - places.keys())
    if unknown:
        raise InputError(
            f"Label {unknown[0]!r} is not among those of the classifier: {', '.join(labels)}; leave such rows out, or train on "
            "examples of it."
        )
    return np.array([places[reference] for reference in references], dtype=int)


def confusion_counts(references: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """(C, C) utterances of each class (rows) that were taken for each class (columns).

    Args:
        references: (N,) numbers of classes.
        predicted: (N,) likewise.
        classes: C.
    """
    pairs = np.bincount(references * classes + predicted, minlength=classes * classes)
    return pairs.reshape(classes, classes)


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Measures of C classes, from one table of confusions or many; 0 where there is nothing to divide by."""

    precision: np.ndarray
    """(..., C) share of the utterances taken for a class that are of it."""
    recall: np.ndarray
    """(..., C) share of its utterances that were found."""
    f1: np.ndarray
    """(..., C) harmonic mean of both."""
    support: np.ndarray
    """(..., C) utterances of each class."""
    occurs: np.ndarray
    """(..., C) whether there are any of it, or taken for it."""


def class_scores(confusions: np.ndarray) -> ClassScores:
    """Precision, recall and F1 of each class.

    Args:
        confusions: (..., C, C) counts, as `confusion_counts` gives them.
    """
    right = np.diagonal(confusions, axis1=-2, axis2=-1)
    support, taken = confusions.sum(axis=-1), confusions.sum(axis=-2)
    return ClassScores(
        right / np.maximum(taken, 1), right / np.maximum(support, 1), 2 * right / np.maximum(support + taken, 1), support,
        support + taken > 0,
    )  # fmt: skip


def accuracy(confusions: np.ndarray) -> np.ndarray:
    """(...) share of utterances whose class was found."""
    right = np.diagonal(confusions, axis1=-2, axis2=-1).sum(axis=-1)
    return np.asarray(right / np.maximum(confusions.sum(axis=(-2, -1)), 1))


def macro_f1(confusions: np.ndarray) -> np.ndarray:
    """(...) mean of F1 over the classes that occur in the references or among the predictions."""
    scores = class_scores(confusions)
    return np.asarray((scores.f1 * scores.occurs).sum(axis=-1) / np.maximum(scores.occurs.sum(axis=-1), 1))
