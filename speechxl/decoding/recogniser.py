"""From waveforms of any length to hypotheses: windows, batches, and everything back in order."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from speechxl.data.audio import standardise
from speechxl.decoding.alternatives import Alternatives
from speechxl.decoding.greedy import Greedy
from speechxl.decoding.mapped import Mapped
from speechxl.decoding.path import hypothesis
from speechxl.decoding.windows import Tape, Window, statistics, windows
from speechxl.models.device import cast_linear
from speechxl.models.extensions import articulation_of
from speechxl.models.extractor import Moments
from speechxl.models.frames import FrameGeometry
from speechxl.phonology.mapping import PhoneMap
from speechxl.shapes import SAMPLE_RATE, Hypothesis
from speechxl.text import Vocabulary


class Decoder(Protocol):
    """Finds the text; `Greedy` and `Beam`."""

    def reduce(self, logits: Tensor) -> Tensor:
        """What has to be kept of logits (..., F, V): (..., F, K)."""

    def search(self, stretches: Iterable[Tensor]) -> Tensor:
        """Path (F, 2) of symbols and log probabilities through stretches of (F, K); more columns are of `Alternatives`."""


class Recogniser:
    """A CTC model that is ready to be used.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of its outputs.
        decoder: How the text is found; by default the likeliest symbol of each frame.
        spoken: Turns logits of phones (B, F, V) into those of the phonemes of a language; by default they stay as they are.
        outputs: Numbers of the model's outputs that stand for the vocabulary, in its order; by default all.
        mapping: Of the vocabulary to the phones of an inventory, which are then what is recognised.
        alternatives: Other phones that are given with each, where the symbols are phones.
        normalise: Whether it expects zero mean and unit variance; taken over the whole recording.
        device: Where to compute.
        precision: ``"32"`` or ``"bf16"``.
        batch_seconds: Audio of a batch, including padding.
        window_seconds: Audio that is decoded at once; longer recordings are cut.
        context_seconds: Audio on both sides of a cut that is encoded as well.
        find_speech: Gives the stretches of a recording with speech, samples from and up to; nothing is recognised elsewhere.
    """

    def __init__(
        self,
        model: Any,
        vocabulary: Vocabulary,
        decoder: Decoder | None = None,
        *,
        spoken: Callable[[Tensor], Tensor] | None = None,
        outputs: Sequence[int] | None = None,
        mapping: PhoneMap | None = None,
        alternatives: int = 0,
        normalise: bool,
        device: str = "cpu",
        precision: str = "32",
        batch_seconds: float = 16.0,
        window_seconds: float = 30.0,
        context_seconds: float = 5.0,
        find_speech: Callable[[Iterable[np.ndarray]], list[tuple[int, int]]] | None = None,
    ) -> None:
        self.model = model.to(device).eval()
        if precision == "bf16":
            cast_linear(model.wav2vec2.encoder.layers)
        self.vocabulary = vocabulary if mapping is None else mapping.vocabulary
        self.normalise, self.device, self.precision = normalise, device, precision
        self.spoken = spoken
        self.outputs = None if outputs is None else torch.tensor(outputs, device=device)
        self.mapped = None if mapping is None else Mapped(mapping, articulation_of(model), device)
        self.geometry: FrameGeometry = model.wav2vec2.geometry
        self.decoder = decoder or Greedy()
        if alternatives:
            self.decoder = Alternatives(self.decoder, self.vocabulary, alternatives)
        self.find_speech = find_speech
        self.batch_samples = int(batch_seconds * SAMPLE_RATE)
        self.core = max(1, int(window_seconds * SAMPLE_RATE) // self.geometry.stride)
        self.context = int(context_seconds * SAMPLE_RATE) // self.geometry.stride

    def __call__(self, waveforms: Sequence[np.ndarray]) -> list[Hypothesis]:
        """Recognises recordings, each (T,) at 16 kHz, in the order given."""
        return [self._hypothesis([kept]) for kept in self._run(waveforms, self.decoder.reduce)]

    def logits(self, waveforms: Sequence[np.ndarray]) -> list[Tensor]:
        """Scores of the symbols (F, V), float32 on the CPU, of each recording; log posteriors where there is a mapping."""
        return self._run(waveforms, lambda logits: logits)

    def stream(self, read: Callable[[], Iterable[np.ndarray]]) -> Hypothesis:
        """Recognises a recording of any length in the memory of a few windows.

        Args:
            read: Gives it from its beginning in blocks, each (T,) at 16 kHz; called several times, as the normalisation is
                that of the whole.

        Returns:
            The same as for the whole waveform.
        """
        return self._hypothesis(self._stretches(read))

    def _hypothesis(self, stretches: Iterable[Tensor]) -> Hypothesis:
        return hypothesis(self.decoder.search(stretches), self.vocabulary, self.geometry)

    def _stretches(self, read: Callable[[], Iterable[np.ndarray]]) -> Iterator[Tensor]:
        """What the decoder keeps of the frames, window by window."""
        whole = statistics(read(), self.model.wav2vec2.feature_extractor)
        speech = None if self.find_speech is None else self.find_speech(read())
        waveform = Tape(read())
        pieces = [(0, window) for window in windows(whole.samples, self.geometry, self.core, self.context, speech)]
        silence, taken = self._silence(self.decoder.reduce), 0
        for batch in self._batches(pieces, sort=False):
            stretches = [waveform.take(window.first, window.last) for _, window in batch]
            if self.normalise:
                stretches = [whole.standardise(stretch) for stretch in stretches]
            rows = self._encode(stretches, [whole.moments(self.normalise)] * len(batch), self.decoder.reduce)
            for row, (_, window) in zip(rows, batch, strict=True):
                if window.start > taken:
                    yield silence.expand(window.start - taken, -1)
                yield row[window.skip : window.skip + window.stop - window.start]
                taken = window.stop

    def _run(self, waveforms: Sequence[np.ndarray], reduce: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """What ``reduce`` leaves of the logits (B, F, V) of each recording, (F, ...) on the CPU."""
        speech = [None if self.find_speech is None else self.find_speech([waveform]) for waveform in waveforms]
        if self.normalise:
            waveforms = [standardise(waveform) for waveform in waveforms]
        pieces = [
            (row, window)
            for row, waveform in enumerate(waveforms)
            for window in windows(len(waveform), self.geometry, self.core, self.context, speech[row])
        ]
        moments = [self._moments(waveform) for waveform in waveforms]
        silence = self._silence(reduce)
        results = [silence.repeat(self.geometry.num_frames(len(waveform)), 1) for waveform in waveforms]
        for batch in self._batches(pieces):
            stretches = [waveforms[row][window.first : window.last] for row, window in batch]
            rows = self._encode(stretches, [moments[row] for row, _ in batch], reduce)
            for kept, (row, window) in zip(rows, batch, strict=True):
                taken = window.stop - window.start
                results[row][window.start : window.stop] = kept[window.skip : window.skip + taken]
        return results

    def _silence(self, reduce: Callable[[Tensor], Tensor]) -> Tensor:
        """What is kept of a frame that is surely blank: (1, ...)."""
        logits = torch.full((1, 1, len(self.vocabulary)), -1e4)
        logits[..., self.vocabulary.blank] = 0.0
        return reduce(logits)[0]

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
            features = self.model.wav2vec2(waveform.to(self.device), frames, moments=stacked).features
        features = features.float()
        logits = self.model.lm_head(features)
        if self.spoken is not None:
            logits = self.spoken(logits)
        if self.outputs is not None:
            logits = logits[..., self.outputs]
        if self.mapped is not None:
            logits = self.mapped(logits, features)
        return reduce(logits).cpu()

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
