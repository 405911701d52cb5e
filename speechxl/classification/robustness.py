"""What a classifier of texts loses as transcripts get worse. No torch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from speechxl.classification.cascade import classify
from speechxl.classification.classifier import TextClassifier
from speechxl.classification.forms import TextForm, native
from speechxl.classification.labels import Labelled
from speechxl.classification.transcribers import NoisyReference, Reference
from speechxl.evaluation.class_report import class_rates
from speechxl.evaluation.metrics import count_errors
from speechxl.evaluation.predictions import Predictions
from speechxl.shapes import Utterance

RATES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.45)


@dataclass(frozen=True)
class Noisy:
    """What is said of utterances when their texts have errors."""

    kind: str
    """Of the errors."""
    asked: float
    """Character error rate."""
    cer: float | None
    """That was reached; None where nothing was said."""
    wer: float | None
    predictions: Predictions


def with_noise(
    classifier: TextClassifier,
    form: TextForm,
    rows: Sequence[Utterance],
    rates: Sequence[float],
    kind: Literal["random", "systematic"],
    *,
    column: str = "text",
    seed: int = 0,
) -> Iterator[Noisy]:
    """Classifies references with errors of given rates.

    Args:
        classifier: Has learned from other utterances.
        form: Of its texts.
        rows: Utterances whose texts are known.
        rates: Character error rates.
        kind: Of the errors, see `NoisyReference`.
        column: Of the texts.
        seed: Of the errors.
    """
    spoken = [native(text) for text in Reference(column)(rows)]
    languages = [row.language for row in rows]
    for rate in rates:
        texts = NoisyReference(rate, kind, column, seed)(rows)
        cer, wer = (count_errors(spoken, texts, unit).rate for unit in ("char", "word"))
        yield Noisy(kind, rate, cer, wer, classify(classifier, form(texts, languages), rows))


def robustness(
    classifier: TextClassifier,
    form: TextForm,
    test: Labelled,
    *,
    rates: Sequence[float] = RATES,
    kind: Literal["random", "systematic"] = "random",
    column: str = "text",
    groups: Sequence[str] | None = None,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Accuracy and macro-F1 at given character error rates.

    Args:
        classifier: Has learned from other utterances.
        form: Of its texts.
        test: Utterances whose texts are known.
        rates: Character error rates.
        kind: Of the errors, see `NoisyReference`.
        column: Of the texts.
        groups: What the bootstrap draws together.
        seed: Of the errors.

    Returns:
        For each rate the ``cer`` and ``wer`` that was reached, ``accuracy``, ``macro_f1``, ``ece`` and their ``intervals``.
    """
    points = []
    for one in with_noise(classifier, form, test.rows, rates, kind, column=column, seed=seed):
        found = class_rates(test.values, one.predictions, groups, seed=seed)
        measured = {name: found[name] for name in ("accuracy", "macro_f1", "ece", "intervals")}
        points.append({"asked": one.asked, "cer": one.cer, "wer": one.wer, **measured})
    return points
