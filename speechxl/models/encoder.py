"""wav2vec 2.0 / XLS-R encoder: the modules and parameter names of `transformers`, another way of computing them."""

from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, Wav2Vec2Model

from speechxl.errors import InputError
from speechxl.models.attention import attention
from speechxl.models.conditioning import Feedback
from speechxl.models.dropout import replace_dropout
from speechxl.models.extractor import FeatureExtractor, Moments
from speechxl.models.frames import FrameGeometry
from speechxl.models.positions import embed_positions
from speechxl.shapes import Encoded


class Encoder(nn.Module):
    """Waveform to contextual features (Baevski et al. 2020, section 2; Babu et al. 2022, XLS-R).

    Padding never changes an utterance's features: statistics over time, the convolution over positions and attention
    see valid frames only.

    Args:
        wav2vec2: A model of `transformers`, whose modules are taken over; state dictionaries fit both ways.
    """

    def __init__(self, wav2vec2: Wav2Vec2Model) -> None:
        super().__init__()
        config = wav2vec2.config
        if config.feat_extract_activation != "gelu" or config.add_adapter:
            raise InputError(
                "Only encoders with GELU in the feature extractor and without a convolutional adapter are supported; "
                f"this one has feat_extract_activation={config.feat_extract_activation!r}, add_adapter={config.add_adapter}."
            )
        self.geometry = FrameGeometry(tuple(config.conv_kernel), tuple(config.conv_stride))
        self.feature_extractor = FeatureExtractor(
            wav2vec2.feature_extractor.conv_layers, self.geometry, config.feat_extract_norm
        )
        self.feature_projection = wav2vec2.feature_projection
        embedding = getattr(wav2vec2, "masked_spec_embed", None)
        self.masked_spec_embed = nn.Parameter(torch.rand(config.hidden_size)) if embedding is None else embedding
        self.encoder = wav2vec2.encoder
        self.norm_first = bool(config.do_stable_layer_norm)
        self.checkpoint_activations = False
        """Whether the backward pass computes each layer again instead of keeping what is inside (Chen et al. 2016)."""
        self.feedback: Feedback | None = None
        """Between layers; see `add_conditioning`."""
        replace_dropout(self)
        for layer in self.encoder.layers:
            layer.attention.config._attn_implementation = "speechxl"

    def forward(
        self,
        waveform: Tensor,
        lengths: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        channel_mask: Tensor | None = None,
        skip: Collection[int] = (),
        moments: Moments | None = None,
        visit: Callable[[Tensor], None] | None = None,
    ) -> Encoded:
        """Encodes a batch.

        Args:
            waveform: (B, T) at 16 kHz, normalised as the model expects, zero beyond each utterance's end.
            lengths: (B,) samples; None if no utterance is padded.
            mask: (B, F) True where the mask embedding replaces a frame.
            channel_mask: (B, D) True where a channel is zeroed.
            skip: Layers to leave out (layer drop).
            moments: Of the recordings that the utterances were cut from; by default their own.
            visit: Called with what goes into the first layer and what comes out of each, (B, F, D), in their order; what
                `transformers` calls hidden states. A layer that is left out gives what goes into it.
        """
        conv = self.feature_extractor(waveform, lengths, moments)
        return self.contextualise(conv, lengths, mask=mask, channel_mask=channel_mask, skip=skip, visit=visit)

    def contextualise(
        self,
        conv: Tensor,
        lengths: Tensor | None = None,
        *,
        mask: Tensor | None = None,
        channel_mask: Tensor | None = None,
        skip: Collection[int] = (),
        visit: Callable[[Tensor], None] | None = None,
    ) -> Encoded:
        """Second half of `forward`: from the feature extractor's output (B, F, Dc)."""
        x, normed = self.feature_projection(conv)
        if not self.training:
            x = x.float()  # sums over the layers, which bfloat16 would round at each
        if mask is not None:
            x = torch.where(mask[..., None], self.masked_spec_embed.to(x.dtype), x)
        if channel_mask is not None:
            x = x.masked_fill(channel_mask[:, None], 0)
        visible = frames = None
        if lengths is not None:
            frames = self.geometry.num_frames(lengths)
            valid = torch.arange(x.shape[1], device=x.device) < frames[:, None].clamp(min=1)
            x = x * valid[..., None]
            visible = valid[:, None, None].expand(-1, 1, x.shape[1], -1)
        x = x + embed_positions(self.encoder.pos_conv_embed, x)
        if not self.norm_first:
            x = self.encoder.layer_norm(x)
        x = self.encoder.dropout(x)
        intermediate: list[Tensor] = []
        if visit is not None:
            visit(x)
        for number, layer in enumerate(self.encoder.layers, 1):
            if number - 1 not in skip:
                x = self._layer(layer, x, visible)
            if self.feedback is not None and number in self.feedback.layers:
                logits, added = self.feedback(self.encoder.layer_norm(x) if self.norm_first else x)
                intermediate.append(logits)
                x = x + added
            if visit is not None:
                visit(x)
        if self.norm_first:
            x = self.encoder.layer_norm(x)
        return Encoded(x, frames, conv, normed, intermediate)

    def _layer(self, layer: nn.Module, x: Tensor, visible: Tensor | None) -> Tensor:
        if self.checkpoint_activations and torch.is_grad_enabled():
            return checkpoint(layer, x, attention_mask=visible, use_reentrant=False)
        return layer(x, attention_mask=visible)


def _attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """`transformers`' attention interface: (B, H, F, D / H) to (B, F, H, D / H)."""
    x = attention(query, key, value, attention_mask, dropout, module.scaling if scaling is None else scaling)
    return x.transpose(1, 2), None


AttentionInterface.register("speechxl", _attention)
