"""Contrastive pretraining of wav2vec 2.0 over any number of languages (Baevski et al. 2020; Conneau et al. 2021, XLSR)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed
from torch.utils import _pytree as pytree

from speechxl.config import Mask, Objective
from speechxl.models.device import plain_cpu
from speechxl.models.draws import DISTRACTORS, GUMBEL, MASK, keyed_uniform
from speechxl.models.masking import span_mask
from speechxl.models.quantizer import Quantized, perplexity
from speechxl.objectives.contrastive import contrastive_loss, draw_distractors
from speechxl.shapes import Batch, Encoded
from speechxl.tasks.base import LossSum, Measures, Task
from speechxl.tasks.languages import LanguageMeter
from speechxl.tasks.schedule import gumbel_temperature


@dataclass
class ContrastSum(LossSum):
    """What the contrastive objective gives for a batch."""

    rows: Tensor
    """(B, 3) contrastive loss, correct frames, masked frames of each utterance."""
    codes: Tensor
    """(B, M, G) chosen codes."""
    valid: Tensor
    """(B, M) True where there is a masked frame."""


pytree.register_dataclass(ContrastSum)


class Pretraining(Task):
    """Finds the quantized features of masked frames among distractors.

    Args:
        model: `Wav2Vec2ForPreTraining` with this package's encoder and quantizer.
        mask: Span masks.
        objective: What is minimised.
        hours: Of each language in the training set, in the order of their numbers.
        freeze_extractor: Whether the feature extractor keeps its weights for good.
        training: Arguments of `Task`.
    """

    def __init__(
        self,
        model: Any,
        *,
        mask: Mask,
        objective: Objective,
        hours: Mapping[str, float],
        freeze_extractor: bool = False,
        **training: Any,
    ) -> None:
        super().__init__(model, **training)
        self.mask, self.objective, self.freeze_extractor = mask, objective, freeze_extractor
        self.encoder: Any = model.wav2vec2
        model.wav2vec2.feature_extractor.requires_grad_(not freeze_extractor)
        books = model.quantizer.num_codebooks
        self.codes = model.quantizer.weight_proj.out_features // books
        size = books, self.codes
        self.languages, self.dev_languages = (LanguageMeter(list(hours), list(hours.values()), *size) for _ in range(2))

    @property
    def temperature(self) -> float:
        """Of the Gumbel softmax at this optimizer step."""
        o = self.objective
        return gumbel_temperature(self.global_step, o.gumbel_start, o.gumbel_floor, o.gumbel_decay)

    def state_of_step(self) -> dict[str, float]:
        """With the temperature."""
        return super().state_of_step() | {"gumbel_temperature": self.temperature}

    def note(self, batch: Batch, loss: Any) -> None:
        """Measures each language, too."""
        super().note(batch, loss)
        self.languages.add(batch.languages, batch.lengths, loss.rows, loss.codes, loss.valid)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps what was heard of each language."""
        super().on_save_checkpoint(checkpoint)
        self.languages.gather(self.sum_over_processes, keep=self.global_rank == 0)
        checkpoint["speechxl"]["languages"] = self.languages.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Goes on counting what is heard of each language."""
        super().on_load_checkpoint(checkpoint)
        if self.global_rank == 0 and "languages" in checkpoint.get("speechxl", {}):
            self.languages.load_state_dict(checkpoint["speechxl"]["languages"])

    def loss(self, batch: Batch) -> ContrastSum:
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
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_extractor):
            conv = self.encoder.feature_extractor(batch.waveform, lengths)
        if (share := self.objective.feature_gradient) != 1:
            conv = conv * share + conv.detach() * (1 - share)
        encoded = self.encoder.contextualise(conv, lengths, mask=mask, skip=self.skipped_layers())
        return self.compare(encoded, mask, frames, batch)

    def compare(self, encoded: Encoded, mask: Tensor, frames: Tensor, batch: Batch) -> ContrastSum:
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
        probabilities, shared = (quantized.probabilities * weights).sum(0), count  # (G, V)
        if self.objective.all_reduce and self.training:
            probabilities, shared = _over_ranks(probabilities, count)
        diversity = 1 - perplexity(probabilities).sum() / probabilities.numel()
        penalty = shared * diversity - ((shared - count) * diversity).detach()
        used = torch.zeros_like(probabilities).scatter_add_(
            1, quantized.codes.T, valid.flatten().float().expand(len(probabilities), -1)
        )
        utterances = contrast.loss.sum(1)
        total = utterances.sum() + self.objective.diversity * penalty
        spread = perplexity(used / count.clamp(min=1))
        measures: Measures = {
            "contrastive": (utterances.sum(), count),
            "accuracy": (contrast.correct.sum(), count),
            "tied_distractors": (contrast.tied.sum(), count),
            **{f"code_perplexity_{book + 1}": (value, 1.0) for book, value in enumerate(spread.unbind())},
            "probability_perplexity": (perplexity(probabilities).mean(), 1.0),
            "masked": (count, frames.sum()),
        }
        if self.objective.feature_penalty:
            inside = torch.arange(mask.shape[1], device=mask.device) < frames[:, None]
            squares = encoded.conv_features.float().square().mean(-1).masked_fill(~inside, 0).sum(1)
            penalty = (squares / frames.clamp(min=1) * counts).sum()
            total = total + self.objective.feature_penalty * penalty
            measures["feature_penalty"] = (penalty, count)
        rows = torch.stack([utterances, contrast.correct.sum(1), counts], dim=1)
        return ContrastSum(total, count, utterances, measures, rows, codes, valid)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Contrastive loss with the likeliest codes, and masks that are the same each time."""
        del batch_idx
        loss = self(batch)
        for name in ("contrastive", "accuracy"):
            self.dev_meter.add(name, *loss.measures[name])
        self.dev_languages.add(batch.languages, batch.lengths, loss.rows, loss.codes, loss.valid)

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


def _over_ranks(probabilities: Tensor, count: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the frames of all processes: (G, V) and their () number from those of this process.

    The gradient passes to this process's frames only. A loss that is multiplied by the number of all frames has the right
    gradient then, as the processes' gradients are summed, and the backward pass needs no communication.
    """
    if not distributed.is_initialized():
        return probabilities, count
    own = probabilities * count
    sums = torch.cat([own.detach().flatten(), count[None]])
    distributed.all_reduce(sums)
    shared = sums[-1]
    return (own + (sums[:-1].view_as(own) - own).detach()) / shared.clamp(min=1), shared
