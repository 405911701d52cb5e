"""What else each phone may be: a decoder that keeps the likeliest symbols of every frame beside what it needs itself."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speechxl.text import Vocabulary


class Alternatives:
    """A decoder around another one.

    Args:
        decoder: That finds the path.
        vocabulary: Symbols.
        count: How many others of a phone are wanted.
    """

    def __init__(self, decoder: Any, vocabulary: Vocabulary, count: int) -> None:
        self.decoder = decoder
        self.never = [n for n in range(len(vocabulary)) if not vocabulary.is_written(n)]
        self.kept = min(count + 1, len(vocabulary))  # as the phone itself is among them

    def reduce(self, logits: Tensor) -> Tensor:
        """What the search needs of the frames, and then the numbers of the likeliest symbols and their log probabilities.

        Args:
            logits: (..., F, V).

        Returns:
            (..., F, K + 2 kept).
        """
        emissions = logits.float().log_softmax(-1)
        emissions[..., self.never] = -torch.inf
        scores, symbols = emissions.topk(self.kept, dim=-1)
        return torch.cat([self.decoder.reduce(logits), symbols.float(), scores], dim=-1)

    def search(self, stretches: Iterable[Tensor]) -> Tensor:
        """Path through a recording.

        Args:
            stretches: Of `reduce`, one after the other.

        Returns:
            (F, 2 + 2 kept) path, and what was kept of each frame.
        """
        rest = [torch.empty(0, 2 * self.kept)]

        def own() -> Iterator[Tensor]:
            for stretch in stretches:
                rest.append(stretch[:, -2 * self.kept :])
                yield stretch[:, : -2 * self.kept]

        path = self.decoder.search(own())
        return torch.cat([path, torch.cat(rest)], dim=1)


def alternatives(kept: np.ndarray, own: int, vocabulary: Vocabulary) -> tuple[tuple[str, float], ...]:
    """Other phones of a stretch with the highest posterior that each has in it, the likeliest first.

    As every frame has its likeliest, no phone that has a place among them is missed.

    Args:
        kept: (F, 2 kept) numbers and log probabilities of the stretch's frames, of `Alternatives`.
        own: Number of the phone itself.
        vocabulary: Symbols.
    """
    half = kept.shape[1] // 2
    best: dict[int, float] = {}
    for symbol, score in zip(kept[:, :half].ravel().astype(int).tolist(), kept[:, half:].ravel().tolist(), strict=True):
        if symbol != own and score > best.get(symbol, -np.inf):
            best[symbol] = score
    ranked = sorted(best.items(), key=lambda x: (-x[1], x[0]))[: half - 1]
    return tuple((vocabulary.decode([symbol]), float(np.exp(score))) for symbol, score in ranked)
