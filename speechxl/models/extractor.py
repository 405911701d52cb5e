"""The convolutional feature extractor of wav2vec 2.0, computed channels-last in blocks of rows.

A convolution whose stride is close to its kernel is one or two matrix products on a reshaped view, if the features
lie channels-last. Every utterance gets a slot of rows whose size is a multiple of all strides, so that a whole batch
is one long sequence in each layer: no transposes, no copies, no loop over utterances.

Only the outputs of the matrix products are kept for the backward pass. Normalisation and GELU are applied to a block
of rows when the next layer reads it, and again in the backward pass. The first layer, half of all activations, is
never stored: its normalisation is folded into its weights, because the statistics of a linear map of ten samples
follow from the second moments of the samples.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from speechxl.models.device import plain_cpu
from speechxl.models.frames import FrameGeometry

BLOCK_SIZE = 1 << 19
"""Numbers in the output rows of a block on a CPU, so that the working set stays in the caches."""


_MOMENT_ROWS = 1 << 18
"""Rows of double precision that are summed at once."""


@dataclass(frozen=True)
class Moments:
    """Statistics from which those of the first layer follow, in double precision."""

    mean: Tensor
    """(B, k) of the samples at each place of the first kernel."""
    covariance: Tensor
    """(B, k, k)."""


class FeatureExtractor(nn.Module):
    """Convolutions from waveform to features (Baevski et al. 2020, wav2vec 2.0, sections 2 and 4.2).

    Args:
        conv_layers: The layers of `transformers`' `Wav2Vec2FeatureEncoder`; their parameters and names are used.
        geometry: Kernels and strides of the layers.
        norm: ``"group"`` normalises the first layer's channels over time, ``"layer"`` every layer over its channels.
    """

    def __init__(self, conv_layers: nn.ModuleList, geometry: FrameGeometry, norm: str) -> None:
        super().__init__()
        self.conv_layers: Any = conv_layers
        self.geometry = geometry
        self.norm = norm

    def forward(self, waveform: Tensor, lengths: Tensor | None = None, moments: Moments | None = None) -> Tensor:
        """Features of each utterance; padding does not change them.

        Args:
            waveform: (B, T) at 16 kHz, zero beyond each utterance's end.
            lengths: (B,) samples; None if no utterance is padded.
            moments: Of the recordings that the utterances were cut from, for group norm; by default their own.

        Returns:
            (B, F, D) output of the last convolution, before the feature projection's layer norm.
        """
        geometry, device = self.geometry, waveform.device.type
        batch, samples = waveform.shape
        frames = geometry.num_frames(samples)
        slot = frames + geometry.overhang
        dtype = self.conv_layers[0].conv.weight.dtype
        if torch.is_autocast_enabled(device):
            dtype = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            if self.norm == "group":
                design, weight = self._fold_group_norm(waveform, slot, moments or self.moments(waveform, lengths))
            else:
                design, weight = self._fold_layer_norm(waveform, slot)
            parameters = []
            for layer in self.conv_layers[1:]:
                norm = layer.layer_norm if self.norm == "layer" else None
                parameters += [layer.conv.weight, layer.conv.bias]
                parameters += [None, None] if norm is None else [norm.weight, norm.bias]
            keep = torch.is_grad_enabled()
            features = _ConvStack.apply(geometry, batch * slot, keep, design.to(dtype), weight.to(dtype), *parameters)
        return features.view(batch, slot, -1)[:, :frames]

    def moments(self, waveform: Tensor, lengths: Tensor | None = None) -> Moments:
        """Mean and covariance of the samples under the first kernel, over the valid frames of each utterance.

        Args:
            waveform: (B, T).
            lengths: (B,) samples; None if no utterance is padded.
        """
        kernel, stride = self.geometry.kernels[0], self.geometry.strides[0]
        windows = waveform.unfold(1, kernel, stride)  # (B, F0, k)
        if lengths is None:
            count = torch.full((len(waveform), 1), windows.shape[1], dtype=torch.double, device=waveform.device)
        else:
            count = ((lengths - kernel) // stride + 1).clamp(min=1)[:, None].double()
        total, squares = count.new_zeros(len(waveform), kernel), count.new_zeros(len(waveform), kernel, kernel)
        for low in range(0, windows.shape[1], _MOMENT_ROWS):
            part = windows[:, low : low + _MOMENT_ROWS].double()
            part = part * (torch.arange(low, low + part.shape[1], device=part.device) < count)[..., None]
            total, squares = total + part.sum(1), squares + part.mT @ part
        mean = total / count
        return Moments(mean, squares / count[..., None] - mean[:, :, None] * mean[:, None, :])

    def _windows(self, waveform: Tensor, slot: int) -> Tensor:
        """Samples under the first kernel and a one, for each row of all slots and a few rows beyond: (N, k + 1)."""
        geometry = self.geometry
        samples = waveform.shape[1]
        flat = F.pad(waveform, (0, max(0, slot * geometry.stride - samples)))[:, : slot * geometry.stride].reshape(-1)
        flat = F.pad(flat, (0, geometry.receptive_field))
        return _with_one(flat.unfold(0, geometry.kernels[0], geometry.strides[0]))

    def _fold_group_norm(self, waveform: Tensor, slot: int, moments: Moments) -> tuple[Tensor, Tensor]:
        """First convolution and its group norm over valid frames as one map of the samples and a one, per utterance."""
        conv, norm = self.conv_layers[0].conv, self.conv_layers[0].layer_norm
        weight = conv.weight[:, 0].double()  # (D, k)
        variance = ((weight @ moments.covariance) * weight).sum(-1)  # (B, D)
        scale = norm.weight / (variance.clamp(min=0) + norm.eps).sqrt()
        folded = scale[:, None] * weight.mT  # (B, k, D)
        bias = norm.bias - moments.mean[:, None] @ folded
        return self._windows(waveform, slot), torch.cat([folded, bias], dim=1)

    def _fold_layer_norm(self, waveform: Tensor, slot: int) -> tuple[Tensor, Tensor]:
        """First convolution and its layer norm as one map of samples and a one, scaled row by row, and of another one."""
        conv, norm = self.conv_layers[0].conv, self.conv_layers[0].layer_norm
        bias = conv.weight.new_zeros(conv.out_channels) if conv.bias is None else conv.bias
        affine = torch.cat([conv.weight[:, 0], bias[:, None]], dim=1).double()
        affine = affine - affine.mean(0)  # (D, k + 1), without its mean over channels
        windows = self._windows(waveform, slot)
        exact = windows.double()
        variance = ((exact @ (affine.mT @ affine / len(affine))) * exact).sum(1, keepdim=True)
        scale = (variance.clamp(min=0) + norm.eps).rsqrt().to(windows.dtype)
        weight = torch.cat([(affine * norm.weight[:, None]).mT, norm.bias[None]])
        return _with_one(windows * scale), weight[None]


def _with_one(rows: Tensor) -> Tensor:
    """(N, C) to (N, C + 1)."""
    return torch.cat([rows, rows.new_ones(1, 1).expand(len(rows), 1)], dim=1)


class _ConvStack(torch.autograd.Function):
    """All convolutions, with normalisation and GELU, as a function of the first layer's rows."""

    @staticmethod
    def forward(
        ctx: Any,
        geometry: FrameGeometry,
        frames: int,
        keep: bool,
        design: Tensor,
        weight: Tensor,
        *parameters: Tensor | None,
    ) -> Tensor:
        """Rows of the last layer.

        Args:
            ctx: For the backward pass.
            geometry: Kernels and strides.
            frames: Rows of the last layer, of all slots together.
            keep: Whether there will be a backward pass.
            design: (N, C) what the first layer maps, for each of its rows, all slots one after the other, and a few rows more.
            weight: (B or 1, C, D) first layer with its normalisation, per utterance or for all.
            parameters: weight, bias, norm weight and norm bias of each later layer; None where absent.
        """
        layers = [
            _Layer(kernel, stride, design.dtype, *parameters[4 * index : 4 * index + 4])
            for index, (kernel, stride) in enumerate(zip(geometry.kernels[1:], geometry.strides[1:], strict=True))
        ]
        first = _First(design, weight, frames * prod(geometry.strides[1:]))
        outputs: list[Tensor] = []
        size = first.size
        for index, layer in enumerate(layers):
            size //= layer.stride
            output = design.new_empty(size + geometry.receptive_field, layer.width)
            output[size:].zero_()
            for low, high in _blocks(size, layer.width, 1 if index else first.slots, design.device):
                rows = layer.rows(low, high)
                x = layers[index - 1].activate(outputs[-1][rows]) if index else F.gelu(first(rows))
                layer.convolve(x, output[low:high])
            outputs = [*outputs, output] if keep else [output]
        ctx.first, ctx.layers, ctx.outputs = first, layers, outputs
        return layers[-1].activate(outputs[-1][:size])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of design, weight and parameters; each layer's output is overwritten by its gradient."""
        first, layers, outputs = ctx.first, ctx.layers, list(ctx.outputs)
        ctx.outputs = None
        with torch.autocast(grad.device.type, enabled=False):
            first_gradients, gradients = first.new_gradients(), [layer.new_gradients() for layer in layers]
            last = outputs.pop()[: len(grad)]
            upper = layers[-1].activate_backward(grad.contiguous(), last, layers[-1].normalise(last), gradients[-1])
            for index in reversed(range(len(layers))):
                layer, lower = layers[index], outputs.pop() if index else upper.new_empty(0)
                size = len(upper)
                carry = upper.new_empty(0, layer.channels)
                for low, high in _blocks(size, layer.width, 1 if index else first.slots, grad.device):
                    rows, own = layer.rows(low, high), slice(low * layer.stride, high * layer.stride)
                    below = layers[index - 1].normalise(lower[rows]) if index else [first(rows)]
                    dx = layer.convolve_backward(F.gelu(below[0]), upper[low:high], gradients[index])
                    dx[: len(carry)] += carry
                    dx, carry = dx.split([own.stop - own.start, len(dx) - (own.stop - own.start)])
                    below = [part[: len(dx)] for part in below]
                    if not index:
                        first.backward(torch.ops.aten.gelu_backward(dx, below[0]), own, first_gradients)
                    elif high - low == size:
                        lower = layers[index - 1].activate_backward(dx, lower[own], below, gradients[index - 1])
                    else:
                        lower[own] = layers[index - 1].activate_backward(dx, lower[own], below, gradients[index - 1])
                upper = lower[: size * layer.stride]
            shaped = [g for layer, own in zip(layers, gradients, strict=True) for g in layer.shaped(own)]
        return None, None, None, *first_gradients, *shaped


class _First:
    """First convolution; its output is computed where it is needed and never stored."""

    def __init__(self, design: Tensor, weight: Tensor, size: int) -> None:
        self.design, self.weight, self.size = design, weight, size
        self.slots = len(weight)

    def new_gradients(self) -> list[Tensor]:
        """Zeros for the gradients of design and weight."""
        return [torch.zeros_like(self.design), torch.zeros_like(self.weight)]

    def __call__(self, rows: slice) -> Tensor:
        """Normalised rows, before GELU: (rows, D). The rows lie in one slot, or they are all rows."""
        if self.slots == 1 or rows.stop - rows.start < self.size:
            return self.design[rows] @ self.weight[rows.start * self.slots // self.size]
        design = self.design[: self.size].view(self.slots, -1, self.design.shape[1])
        return F.pad((design @ self.weight).flatten(0, 1), (0, 0, 0, rows.stop - self.size))

    def backward(self, grad: Tensor, rows: slice, gradients: list[Tensor]) -> None:
        """Adds to the gradients, given the gradient of the normalised rows."""
        design, weight = gradients
        if self.slots == 1 or len(grad) < self.size:
            slot = rows.start * self.slots // self.size
            design[rows] = grad @ self.weight[slot].mT
            weight[slot] += self.design[rows].mT @ grad
        else:
            grad = grad.view(self.slots, -1, grad.shape[1])
            weight += self.design[: self.size].view(self.slots, -1, self.design.shape[1]).mT @ grad


class _Layer:
    """A later convolution, the normalisation and GELU behind it, and their gradients.

    The kernel is cut into groups of ``stride`` samples: group j of all output rows is one strided view of the input.
    """

    def __init__(
        self,
        kernel: int,
        stride: int,
        dtype: torch.dtype,
        weight: Any,
        bias: Tensor | None,
        scale: Tensor | None,
        shift: Tensor | None,
    ) -> None:
        self.kernel, self.stride = kernel, stride
        self.width, self.channels = weight.shape[:2]
        self.taps = [
            group.permute(2, 1, 0).reshape(-1, self.width).to(dtype) for group in weight.split(stride, dim=2)
        ]  # (group * C, D)
        self.bias, self.scale, self.shift = (None if p is None else p.to(dtype) for p in (bias, scale, shift))
        self.weight_dtype = weight.dtype

    def new_gradients(self) -> list[Tensor | None]:
        """Zeros for the gradients of bias, norm weight and norm bias, and of each group of the kernel."""
        others = [None if p is None else torch.zeros_like(p) for p in (self.bias, self.scale, self.shift)]
        return [*others, *(tap.new_zeros(tap.shape, dtype=self.weight_dtype) for tap in self.taps)]

    def rows(self, low: int, high: int) -> slice:
        """Input rows under output rows ``low`` to ``high``."""
        return slice(low * self.stride, max(high * self.stride, (high - 1) * self.stride + self.kernel))

    def _groups(self, x: Tensor, size: int) -> list[Tensor]:
        """One view (size, group * C) of ``x`` (rows, C) for each group of the kernel."""
        hop = self.stride * self.channels
        return [x[j * self.stride :].as_strided((size, len(tap)), (hop, 1)) for j, tap in enumerate(self.taps)]

    def convolve(self, x: Tensor, out: Tensor) -> None:
        """Writes the convolution of ``x`` (rows, C) to ``out`` (size, D)."""
        for j, (view, tap) in enumerate(zip(self._groups(x, len(out)), self.taps, strict=True)):
            if j:
                out.addmm_(view, tap)
            elif self.bias is None:
                torch.mm(view, tap, out=out)
            else:
                torch.addmm(self.bias, view, tap, out=out)

    def convolve_backward(self, x: Tensor, grad: Tensor, gradients: list[Any]) -> Tensor:
        """Gradient of ``x``; adds to the gradients of the kernel and its bias."""
        size, hop = len(grad), self.stride
        dx = x.new_empty((size + len(self.taps) - 1) * hop, self.channels)  # at least as many rows as ``x``
        covered = min(self.kernel, hop) == hop
        dx[size * hop if covered else 0 :].zero_()
        slots = [dx[j * hop : (j + size) * hop].view(size, -1)[:, : len(tap)] for j, tap in enumerate(self.taps)]
        views = zip(self._groups(x, size), slots, self.taps, gradients[3:], strict=True)
        for j, (view, target, tap, gradient) in enumerate(views):
            gradient += view.mT @ grad
            if j:
                target.addmm_(grad, tap.mT)
            else:
                torch.mm(grad, tap.mT, out=target)
        if self.bias is not None:
            gradients[0] += grad.sum(0)
        return dx[: len(x)]

    def normalise(self, z: Tensor) -> list[Tensor]:
        """The convolution's output (rows, D) after layer norm, with mean and inverse deviation of each row; or as it is."""
        if self.scale is None:
            return [z]
        return list(torch.ops.aten.native_layer_norm(z, [self.width], self.scale, self.shift, 1e-5))

    def activate(self, z: Tensor) -> Tensor:
        """Layer norm, where there is one, and GELU of the convolution's output (rows, D)."""
        return F.gelu(self.normalise(z)[0])

    def activate_backward(self, grad: Tensor, z: Tensor, normalised: list[Tensor], gradients: list[Any]) -> Tensor:
        """Gradient of the convolution's output ``z``, given what `normalise` makes of it; adds to the gradients of the norm."""
        grad = torch.ops.aten.gelu_backward(grad, normalised[0])
        if self.scale is None:
            return grad
        _, mean, rstd = normalised
        grad, scale, shift = torch.ops.aten.native_layer_norm_backward(
            grad, z, [self.width], mean, rstd, self.scale, self.shift, [True, True, True]
        )
        gradients[1] += scale
        gradients[2] += shift
        return grad

    def shaped(self, gradients: list[Any]) -> list[Tensor | None]:
        """The same as gradients of weight, bias, norm weight and norm bias."""
        groups = [gradient.view(-1, self.channels, self.width).permute(2, 1, 0) for gradient in gradients[3:]]
        return [torch.cat(groups, dim=2), *gradients[:3]]


def _blocks(size: int, width: int, slots: int, device: torch.device) -> Iterator[tuple[int, int]]:
    """Ranges of output rows that are computed together: all on an accelerator, else a few within one slot."""
    if not plain_cpu(device):
        yield 0, size
        return
    rows = max(1, BLOCK_SIZE // width)
    for slot in range(slots):
        start, stop = size * slot // slots, size * (slot + 1) // slots
        for low in range(start, stop, rows):
            yield low, min(low + rows, stop)
