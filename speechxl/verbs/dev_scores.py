"""Measures on dev, with intervals, for the page of a model."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from speechxl.evaluation.metrics import count_errors, ratio_interval
from speechxl.evaluation.phone_texts import in_one_spelling
from speechxl.evaluation.predictions import Predictions, accuracy, confusion_counts, macro_f1
from speechxl.evaluation.pretrained import Heard
from speechxl.evaluation.report import rates
from speechxl.evaluation.significance import MEASURES, intervals
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs.classified import NO_LABEL
from speechxl.verbs.material import Score

Transcript = tuple[str, str, str, str]
"""Id, language, reference and hypothesis."""
Row = TypeVar("Row", bound=tuple[Any, ...])
Judged = tuple[str, str, list[int], list[int]]
"""Id, language, true and found class of each kind."""


def dev_error(transcripts: Sequence[Transcript], vocabulary: Vocabulary | Vocabularies) -> float:
    """Error rate in the model's units, characters or phones, over all utterances together."""
    references, hypotheses = _texts(transcripts, vocabulary)
    return count_errors(references, hypotheses, "char" if vocabulary.units == "char" else "word").rate or 0.0


def recognition_scores(transcripts: Sequence[Transcript], vocabulary: Vocabulary | Vocabularies) -> list[Score]:
    """Error rates of all utterances, and of each language where there are several."""
    found = []
    for language, own in _parts(transcripts):
        measured = rates(*_texts(own, vocabulary), vocabulary.units)
        for name in ("cer", "wer", "per"):
            if measured[name] is not None:
                found.append(Score(name, measured[name], measured["intervals"][name], language))
    return found


def class_scores(judged: Sequence[Judged], classes: Mapping[str, Sequence[str]]) -> list[Score]:
    """Macro-F1 and accuracy of each kind of label, of all utterances, and of each language where there are several."""
    found = []
    for language, part in _parts(judged):
        for place, (kind, values) in enumerate(classes.items()):
            own = [row for row in part if row[2][place] != NO_LABEL]
            if not own:
                continue
            truth, said = np.array([(row[2][place], row[3][place]) for row in own]).T
            certain = Predictions([row[0] for row in own], list(values), np.eye(len(values))[said])
            bounds = intervals([values[number] for number in truth], certain)
            table = confusion_counts(truth, said, len(values))
            for name in MEASURES:
                value = float({"accuracy": accuracy, "macro_f1": macro_f1}[name](table))
                found.append(Score(name, value, bounds[name], language, kind))
    return found


def pretraining_scores(heard: Iterable[Heard]) -> list[Score]:
    """Contrastive loss and accuracy of all utterances, and of each language where there are several."""
    rows = [("", each.utterance.language or "(unknown)", each) for each in heard if each.masked]
    found = []
    for language, own in _parts(rows):
        frames = np.array([row[2].masked for row in own])
        for name, totals in (
            ("contrastive", np.array([row[2].loss for row in own])),
            ("accuracy", np.array([row[2].correct for row in own])),
        ):
            bounds = ratio_interval(totals, frames)
            found.append(Score(name, float(totals.sum() / frames.sum()), bounds, language))
    return found


def _texts(transcripts: Sequence[Transcript], vocabulary: Vocabulary | Vocabularies) -> tuple[list[str], list[str]]:
    """References and hypotheses, phones in their one spelling."""
    references, hypotheses = [row[2] for row in transcripts], [row[3] for row in transcripts]
    if vocabulary.units == "char":
        return references, hypotheses
    return in_one_spelling(references, hypotheses, vocabulary.symbols)


def _parts(rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[Row]]]:
    """All rows, and those of each language where there are several; the language stands in the second place."""
    if not rows:
        return
    yield "", rows
    languages = sorted({row[1] for row in rows})
    for language in languages if len(languages) > 1 else ():
        yield language, [row for row in rows if row[1] == language]
