"""Encoders under classifiers, behind one interface: waveforms in, states of all layers out.

wav2vec 2.0 is this package's `Encoder`. HuBERT and WavLM are those of `transformers` behind this package's feature extractor,
which sees no padding. w2v-BERT 2.0 and Whisper's encoder are those of `transformers`; their log-mel features are made from each
waveform by itself, so that a batch never changes them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from speechxl.errors import InputError
from speechxl.models.extractor import FeatureExtractor, Moments
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE

Visit = Callable[[Tensor], None]
"""Takes what goes into the first layer, then what comes out of each (B, F, D)."""


class Backbone(ABC):
    """An encoder.

    Args:
        network: `transformers`' model for classification that it is part of.
        frontend: Makes its features, where it does not take waveforms.
    """

    lossless = True
    """Whether `transformers`' own classifier sees the same frames."""
    linear: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "out_proj")
    """Linear layers of attention, by the last part of their names."""
    shortest: int
    """Samples that give a frame."""
    longest: int | None = None
    """Samples that can be encoded at once; None for no limit."""

    def __init__(self, network: Any, frontend: Any = None) -> None:
        self.network, self.frontend = network, frontend

    @property
    @abstractmethod
    def module(self) -> Any:
        """All of the encoder."""

    @property
    def layers(self) -> Any:
        """Its transformer layers."""
        return self.module.encoder.layers

    @abstractmethod
    def num_frames(self, samples: Tensor) -> Tensor:
        """Frames of utterances, (B,) of (B,) samples."""

    @abstractmethod
    def __call__(self, waveform: Tensor, lengths: Tensor, visit: Visit | None, **ways: Any) -> Tensor:
        """Features (B, F, D) of the last layer; F is at least the largest number of frames.

        Args:
            waveform: (B, T) at 16 kHz, zero beyond each utterance's end.
            lengths: (B,) samples.
            visit: Called with the states of the layers.
            **ways: Of `Waves` only.
        """

    def features(self, waveform: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Log-mel features of each utterance, and (B, F) 1 where they are of it."""
        samples = [row[:length].cpu().numpy() for row, length in zip(waveform, lengths.tolist(), strict=True)]
        made = self.frontend(samples, sampling_rate=SAMPLE_RATE, return_tensors="pt", return_attention_mask=True)
        return made["input_features"].to(waveform.device), made["attention_mask"].to(waveform.device)


class Waves(Backbone):
    """wav2vec 2.0, XLSR-53, XLS-R, MMS: `Wav2Vec2ForSequenceClassification` with this package's encoder."""

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self.shortest = self.module.geometry.receptive_field

    @property
    def module(self) -> Any:
        """See `Backbone`."""
        return self.network.wav2vec2

    def num_frames(self, samples: Tensor) -> Tensor:
        """See `Backbone`."""
        return self.module.geometry.num_frames(samples)

    def __call__(
        self,
        waveform: Tensor,
        lengths: Tensor,
        visit: Visit | None,
        *,
        padded: bool = True,
        moments: Moments | None = None,
        skip: Collection[int] = (),
        **masks: Any,
    ) -> Tensor:
        """See `Backbone`.

        Args:
            waveform: See there.
            lengths: See there.
            visit: See there.
            padded: Whether any utterance is shorter than T.
            moments: See `Encoder.forward`.
            skip: Layers to leave out.
            **masks: ``mask`` and ``channel_mask`` of `Encoder.forward`.
        """
        known, extractor = lengths if padded else None, self.module.feature_extractor
        learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in extractor.parameters())
        with torch.set_grad_enabled(learns):
            conv = extractor(waveform, known, moments)
        return self.module.contextualise(conv, known, skip=skip, visit=visit, **masks).features


class Relatives(Backbone):
    """HuBERT (Hsu et al. 2021), WavLM (Chen et al. 2022): `transformers`' models for sequence classification.

    Their feature extractor is that of wav2vec 2.0 and is computed here, without padding where it normalises over time.
    """

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        config, module = network.config, self.module
        adapts = getattr(config, "add_adapter", False)
        if config.feat_extract_activation != "gelu" or adapts:
            raise InputError(
                "Only encoders with GELU in the feature extractor and without a convolutional adapter are supported; this one "
                f"has feat_extract_activation={config.feat_extract_activation!r}, add_adapter={adapts}."
            )
        self.geometry = FrameGeometry(tuple(config.conv_kernel), tuple(config.conv_stride))
        self.shortest = self.geometry.receptive_field
        if not isinstance(module.feature_extractor, _Extractor):
            layers = module.feature_extractor.conv_layers
            module.feature_extractor = _Extractor(layers, self.geometry, config.feat_extract_norm)
        self.alone = bool(getattr(config, "conv_pos_batch_norm", False))
        """Whether zeros after an utterance are seen, so that each is encoded by itself."""

    @property
    def module(self) -> Any:
        """See `Backbone`."""
        return getattr(self.network, self.network.base_model_prefix)

    def num_frames(self, samples: Tensor) -> Tensor:
        """See `Backbone`."""
        return self.geometry.num_frames(samples)

    def __call__(self, waveform: Tensor, lengths: Tensor, visit: Visit | None, **ways: Any) -> Tensor:
        """See `Backbone`; frames are never masked."""
        del ways
        if not self.alone:
            return _visited(self._encoded(waveform, lengths, visit is not None), visit)
        rows = zip(waveform.split(1), lengths.split(1), strict=True)
        each = [self._encoded(row[:, : int(length)], length, visit is not None) for row, length in rows]
        if visit is not None:
            for own in zip(*(one.hidden_states for one in each), strict=True):
                visit(pad_sequence([state[0] for state in own], batch_first=True))
        return pad_sequence([one.last_hidden_state[0] for one in each], batch_first=True)

    def _encoded(self, waveform: Tensor, lengths: Tensor, states: bool) -> Any:
        padded = torch.arange(waveform.shape[1], device=waveform.device) < lengths[:, None]
        self.module.feature_extractor.lengths = lengths
        return self.module(waveform, attention_mask=padded.long(), output_hidden_states=states)


class _Extractor(FeatureExtractor):
    """In the place of that of `transformers`, which does not know how long utterances are."""

    lengths: Tensor | None = None
    """(B,) samples of the utterances that come next."""

    def forward(self, waveform: Tensor, lengths: Tensor | None = None, moments: Moments | None = None) -> Tensor:
        """(B, D, F) of (B, T)."""
        del lengths
        learns = torch.is_grad_enabled() and any(weight.requires_grad for weight in self.parameters())
        with torch.set_grad_enabled(learns):
            return FeatureExtractor.forward(self, waveform, self.lengths, moments).transpose(1, 2)


class LogMels(Backbone):
    """w2v-BERT 2.0 (Seamless Communication 2023): `Wav2Vec2BertForSequenceClassification`."""

    linear = ("linear_q", "linear_k", "linear_v", "linear_out")
    shortest = 560
    """Two log-mel frames of 25 ms every 10 ms, which make one frame."""

    @property
    def module(self) -> Any:
        """See `Backbone`."""
        return self.network.wav2vec2_bert

    def num_frames(self, samples: Tensor) -> Tensor:
        """See `Backbone`."""
        return ((samples - 400) // 160 + 1).clamp(min=0) // 2

    def __call__(self, waveform: Tensor, lengths: Tensor, visit: Visit | None, **ways: Any) -> Tensor:
        """See `Backbone`."""
        del ways
        features, valid = self.features(waveform, lengths)
        encoded = self.module(features, attention_mask=valid, output_hidden_states=visit is not None)
        return _visited(encoded, visit)


class Whisper(Backbone):
    """Whisper's encoder (Radford et al. 2023): `WhisperForAudioClassification`.

    It sees 30 s, as in its training: what follows the utterance is silence. Only the utterance's own frames are counted, where
    `transformers` takes the mean over 30 s.
    """

    lossless = False
    shortest = 320

    def __init__(self, network: Any, frontend: Any) -> None:
        super().__init__(network, frontend)
        self.longest = frontend.n_samples

    @property
    def module(self) -> Any:
        """See `Backbone`."""
        return self.network.encoder

    @property
    def layers(self) -> Any:
        """See `Backbone`."""
        return self.module.layers

    def num_frames(self, samples: Tensor) -> Tensor:
        """See `Backbone`."""
        return (samples + 319) // 320

    def __call__(self, waveform: Tensor, lengths: Tensor, visit: Visit | None, **ways: Any) -> Tensor:
        """See `Backbone`."""
        del ways
        features, _ = self.features(waveform, lengths)
        return _visited(self.module(features, output_hidden_states=visit is not None), visit)


def _visited(encoded: Any, visit: Visit | None) -> Tensor:
    """Features of an encoder of `transformers`; calls ``visit`` with its states."""
    if visit is not None:
        for state in encoded.hidden_states:
            visit(state)
    return encoded.last_hidden_state
