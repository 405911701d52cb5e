"""From a path through the frames to words: repetitions and blanks removed (Graves et al. 2006, section 3.1)."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from torch import Tensor

from speechxl.models.frames import FrameGeometry
from speechxl.shapes import Hypothesis, Word
from speechxl.text import Vocabulary

PAUSE_S = 0.25
"""Blanks between two phones, or two characters of a word, are divided between them up to this; longer ones are a pause."""


def hypothesis(path: Tensor, vocabulary: Vocabulary, geometry: FrameGeometry) -> Hypothesis:
    """Words of a character model, or phones, with times and scores.

    Args:
        path: (F, 2) number of each frame's symbol and its log probability.
        vocabulary: Symbols.
        geometry: For the times.
    """
    ids, scores = path[:, 0].int().tolist(), path[:, 1].tolist()
    runs = [
        (symbol, [frame for frame, _ in group]) for symbol, group in groupby(enumerate(ids), key=lambda item: item[1])
    ]
    written = [(symbol, frames) for symbol, frames in runs if vocabulary.is_written(symbol)]
    groups: list[list[tuple[int, list[int]]]] = [[]]
    for symbol, frames in written:
        if vocabulary.symbols[symbol] == vocabulary.delimiter:
            groups.append([])
        elif vocabulary.delimiter is None:
            groups.append([(symbol, frames)])
        else:
            groups[-1].append((symbol, frames))
    words = [_word(group, scores, vocabulary, geometry) for group in groups if group]
    text = vocabulary.decode(symbol for symbol, _ in written)
    return Hypothesis(text, _adjoining(words) if vocabulary.delimiter is None else words)


def _adjoining(phones: Sequence[Word]) -> list[Word]:
    """Phones that end where the next one begins, unless there is a pause."""
    adjoining: list[Word] = []
    for phone in phones:
        if adjoining and phone.start - adjoining[-1].end <= PAUSE_S:
            middle = (adjoining[-1].end + phone.start) / 2
            adjoining[-1], phone = replace(adjoining[-1], end=middle), replace(phone, start=middle)
        adjoining.append(phone)
    return adjoining


def _word(
    group: list[tuple[int, list[int]]], scores: Sequence[float], vocabulary: Vocabulary, geometry: FrameGeometry
) -> Word:
    frames = [frame for _, symbol_frames in group for frame in symbol_frames]
    score = sum(max(scores[frame] for frame in symbol_frames) for _, symbol_frames in group) / len(group)
    text = vocabulary.decode(symbol for symbol, _ in group)
    return Word(text, geometry.seconds(frames[0]), geometry.seconds(frames[-1] + 1), math.exp(score))
