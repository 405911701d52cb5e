"""Where to compute."""

import time
from collections.abc import Mapping
from typing import Any, Literal

import torch

from speechxl.errors import InputError

Precision = Literal["32", "bf16"]


def choose_device(name: str) -> str:
    """``"cpu"`` or ``"cuda"`` from ``"auto"``, which takes a GPU where there is one.

    Raises:
        InputError: If ``"cuda"`` is asked for and there is none.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; see nvidia-smi, or use --device cpu.")
    return name


def choose_precision(name: str, device: str) -> Precision:
    """``"32"`` or ``"bf16"`` from ``"auto"``, which takes bfloat16 where the processor multiplies faster in it.

    Args:
        name: What was asked for: ``"auto"``, ``"32"`` or ``"bf16"``.
        device: What was asked for: ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: If ``"cuda"`` is asked for and there is none, and the choice depends on it.
    """
    if name != "auto":
        return "bf16" if name == "bf16" else "32"
    if choose_device(device) == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    return "bf16" if fast_bfloat16(torch.cpu.get_capabilities()) else "32"


def fast_bfloat16(processor: Mapping[str, Any]) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 on a processor of these capabilities.

    With AMX they are, and with AVX-512 on AMD's processors. Intel's take twice as long with AVX-512 alone, as in virtual
    machines that hide AMX; others emulate.

    Args:
        processor: As `torch.cpu.get_capabilities` gives them.
    """
    intel = str(processor.get("cpu_name", "")).startswith("Intel")
    return bool(processor.get("amx_bf16") or (processor.get("avx512_bf16") and not intel))


def cast_linear(layers: torch.nn.Module) -> None:
    """Casts the weights of linear layers to bfloat16, once, in the place of each time that autocast meets them."""
    for part in layers.modules():
        if isinstance(part, torch.nn.Linear):
            part.to(torch.bfloat16)


def matmul_rate(device: torch.device, precision: str, size: int = 8192, repeats: int = 5) -> float:
    """Operations per second of a matrix product on ``device``, measured now.

    Args:
        device: A CPU or one GPU.
        precision: ``"32"`` or ``"bf16"``.
        size: Rows and columns.
        repeats: Products that are timed.
    """
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    factor = torch.randn(size, size, device=device, dtype=dtype)
    begun = 0.0
    for turn in range(repeats + 1):
        if turn == 1:
            _finish(device)
            begun = time.perf_counter()
        factor @ factor
    _finish(device)
    return 2 * size**3 * repeats / (time.perf_counter() - begun)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def plain_cpu(device: torch.device) -> bool:
    """Whether to compute in the way that suits a CPU; compiled code takes an accelerator's way everywhere."""
    return device.type == "cpu" and not torch.compiler.is_compiling()
