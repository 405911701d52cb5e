"""Heads that tell the articulation of phones beside the CTC output layer: their attributes, and any phone from its features.

The attribute heads are those of Glocker et al. 2023 (Allophant, section 2): a CTC output layer for each articulatory feature. The
composition head is theirs as well, ``h' · e_p / sqrt(d)`` with an embedding ``e_p`` that is the sum of the embeddings of the
phone's feature values; here of the values at its start and at its end, so that contours have embeddings of their own, with a
residual for its letters.
"""

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn

from speechxl.models.phone_note import Heads

_NEVER = -1e4
"""Score of a value that an attribute does not have."""


class Articulation(nn.Module):
    """Attribute heads and composition head, on the features that the output layer sees.

    Args:
        width: D of the encoder.
        heads: What they are of.
        used: (N,) True for feature values that tell phones of the training data from each other; the others score 0, as nothing
            can be learnt of them. None where it is read with the weights.
    """

    columns: Tensor
    used: Tensor

    def __init__(self, width: int, heads: Heads, used: Tensor | None = None) -> None:
        super().__init__()
        sizes = [1 + len(values) for values in heads.attributes.values()]
        self.attributes = nn.Linear(width, sum(sizes))
        self.projection = nn.Linear(width, heads.dim)
        self.embeddings = nn.Parameter(torch.empty(1 + heads.bins, heads.dim))
        self.register_buffer("columns", _columns(sizes), persistent=False)
        self.register_buffer("used", torch.ones(heads.bins, dtype=torch.bool) if used is None else used)
        nn.init.normal_(self.embeddings, std=(2 * max(1, len(sizes))) ** -0.5)  # so that those of phones have about 1

    def attribute_logits(self, features: Tensor) -> Tensor:
        """(B, F, D) to (B, F, A, C): of each attribute the blank, then its values; next to none for what it does not have."""
        logits = nn.functional.pad(self.attributes(features), (0, 1), value=_NEVER)
        return logits[..., self.columns.flatten()].unflatten(-1, self.columns.shape)

    def phone_logits(self, features: Tensor, phones: Tensor) -> Tensor:
        """Scores of phones.

        Args:
            features: (B, F, D).
            phones: (P, N) values of each phone: `composition.phone_bins`.

        Returns:
            (B, F, 1 + P) of the blank and the phones.
        """
        blank, values = self._embeddings().split([1, len(self.embeddings) - 1])
        return self._projected(features) @ torch.cat([blank, phones @ values]).T

    def bins(self, features: Tensor) -> Tensor:
        """(B, F, D) to (B, F, 1 + N) scores of the blank and of all feature values, float32, for `PhoneMap.apply`."""
        with torch.autocast(features.device.type, enabled=False):
            return self._projected(features.float()) @ self._embeddings().T

    def _embeddings(self) -> Tensor:
        """(1 + N, d), nothing for values that are not used."""
        return self.embeddings * nn.functional.pad(self.used, (1, 0), value=True)[:, None]

    def _projected(self, features: Tensor) -> Tensor:
        return self.projection(features) * self.embeddings.shape[1] ** -0.5


def _columns(sizes: Sequence[int]) -> Tensor:
    """(A, C) columns of each attribute among those of all; the column after the last where it has fewer values."""
    total = sum(sizes)
    columns = torch.full((len(sizes), max(sizes, default=1)), total)
    for row, end, size in zip(columns, accumulate(sizes), sizes, strict=True):
        row[:size] = torch.arange(end - size, end)
    return columns
