"""Measures of a classifier as one document, with the lines that it has to be above."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from speechxl.evaluation.calibration import (
    brier_score,
    calibration_error,
    negative_log_likelihood,
    reliability,
)  # fmt: skip
from speechxl.evaluation.predictions import (
    Predictions,
    accuracy,
    class_scores,
    confusion_counts,
    macro_f1,
    numbers_of,
)  # fmt: skip
from speechxl.evaluation.significance import intervals


def class_rates(
    references: Sequence[str], predictions: Predictions, groups: Sequence[str] | None = None, *, seed: int = 0
) -> dict[str, Any]:
    """Accuracy, macro-F1 with 95 % intervals, each class, confusions and calibration.

    Args:
        references: N labels.
        predictions: Of the same utterances.
        groups: N names of what the bootstrap draws together, such as the sentence; None for each utterance by itself.
        seed: Of the draws.

    Raises:
        InputError: If there are no utterances, or a label is not among those of the classifier.
    """
    truth = numbers_of(references, predictions.labels)
    table = confusion_counts(truth, predictions.numbers, len(predictions.labels))
    scores = class_scores(table)
    bins = reliability(predictions.probabilities, truth)
    return {
        "utterances": len(truth),
        "groups": len(set(groups)) if groups is not None else len(truth),
        "accuracy": float(accuracy(table)) if len(truth) else None,
        "macro_f1": float(macro_f1(table)) if len(truth) else None,
        "intervals": intervals(references, predictions, groups, seed=seed),
        "per_class": {
            label: {
                "precision": float(scores.precision[number]),
                "recall": float(scores.recall[number]),
                "f1": float(scores.f1[number]),
                "support": int(scores.support[number]),
            }
            for number, label in enumerate(predictions.labels)
        },
        "confusion": {"labels": predictions.labels, "counts": table.tolist()},
        "ece": calibration_error(predictions.probabilities, truth) if len(truth) else None,
        "nll": negative_log_likelihood(predictions.probabilities, truth) if len(truth) else None,
        "brier": brier_score(predictions.probabilities, truth) if len(truth) else None,
        "reliability": [asdict(one) for one in bins if one.count],
    }


def majority_line(train: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """What always answering the commonest training label gives.

    Args:
        train: Labels of the training utterances.
        references: Labels of those that are measured.
    """
    counts = Counter(train)
    label = min(counts, key=lambda name: (-counts[name], name))
    share = sum(reference == label for reference in references) / max(1, len(references))
    classes = len({*references, label})
    return {"label": label, "accuracy": share, "macro_f1": 2 * share / (1 + share) / classes}


def chance_line(references: Sequence[str], labels: Sequence[str], draws: int = 1000, seed: int = 0) -> dict[str, Any]:
    """What guessing gives, each label as often: means and 95 % ranges over draws.

    Args:
        references: N labels.
        labels: C labels to guess among.
        draws: Times that all utterances are guessed.
        seed: Of the guesses.
    """
    truth = numbers_of(references, labels)
    rng = np.random.default_rng(seed)
    tables = np.stack(
        [
            confusion_counts(truth, rng.integers(0, len(labels), len(truth)), len(labels))
            for _ in range(draws)
        ]
    )  # fmt: skip
    found: dict[str, Any] = {}
    for name, values in (("accuracy", accuracy(tables)), ("macro_f1", macro_f1(tables))):
        low, high = np.quantile(values, [0.025, 0.975])
        found[name] = float(values.mean())
        found.setdefault("intervals", {})[name] = (float(low), float(high))
    return found
