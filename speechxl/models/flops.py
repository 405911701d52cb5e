"""Floating-point operations of a pretraining step, from the sizes of the model alone; a multiply-add counts as two.

What no matrix product or convolution does (normalisation, GELU, softmax) is left out, as is usual where the use of a
machine is measured (Chowdhery et al. 2022, PaLM, appendix B).
"""

from math import prod
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count
from transformers import Wav2Vec2Config

from speechxl.shapes import SAMPLE_RATE

TRAINING = 3
"""Forward and backward pass together, in forward passes."""
MASKED = 0.49
"""Share of the frames that the usual masks cover; the objective looks at these only."""


def flops_per_second(model_config: Wav2Vec2Config) -> tuple[float, float]:
    """Operations of the forward pass of pretraining over an utterance, a polynomial in its length.

    Args:
        model_config: Of `transformers`.

    Returns:
        ``(a, b)``: an utterance of ``s`` seconds costs ``a * s + b * s**2``; ``b`` is attention and the similarities of
        masked frames. A training step costs `TRAINING` times as much.
    """
    c = model_config
    rate, channels, convolutions = float(SAMPLE_RATE), 1, 0.0
    for width, kernel, stride in zip(c.conv_dim, c.conv_kernel, c.conv_stride, strict=True):
        rate /= stride
        convolutions += 2 * rate * kernel * channels * width
        channels = width
    d, final, codes = c.hidden_size, c.proj_codevector_dim, c.num_codevector_groups * c.num_codevectors_per_group
    transformer = c.num_hidden_layers * (4 * d * d + 2 * d * c.intermediate_size)
    positions = d * (d // c.num_conv_pos_embedding_groups) * c.num_conv_pos_embeddings
    books = c.num_codevectors_per_group * c.codevector_dim  # the soft choice among the codes of each book
    objective = MASKED * (d * final + channels * codes + books + c.codevector_dim * final)
    linear = convolutions + 2 * rate * (channels * d + transformer + positions + objective)
    square = 2 * rate**2 * (c.num_hidden_layers * 2 * d + MASKED**2 * final)
    return linear, square


def flop_counter() -> FlopCounterMode:
    """Counts the operations of what is computed inside it.

    `torch` alone leaves out what is added in place and attention on a CPU, and counts the weights' gradient of a grouped
    convolution once for each group.
    """
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    gradient = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward
    own = {
        torch.ops.aten.addmm_: _addmm,
        torch.ops.aten.convolution_backward: _convolution_backward,
        attention: lambda query, key, value, *_, **__: sdpa_flop_count(query, key, value),
        gradient: lambda grad, query, key, value, *_, **__: sdpa_backward_flop_count(grad, query, key, value),
    }
    return FlopCounterMode(display=False, custom_mapping=own)


def _addmm(target: Any, left: Any, right: Any, **_: Any) -> int:
    return 2 * prod(left) * right[1]


def _convolution_backward(grad: Any, x: Any, weight: Any, *rest: Any, **_: Any) -> int:
    wanted = rest[-1]  # gradients of input and weight
    return 2 * grad[0] * prod(grad[2:]) * prod(weight) * (wanted[0] + wanted[1])
