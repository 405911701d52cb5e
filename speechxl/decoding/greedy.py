"""Greedy CTC decoding: the likeliest symbol of each frame."""

from collections.abc import Iterable

import torch
from torch import Tensor

from speechxl.decoding.path import hypothesis
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import Hypothesis
from speechxl.text import Vocabulary


def greedy(logits: Tensor, lengths: Tensor, vocabulary: Vocabulary, geometry: FrameGeometry) -> list[Hypothesis]:
    """Decodes a batch.

    Args:
        logits: (B, F, V).
        lengths: (B,) frames.
        vocabulary: Symbols of the V outputs.
        geometry: For the times.
    """
    paths = Greedy().reduce(logits).cpu()
    return [
        hypothesis(path[:length], vocabulary, geometry) for path, length in zip(paths, lengths.tolist(), strict=True)
    ]


class Greedy:
    """Takes each frame by itself, and keeps two numbers of it."""

    def reduce(self, logits: Tensor) -> Tensor:
        """What the search needs of the frames.

        Args:
            logits: (..., F, V).

        Returns:
            (..., F, 2) float32, number of the likeliest symbol and its log probability.
        """
        scores, best = logits.float().log_softmax(-1).max(-1)
        return torch.stack([best.float(), scores], dim=-1)

    def search(self, stretches: Iterable[Tensor]) -> Tensor:
        """Path through a recording.

        Args:
            stretches: (F, 2) each, one after the other.

        Returns:
            (F, 2) symbol of each frame and its log probability.
        """
        return torch.cat([torch.empty(0, 2), *stretches])
