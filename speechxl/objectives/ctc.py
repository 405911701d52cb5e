"""Connectionist temporal classification (Graves et al. 2006)."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor


def ctc_loss(logits: Tensor, lengths: Tensor, tokens: Tensor, token_lengths: Tensor, blank: int) -> Tensor:
    """Negative log-likelihood of each target, in float32; 0 where no alignment exists.

    Args:
        logits: (B, F, V).
        lengths: (B,) frames.
        tokens: (B, U), anything beyond each target's end.
        token_lengths: (B,) symbols.
        blank: Number of the blank.

    Returns:
        (B,) nats.
    """
    with torch.autocast(logits.device.type, enabled=False):
        emissions = logits.float().log_softmax(-1).transpose(0, 1)
        # The portable implementation: cuDNN's gives no gradient where an alignment is impossible (fairseq avoids it too).
        with torch.backends.cudnn.flags(enabled=False):
            return F.ctc_loss(
                emissions, tokens, lengths, token_lengths, blank=blank, reduction="none", zero_infinity=True
            )


def frames_needed(tokens: Sequence[object]) -> int:
    """Frames without which no alignment exists: one a symbol, and one between equal neighbours."""
    return len(tokens) + sum(first == second for first, second in pairwise(tokens))
