"""Greedy CTC decoding: the likeliest symbol of each frame, repetitions and blanks removed."""

import math
from itertools import groupby

from torch import Tensor

from speechxl.models.frames import FrameGeometry
from speechxl.shapes import Hypothesis, Word
from speechxl.text import Vocabulary


def greedy(logits: Tensor, lengths: Tensor, vocabulary: Vocabulary, geometry: FrameGeometry) -> list[Hypothesis]:
    """Decodes a batch.

    Args:
        logits: (B, F, V).
        lengths: (B,) frames.
        vocabulary: Symbols of the V outputs.
        geometry: For the times.
    """
    scores, best = logits.float().log_softmax(-1).max(-1)
    return [
        _hypothesis(ids[:length], frame_scores[:length], vocabulary, geometry)
        for ids, frame_scores, length in zip(best.tolist(), scores.tolist(), lengths.tolist(), strict=True)
    ]


def _hypothesis(ids: list[int], scores: list[float], vocabulary: Vocabulary, geometry: FrameGeometry) -> Hypothesis:
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
    return Hypothesis(
        vocabulary.decode(symbol for symbol, _ in written),
        [_word(group, scores, vocabulary, geometry) for group in groups if group],
    )


def _word(
    group: list[tuple[int, list[int]]], scores: list[float], vocabulary: Vocabulary, geometry: FrameGeometry
) -> Word:
    frames = [frame for _, symbol_frames in group for frame in symbol_frames]
    score = sum(max(scores[frame] for frame in symbol_frames) for _, symbol_frames in group) / len(group)
    text = vocabulary.decode(symbol for symbol, _ in group)
    return Word(text, geometry.seconds(frames[0]), geometry.seconds(frames[-1] + 1), math.exp(score))
