"""Contrastive loss over masked frames (Baevski et al. 2020, equation 3)."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass
class Contrast:
    """Contrastive loss of each masked frame."""

    loss: Tensor
    """(B, M) in nats, 0 where invalid."""
    correct: Tensor
    """(B, M) True where the target is more similar than every distractor."""
    tied: Tensor
    """(B, M) share of distractors that equal the target and are left out."""


def contrastive_loss(
    context: Tensor, targets: Tensor, codes: Tensor, valid: Tensor, distractors: Tensor, temperature: float
) -> Contrast:
    """Finds each masked frame's target among distractors of the same utterance.

    One cosine Gram matrix per utterance holds all similarities; distractors are columns of it. All in float32.

    Args:
        context: (B, M, D) projected encoder output at masked frames.
        targets: (B, M, D) projected code vectors of the same frames.
        codes: (B, M, G) their codes.
        valid: (B, M) True where there is a masked frame.
        distractors: (B, M, K) places of the distractors among the M.
        temperature: Divisor of the cosine similarities.
    """
    with torch.autocast(context.device.type, enabled=False):
        gram = F.normalize(context.float(), dim=-1) @ F.normalize(targets.float(), dim=-1).mT / temperature
        positive = gram.diagonal(dim1=1, dim2=2)  # (B, M)
        equal = (codes[:, :, None] == codes[:, None]).all(-1).gather(2, distractors)  # (B, M, K)
        negative = gram.gather(2, distractors).masked_fill(equal, -torch.inf)
        best = negative.max(-1).values
        loss = torch.logsumexp(torch.cat([positive[..., None], negative], dim=2), dim=2) - positive
        return Contrast(
            loss.masked_fill(~valid, 0), (positive > best) & valid, equal.float().mean(-1).masked_fill(~valid, 0)
        )


def draw_distractors(uniform: Tensor, counts: Tensor) -> Tensor:
    """Draws other masked frames of the same utterance, uniformly and with replacement.

    Args:
        uniform: (B, M, K) numbers in (0, 1).
        counts: (B,) masked frames of each utterance.

    Returns:
        (B, M, K) places among the masked frames, never a frame's own; 0 for an utterance with fewer than two.
    """
    others = (counts - 1).clamp(min=1)[:, None, None]
    places = (uniform * others).long().clamp(max=others - 1)
    own = torch.arange(uniform.shape[1], device=uniform.device)[:, None]
    return (places + (places >= own)).clamp(max=(counts - 1).clamp(min=0)[:, None, None])
