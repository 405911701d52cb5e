"""Masks of frames and channels while a model is fine-tuned."""

from torch import Tensor, full_like

from speechxl.config import Augment
from speechxl.models.draws import CHANNELS, MASK
from speechxl.models.masking import span_mask


def draw_masks(augment: Augment, keys: Tensor, frames: Tensor, width: int, channels: int) -> dict[str, Tensor]:
    """Arguments of `Encoder.forward`; those that are asked for.

    Args:
        augment: Settings.
        keys: (B,) seeds of the draws.
        frames: (B,) of the utterances.
        width: F.
        channels: D.
    """
    masks = {}
    if augment.time_prob:
        masks["mask"] = span_mask(
            keys, frames, width, prob=augment.time_prob, length=augment.time_length, min_spans=0, stream=MASK
        )
    if augment.channel_prob:
        masks["channel_mask"] = span_mask(
            keys, full_like(frames, channels), channels,
            prob=augment.channel_prob, length=augment.channel_length, min_spans=0, stream=CHANNELS,
        )  # fmt: skip
    return masks
