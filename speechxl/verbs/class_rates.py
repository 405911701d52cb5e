"""Measures of a classifier on labelled recordings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from speechxl.classification.labels import Labelled, check_known
from speechxl.evaluation.class_report import class_rates
from speechxl.evaluation.predictions import Predictions
from speechxl.shapes import Utterance
from speechxl.verbs.classified import LABEL, cell, labels_of
from speechxl.verbs.predicting import Predicted

_SHOWN = ("utterances", "accuracy", "macro_f1", "intervals", "ece")
"""Of each language."""


def truths(
    rows: Sequence[Utterance], classes: Mapping[str, Sequence[str]], column: str | None
) -> dict[str, dict[str, str]]:
    """Labels of utterances by kind and id.

    Args:
        rows: Of manifests.
        classes: Values of each kind that a model knows.
        column: Of the labels of the only kind; None for the usual ones.

    Raises:
        InputError: If a label is none of the model's.
    """
    found: dict[str, dict[str, str]] = {}
    for kind, values in classes.items():
        if column is None:
            own = {row.id: labels_of(row, [LABEL, kind]).get(kind, "") for row in rows}
        else:
            own = {row.id: cell(row, column).rpartition(":")[2].strip() for row in rows}
        found[kind] = {id: value for id, value in own.items() if value}
        there = [row for row in rows if row.id in found[kind]]
        check_known(Labelled(there, [found[kind][row.id] for row in there], kind), values)
    return found


def measure(
    items: Sequence[Predicted], kind: str, values: Sequence[str], known: Mapping[str, str]
) -> dict[str, Any] | None:
    """Measures of one kind of label, over all utterances and for each language.

    Args:
        items: With probabilities.
        kind: Of the labels.
        values: All of them.
        known: Label of each utterance.

    Returns:
        None if no utterance has a label of this kind.
    """
    chosen = [item for item in items if item.utterance.id in known]
    if not chosen:
        return None
    languages = sorted({item.utterance.language for item in chosen})
    each = {language: [item for item in chosen if item.utterance.language == language] for language in languages}
    return _rates(chosen, kind, values, known) | {
        "per_language": {
            language or "(unknown)": {
                name: value for name, value in _rates(own, kind, values, known).items() if name in _SHOWN
            }
            for language, own in each.items()
        }
    }


def rates_table(document: Mapping[str, Any]) -> str:
    """For people."""
    lines = ["kind       language   utterances  accuracy  macro-F1  95 %"]
    for kind, own in document["kinds"].items():
        for language, rates in {"all": own, **own["per_language"]}.items() if own else ():
            low, high = rates["intervals"]["macro_f1"] or (float("nan"), float("nan"))
            lines.append(
                f"{kind:10s} {language:9s} {rates['utterances']:11d}  {rates['accuracy']:8.3f}  {rates['macro_f1']:8.3f}  "
                f"{low:.3f} to {high:.3f}"
            )
    return "\n".join(lines)


def _rates(items: Sequence[Predicted], kind: str, values: Sequence[str], known: Mapping[str, str]) -> dict[str, Any]:
    ids = [item.utterance.id for item in items]
    probabilities = np.stack([item.probabilities[kind] for item in items if item.probabilities is not None])
    groups = [item.utterance.extra.get("group") or item.utterance.id for item in items]
    return class_rates([known[id] for id in ids], Predictions(ids, list(values), probabilities), groups)
