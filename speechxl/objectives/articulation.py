"""Losses of the heads of articulation: CTC over attributes, and over composed phones (Glocker et al. 2023, Allophant)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from speechxl.models.articulation import Articulation
from speechxl.objectives.ctc import ctc_loss

_BLANK = 0


@dataclass
class ArticulationLosses:
    """Of B utterances."""

    attributes: Tensor
    """(B,) nats, mean over the attributes."""
    phones: Tensor
    """(B,) nats of the composed phones."""


class ArticulationLoss(nn.Module):
    """CTC of each attribute along the phones, one value a phone, and CTC of the phones by their composed embeddings.

    Neighbours with the same value keep a value each, as in the paper, and so stand for two; where an utterance has too few frames
    for that, the attribute adds nothing. Symbols that are no phones, such as tones, are passed over.

    Args:
        labels: (P, A) numbers of the attributes' values that each phone has, from 1.
        phones: (P, N) values that phones are put together from.
        outputs: (V,) number of the phone that each output of the model stands for, from 1; 0 for none.
    """

    labels: Tensor
    phones: Tensor
    outputs: Tensor

    def __init__(self, labels: Tensor, phones: Tensor, outputs: Tensor) -> None:
        super().__init__()
        self.register_buffer("labels", labels, persistent=False)
        self.register_buffer("phones", phones, persistent=False)
        self.register_buffer("outputs", outputs, persistent=False)

    def forward(
        self, heads: Articulation, features: Tensor, frames: Tensor, tokens: Tensor, token_lengths: Tensor
    ) -> ArticulationLosses:
        """Losses of a batch.

        Args:
            heads: On the encoder's features.
            features: (B, F, D).
            frames: (B,).
            tokens: (B, U) numbers of the model's outputs.
            token_lengths: (B,).
        """
        phones, counts = self._phones(tokens, token_lengths)
        composed = ctc_loss(heads.phone_logits(features, self.phones), frames, phones, counts, _BLANK)
        logits = heads.attribute_logits(features)  # (B, F, A, C)
        rows, attributes = len(logits), logits.shape[2]
        labels = self.labels[(phones - 1).clamp(min=0)]  # (B, U, A)
        losses = ctc_loss(  # all attributes at once, as if they were utterances
            logits.transpose(1, 2).flatten(0, 1), frames.repeat_interleave(attributes),
            labels.transpose(1, 2).flatten(0, 1), counts.repeat_interleave(attributes), _BLANK,
        )  # fmt: skip
        return ArticulationLosses(losses.view(rows, attributes).mean(1), composed)

    def _phones(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """(B, U) phones, what is none moved to the end, and (B,) how many there are."""
        inside = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        phones = self.outputs[tokens] * inside
        order = (phones == 0).long().argsort(dim=1, stable=True)
        return phones.gather(1, order), (phones > 0).sum(1)
