"""The self-test of `doctor`."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import soundfile
import torch

from speechxl.config import Architecture, Dropout, resolve
from speechxl.errors import RunFailed
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.shapes import SAMPLE_RATE
from speechxl.text import Vocabulary
from speechxl.verbs.python import load

Device = Literal["cpu", "cuda"]
_SMALL = Architecture(conv_channels=16, layers=2, width=32, ffn=64, heads=2)


def run() -> Iterator[tuple[Device, float]]:
    """Devices on which a model with random weights was saved, loaded and transcribed a second, and how long that took.

    Raises:
        RunFailed: If something comes out wrong.
    """
    devices: list[Device] = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    for device in devices:
        begun = time.perf_counter()
        with tempfile.TemporaryDirectory() as name, torch.random.fork_rng():
            _once(Path(name), device)
        yield device, time.perf_counter() - begun


def _once(folder: Path, device: Device) -> None:
    torch.manual_seed(0)
    vocabulary = Vocabulary.from_texts(["abc def"], "char")
    model = new_ctc_model(resolve("tiny", _SMALL, Dropout(0.0, 0.0, 0.0, 0.0, 0.0)), vocabulary).eval()
    torch.nn.init.normal_(model.lm_head.weight)
    card = Card(normalise=True, preset="tiny", units="char", column="text", vocabulary=vocabulary.hash)
    save_model(folder / "model", model, card, vocabulary)
    samples = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE).cumsum() / 10
    soundfile.write(folder / "noise.flac", samples - samples.mean(), SAMPLE_RATE)
    result = load(folder / "model", device=device, precision="32").transcribe(folder / "noise.flac")
    if not set(result.text) <= set("abcdef "):
        raise RunFailed(f"the self-test on {device} wrote {result.text!r}, which is not made of the model's symbols.")
    if not all(0 <= word.start < word.end <= 1 for word in result.words):
        raise RunFailed(f"the self-test on {device} gave times outside of the recording.")
