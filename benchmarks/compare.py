"""What every benchmark shares: peer and speechxl in turn in one process, memory in a process each, one JSON document."""

import argparse
import ctypes
import json
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from speechxl.heap import keep_heap

SIDES = ("peer", "speechxl")
Step = Callable[[], None]
MIB = 2**20


def common(description: str) -> argparse.ArgumentParser:
    """The flags that all benchmarks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--preset", choices=["tiny", "w2v2-base", "xls-r-300m"], default="w2v2-base")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--batch", type=int, default=2, help="utterances")
    parser.add_argument("--seconds", type=float, default=8.0, help="of each utterance")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser


def arguments(description: str) -> argparse.Namespace:
    """The flags of a comparison."""
    parser = common(description)
    parser.add_argument("--dtypes", nargs="+", choices=["float32", "bfloat16"], default=["float32", "bfloat16"])
    parser.add_argument(
        "--measure", nargs=3, metavar=("SIDE", "DTYPE", "PART"), help="memory of one side; used by the benchmark itself"
    )
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return options


def run(name: str, options: argparse.Namespace, parts: dict[str, Callable[[argparse.Namespace, str], Step]]) -> None:
    """Compares both sides for every part and dtype, and prints the document.

    Args:
        name: Of the benchmark.
        options: Of `arguments`.
        parts: What is timed; each makes the step of a side from the options and the side's name.
    """
    if options.measure:
        side, dtype, part = options.measure
        print(_memory(lambda: parts[part](options, side), side, dtype, options.device))
        return
    results = []
    for part, make in parts.items():
        steps = {side: make(options, side) for side in SIDES}
        for dtype in options.dtypes:
            times: dict[str, list[float]] = {side: [] for side in SIDES}
            for repeat in range(options.repeats + 1):
                for side in SIDES:
                    seconds = _time(steps[side], side, dtype, options.device)
                    if repeat:
                        times[side].append(seconds)
            ratio = median(peer / own for peer, own in zip(times["peer"], times["speechxl"], strict=True))
            memory = {side: _memory_in_child(options, side, dtype, part) for side in SIDES}
            results.append(
                {
                    "part": part,
                    "dtype": dtype,
                    "peer_s": round(median(times["peer"]), 4),
                    "speechxl_s": round(median(times["speechxl"]), 4),
                    "speedup": round(ratio, 3),
                    "peer_mib": round(memory["peer"]),
                    "speechxl_mib": round(memory["speechxl"]),
                    "memory_ratio": round(memory["speechxl"] / memory["peer"], 3),
                }
            )
            print(results[-1], file=sys.stderr)
    print(json.dumps(head(name, options) | {"results": results}))


def head(name: str, options: argparse.Namespace) -> dict[str, object]:
    """What every document says of the benchmark."""
    gpu = options.device == "cuda"
    return {
        "schema": 1,
        "benchmark": name,
        "preset": options.preset,
        "device": torch.cuda.get_device_name() if gpu else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "batch": [options.batch, options.seconds],
    }


def _time(step: Step, side: str, dtype: str, device: str) -> float:
    _heap_of(side)
    with torch.autocast(device, torch.bfloat16, enabled=dtype == "bfloat16"):
        wait(device)
        begun = time.perf_counter()
        step()
        wait(device)
        return time.perf_counter() - begun


def _memory(make: Callable[[], Step], side: str, dtype: str, device: str) -> float:
    """MiB at the peak of two steps, with weights and gradients, without interpreter and libraries."""
    _heap_of(side)
    before = peak_rss()
    step = make()
    for _ in range(2):
        _time(step, side, dtype, device)
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / MIB
    return peak_rss() - before


def peak_rss() -> float:
    """MiB of this process; the kernel's `ru_maxrss` would be that of the parent as well."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB  # bytes on macOS
    return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 1024


def _memory_in_child(options: argparse.Namespace, side: str, dtype: str, part: str) -> float:
    flags = [f"--{name}={getattr(options, name)}" for name in ("preset", "device", "batch", "seconds", "threads")]
    command = [sys.executable, sys.argv[0], *flags, "--measure", side, dtype, part]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def _heap_of(side: str) -> None:
    """Speechxl keeps freed memory; the peer gets what glibc's own adaptation would reach in a process of its own."""
    if side == "speechxl":
        keep_heap()
    elif platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        for parameter, value in ((-4, 65536), (-3, 32 * MIB), (-1, 64 * MIB), (-2, 0)):
            libc.mallopt(parameter, value)


def wait(device: str) -> None:
    """Until the device has done what it was asked for."""
    if device == "cuda":
        torch.cuda.synchronize()
