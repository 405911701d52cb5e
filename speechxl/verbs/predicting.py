"""What `classify predict` and `classify evaluate` share: a classifier ready for use, and recordings one after the other.

A classifier hears the recording, or is a cascade, which reads a transcript of it.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from speechxl.classification.cascade import RECORD, Cascade, load_cascade
from speechxl.data.audio import AudioError, probe, utterance_blocks
from speechxl.decoding.predictor import Predictor, Probabilities
from speechxl.errors import InputError
from speechxl.evaluation.predictions import Predictions
from speechxl.heap import keep_heap
from speechxl.models.classifiers import load_classifier
from speechxl.models.device import choose_device, choose_precision
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.verbs.recognise import batch_limit, groups

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Predicted:
    """One recording and what became of it."""

    utterance: Utterance
    seconds: float
    probabilities: Probabilities | None
    """None if the recording could not be used."""
    reason: str = ""
    """Why not."""


Judge = Callable[[Sequence[Utterance]], Iterator[Predicted]]
"""Judges recordings in the order given; bad ones are reported and passed over."""


def open_classifier(
    model: str, *, device: str, precision: str, batch_seconds: float | None, window_seconds: float
) -> tuple[Judge, dict[str, list[str]]]:
    """A classifier of speech or a cascade, ready for use, and its labels by kind.

    Raises:
        InputError: If it is none, or a setting makes no sense.
    """
    if not (Path(model) / RECORD).is_file():
        predictor, classes = load_predictor(
            model, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds
        )
        return partial(predict, predictor), classes
    cascade = load_cascade(Path(model))
    if hasattr(cascade.transcriber, "device"):
        cascade = replace(cascade, transcriber=replace(cascade.transcriber, device=device))  # type: ignore[type-var]
    return partial(read_and_predict, cascade), {cascade.kind: cascade.labels}


def read_and_predict(cascade: Cascade, utterances: Sequence[Utterance]) -> Iterator[Predicted]:
    """Judges recordings by their transcripts, in the order given; bad ones are reported and passed over."""
    bad: dict[str, str] = {}
    known: dict[str, Utterance] = {}
    for utterance in utterances:
        try:
            seconds = probe(utterance.path).duration - utterance.start
        except AudioError as error:
            bad[utterance.id] = str(error)
            log.warning("%s", error)
        else:
            known[utterance.id] = replace(utterance, duration=utterance.duration or seconds)
    found = cascade.predict(list(known.values())) if known else None
    places = {id: place for place, id in enumerate(found.ids if found is not None else ())}
    for utterance in utterances:
        if found is None or utterance.id in bad:
            yield Predicted(utterance, 0.0, None, bad[utterance.id])
        else:
            own = {cascade.kind: found.probabilities[places[utterance.id]]}
            yield Predicted(utterance, known[utterance.id].seconds, own)


def load_predictor(
    model: str, *, device: str, precision: str, batch_seconds: float | None, window_seconds: float
) -> tuple[Predictor, dict[str, list[str]]]:
    """A classifier's folder, or a name on the hub, ready for use, and its labels by kind.

    Raises:
        InputError: If it is none, or a setting makes no sense.
    """
    keep_heap()
    if window_seconds <= 0:
        raise InputError(f"--window_seconds must be positive, got {window_seconds}.")
    device = choose_device(device)
    network, classes, card = load_classifier(model)
    predictor = Predictor(
        network, list(classes), normalise=card.normalise, device=device, precision=choose_precision(precision, device),
        batch_seconds=batch_limit(batch_seconds, device), window_seconds=window_seconds,
    )  # fmt: skip
    return predictor, classes


def predict(predictor: Predictor, utterances: Sequence[Utterance]) -> Iterator[Predicted]:
    """Judges recordings in the order given; bad ones are reported and passed over."""
    for group in groups(utterances):
        held = [audio for _, audio in group if isinstance(audio, np.ndarray) and len(audio) >= predictor.shortest]
        found = iter(predictor(held))
        for utterance, audio in group:
            item = _one(predictor, utterance, audio, found)
            if item.probabilities is None:
                log.warning("%s", item.reason)
            yield item


def predictions_of(predictor: Predictor, kind: str, labels: Sequence[str], rows: Sequence[Utterance]) -> Predictions:
    """Probabilities of the classes of one kind, for utterances that all have to be usable.

    Args:
        predictor: Ready for use.
        kind: Of the labels.
        labels: All of them.
        rows: Of manifests.

    Raises:
        InputError: If one cannot be used.
    """
    found = []
    for item in predict(predictor, rows):
        if item.probabilities is None:
            raise InputError(item.reason)
        found.append(item.probabilities[kind])
    return Predictions([row.id for row in rows], list(labels), np.stack(found))


def _one(
    predictor: Predictor, utterance: Utterance, audio: np.ndarray | float | str, found: Iterator[Probabilities]
) -> Predicted:
    """What became of a recording: a waveform whose result comes next, seconds of a long one, or what is wrong with it."""
    if isinstance(audio, str):
        return Predicted(utterance, 0.0, None, audio)
    if isinstance(audio, np.ndarray):
        seconds = len(audio) / SAMPLE_RATE
        if len(audio) < predictor.shortest:
            least = predictor.shortest / SAMPLE_RATE
            reason = f"{utterance}: {seconds:.3f} s are too short to be classified; at least {least:.3f} s are needed."
            return Predicted(utterance, seconds, None, reason)
        return Predicted(utterance, seconds, next(found))
    try:
        return Predicted(utterance, audio, predictor.stream(partial(utterance_blocks, utterance)))
    except AudioError as error:
        return Predicted(utterance, 0.0, None, str(error))
