"""Contrastive pretraining of wav2vec 2.0 over any number of languages (Baevski et al. 2020; Conneau et al. 2021, XLSR)."""

from typing import Any

import torch
from torch import Tensor

from speechxl.config import Mask, Objective
from speechxl.models.device import plain_cpu
from speechxl.models.draws import DISTRACTORS, GUMBEL, MASK, keyed_uniform
from speechxl.models.masking import span_mask
from speechxl.models.quantizer import Quantized, perplexity
from speechxl.objectives.contrastive import contrastive_loss, draw_distractors
from speechxl.shapes import Batch, Encoded
from speechxl.tasks.base import LossSum, Task
from speechxl.tasks.schedule import gumbel_temperature


class Pretraining(Task):
    """Finds the quantized features of masked frames among distractors.

    Args:
        model: `Wav2Vec2ForPreTraining` with this package's encoder and quantizer.
        mask: Span masks.
        objective: What is minimised.
        training: Arguments of `Task`.
    """

    def __init__(
        self,
        model: Any,
        *,
        mask: Mask,
        objective: Objective,
        **training: Any,
    ) -> None:
        super().__init__(model, **training)
        self.mask, self.objective = mask, objective
        self.encoder: Any = model.wav2vec2

    @property
    def temperature(self) -> float:
        """Of the Gumbel softmax at this optimizer step."""
        o = self.objective
        return gumbel_temperature(self.global_step, o.gumbel_start, o.gumbel_floor, o.gumbel_decay)

    def loss(self, batch: Batch) -> LossSum:
        """Loss summed over masked frames (Baevski et al. 2020, equation 2, with the feature penalty of section 4.2)."""
        lengths = batch.lengths if batch.padded else None
        frames = self.encoder.geometry.num_frames(batch.lengths)
        width = self.encoder.geometry.num_frames(batch.waveform.shape[1])
        mask = span_mask(
            batch.keys,
            frames,
            width,
            prob=self.mask.prob,
            length=self.mask.length,
            min_spans=self.mask.min_spans,
            stream=MASK,
        )
        conv = self.encoder.feature_extractor(batch.waveform, lengths)
        if (share := self.objective.feature_gradient) != 1:
            conv = conv * share + conv.detach() * (1 - share)
        encoded = self.encoder.contextualise(conv, lengths, mask=mask, skip=self.skipped_layers())
        return self.compare(encoded, mask, frames, batch)

    def compare(self, encoded: Encoded, mask: Tensor, frames: Tensor, batch: Batch) -> LossSum:
        """Contrastive loss, diversity loss and feature penalty.

        Args:
            encoded: Of the batch with ``mask``.
            mask: (B, F) True where masked.
            frames: (B,) valid frames.
            batch: For its keys and languages.
        """
        places, valid, counts = self._places(mask)
        context = self.model.project_hid(_take(encoded.features, places))
        quantized = self._quantize(_take(encoded.normed_features, places), batch.keys)
        targets = self.model.project_q(quantized.vectors).unflatten(0, places.shape)
        codes = quantized.codes.unflatten(0, places.shape)  # (B, M, G)
        uniform = keyed_uniform(batch.keys, places.shape[1] * self.objective.distractors, DISTRACTORS)
        distractors = draw_distractors(uniform.unflatten(1, (places.shape[1], -1)), counts)
        contrast = contrastive_loss(context, targets, codes, valid, distractors, self.objective.temperature)

        count = counts.sum()
        weights = valid.flatten()[:, None, None] / count.clamp(min=1)
        probabilities = (quantized.probabilities * weights).sum(0)  # (G, V)
        diversity = 1 - perplexity(probabilities).sum() / probabilities.numel()
        used = torch.zeros_like(probabilities).scatter_add_(
            1, quantized.codes.T, valid.flatten().float().expand(len(probabilities), -1)
        )
        total = contrast.loss.sum() + self.objective.diversity * count * diversity
        measures: dict[str, tuple[Tensor, Tensor | float]] = {
            "contrastive": (contrast.loss.sum(), count),
            "accuracy": (contrast.correct.sum(), count),
            "tied_distractors": (contrast.tied.sum(), count),
            "code_perplexity": (perplexity(used / count.clamp(min=1)).mean(), 1.0),
            "probability_perplexity": (perplexity(probabilities).mean(), 1.0),
            "masked": (count, frames.sum()),
        }
        if self.objective.feature_penalty:
            inside = torch.arange(mask.shape[1], device=mask.device) < frames[:, None]
            squares = encoded.conv_features.float().square().mean(-1).masked_fill(~inside, 0).sum(1)
            penalty = (squares / frames.clamp(min=1) * counts).sum()
            total = total + self.objective.feature_penalty * penalty
            measures["feature_penalty"] = (penalty, count)
        return LossSum(total, count, measures)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Contrastive loss with the likeliest codes, and masks that are the same each time."""
        del batch_idx
        loss = self.loss(batch)
        for name in ("contrastive", "accuracy"):
            self.dev_meter.add(name, *loss.measures[name])

    def _places(self, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Masked frames of each utterance, side by side.

        Returns:
            (B, M) frame, (B, M) whether there is one, (B,) how many. On an accelerator M is a bound that needs no look
            at the mask, so that the device is not waited for.
        """
        counts = mask.sum(1)
        places = mask.byte().argsort(dim=1, descending=True, stable=True)[:, : self._most_masked(mask)]
        return places, torch.arange(places.shape[1], device=mask.device) < counts[:, None], counts

    def _most_masked(self, mask: Tensor) -> int:
        if plain_cpu(mask.device):
            return max(1, int(mask.sum(1).max()))
        return self._bound(mask.shape[1])

    def _bound(self, width: int) -> int:
        """Frames that masks can cover in an utterance of ``width`` frames."""
        spans = max(self.mask.min_spans, int(self.mask.prob * width / self.mask.length + 1))
        return min(width, spans * self.mask.length)

    def _quantize(self, features: Tensor, keys: Tensor) -> Quantized:
        """Quantizes (B, M, Dc); with Gumbel noise while training."""
        quantizer = self.model.quantizer
        if not self.training:
            return quantizer(features.flatten(0, 1))
        codes = quantizer.weight_proj.out_features
        uniform = keyed_uniform(keys, features.shape[1] * codes, GUMBEL).view(-1, codes)
        return quantizer(self.model.dropout_features(features).flatten(0, 1), self.temperature, uniform)


def _take(features: Tensor, places: Tensor) -> Tensor:
    """(B, F, D) and (B, M) to (B, M, D)."""
    return features.gather(1, places[..., None].expand(-1, -1, features.shape[2]))
