"""A folder of recordings of mixed lengths to texts, against `transformers`' pipeline; random weights."""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import jiwer
import numpy as np
import soundfile
import torch
from compare import common, head, peak_rss
from models import preset_of
from transformers import pipeline

from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.text import Vocabulary
from speechxl.verbs.transcribe import transcribe


def make_files(folder: Path, count: int) -> float:
    """Noise of 0.5 to 30 s, short ones more often, as FLAC; returns hours."""
    rng = np.random.default_rng(0)
    lengths = np.exp(rng.uniform(np.log(0.5), np.log(30), count))
    for number, seconds in enumerate(lengths):
        samples = rng.normal(size=int(seconds * 16_000)) * rng.uniform(0.01, 0.2)
        soundfile.write(folder / f"{number:03d}.flac", samples, 16_000)
    return float(lengths.sum()) / 3600


def longest(folder: Path, count: int, into: Path) -> None:
    """Links the longest recordings, which are what memory depends on."""
    for file in sorted(folder.glob("*.flac"), key=lambda file: -soundfile.info(file).frames)[:count]:
        (into / file.name).symlink_to(file)


def make_model(folder: Path, preset: str) -> None:
    """A CTC model whose symbols are all written."""
    torch.manual_seed(0)
    shape = preset_of(preset)
    vocabulary = Vocabulary(("<pad>", "|", *map(chr, range(ord("a"), ord("z") + 1))))
    model = new_ctc_model(shape, vocabulary)
    with torch.no_grad():
        model.lm_head.weight.mul_(20)  # so that symbols differ in probability, as in a trained model
    card = Card(normalise=shape.normalise, preset=preset, units="char", vocabulary=vocabulary.hash)
    save_model(folder, model, card, vocabulary)


def peer(model: Path, folder: Path, device: str, batch: int) -> list[str]:
    """The pipeline; it gets samples, as it opens files through the program ffmpeg."""
    run = pipeline("automatic-speech-recognition", model=str(model), device=device, batch_size=batch)
    files = sorted(folder.glob("*.flac"))
    read = ({"raw": soundfile.read(file, dtype="float32")[0], "sampling_rate": 16_000} for file in files)
    return [" ".join(found["text"].split()) for found in run(read)]  # which writes empty words as spaces


def own(model: Path, folder: Path, device: str, precision: str) -> list[str]:
    """The verb."""
    outcome = transcribe(str(model), [str(folder)], precision=precision, device=device)
    return [result["text"] for result in outcome.document["results"]]


def main() -> None:
    """Measures and prints one JSON document."""
    parser = common(__doc__)
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--peer_batches", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--measure", nargs=4, metavar=("SIDE", "HOW", "MODEL", "FOLDER"))
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.measure:
        side, how, model, folder = options.measure
        run(side, how, Path(model), Path(folder), options.device)
        print(peak_rss())
        return
    with TemporaryDirectory() as name:
        model, folder, few, long = (Path(name) / part for part in ("model", "audio", "few", "long"))
        for each in (folder, few, long):
            each.mkdir()
        hours = make_files(folder, options.files)
        longest(folder, 24, long)
        make_files(few, 24)
        make_model(model, options.preset)
        best = min(options.peer_batches, key=lambda batch: timed("peer", str(batch), model, few, options.device)[0])
        ways = [("peer", str(best)), ("speechxl", "32"), ("speechxl", "auto")]
        times: dict[tuple[str, str], list[float]] = {way: [] for way in ways}
        texts: dict[tuple[str, str], list[str]] = {}
        for _ in range(options.repeats):
            for way in ways:
                seconds, texts[way] = timed(*way, model, folder, options.device)
                times[way].append(seconds)
        exact = texts[ways[0]] if best == 1 else timed("peer", "1", model, folder, options.device)[1]
        results = [
            {
                "side": side,
                "how": how,
                "seconds": round(median(times[side, how]), 2),
                "times_real_time": round(hours * 3600 / median(times[side, how]), 1),
                "speedup": round(median(a / b for a, b in zip(times[ways[0]], times[side, how], strict=True)), 3),
                "different_characters": round(jiwer.cer(exact, texts[side, how]), 6),
                "peak_mib": round(memory(options, side, how, model, long)),
            }
            for side, how in ways
        ]
    document = head("transcribe", options) | {"files": options.files, "hours": round(hours, 3), "results": results}
    del document["batch"]
    print(json.dumps(document))


def run(side: str, how: str, model: Path, folder: Path, device: str) -> list[str]:
    """One side; ``how`` is the peer's batch size, or a precision."""
    return peer(model, folder, device, int(how)) if side == "peer" else own(model, folder, device, how)


def timed(side: str, how: str, model: Path, folder: Path, device: str) -> tuple[float, list[str]]:
    """Seconds from files to texts, and the texts."""
    begun = time.perf_counter()
    texts = run(side, how, model, folder, device)
    return time.perf_counter() - begun, texts


def memory(options: argparse.Namespace, side: str, how: str, model: Path, folder: Path) -> float:
    """Largest memory of a process of its own, MiB, with the longest recordings."""
    command = [sys.executable, __file__, "--device", options.device, "--threads", str(options.threads)]
    command += ["--measure", side, how, str(model), str(folder)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


if __name__ == "__main__":
    main()
