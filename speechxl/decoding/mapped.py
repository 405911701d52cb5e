"""Maps of phones on the model's device."""

import torch
from torch import Tensor

from speechxl.errors import InputError
from speechxl.models.articulation import Articulation
from speechxl.phonology.mapping import FLOOR, PhoneMap


class Mapped:
    """`PhoneMap.apply`, in float32.

    Args:
        mapping: Of the model's symbols to the phones of an inventory.
        heads: Heads of articulation, by which compose and blend score phones; None for a model without.
        device: Where to compute.

    Raises:
        InputError: If the map needs heads that the model lacks.
    """

    def __init__(self, mapping: PhoneMap, heads: Articulation | None, device: str) -> None:
        self.shares = torch.from_numpy(mapping.dense).to(device)
        self.weight, self.heads = mapping.weight, heads
        if mapping.composition is not None:
            if heads is None:
                raise InputError(
                    f"The strategy {mapping.settings.strategy} scores phones by their features, for which the model lacks heads: "
                    "finetune it with --attributes, or take another --phones.strategy."
                )
            self.values = torch.from_numpy(mapping.composition.matrix.toarray()).float().to(device)
            self.offset = torch.from_numpy(mapping.composition.offset).float().to(device)

    def __call__(self, logits: Tensor, features: Tensor) -> Tensor:
        """Log posteriors of the inventory's phones.

        Args:
            logits: (..., V) scores of the model's symbols.
            features: (..., D) of the encoder.

        Returns:
            (..., 1 + T).
        """
        posteriors = logits.float().softmax(-1) @ self.shares
        posteriors = (posteriors / posteriors.sum(-1, keepdim=True).clamp(min=FLOOR)).clamp(min=FLOOR)
        emissions = (posteriors / posteriors.sum(-1, keepdim=True)).log()
        if not self.weight or self.heads is None:
            return emissions
        composed = (self.heads.bins(features) @ self.values + self.offset).log_softmax(-1)
        return ((1 - self.weight) * emissions + self.weight * composed).log_softmax(-1)
