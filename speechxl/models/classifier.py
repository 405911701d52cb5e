"""An utterance to classes: encoder, weighted sum of its layers, projection, pooling over frames, output layers.

The parts that `transformers`' model for classification has are its own, with its names. Where pooling is a mean, and the
encoder's frames are the same, the first kind of label is computed as it does.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from speechxl.models.backbones import Backbone
from speechxl.models.extractor import Moments
from speechxl.models.pooling import POOLINGS, mean


class SpeechClassifier(nn.Module):
    """Scores of classes for whole utterances; padding never changes them.

    Args:
        network: `transformers`' model for classification, which has encoder, projector and classifier, and the weights of the
            layers where its configuration asks for them.
        backbone: Its encoder.
        classes: Number of them of each kind of label.
        pooling: A name in `POOLINGS`.
    """

    def __init__(self, network: Any, backbone: Backbone, classes: Sequence[int], pooling: str) -> None:
        super().__init__()
        self.network, self.backbone, self.pooled_by = network, backbone, pooling
        width = network.config.classifier_proj_size
        self.pooling = POOLINGS[pooling](width)
        self.lossless = pooling == "mean" and backbone.lossless
        """Whether `transformers` gives the scores of the first kind from the network alone."""
        if not self.lossless:
            network.classifier = nn.Identity()
        own = classes[1:] if self.lossless else classes
        self.outputs = nn.ModuleList(nn.Linear(self.pooling.width, count) for count in own)

    @property
    def config(self) -> Any:
        """Of the network."""
        return self.network.config

    @property
    def heads(self) -> list[Any]:
        """Output layers, in the order of the kinds."""
        return [self.network.classifier, *self.outputs] if self.lossless else list(self.outputs)

    @property
    def layer_weights(self) -> Tensor | None:
        """(L + 1,) share of the input of the first layer and of the output of each, sum 1; None where the last layer is all."""
        return self.network.layer_weights.float().softmax(0) if self.config.use_weighted_layer_sum else None

    @contextmanager
    def divided(self, temperatures: Sequence[float]) -> Iterator[None]:
        """Inside, scores are divided by a temperature; the weights are put back at the end.

        Args:
            temperatures: Of each kind.
        """
        kept = [(own, own.detach().clone()) for head in self.heads for own in head.parameters()]
        with torch.no_grad():
            for head, temperature in zip(self.heads, temperatures, strict=True):
                for own in head.parameters():
                    own.div_(temperature)
        try:
            yield
        finally:
            with torch.no_grad():
                for own, before in kept:
                    own.copy_(before)

    def forward(
        self,
        waveform: Tensor,
        lengths: Tensor,
        *,
        padded: bool = True,
        moments: Moments | None = None,
        skip: Collection[int] = (),
        frozen: bool = False,
        **masks: Tensor | None,
    ) -> list[Tensor]:
        """Scores (B, C) of the classes of each kind; what is above the encoder is computed in float32.

        Args:
            waveform: (B, T) at 16 kHz, normalised as the encoder expects, zero beyond each utterance's end.
            lengths: (B,) samples, at least ``backbone.shortest``.
            padded: Whether any utterance is shorter than T.
            moments: See `Encoder.forward`.
            skip: Layers to leave out.
            frozen: Whether the encoder gets no gradient.
            **masks: ``mask`` and ``channel_mask`` of `Encoder.forward`.
        """
        states: list[Tensor] = []
        frames, weights = self.backbone.num_frames(lengths), self.layer_weights
        early = self.pooled_by == "mean"  # the mean of a weighted sum is that of the means, which are small

        def keep(x: Tensor) -> None:
            states.append(mean(x, frames) if early else x)

        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            visit = None if weights is None else keep
            x = self.backbone(waveform, lengths, visit, padded=padded, moments=moments, skip=skip, **masks)
            if weights is None:
                keep(x)
        with torch.autocast(x.device.type, enabled=False):
            x = states[0].float() if weights is None else _sum(states, weights)
            projected = self.network.projector(x)
            pooled = projected if early else self.pooling(projected, frames)
            return [head(pooled) for head in self.heads]


def _sum(states: Sequence[Tensor], weights: Tensor) -> Tensor:
    """Weighted sum of tensors of one shape."""
    total = weights[0] * states[0]
    for weight, state in zip(weights[1:], states[1:], strict=True):
        total = total + weight * state
    return total
