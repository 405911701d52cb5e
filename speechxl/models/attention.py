"""Scaled dot-product attention, and a faster form of it for short utterances on a CPU.

`torch`'s fused attention on a CPU knows no dropout, and in bfloat16 takes twice the time of plain matrix products.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from speechxl.models.device import plain_cpu
from speechxl.models.dropout import kept

SHORT = 512
"""Frames up to which the attention weights of an utterance may be kept."""


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scale: float) -> Tensor:
    """Scaled dot-product attention.

    Args:
        query: (B, H, F, D / H).
        key: Like ``query``.
        value: Like ``query``.
        mask: (B, 1, F, F), True where a query may see a key; None for everywhere.
        dropout: Probability for each attention weight.
        scale: Factor of the products of query and key.

    Returns:
        (B, H, F, D / H).
    """
    suits = dropout > 0 or (query.dtype == torch.bfloat16 and query.shape[2] <= SHORT)
    if suits and plain_cpu(query.device):
        return _Attention.apply(query, key, value, mask, dropout, scale)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale)


class _Attention(torch.autograd.Function):
    """Keeps the attention weights, and a byte mask for dropout; what was dropped is computed again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scale: float
    ) -> Tensor:
        scores = (query * scale) @ key.mT
        if mask is not None:
            scores.masked_fill_(~mask, -torch.inf)
        weights = scores.softmax(-1)
        keep = kept(weights.shape, dropout) if dropout else None
        ctx.save_for_backward(query, key, value, weights, keep)
        ctx.scale, ctx.gain = scale, 1 / (1 - dropout)
        return weights @ value if keep is None else (weights * keep) @ (value * ctx.gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights, keep = ctx.saved_tensors
        if keep is None:
            dvalue, dweights = weights.mT @ grad, grad @ value.mT
        else:
            grad = grad * ctx.gain
            dvalue, dweights = (weights * keep).mT @ grad, (grad @ value.mT).mul_(keep)
        dscores = torch.ops.aten._softmax_backward_data(dweights, weights, -1, weights.dtype)
        return (dscores @ key).mul_(ctx.scale), (dscores.mT @ query).mul_(ctx.scale), dvalue, None, None, None
