"""Dropout whose random draws are cheap on a CPU.

`torch` draws one Mersenne Twister number per element and keeps the mask in the element type; that is a tenth of a
pretraining step. Here one 64-bit number serves four elements and the mask is one byte each.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from speechxl.models.device import plain_cpu


class Dropout(nn.Module):
    """Zeroes elements with probability ``p`` while training and scales the rest by 1 / (1 - p)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Same shape as ``x``."""
        if not self.training or self.p == 0:
            return x
        if not plain_cpu(x.device) or self.p == 1:
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
