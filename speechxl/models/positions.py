"""The convolution over positions (Baevski et al. 2020, section 2), and a faster form of it for narrow groups on a CPU."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from speechxl.models.device import plain_cpu

_NARROW = 16
"""Channels of a group up to which oneDNN's convolutions are slower than matrix products."""
_STEP = 8
"""Frames whose outputs one row of such a product holds."""


def embed_positions(embedding: Any, x: Tensor) -> Tensor:
    """What `transformers`' ``Wav2Vec2PositionalConvEmbedding`` gives for (B, F, D): GELU of a convolution over time."""
    conv = embedding.conv
    if conv.in_channels > _NARROW * conv.groups or not plain_cpu(x.device):
        return embedding(x)
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else x.dtype
    y = _GroupedConvolution.apply(x.to(dtype), conv.weight.to(dtype), conv.groups)
    return embedding.activation(y + conv.bias.to(dtype))


class _GroupedConvolution(torch.autograd.Function):
    """A convolution with many groups of few channels as one matrix product for each group.

    A row holds the input under `_STEP` frames of output, side by side; the matrix holds the kernel once for each of those
    frames, one frame further down each time, and zeros elsewhere.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, groups: int) -> Tensor:
        """(B, F, D) and (D, D / groups, k) to (B, F, D), padded with k // 2 frames of zeros."""
        batch, frames, _ = x.shape
        width, kernel = weight.shape[1:]
        rows, reach = -(-frames // _STEP), -(-(_STEP + kernel - 1) // _STEP)  # of _STEP frames each
        before = kernel // 2
        padded = F.pad(_split(x, groups), (0, 0, before, (rows - 1 + reach) * _STEP - frames - before))
        windows = padded.unfold(2, reach * _STEP, _STEP).transpose(3, 4).reshape(groups, batch * rows, -1)
        matrix = x.new_empty(groups, reach * _STEP, width, _STEP, width)
        matrix[:, :_STEP], matrix[:, kernel:] = 0, 0  # the rest is written
        taps = weight.view(groups, width, width, kernel).permute(0, 3, 2, 1)
        for step in range(_STEP):
            matrix[:, step : step + kernel, :, step] = taps
        matrix = matrix.view(groups, -1, _STEP * width)
        ctx.save_for_backward(windows, matrix)
        ctx.shape, ctx.kernel = x.shape, kernel
        return _joined((windows @ matrix).view(groups, batch, -1, width)[:, :, :frames])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        """Gradients of ``x`` and ``weight``."""
        windows, matrix = ctx.saved_tensors
        batch, frames, channels = ctx.shape
        groups, kernel = len(windows), ctx.kernel
        width, rows = channels // groups, windows.shape[1] // batch
        grad = F.pad(_split(grad, groups), (0, 0, 0, rows * _STEP - frames)).reshape(groups, batch * rows, -1)
        dmatrix = (windows.mT @ grad).view(groups, -1, width, _STEP, width)
        taps = torch.stack([dmatrix[:, step : step + kernel, :, step] for step in range(_STEP)]).sum(0)
        dwindows = (grad @ matrix.mT).view(groups, batch, rows, -1, _STEP * width)
        reach = dwindows.shape[3]
        dpadded = grad.new_zeros(groups, batch, rows - 1 + reach, _STEP * width)
        for number in range(reach):
            dpadded[:, :, number : number + rows] += dwindows[:, :, :, number]
        dx = dpadded.view(groups, batch, -1, width)[:, :, kernel // 2 : kernel // 2 + frames]
        return _joined(dx), taps.permute(0, 3, 2, 1).reshape(channels, width, kernel), None


def _split(x: Tensor, groups: int) -> Tensor:
    """(B, F, D) to (groups, B, F, D / groups)."""
    return x.unflatten(2, (groups, -1)).permute(2, 0, 1, 3)


def _joined(x: Tensor) -> Tensor:
    """(groups, B, F, D / groups) to (B, F, D)."""
    return x.permute(1, 2, 0, 3).flatten(2)
