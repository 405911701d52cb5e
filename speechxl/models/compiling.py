"""`torch.compile` for the transformer layers."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._dynamo.exc import BackendCompilerFailed

from speechxl.errors import InputError


@contextmanager
def compiled_layers(encoder: Any, device: str, backend: str = "inductor") -> Iterator[None]:
    """Compiles each transformer layer on its first call; afterwards the layers are as they were.

    All layers share their compiled code, whose batch and frames are symbols: another length, another temperature, or a
    layer left out compiles nothing again, a model of 48 layers takes no longer than one of 2, and the names of the
    parameters stay. Outside the layers there is little to fuse but what `models.extractor` does by hand.

    Args:
        encoder: `models.encoder.Encoder`.
        device: ``"cpu"`` or ``"cuda"``, on which it will run.
        backend: Of `torch.compile`.

    Raises:
        InputError: If there is no compiler for the device's code, or it fails.
    """
    check_compiler(device)
    for layer in encoder.encoder.layers:
        layer.compile(dynamic=True, backend=backend)
    try:
        # train and eval, padded or not, one utterance or several: more forms than torch expects of one function
        with torch._dynamo.config.patch(recompile_limit=64):
            yield
    except BackendCompilerFailed as error:
        reason = str(error).strip().splitlines()
        raise InputError(
            f"--compile: torch.compile failed: {' '.join(reason[:3])}; see that the compiler and Python's headers "
            "(python3-dev) are installed, or leave --compile out."
        ) from error
    finally:
        for layer in encoder.encoder.layers:
            layer._compiled_call_impl = None


def check_compiler(device: str) -> None:
    """Looks for the compiler that `torch.compile` needs.

    Args:
        device: ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: If there is none, with what to install.
    """
    if device == "cpu":
        names = [os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")]
        what = "C++ compiler"
    else:
        names = [os.environ["CC"]] if os.environ.get("CC") else ["gcc", "clang", "cc"]
        what = "C compiler, which triton needs"
    if not any(shutil.which(name) for name in names):
        raise InputError(
            f"--compile: found no {what} ({', '.join(names)}); install one (on Debian and Ubuntu: apt install g++ "
            "python3-dev), or leave --compile out."
        )
