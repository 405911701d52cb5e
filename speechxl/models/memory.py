"""Memory of training, from the sizes of the model and the batch."""

from typing import Any

import torch

from speechxl.shapes import SAMPLE_RATE

_VALUES = 29
"""Kept for the backward pass of each feature of a transformer layer's frame; measured on `w2v2-base` with 4 x 8 s, where float32
takes 28 and bfloat16 32 (34 bytes in 16 bits with dropout: Korthikanti et al. 2022, section 4.1)."""
_EXTRACTOR_RATE = 63
"""Rows of all convolutions but the first, for each frame of the encoder."""


def training_memory(model: torch.nn.Module, batch_seconds: float, precision: str) -> int:
    """Bytes that a training step takes, about; the libraries themselves come on top.

    Args:
        model: Of `transformers`; parameters that are not trained have no gradient.
        batch_seconds: Audio of a batch.
        precision: ``"32"`` or ``"bf16"``.
    """
    config: Any = model.config
    size = 2 if precision == "bf16" else 4
    frames = batch_seconds * SAMPLE_RATE / 320
    weights = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    kept = _VALUES * config.num_hidden_layers * config.hidden_size
    if any(p.requires_grad for name, p in model.named_parameters() if "feature_extractor" in name):
        kept += _EXTRACTOR_RATE * config.conv_dim[-1]
    return int(4 * weights + 3 * 4 * trained + frames * kept * size)
