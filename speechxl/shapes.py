"""Shapes of the data that passes between modules, with units. No torch at import.

B utterances, T samples, F frames, D features, V vocabulary with blank, U target symbols, K distractors, G codebooks.
Audio is 16 kHz mono; times are in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

SAMPLE_RATE = 16_000
"""Samples per second of all audio inside the package."""


@dataclass(frozen=True)
class Utterance:
    """One row of a manifest: a recording, or a stretch of one, and what is known about it."""

    path: Path
    """Audio file, absolute."""
    id: str
    """Name that is unique within its manifest."""
    start: float = 0.0
    """Offset into the recording, seconds."""
    duration: float | None = None
    """Seconds; None if the manifest does not say."""
    language: str = ""
    """ISO 639-3."""
    speaker: str = ""
    split: str = ""
    text: str = ""
    """Orthographic transcript, NFC."""
    phonemes: str = ""
    """IPA, separated by spaces, NFC."""
    label: str = ""
    """``kind:value``."""
    extra: dict[str, str] = field(default_factory=dict)
    """Columns that speechxl does not know, carried along."""
    origin: str = ""
    """``manifest:line`` for messages; empty for a file given directly."""

    def __str__(self) -> str:
        return self.origin or str(self.path)

    @property
    def seconds(self) -> float:
        """Duration, 0 if it is not known."""
        return self.duration or 0.0


@dataclass
class Targets:
    """What is said in the utterances of a batch."""

    texts: list[str]
    """Normalised."""
    tokens: Tensor
    """(B, U) numbers of the symbols, zero beyond each text's end."""
    lengths: Tensor
    """(B,) symbols."""

    def pin_memory(self) -> Targets:
        """The same in page-locked memory, from which a GPU copies without waiting."""
        return replace(self, tokens=self.tokens.pin_memory(), lengths=self.lengths.pin_memory())


@dataclass
class Batch:
    """Utterances that are processed together."""

    ids: list[str]
    keys: Tensor
    """(B,) int64, seeds of the draws for each utterance in this epoch."""
    waveform: Tensor
    """(B, T), zero beyond each utterance's end."""
    lengths: Tensor
    """(B,) samples."""
    padded: bool
    """Whether any utterance is shorter than T."""
    languages: Tensor
    """(B,) index into the data module's languages."""
    targets: Targets | None = None
    """What is to be recognised, where it is known."""
    damaged: list[str] = field(default_factory=list)
    """Ids of utterances that were passed over while this batch was made, as they cannot be decoded."""
    origin: Any = None
    """Plain values that say where in a stream the batch is from."""

    def pin_memory(self) -> Batch:
        """The same in page-locked memory, from which a GPU copies without waiting."""
        tensors = {name: getattr(self, name).pin_memory() for name in ("keys", "waveform", "lengths", "languages")}
        return replace(self, **tensors, targets=None if self.targets is None else self.targets.pin_memory())


@dataclass
class Encoded:
    """What the encoder gives for a batch."""

    features: Tensor
    """(B, F, D) contextual features."""
    lengths: Tensor | None
    """(B,) frames; None if no utterance is padded."""
    conv_features: Tensor
    """(B, F, Dc) output of the feature extractor."""
    normed_features: Tensor
    """(B, F, Dc) the same after layer norm: what the quantizer sees."""
    intermediate: list[Tensor] = field(default_factory=list)
    """(B, F, V) logits of the symbols after chosen layers, where predictions are fed back."""


@dataclass(frozen=True)
class Word:
    """A word, or a phone, with its place in the recording."""

    text: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    score: float
    """Geometric mean of the probabilities of its symbols, 0 to 1."""


@dataclass(frozen=True)
class Phone(Word):
    """A phone with what is known of it beside its place."""

    alternatives: tuple[tuple[str, float], ...] = ()
    """Other phones of the stretch and the highest posterior of each, the likeliest first; as many as were asked for."""
    attributes: tuple[str, ...] | None = None
    """Articulatory features in words, where they were asked for and are known."""


@dataclass(frozen=True)
class Hypothesis:
    """What was recognised in one recording."""

    text: str
    words: list[Word]
    """Words of a character model, phones of a phoneme model."""
