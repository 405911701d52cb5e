"""From waveforms of any length to probabilities of classes."""

import math
from collections.abc import Callable, Iterable, Sequence
from types import SimpleNamespace

import numpy as np
import torch
from torch import Tensor

from speechxl.data.audio import standardise
from speechxl.decoding.windows import Tape, statistics
from speechxl.models.backbones import Waves
from speechxl.models.classifier import SpeechClassifier
from speechxl.models.device import cast_linear
from speechxl.models.extractor import Moments
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE

Probabilities = dict[str, np.ndarray]
"""(C,) of each kind of label."""
Piece = tuple[int, int, int]
"""Number of a recording, and samples from and up to."""


class Predictor:
    """A classifier that is ready to be used.

    A recording longer than a window is cut into windows of one length. Their scores are averaged, which for pooling by a mean
    is the score of the mean over all frames.

    Args:
        model: Classifier.
        kinds: Of its labels.
        normalise: Whether it expects zero mean and unit variance; taken over the whole recording.
        device: Where to compute.
        precision: ``"32"`` or ``"bf16"``.
        batch_seconds: Audio of a batch, including padding.
        window_seconds: Longest audio that is judged at once.
    """

    def __init__(
        self,
        model: SpeechClassifier,
        kinds: Sequence[str],
        *,
        normalise: bool,
        device: str = "cpu",
        precision: str = "32",
        batch_seconds: float = 16.0,
        window_seconds: float = 30.0,
    ) -> None:
        self.model = model.to(device).eval()
        self.kinds, self.normalise, self.device, self.precision = kinds, normalise, device, precision
        self.shortest = model.backbone.shortest
        self.batch_samples = int(batch_seconds * SAMPLE_RATE)
        self.window = max(self.shortest * 2, int(window_seconds * SAMPLE_RATE))
        if model.backbone.longest is not None:
            self.window = min(self.window, model.backbone.longest)
        waves = isinstance(model.backbone, Waves)
        if waves and precision == "bf16":
            cast_linear(model.backbone.layers)
        nothing = SimpleNamespace(norm="layer", geometry=FrameGeometry())
        self.extractor = model.backbone.module.feature_extractor if waves else nothing

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[Probabilities]:
        """Judges recordings, each (T,) at 16 kHz and of at least ``shortest`` samples, in the order given."""
        if self.normalise:
            waveforms = [standardise(waveform) for waveform in waveforms]
        moments = [self._moments(waveform) for waveform in waveforms]
        pieces = [
            (row, first, last)
            for row, waveform in enumerate(waveforms)
            for first, last in stretches(len(waveform), self.window)
        ]
        scores: list[list[list[Tensor]]] = [[] for _ in waveforms]
        for batch in self._batches(pieces):
            found = self._scores(
                [waveforms[row][first:last] for row, first, last in batch], [moments[row] for row, *_ in batch]
            )
            for place, (row, *_) in enumerate(batch):
                scores[row].append([own[place] for own in found])
        return [self._together(own) for own in scores]

    def stream(self, read: Callable[[], Iterable[np.ndarray]]) -> Probabilities:
        """Judges a recording of any length in the memory of a few windows.

        Args:
            read: Gives it from its beginning in blocks, each (T,) at 16 kHz; called several times, as the normalisation is
                that of the whole.

        Returns:
            The same as for the whole waveform.
        """
        whole = statistics(read(), self.extractor)
        waveform = Tape(read())
        scores: list[list[Tensor]] = []
        for batch in self._batches([(0, *stretch) for stretch in stretches(whole.samples, self.window)], sort=False):
            parts = [waveform.take(first, last) for _, first, last in batch]
            if self.normalise:
                parts = [whole.standardise(part) for part in parts]
            found = self._scores(parts, [whole.moments(self.normalise)] * len(batch))
            scores += [[own[place] for own in found] for place in range(len(batch))]
        return self._together(scores)

    def _together(self, scores: Sequence[Sequence[Tensor]]) -> Probabilities:
        """Probabilities from the scores of all windows."""
        kinds = zip(self.kinds, zip(*scores, strict=True), strict=True)
        return {kind: torch.stack(own).double().mean(0).softmax(-1).numpy() for kind, own in kinds}

    @torch.inference_mode()
    def _moments(self, waveform: np.ndarray) -> Moments | None:
        """Statistics of a whole recording, so that group norm does the same to each of its windows."""
        if self.extractor.norm != "group":
            return None
        return self.extractor.moments(torch.from_numpy(waveform)[None])

    @torch.inference_mode()
    def _scores(self, parts: Sequence[np.ndarray], moments: Sequence[Moments | None]) -> list[Tensor]:
        """One batch: (B, C) of each kind, on the CPU."""
        lengths = torch.tensor([len(part) for part in parts])
        waveform = torch.zeros(len(parts), int(lengths.max()))
        for line, part in zip(waveform, parts, strict=True):
            line[: len(part)] = torch.from_numpy(part)
        known = [each for each in moments if each is not None]
        stacked = None
        if known:
            stacked = Moments(
                torch.cat([each.mean for each in known]).to(self.device),
                torch.cat([each.covariance for each in known]).to(self.device),
            )
        with torch.autocast(self.device, torch.bfloat16, enabled=self.precision == "bf16"):
            found = self.model(
                waveform.to(self.device), lengths.to(self.device),
                padded=bool(lengths.min() < lengths.max()), moments=stacked,
            )  # fmt: skip
        return [scores.float().cpu() for scores in found]

    def _batches(self, pieces: list[Piece], *, sort: bool = True) -> list[list[Piece]]:
        """Pieces of similar length together, the longest first, or as they come."""
        batches: list[list[Piece]] = []
        longest = 0
        for piece in sorted(pieces, key=lambda piece: piece[1] - piece[2]) if sort else pieces:
            longest = max(longest, piece[2] - piece[1])
            if not batches or longest * (len(batches[-1]) + 1) > self.batch_samples:
                batches.append([])
                longest = piece[2] - piece[1]
            batches[-1].append(piece)
        return batches


def stretches(samples: int, window: int) -> list[tuple[int, int]]:
    """Cuts a recording into as few stretches of one length as fit into windows: samples from and up to."""
    count = max(1, math.ceil(samples / window))
    return [(samples * place // count, samples * (place + 1) // count) for place in range(count)]
