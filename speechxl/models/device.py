"""Where to compute."""

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


def plain_cpu(device: torch.device) -> bool:
    """Whether to compute in the way that suits a CPU; compiled code takes an accelerator's way everywhere."""
    return device.type == "cpu" and not torch.compiler.is_compiling()
