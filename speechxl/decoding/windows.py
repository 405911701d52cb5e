"""Recordings in windows: where to cut, stretches of what comes in blocks, and what has to be known of the whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from speechxl.models.extractor import Moments
from speechxl.models.frames import FrameGeometry


@dataclass(frozen=True)
class Window:
    """A stretch of a recording that is encoded by itself, and the frames that are taken from it."""

    first: int
    """Sample at which the stretch begins."""
    last: int
    """Sample before which it ends."""
    skip: int
    """Frames of the stretch that serve as context only, on the left."""
    start: int
    """First frame of the recording that is taken."""
    stop: int
    """Frame of the recording before which is stopped."""


def windows(
    samples: int, geometry: FrameGeometry, core: int, context: int, speech: Sequence[tuple[int, int]] | None = None
) -> list[Window]:
    """Cuts a recording so that each of its frames, or each of its frames with speech, is taken from exactly one window.

    Args:
        samples: Of the recording.
        geometry: Of the encoder.
        core: Frames that are taken from each window but the last of a stretch.
        context: Frames on both sides of a cut that are encoded with them.
        speech: Stretches of samples that are cut apart, and beyond which nothing is looked at; None for the whole.

    Returns:
        One window for a stretch of at most ``core`` + 2 ``context`` frames; none if it is shorter than a frame.
    """
    total = geometry.num_frames(samples)
    stretches = [(0, total)] if speech is None else [_frames(*span, geometry, total) for span in speech]
    result = []
    for low, high in stretches:
        for start in range(low, high, core if high - low > core + 2 * context else max(1, high - low)):
            stop = min(start + core, high) if high - low > core + 2 * context else high
            left, right = max(low, start - context), min(stop + context, high)
            first, last = geometry.samples(left, right)
            result.append(Window(first, samples if right == total else last, start - left, start, stop))
    return result


def _frames(first: int, last: int, geometry: FrameGeometry, total: int) -> tuple[int, int]:
    """Frames that a stretch of samples touches."""
    return min(total, first // geometry.stride), min(total, -(-last // geometry.stride))


class Tape:
    """Stretches of a recording that comes in blocks; they are taken from left to right and may overlap."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self.blocks = iter(blocks)
        self.held = np.empty(0, np.float32)
        self.first = 0

    def take(self, first: int, last: int) -> np.ndarray:
        """Samples from and up to; what is before them is forgotten."""
        parts, begin, end = [self.held], self.first, self.first + len(self.held)
        while end < last:
            if end <= first:
                parts, begin = [], end
            parts.append(next(self.blocks))
            end += len(parts[-1])
        self.held, self.first = np.concatenate(parts)[first - begin :], first
        return self.held[: last - first]


@dataclass(frozen=True)
class Statistics:
    """Of a whole recording."""

    samples: int
    mean: float
    variance: float
    first_layer: Moments | None
    """Of the recording as it is; None where the encoder does not need them."""

    def standardise(self, waveform: np.ndarray) -> np.ndarray:
        """Zero mean and unit variance over the whole recording, for a stretch of it."""
        return ((waveform - self.mean) / np.sqrt(self.variance + 1e-7)).astype(np.float32)

    def moments(self, standardised: bool) -> Moments | None:
        """For group norm."""
        if self.first_layer is None or not standardised:
            return self.first_layer
        variance = self.variance + 1e-7
        return Moments((self.first_layer.mean - self.mean) / variance**0.5, self.first_layer.covariance / variance)


def statistics(blocks: Iterable[np.ndarray], extractor: Any) -> Statistics:
    """Statistics of a recording in one pass over it."""
    samples, total, squares = 0, 0.0, 0.0
    kernel, stride = extractor.geometry.kernels[0], extractor.geometry.strides[0]
    rest = np.empty(0, np.float32)
    parts: list[tuple[int, Moments]] = []
    for waveform in blocks:
        double = waveform.astype(np.float64)
        samples, total, squares = samples + len(waveform), total + double.sum(), squares + (double**2).sum()
        if extractor.norm == "group":
            rest = np.concatenate([rest, waveform])
            count = max(0, (len(rest) - kernel) // stride + 1)
            if count:
                heard = torch.from_numpy(rest[: (count - 1) * stride + kernel])
                parts.append((count, extractor.moments(heard[None])))
            rest = rest[count * stride :]
    mean = total / max(samples, 1)
    return Statistics(samples, mean, max(0.0, squares / max(samples, 1) - mean**2), _together(parts))


def _together(parts: Sequence[tuple[int, Moments]]) -> Moments | None:
    """Moments of all windows from those of some at a time, with their numbers."""
    if not parts:
        return None
    counts = torch.tensor([float(count) for count, _ in parts], dtype=torch.double)[:, None]
    shares = counts / counts.sum()
    means = torch.cat([part.mean for _, part in parts])  # (N, k)
    mean = (shares * means).sum(0, keepdim=True)
    away = means - mean
    within = (shares[..., None] * torch.cat([part.covariance for _, part in parts])).sum(0, keepdim=True)
    return Moments(mean, within + (shares * away).mT @ away)
