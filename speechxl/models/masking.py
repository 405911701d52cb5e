"""Span masks over time or channels (Baevski et al. 2020, section 3.1; Park et al. 2019, SpecAugment)."""

import torch
from torch import Tensor

from speechxl.models.draws import keyed_uniform


def span_mask(
    keys: Tensor, lengths: Tensor, width: int, *, prob: float, length: int, min_spans: int, stream: int
) -> Tensor:
    """Masks spans that may overlap; their starts are drawn without replacement.

    As in the published code, ``prob`` is divided by ``length``: the papers' probability 0.065 that a frame starts a
    span of 10 is ``prob=0.65`` here, and masks 49 % of a long utterance.

    Args:
        keys: (B,) of `keyed_uniform`.
        lengths: (B,) valid frames; nothing beyond them is masked.
        width: Frames of the mask.
        prob: Share of frames under spans, were there no overlap.
        length: Frames of a span.
        min_spans: Spans that every utterance gets, if it is long enough for one.
        stream: Of `keyed_uniform`.

    Returns:
        (B, width) True where masked.
    """
    draws = keyed_uniform(keys, width + 1, stream)
    spans = (prob * lengths / length + draws[:, 0]).int().clamp(min=min_spans)
    starts = lengths - length + 1  # places where a span can start
    spans = torch.minimum(spans, starts.clamp(min=0))
    order = draws[:, 1:].masked_fill(torch.arange(width, device=keys.device) >= starts[:, None], 2.0)
    rank = order.argsort(1).argsort(1)
    open_spans = (rank < spans[:, None]).int().cumsum(1)
    closed = torch.nn.functional.pad(open_spans, (length, 0))[:, :width]
    return open_spans > closed
