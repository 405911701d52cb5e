"""From waveforms of any length to hypotheses: windows, batches, and everything back in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speechxl.data.audio import standardise
from speechxl.decoding.greedy import greedy
from speechxl.models.extractor import Moments
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE, Hypothesis
from speechxl.text import Vocabulary


@dataclass(frozen=True)
class Window:
    """A stretch of a recording that is encoded by itself, and the frames that are taken from it."""

    first: int
    """Sample at which the stretch begins."""
    last: int
    """Sample before which it ends."""
    skip: int
    """Frames of the stretch that serve as context only, on the left."""
    start: int
    """First frame of the recording that is taken."""
    stop: int
    """Frame of the recording before which is stopped."""


def windows(samples: int, geometry: FrameGeometry, core: int, context: int) -> list[Window]:
    """Cuts a recording so that each of its frames is taken from exactly one window.

    Args:
        samples: Of the recording.
        geometry: Of the encoder.
        core: Frames that are taken from each window but the last.
        context: Frames on both sides that are encoded with them.

    Returns:
        One window for a recording of at most ``core`` + 2 ``context`` frames; none if it is shorter than a frame.
    """
    total = geometry.num_frames(samples)
    if total == 0:
        return []
    if total <= core + 2 * context:
        return [Window(0, samples, 0, 0, total)]
    result = []
    for start in range(0, total, core):
        stop = min(start + core, total)
        left, right = max(0, start - context), min(stop + context, total)
        first, last = geometry.samples(left, right)
        result.append(Window(first, samples if right == total else last, start - left, start, stop))
    return result


class Recogniser:
    """A CTC model that is ready to be used.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of its outputs.
        normalise: Whether it expects zero mean and unit variance; taken over the whole recording.
        device: Where to compute.
        precision: ``"32"`` or ``"bf16"``.
        batch_seconds: Audio of a batch, including padding.
        window_seconds: Audio that is decoded at once; longer recordings are cut.
        context_seconds: Audio on both sides of a cut that is encoded as well.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Vocabulary,
        *,
        normalise: bool,
        device: str = "cpu",
        precision: str = "32",
        batch_seconds: float = 120.0,
        window_seconds: float = 30.0,
        context_seconds: float = 5.0,
    ) -> None:
        self.model = model.to(device).eval()
        self.vocabulary, self.normalise, self.device, self.precision = vocabulary, normalise, device, precision
        self.geometry: FrameGeometry = model.wav2vec2.geometry
        self.batch_samples = int(batch_seconds * SAMPLE_RATE)
        self.core = max(1, int(window_seconds * SAMPLE_RATE) // self.geometry.stride)
        self.context = int(context_seconds * SAMPLE_RATE) // self.geometry.stride

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """Recognises recordings, each (T,) at 16 kHz, in the order given."""
        return [
            greedy(logits[None], torch.tensor([len(logits)]), self.vocabulary, self.geometry)[0]
            for logits in self.logits(waveforms)
        ]

    @torch.inference_mode()
    def logits(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Scores of the symbols (F, V), float32 on the CPU, of each recording."""
        if self.normalise:
            waveforms = [standardise(waveform) for waveform in waveforms]
        pieces = [
            (row, window)
            for row, waveform in enumerate(waveforms)
            for window in windows(len(waveform), self.geometry, self.core, self.context)
        ]
        moments = [self._moments(waveform) for waveform in waveforms]
        results = [torch.empty(self.geometry.num_frames(len(waveform)), len(self.vocabulary)) for waveform in waveforms]
        for batch in self._batches(pieces):
            lengths = torch.tensor([window.last - window.first for _, window in batch])
            padded = torch.zeros(len(batch), int(lengths.max()))
            for line, (row, window) in zip(padded, batch, strict=True):
                line[: window.last - window.first] = torch.from_numpy(waveforms[row][window.first : window.last])
            whole = [moments[row] for row, _ in batch]
            for logits, (row, window) in zip(self._encode(padded, lengths, whole), batch, strict=True):
                taken = window.stop - window.start
                results[row][window.start : window.stop] = logits[window.skip : window.skip + taken]
        return results

    def _moments(self, waveform: np.ndarray) -> Moments | None:
        """Statistics of a whole recording, so that group norm does the same to each of its windows."""
        extractor = self.model.wav2vec2.feature_extractor
        if extractor.norm != "group" or self.geometry.num_frames(len(waveform)) == 0:
            return None
        return extractor.moments(torch.from_numpy(waveform)[None])

    def _encode(self, waveform: Tensor, lengths: Tensor, moments: Sequence[Moments | None]) -> Tensor:
        stacked = None
        if known := [each for each in moments if each is not None]:
            stacked = Moments(
                torch.cat([each.mean for each in known]).to(self.device),
                torch.cat([each.covariance for each in known]).to(self.device),
            )
        some = bool(lengths.min() < lengths.max())
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            frames = lengths.to(self.device) if some else None
            encoded = self.model.wav2vec2(waveform.to(self.device), frames, moments=stacked)
            return self.model.lm_head(encoded.features).float().cpu()

    def _batches(self, pieces: list[tuple[int, Window]]) -> list[list[tuple[int, Window]]]:
        """Pieces of similar length together, the longest first."""
        batches: list[list[tuple[int, Window]]] = []
        longest = 0
        for row, window in sorted(pieces, key=lambda piece: piece[1].first - piece[1].last):
            if not batches or longest * (len(batches[-1]) + 1) > self.batch_samples:
                batches.append([])
                longest = window.last - window.first
            batches[-1].append((row, window))
        return batches
