"""From waveforms of any length to hypotheses: windows, batches, and everything back in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from speechxl.data.audio import standardise
from speechxl.decoding.greedy import Greedy
from speechxl.decoding.path import hypothesis
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


class Decoder(Protocol):
    """Finds the text; `Greedy` and `Beam`."""

    def reduce(self, logits: Tensor) -> Tensor:
        """What has to be kept of logits (..., F, V): (..., F, K)."""

    def search(self, stretches: Iterable[Tensor]) -> Tensor:
        """Path (F, 2) of symbols and log probabilities through stretches of (F, K)."""


class Recogniser:
    """A CTC model that is ready to be used.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of its outputs.
        decoder: How the text is found; by default the likeliest symbol of each frame.
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
        decoder: Decoder | None = None,
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
        self.decoder = decoder or Greedy()
        self.batch_samples = int(batch_seconds * SAMPLE_RATE)
        self.core = max(1, int(window_seconds * SAMPLE_RATE) // self.geometry.stride)
        self.context = int(context_seconds * SAMPLE_RATE) // self.geometry.stride

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """Recognises recordings, each (T,) at 16 kHz, in the order given."""
        return [self._hypothesis([kept]) for kept in self._run(waveforms, self.decoder.reduce)]

    def logits(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Scores of the symbols (F, V), float32 on the CPU, of each recording."""
        return self._run(waveforms, lambda logits: logits)

    def stream(self, read: Callable[[], Iterable[np.ndarray]]) -> Hypothesis:
        """Recognises a recording of any length in the memory of a few windows.

        Args:
            read: Gives it from its beginning in blocks, each (T,) at 16 kHz; called twice, as the normalisation is that of
                the whole.

        Returns:
            The same as for the whole waveform.
        """
        return self._hypothesis(self._stretches(read))

    def _hypothesis(self, stretches: Iterable[Tensor]) -> Hypothesis:
        return hypothesis(self.decoder.search(stretches), self.vocabulary, self.geometry)

    def _stretches(self, read: Callable[[], Iterable[np.ndarray]]) -> Iterator[Tensor]:
        """What the decoder keeps of the frames, window by window."""
        whole = _statistics(read(), self.model.wav2vec2.feature_extractor)
        waveform = _Tape(read())
        pieces = [(0, window) for window in windows(whole.samples, self.geometry, self.core, self.context)]
        for batch in self._batches(pieces, sort=False):
            stretches = [waveform.take(window.first, window.last) for _, window in batch]
            if self.normalise:
                stretches = [whole.standardise(stretch) for stretch in stretches]
            rows = self._encode(stretches, [whole.moments(self.normalise)] * len(batch), self.decoder.reduce)
            for row, (_, window) in zip(rows, batch, strict=True):
                yield row[window.skip : window.skip + window.stop - window.start]

    def _run(self, waveforms: Sequence[np.ndarray], reduce: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """What ``reduce`` leaves of the logits (B, F, V) of each recording, (F, ...) on the CPU."""
        if self.normalise:
            waveforms = [standardise(waveform) for waveform in waveforms]
        pieces = [
            (row, window)
            for row, waveform in enumerate(waveforms)
            for window in windows(len(waveform), self.geometry, self.core, self.context)
        ]
        moments = [self._moments(waveform) for waveform in waveforms]
        shape = reduce(torch.zeros(1, 0, len(self.vocabulary))).shape[2:]
        results = [torch.empty(self.geometry.num_frames(len(waveform)), *shape) for waveform in waveforms]
        for batch in self._batches(pieces):
            stretches = [waveforms[row][window.first : window.last] for row, window in batch]
            rows = self._encode(stretches, [moments[row] for row, _ in batch], reduce)
            for kept, (row, window) in zip(rows, batch, strict=True):
                taken = window.stop - window.start
                results[row][window.start : window.stop] = kept[window.skip : window.skip + taken]
        return results

    @torch.inference_mode()
    def _moments(self, waveform: np.ndarray) -> Moments | None:
        """Statistics of a whole recording, so that group norm does the same to each of its windows."""
        extractor = self.model.wav2vec2.feature_extractor
        if extractor.norm != "group" or self.geometry.num_frames(len(waveform)) == 0:
            return None
        return extractor.moments(torch.from_numpy(waveform)[None])

    @torch.inference_mode()
    def _encode(
        self, stretches: Sequence[np.ndarray], moments: Sequence[Moments | None], reduce: Callable[[Tensor], Tensor]
    ) -> Tensor:
        """One batch: (B, F, ...) on the CPU."""
        lengths = torch.tensor([len(stretch) for stretch in stretches])
        waveform = torch.zeros(len(stretches), int(lengths.max()))
        for line, stretch in zip(waveform, stretches, strict=True):
            line[: len(stretch)] = torch.from_numpy(stretch)
        stacked = None
        if known := [each for each in moments if each is not None]:
            stacked = Moments(
                torch.cat([each.mean for each in known]).to(self.device),
                torch.cat([each.covariance for each in known]).to(self.device),
            )
        frames = lengths.to(self.device) if bool(lengths.min() < lengths.max()) else None
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            encoded = self.model.wav2vec2(waveform.to(self.device), frames, moments=stacked)
            return reduce(self.model.lm_head(encoded.features).float()).cpu()

    def _batches(self, pieces: list[tuple[int, Window]], *, sort: bool = True) -> list[list[tuple[int, Window]]]:
        """Pieces of similar length together, the longest first, or as they come."""
        batches: list[list[tuple[int, Window]]] = []
        longest = 0
        for row, window in sorted(pieces, key=lambda piece: piece[1].first - piece[1].last) if sort else pieces:
            longest = max(longest, window.last - window.first)
            if not batches or longest * (len(batches[-1]) + 1) > self.batch_samples:
                batches.append([])
                longest = window.last - window.first
            batches[-1].append((row, window))
        return batches


class _Tape:
    """Stretches of a recording that comes in blocks; they are taken from left to right and may overlap."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        self.blocks = iter(blocks)
        self.held = np.empty(0, np.float32)
        self.first = 0

    def take(self, first: int, last: int) -> np.ndarray:
        """Samples from and up to; what is before them is forgotten."""
        self.held, self.first = self.held[first - self.first :], first
        parts = [self.held]
        while sum(map(len, parts)) < last - first:
            parts.append(next(self.blocks))
        self.held = np.concatenate(parts)
        return self.held[: last - first]


@dataclass(frozen=True)
class _Statistics:
    """Of a whole recording."""

    samples: int
    mean: float
    variance: float
    first_layer: Moments | None
    """Of the recording as it is; None where the encoder does not need them."""

    def standardise(self, waveform: np.ndarray) -> np.ndarray:
        """Zero mean and unit variance over the whole recording, for a stretch of it."""
        return ((waveform - self.mean) / np.sqrt(self.variance + 1e-7)).astype(np.float32)

    def moments(self, standardised: bool) -> Moments | None:
        """For group norm."""
        if self.first_layer is None or not standardised:
            return self.first_layer
        variance = self.variance + 1e-7
        return Moments((self.first_layer.mean - self.mean) / variance**0.5, self.first_layer.covariance / variance)


def _statistics(blocks: Iterable[np.ndarray], extractor: Any) -> _Statistics:
    """Statistics of a recording in one pass over it."""
    samples, total, squares = 0, 0.0, 0.0
    kernel, stride = extractor.geometry.kernels[0], extractor.geometry.strides[0]
    rest = np.empty(0, np.float32)
    parts: list[tuple[int, Moments]] = []
    for waveform in blocks:
        double = waveform.astype(np.float64)
        samples, total, squares = samples + len(waveform), total + double.sum(), squares + (double**2).sum()
        if extractor.norm == "group":
            rest = np.concatenate([rest, waveform])
            count = max(0, (len(rest) - kernel) // stride + 1)
            if count:
                heard = torch.from_numpy(rest[: (count - 1) * stride + kernel])
                parts.append((count, extractor.moments(heard[None])))
            rest = rest[count * stride :]
    mean = total / max(samples, 1)
    return _Statistics(samples, mean, max(0.0, squares / max(samples, 1) - mean**2), _together(parts))


def _together(parts: Sequence[tuple[int, Moments]]) -> Moments | None:
    """Moments of all windows from those of some at a time, with their numbers."""
    if not parts:
        return None
    counts = torch.tensor([float(count) for count, _ in parts], dtype=torch.double)[:, None]
    shares = counts / counts.sum()
    means = torch.cat([part.mean for _, part in parts])  # (N, k)
    mean = (shares * means).sum(0, keepdim=True)
    away = means - mean
    within = (shares[..., None] * torch.cat([part.covariance for _, part in parts])).sum(0, keepdim=True)
    return Moments(mean, within + (shares * away).mT @ away)
