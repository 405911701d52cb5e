"""Connectionist temporal classification (Graves et al. 2006)."""

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


def occupancies(emissions: Tensor, tokens: Tensor, blank: int) -> Tensor:
    """Posteriors of symbols at each frame of an utterance, given what is said in it (the gradient of its CTC loss).

    Args:
        emissions: (F, V) log posteriors.
        tokens: (U,) symbols.
        blank: Number of the blank.

    Returns:
        (F, V); rows sum to 1, or to 0 where no alignment exists.
    """
    logits = emissions.detach().float()[None].requires_grad_()
    with torch.enable_grad():
        loss = ctc_loss(logits, torch.tensor([len(emissions)]), tokens[None], torch.tensor([len(tokens)]), blank)
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
    if not loss.detach().any():
        return torch.zeros_like(emissions)
    return (logits.detach().softmax(-1) - gradient)[0]
