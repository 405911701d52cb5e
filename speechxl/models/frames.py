"""Samples, frames and seconds: the only frame arithmetic of the package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, prod
from typing import TYPE_CHECKING, TypeVar

from speechxl.shapes import SAMPLE_RATE

if TYPE_CHECKING:
    from torch import Tensor

    Lengths = TypeVar("Lengths", int, Tensor)


@dataclass(frozen=True)
class FrameGeometry:
    """How the convolutions turn samples into frames.

    Attributes:
        kernels: Width of each convolution.
        strides: Hop of each convolution.
    """

    kernels: tuple[int, ...] = (10, 3, 3, 3, 3, 2, 2)
    strides: tuple[int, ...] = (5, 2, 2, 2, 2, 2, 2)

    @property
    def stride(self) -> int:
        """Samples from one frame to the next."""
        return prod(self.strides)

    @property
    def receptive_field(self) -> int:
        """Samples that one frame sees."""
        return 1 + sum((kernel - 1) * prod(self.strides[:layer]) for layer, kernel in enumerate(self.kernels))

    @property
    def overhang(self) -> int:
        """Frames by which an utterance's slot of rows exceeds its frames, so that no layer reads past the slot."""
        fields = [FrameGeometry(self.kernels[layer:], self.strides[layer:]) for layer in range(len(self.kernels))]
        return max(ceil(field.receptive_field / field.stride) for field in fields) - 1

    def num_frames(self, lengths: Lengths) -> Lengths:
        """Frames that the encoder gives.

        Args:
            lengths: Samples, a number or (B,).

        Returns:
            Frames of the same form, 0 for utterances shorter than the receptive field.
        """
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            lengths = (lengths - kernel) // stride + 1
            lengths = max(0, lengths) if isinstance(lengths, int) else lengths.clamp(min=0)
        return lengths

    def samples(self, first: int, last: int) -> tuple[int, int]:
        """Samples, from and up to, that frames ``first`` up to ``last`` (excluded) see."""
        return first * self.stride, (last - 1) * self.stride + self.receptive_field

    def seconds(self, frame: int) -> float:
        """Time at which a frame's own stretch of ``stride`` samples begins; those of all frames partition the clip."""
        return frame * self.stride / SAMPLE_RATE


def frames_needed(tokens: Sequence[object]) -> int:
    """Frames without which no CTC alignment exists: one a symbol, and one between equal neighbours."""
    return len(tokens) + sum(first == second for first, second in pairwise(tokens))
