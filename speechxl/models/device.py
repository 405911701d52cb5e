"""Where to compute."""

import time

import torch

from speechxl.errors import InputError


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


def choose_precision(name: str, device: str) -> str:
    """``"32"`` or ``"bf16"`` from ``"auto"``, which takes bfloat16 where the processor multiplies in it.

    Args:
        name: What was asked for.
        device: ``"cpu"`` or ``"cuda"``.
    """
    if name != "auto":
        return name
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "32"
    return "bf16" if torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported() else "32"


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
