"""Dropout and attention with dropout whose random draws are cheap on a CPU.

`torch` draws one Mersenne Twister number per element and keeps the mask in the element type; that is a tenth of a
pretraining step. Here one 64-bit number serves four elements and the mask is one byte each.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class Dropout(nn.Module):
    """Zeroes elements with probability ``p`` while training and scales the rest by 1 / (1 - p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        if not self.training or self.p == 0:
            return x
        if x.device.type != "cpu" or self.p == 1:
            return F.dropout(x, self.p)
        return _Masked.apply(x, kept(x.shape, self.p), 1 / (1 - self.p))


def replace_dropout(module: nn.Module) -> None:
    """Puts `Dropout` in the place of every `torch.nn.Dropout` below ``module``."""
    for name, child in module.named_children():
        if type(child) is nn.Dropout:
            setattr(module, name, Dropout(child.p))
        else:
            replace_dropout(child)


def kept(shape: torch.Size, p: float) -> Tensor:
    """True with probability 1 - ``p`` (to 2^-16), from the global CPU generator."""
    words = torch.empty((shape.numel() + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    return (words.view(torch.int16)[: shape.numel()] >= round(p * 2**16) - 2**15).view(shape)


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
    if dropout == 0 or query.device.type != "cpu":
        return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, scale=scale)
    return _DroppedAttention.apply(query, key, value, mask, dropout, scale)


class _Masked(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, scale: float) -> Tensor:
        ctx.save_for_backward(keep)
        ctx.scale = scale
        return (x * keep).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        (keep,) = ctx.saved_tensors
        return (grad * keep).mul_(ctx.scale), None, None


class _DroppedAttention(torch.autograd.Function):
    """Keeps the attention weights and a byte mask; what was dropped is computed again in the backward pass."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, scale: float
    ) -> Tensor:
        scores = (query * scale) @ key.mT
        if mask is not None:
            scores.masked_fill_(~mask, -torch.inf)
        weights = scores.softmax(-1)
        keep = kept(weights.shape, dropout)
        ctx.save_for_backward(query, key, value, weights, keep)
        ctx.scale, ctx.gain = scale, 1 / (1 - dropout)
        return (weights * keep) @ (value * ctx.gain)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, key, value, weights, keep = ctx.saved_tensors
        grad = grad * ctx.gain
        dvalue = (weights * keep).mT @ grad
        dweights = (grad @ value.mT).mul_(keep)
        dscores = torch.ops.aten._softmax_backward_data(dweights, weights, -1, weights.dtype)
        return (dscores @ key).mul_(ctx.scale), (dscores.mT @ query).mul_(ctx.scale), dvalue, None, None, None
