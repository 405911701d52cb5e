"""Where the time of a pretraining step goes: kinds of work, arithmetic, and what the machine could do at best."""

import json
import re
import sys
import time
from collections import Counter
from contextlib import nullcontext
from statistics import median

import torch
from compare import Step, common, head, wait
from models import pair, preset_of
from pretrain_step import own
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile
from transformers import Wav2Vec2ForPreTraining

from speechxl.heap import keep_heap
from speechxl.models.compiling import compiled_layers
from speechxl.models.flops import TRAINING, flop_counter, flops_per_second

GROUPS = {
    "attention": r"scaled_dot_product|flash_attention|efficient_attention|_Attention",
    "compiled layers": r"triton_|cpp_fused|CompiledFxGraph|CompiledFunction",
    "convolution over positions": r"conv(?!Stack)|_weight_norm",
    "matrix products": r"(add|badd)?b?mm_?$|linear$",
    "normalisation": r"layer_norm|batch_norm",
    "GELU": r"gelu",
    "dropout and random draws": r"_Masked|dropout|random_|bernoulli|bitwise|shift|rand",
    "copies and casts": r"copy|clone|contiguous|::cat$|pad|fill_$|zero_?|empty|::to$",
    "gathers and softmax of the objective":
        r"gather|scatter|index|embedding|softmax|logsumexp|sort|cumsum|masked_fill|arg|::max|::exp$|::log$",
}  # fmt: skip
"""Operations by name; the first that fits, of the operation or, for attention and dropout, of one around it."""
AROUND = ("attention", "dropout and random draws")


def group(event: FunctionEvent) -> str:
    """Kind of work of an operation."""
    names = [event.name]
    while (event := event.cpu_parent) is not None:
        names.append(event.name)
    for kind in AROUND:
        if any(re.search(GROUPS[kind], name) for name in names):
            return kind
    return next((kind for kind, pattern in GROUPS.items() if re.search(pattern, names[0])), "rest")


def within_extractor(event: FunctionEvent | None) -> bool:
    """Whether an operation is one of the feature extractor's convolutions."""
    while event is not None:
        if "_ConvStack" in event.name:
            return True
        event = event.cpu_parent
    return False


def product_rate(device: str, dtype: torch.dtype) -> float:
    """FLOP per second of the product of two square matrices: the median of nine."""
    size = 8192 if device == "cuda" else 2048
    left, right = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    return 2 * size**3 / timed(lambda: left @ right, device, 9)


def timed(step: Step, device: str, repeats: int) -> float:
    """Seconds, the median; the first time does not count."""
    times = []
    for _ in range(repeats + 1):
        wait(device)
        begun = time.perf_counter()
        step()
        wait(device)
        times.append(time.perf_counter() - begun)
    return median(times[1:])


def main() -> None:
    """Measures, and prints table and document."""
    parser = common(__doc__)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--compile", action="store_true", help="compile the transformer layers")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_heap()
    preset, device, dtype = preset_of(options.preset), options.device, getattr(torch, options.dtype)
    model = pair(Wav2Vec2ForPreTraining, preset, device)["speechxl"]
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=device)
    bare = own(model, waveform, preset)

    def step() -> None:
        with torch.autocast(device, torch.bfloat16, enabled=dtype == torch.bfloat16):
            bare()

    with flop_counter() as counter:
        step()
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device == "cuda" else [])
    with compiled_layers(model.wav2vec2, device) if options.compile else nullcontext():
        seconds = timed(step, device, options.repeats)
        with profile(activities=activities) as profiler:
            step()
            wait(device)
    rate = product_rate(device, dtype)
    linear, square = flops_per_second(model.config)
    arithmetic = TRAINING * options.batch * (linear * options.seconds + square * options.seconds**2)

    spent: Counter[str] = Counter()
    extractor = 0.0
    for event in profiler.events():
        own_time = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        if event.device_type == torch.autograd.DeviceType.CPU and own_time > 0:
            spent[group(event)] += own_time / 1e6
            extractor += within_extractor(event) * own_time / 1e6
    whole = sum(spent.values())
    document = head("pretrain_profile", options) | {
        "dtype": options.dtype,
        "compile": options.compile,
        "step_s": round(seconds, 4),
        "audio_s_per_s": round(options.batch * options.seconds / seconds, 2),
        "gflop": round(arithmetic / 1e9, 2),
        "counted_gflop": round(counter.get_total_flops() / 1e9, 2),
        "product_gflop_per_s": round(rate / 1e9, 1),
        "utilisation": round(arithmetic / seconds / rate, 4),
        "profiled_s": round(whole, 4),
        "extractor_share": round(extractor / whole, 4),
        "results": [
            {"group": name, "s": round(value, 4), "share": round(value / whole, 4)}
            for name, value in spent.most_common()
        ],
    }
    for row in document["results"]:
        print(f"{row['group']:38s} {row['s']:9.4f} s {row['share']:6.1%}", file=sys.stderr)
    print(
        f"{'extractor, of these':38s} {extractor:9.4f} s {extractor / whole:6.1%}\n"
        f"step {seconds:.3f} s, {arithmetic / 1e9:.1f} GFLOP ({counter.get_total_flops() / 1e9:.1f} counted); "
        f"a matrix product reaches {rate / 1e9:.0f} GFLOP/s: {arithmetic / seconds / rate:.1%} of it used",
        file=sys.stderr,
    )
    print(json.dumps(document))


if __name__ == "__main__":
    main()
