"""From a path through the frames to words: repetitions and blanks removed (Graves et al. 2006, section 3.1)."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor

from speechxl.decoding.alternatives import alternatives
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import Hypothesis, Phone, Word
from speechxl.text import Vocabulary

PAUSE_S = 0.25
"""Blanks between two phones, or two characters of a word, are divided between them up to this; longer ones are a pause."""


def hypothesis(path: Tensor, vocabulary: Vocabulary, geometry: FrameGeometry) -> Hypothesis:
    """Words of a character model, or phones, with times and scores.

    Args:
        path: (F, 2) number of each frame's symbol and its log probability; or more, of `Alternatives`.
        vocabulary: Symbols.
        geometry: For the times.
    """
    symbols, starts, ends, scores = _written_runs(path, vocabulary)
    characters = vocabulary.delimiter is not None
    bounds = np.arange(len(symbols) + 1)
    if characters:
        between = np.flatnonzero(np.array([symbol == vocabulary.delimiter for symbol in vocabulary.symbols])[symbols])
        bounds = np.concatenate(([-1], between, [len(symbols)]))
    words = [
        Word(
            vocabulary.decode(symbols[first:last].tolist()),
            geometry.seconds(int(starts[first])),
            geometry.seconds(int(ends[last - 1])),
            math.exp(sum(scores[first:last].tolist()) / (last - first)),
        )
        for first, last in zip((bounds[:-1] + characters).tolist(), bounds[1:].tolist(), strict=True)
        if first < last
    ]
    if path.shape[1] > 2 and not characters:
        kept = path[:, 2:].numpy()
        places = zip(words, symbols.tolist(), starts.tolist(), ends.tolist(), strict=True)
        words = [
            Phone(**vars(word), alternatives=alternatives(kept[a:b], own, vocabulary)) for word, own, a, b in places
        ]
    text = vocabulary.decode(symbols.tolist())
    return Hypothesis(text, words if characters else _adjoining(words))


def _written_runs(path: Tensor, vocabulary: Vocabulary) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Frames in a row with the same symbol, but for blanks: symbol, first frame, first after it, highest log probability."""
    symbols, scores = path[:, 0].int().numpy(), path[:, 1].detach().numpy()
    starts = np.flatnonzero(np.diff(symbols, prepend=-1))
    ends = np.append(starts[1:], len(symbols))[: len(starts)]
    best = np.maximum.reduceat(scores, starts) if len(starts) else scores
    written = np.array([vocabulary.is_written(number) for number in range(len(vocabulary))])[symbols[starts]]
    return symbols[starts][written], starts[written], ends[written], best[written]


def _adjoining(phones: Sequence[Word]) -> list[Word]:
    """Phones that end where the next one begins, unless there is a pause."""
    adjoining: list[Word] = []
    for phone in phones:
        if adjoining and phone.start - adjoining[-1].end <= PAUSE_S:
            middle = (adjoining[-1].end + phone.start) / 2
            adjoining[-1], phone = replace(adjoining[-1], end=middle), replace(phone, start=middle)
        adjoining.append(phone)
    return adjoining
