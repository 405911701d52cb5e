"""What `transcribe` and `evaluate` share: reading recordings in groups, and keeping going when one is bad."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from speechxl.data.audio import AudioError, read_utterance
from speechxl.decoding.recogniser import Recogniser
from speechxl.heap import keep_heap
from speechxl.models.device import choose_device
from speechxl.models.weights import Card, load_ctc_model
from speechxl.shapes import SAMPLE_RATE, Hypothesis, Utterance

log = logging.getLogger(__name__)
_GROUP_SECONDS = 600
"""Audio that is held in memory and sorted by length together."""


@dataclass(frozen=True)
class Recognised:
    """One recording and what became of it."""

    utterance: Utterance
    seconds: float
    hypothesis: Hypothesis | None
    """None if the recording could not be used."""
    reason: str = ""
    """Why not."""


def load_recogniser(
    model: str, *, device: str, precision: str, batch_seconds: float, window_seconds: float
) -> tuple[Recogniser, Card]:
    """A model folder, or a name on the hub, ready for use."""
    keep_heap()
    device = choose_device(device)
    network, vocabulary, card = load_ctc_model(model)
    recogniser = Recogniser(
        network, vocabulary, normalise=card.normalise, device=device, precision=precision,
        batch_seconds=batch_seconds, window_seconds=window_seconds,
    )  # fmt: skip
    return recogniser, card


def recognise(recogniser: Recogniser, utterances: Sequence[Utterance]) -> Iterator[Recognised]:
    """Recognises recordings in the order given; bad ones are reported and passed over."""
    for group in _groups(utterances):
        good = [(utterance, waveform) for utterance, waveform in group if not isinstance(waveform, str)]
        hypotheses = iter(recogniser([waveform for _, waveform in good]))
        for utterance, waveform in group:
            if isinstance(waveform, str):
                log.warning("%s", waveform)
                yield Recognised(utterance, 0.0, None, waveform)
            else:
                yield Recognised(utterance, len(waveform) / SAMPLE_RATE, next(hypotheses))


def _groups(utterances: Sequence[Utterance]) -> Iterator[list[tuple[Utterance, np.ndarray | str]]]:
    group: list[tuple[Utterance, np.ndarray | str]] = []
    size = 0
    for utterance in utterances:
        try:
            waveform: np.ndarray | str = read_utterance(utterance)
        except AudioError as error:
            waveform = str(error)
        size += len(waveform) if isinstance(waveform, np.ndarray) else 0
        group.append((utterance, waveform))
        if size >= _GROUP_SECONDS * SAMPLE_RATE:
            yield group
            group, size = [], 0
    if group:
        yield group
