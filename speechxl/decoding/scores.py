"""Posteriors of a model's symbols together with the features that they come from, in one pass."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from speechxl.decoding.recogniser import Recogniser
from speechxl.text import Vocabulary


class _Both(nn.Module):
    """Log posteriors of V symbols, then D features."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([self.head(features).log_softmax(-1), features], dim=-1)


class Scorer:
    """A recogniser that gives both. The model is not to be used otherwise afterwards.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of its outputs.
        options: Other arguments of `Recogniser`.
    """

    def __init__(self, model: Any, vocabulary: Vocabulary, **options: Any) -> None:
        self.size = len(vocabulary)
        model.lm_head = _Both(model.lm_head)
        more = (f"<{number}>" for number in range(model.config.hidden_size))
        whole = Vocabulary((*vocabulary.symbols, *more), vocabulary.blank, None)
        self.recogniser = Recogniser(model, whole, **options)

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """(F, V) log posteriors and (F, D) features of recordings (T,) at 16 kHz."""
        found = (scores.numpy() for scores in self.recogniser.logits(waveforms))
        return [(scores[:, : self.size], scores[:, self.size :]) for scores in found]
