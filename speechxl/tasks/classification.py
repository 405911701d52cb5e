"""Classification of whole utterances: what is meant, how it is said, in which language."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechxl.config import Augment
from speechxl.errors import InputError
from speechxl.evaluation.calibration import fit_temperature
from speechxl.evaluation.predictions import accuracy, confusion_counts, macro_f1
from speechxl.models.classifier import SpeechClassifier
from speechxl.shapes import Batch
from speechxl.tasks.augmenting import draw_masks
from speechxl.tasks.base import LossSum, Measures, Task
from speechxl.tasks.languages import LanguageRates

log = logging.getLogger(__name__)
NO_LABEL = -1
"""Class of an utterance that has no label of a kind."""
_TIE = 1e-4
"""Weight of the loss beside macro-F1, so that it decides between models that are right equally often."""


class SpeechClassification(Task):
    """Learns one or several labels of each utterance.

    Args:
        model: Classifier.
        classes: Values of each kind of label, in the order of the model's outputs.
        weights: (C,) factor of the loss of each class, for each kind; None for 1.
        smoothing: Share of the target that is spread over all classes (Szegedy et al. 2016).
        augment: Time and channel masks, without any None.
        freeze_extractor: Whether the feature extractor keeps its weights for good.
        freeze_encoder: Steps during which only what is above the encoder is trained; None for all.
        train_layers: Transformer layers at the top that are trained; None for all, and for all that is below them.
        head_lr: Highest learning rate of what is above the encoder.
        languages: Names whose places number the languages of batches.
        training: Arguments of `Task`.
    """

    def __init__(
        self,
        model: SpeechClassifier,
        *,
        classes: Mapping[str, Sequence[str]],
        weights: Sequence[np.ndarray] | None,
        smoothing: float,
        augment: Augment,
        freeze_extractor: bool,
        freeze_encoder: int | None,
        train_layers: int | None,
        head_lr: float,
        languages: Sequence[str],
        **training: Any,
    ) -> None:
        super().__init__(model, **training)
        self.classes, self.smoothing, self.augment, self.names = classes, smoothing, augment, languages
        self.head_lr = head_lr
        _freeze(model, extractor=freeze_extractor, layers=0 if freeze_encoder is None else train_layers)
        self.freeze_encoder = freeze_encoder or 0
        self.frozen = not any(parameter.requires_grad for parameter in model.backbone.module.parameters())
        self.leave_out_frozen()
        for place, own in enumerate(weights or ()):
            self.register_buffer(f"weights_{place}", torch.tensor(own, dtype=torch.float32), persistent=False)
        self.weighted = weights is not None
        self.dev_rates: dict[str, float] = {}
        """Measures of the last evaluation."""
        self.dev_languages = LanguageRates()
        self.temperatures = [1.0] * len(classes)
        """Of each kind, by which the scores of the last evaluation are to be divided so that its labels are likeliest."""
        self._judged: list[tuple[str, str, list[int], list[int]]] = []
        self.dev_judged: list[tuple[str, str, list[int], list[int]]] = []
        """Id, language, true and found classes of each kind, of each utterance of the last evaluation."""
        self._scores: list[tuple[Tensor, list[Tensor]]] = []

    @property
    def layers(self) -> Any:
        """Of the encoder."""
        return self.model.backbone.layers

    @property
    def skips_parameters(self) -> bool:
        """While the encoder is frozen, the mask embedding where nothing is masked, and heads of kinds that a batch lacks."""
        return True

    def logits(self, batch: Batch) -> list[Tensor]:
        """(B, C) scores of the classes of each kind."""
        masks: dict[str, Tensor] = {}
        if self.training and (self.augment.time_prob or self.augment.channel_prob):
            count = self.model.backbone.num_frames
            channels = self.model.backbone.module.masked_spec_embed.shape[0]
            width = int(count(torch.tensor(batch.waveform.shape[1])))
            masks = draw_masks(self.augment, batch.keys, count(batch.lengths), width, channels)
        frozen = self.frozen or (self.training and self.global_step < self.freeze_encoder)
        return self.model(
            batch.waveform, batch.lengths, padded=batch.padded, skip=self.skipped_layers(), frozen=frozen, **masks
        )

    def loss(self, batch: Batch) -> LossSum:
        """Cross-entropy summed over utterances; of an utterance with several labels the mean."""
        return self._loss(batch, self.logits(batch))

    def _loss(self, batch: Batch, logits: Sequence[Tensor]) -> LossSum:
        targets = _targets(batch)
        losses: list[Tensor] = []
        measures: Measures = {}
        for place, (kind, scores, target) in enumerate(zip(self.classes, logits, targets.T, strict=True)):
            there = target != NO_LABEL
            losses.append(
                F.cross_entropy(
                    scores.float(), target, self.get_buffer(f"weights_{place}") if self.weighted else None,
                    ignore_index=NO_LABEL, reduction="none", label_smoothing=self.smoothing if self.training else 0.0,
                )
            )  # fmt: skip
            measures[f"accuracy_{kind}"] = ((scores.argmax(-1) == target).sum(), there.sum())
        each = torch.stack(losses).sum(0) / (targets != NO_LABEL).sum(1).clamp(min=1)
        return LossSum(each.sum(), torch.tensor(float(len(each)), device=each.device), each, measures)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Judges a dev batch."""
        del batch_idx
        logits = self.logits(batch)
        loss = self._loss(batch, logits)
        self.dev_meter.add("loss", loss.total, loss.count)
        found = torch.stack([scores.argmax(-1) for scores in logits], dim=1).tolist()
        self._scores.append((_targets(batch).cpu(), [scores.detach().float().cpu() for scores in logits]))
        rows = zip(batch.ids, batch.languages.tolist(), _targets(batch).tolist(), found, strict=True)
        self._judged += [(id, self.names[language] or "(unknown)", truth, own) for id, language, truth, own in rows]

    def on_validation_epoch_end(self) -> None:
        """Macro-F1 and accuracy on dev, and the temperature, of each kind of label."""
        self._fit_temperatures()
        judged, self._judged = sorted(self._judged), []
        self.dev_judged = judged
        rates = self.dev_rates = self._rates(judged)
        total, weight = self.dev_meter.sums["loss"]
        loss = float(total) / max(1.0, float(weight))
        means = [rates[f"macro_f1_{kind}"] for kind in self.classes if f"macro_f1_{kind}" in rates]
        self.score = 1 - sum(means) / max(1, len(means)) + _TIE * loss / (1 + loss)
        for name, rate in rates.items():
            self.dev_meter.add(name, torch.tensor(rate))
        log.info("dev: %s", ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()))
        self.dev_languages.rates = {
            language: self._rates([row for row in judged if row[1] == language])
            for language in sorted({row[1] for row in judged})
        }

    def _fit_temperatures(self) -> None:
        scores, self._scores = self._scores, []
        targets = torch.cat([own for own, _ in scores])
        for place in range(len(self.classes)):
            there = targets[:, place] != NO_LABEL
            logits = torch.cat([own[place] for _, own in scores])[there]
            self.temperatures[place] = fit_temperature(logits.double().numpy(), targets[there, place].numpy())

    def _rates(self, judged: Sequence[tuple[str, str, list[int], list[int]]]) -> dict[str, float]:
        """Measures of utterances, of each kind that they have labels of."""
        rates: dict[str, float] = {}
        for place, (kind, values) in enumerate(self.classes.items()):
            pairs = np.array([(truth[place], own[place]) for *_, truth, own in judged if truth[place] != NO_LABEL])
            if len(pairs):
                table = confusion_counts(pairs[:, 0], pairs[:, 1], len(values))
                rates |= {f"macro_f1_{kind}": float(macro_f1(table)), f"accuracy_{kind}": float(accuracy(table))}
        return rates

    def state_of_step(self) -> dict[str, float]:
        """Learning rates, and the share of each layer."""
        rates = [group["lr"] for group in self.optimizers().param_groups]  # type: ignore[union-attr]
        weights = self.model.layer_weights
        shares = {} if weights is None else {f"layer_{place}": value for place, value in enumerate(weights.tolist())}
        return {"lr": rates[0] if len(rates) > 1 else 0.0, "head_lr": rates[-1], **shares}

    def _groups(self) -> list[dict[str, Any]]:
        """The encoder by learning rate, and what is above it, which comes last."""
        depths, highest = _depths(self.model), len(self.layers)
        groups: dict[tuple[bool, float], list[torch.nn.Parameter]] = {}
        for parameter in self.model.parameters():
            if parameter.requires_grad:
                depth = depths.get(id(parameter))
                above = depth is None
                rate = self.head_lr if depth is None else self.lr * self.layer_decay ** (highest - depth)
                groups.setdefault((above, rate * 0.5**self.setbacks), []).append(parameter)
        return [{"params": groups[key], "lr": key[1]} for key in sorted(groups)]


def _freeze(model: SpeechClassifier, *, extractor: bool, layers: int | None) -> None:
    """Leaves the feature extractor, or all but the upper layers, as they are."""
    encoder, depths = model.backbone.module, _depths(model)
    if extractor and hasattr(encoder, "feature_extractor"):
        encoder.feature_extractor.requires_grad_(False)
    if layers is not None:
        least = len(model.backbone.layers) - layers
        for parameter in encoder.parameters():
            parameter.requires_grad_(parameter.requires_grad and layers > 0 and depths[id(parameter)] > least)


def _depths(model: SpeechClassifier) -> dict[int, int]:
    """Place of each parameter of the encoder: 0 below the layers, from 1 on in them, that of the last one for what follows."""
    encoder, layers = model.backbone.module, list(model.backbone.layers)
    depths = {id(parameter): 0 for parameter in encoder.parameters()}
    depths |= {id(parameter): place for place, layer in enumerate(layers, 1) for parameter in layer.parameters()}
    last = getattr(getattr(encoder, "encoder", encoder), "layer_norm", None)
    return depths | {id(parameter): len(layers) for parameter in (last.parameters() if last is not None else ())}


def _targets(batch: Batch) -> Tensor:
    """(B, K) class of each utterance, of each kind of label."""
    if batch.targets is None:
        raise InputError(f"The batch with {batch.ids[0]} has no targets; make the dataset with encode=.")
    return batch.targets.tokens
