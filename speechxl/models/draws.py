"""Random numbers that are a pure function of a key: the same on every device, in any batch, after any interruption."""

import torch
from torch import Tensor

MASK, DISTRACTORS, GUMBEL, CHANNELS = range(4)
"""Streams: what the numbers are for."""


def keyed_uniform(keys: Tensor, count: int, stream: int) -> Tensor:
    """Uniform numbers in (0, 1) from a counter-based generator (SplitMix64; Steele, Lea, Flood 2014).

    Args:
        keys: (B,) int64, one for each utterance, which carries the seed and the epoch.
        count: Numbers for each key.
        stream: What they are for; streams are independent.

    Returns:
        (B, count) float32.
    """
    counter = torch.arange(count, device=keys.device)
    state = _mix(keys + _signed((stream + 1) * 0x9E3779B97F4A7C15))[:, None] + counter * _signed(0xD1342543DE82EF95)
    return ((_mix(state) >> 41) & 0x7FFFFF).float().add_(0.5).mul_(2.0**-23)  # 24 bits would round up to 1


def _signed(value: int) -> int:
    """The number of 64 bits as an int64 holds it."""
    value %= 2**64
    return value - 2**64 if value >= 2**63 else value


def _mix(state: Tensor) -> Tensor:
    """SplitMix64's output function; int64 products wrap around, shifts are made logical by masks."""
    state = (state ^ ((state >> 30) & (2**34 - 1))) * _signed(0xBF58476D1CE4E5B9)
    state = (state ^ ((state >> 27) & (2**37 - 1))) * _signed(0x94D049BB133111EB)
    return state ^ ((state >> 31) & (2**33 - 1))
