"""CTC fine-tuning (Baevski et al. 2020, section 4.3; Babu et al. 2022, section 4)."""

import logging
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from speechxl.config import Augment
from speechxl.decoding.greedy import greedy
from speechxl.errors import InputError
from speechxl.evaluation.metrics import count_errors
from speechxl.models.draws import CHANNELS, MASK
from speechxl.models.masking import span_mask
from speechxl.objectives.ctc import ctc_loss
from speechxl.shapes import Batch, Targets
from speechxl.tasks.base import LossSum, Measures, Task
from speechxl.text import Vocabularies, Vocabulary

log = logging.getLogger(__name__)
_NEVER = -1e4
"""Score of a symbol of another language; finite, as differences of it are taken."""
_MOSTLY = 0.9
"""Share of empty transcripts above which a model has learnt nothing."""


class Recognition(Task):
    """Learns the symbols of each utterance, among those of its language where each has its own.

    Args:
        model: `Wav2Vec2ForCTC` with this package's encoder.
        vocabulary: Of the model's outputs, or those of its languages.
        augment: Time and channel masks, without any None.
        freeze_extractor: Whether the feature extractor keeps its weights for good.
        freeze_encoder: Steps during which only the output layer is trained.
        languages: Names whose places number the languages of batches.
        patience: Steps after which a model that gives next to nothing but blanks is warned of.
        samples: Dev utterances whose transcripts are shown.
        training: Arguments of `Task`.
    """

    def __init__(
        self,
        model: Any,
        *,
        vocabulary: Vocabulary | Vocabularies,
        augment: Augment,
        freeze_extractor: bool,
        freeze_encoder: int,
        languages: Sequence[str],
        patience: int,
        samples: int = 3,
        **training: Any,
    ) -> None:
        super().__init__(model, **training)
        self.vocabulary, self.augment, self.samples = vocabulary, augment, samples
        self.names, self.patience = languages, patience
        self.dev_languages = _Rates()
        self.freeze_extractor, self.freeze_encoder = freeze_extractor, freeze_encoder
        self.encoder: Any = model.wav2vec2
        self.encoder.feature_extractor.requires_grad_(not freeze_extractor)
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        self.strict_loading = 2 * trained > sum(parameter.numel() for parameter in model.parameters())
        self.foreign: Tensor | None
        self.register_buffer("foreign", _foreign(vocabulary, languages), persistent=False)
        self._transcripts: list[tuple[str, str, str, str]] = []

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leaves the frozen weights out where they are most of them, as beside an adapter."""
        super().on_save_checkpoint(checkpoint)
        if not self.strict_loading:
            trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
            checkpoint["state_dict"] = {n: value for n, value in checkpoint["state_dict"].items() if n in trained}

    @property
    def skips_parameters(self) -> bool:
        """While the encoder is frozen, too, and the mask embedding where nothing is masked."""
        return super().skips_parameters or self.freeze_encoder > 0 or not self.augment.time_prob

    def logits(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """(B, F, V) scores of the symbols, next to none for those of other languages, and (B,) frames."""
        lengths = batch.lengths if batch.padded else None
        frames = self.encoder.geometry.num_frames(batch.lengths)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_extractor):
            conv = self.encoder.feature_extractor(batch.waveform, lengths)
        masks = self._masks(batch, frames, conv.shape[1]) if self.training else {}
        frozen = self.training and self.global_step < self.freeze_encoder
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            encoded = self.encoder.contextualise(conv, lengths, **masks, skip=self.skipped_layers())
        logits = self.model.lm_head(self.model.dropout(encoded.features))
        if self.foreign is not None:
            logits = logits.masked_fill(self.foreign[batch.languages][:, None], _NEVER)
        return logits, frames

    def loss(self, batch: Batch) -> LossSum:
        """CTC loss summed over utterances."""
        logits, frames = self.logits(batch)
        targets = _targets(batch)
        losses = ctc_loss(logits, frames, targets.tokens, targets.lengths, self.vocabulary.blank)
        count = torch.tensor(float(len(losses)), device=losses.device)
        inside = torch.arange(logits.shape[1], device=logits.device) < frames[:, None]
        blank = (logits.detach().argmax(-1) == self.vocabulary.blank) & inside
        posterior = logits.detach().float().softmax(-1)[..., self.vocabulary.blank] * inside
        measures: Measures = {
            "loss_per_symbol": (losses.sum(), targets.lengths.sum()),
            "blank_share": (blank.sum(), frames.sum()),
            "blank_posterior": (posterior.sum(), frames.sum()),
        }
        return LossSum(losses.sum(), count, losses, measures)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Decodes a dev batch greedily."""
        del batch_idx
        logits, frames = self.logits(batch)
        targets = _targets(batch)
        losses = ctc_loss(logits, frames, targets.tokens, targets.lengths, self.vocabulary.blank)
        self.dev_meter.add("loss", losses.sum(), len(losses))
        for number in batch.languages.unique().tolist():
            language = self.names[number]
            rows = (batch.languages == number).nonzero().flatten()
            own = logits[rows][..., list(self.vocabulary.outputs(language))]
            found = greedy(own, frames[rows], self.vocabulary.of(language), self.encoder.geometry)
            for row, hypothesis in zip(rows.tolist(), found, strict=True):
                transcript = batch.ids[row], language or "(unknown)", targets.texts[row], hypothesis.text
                self._transcripts.append(transcript)

    def on_validation_epoch_end(self) -> None:
        """Error rates on dev, and a few transcripts."""
        transcripts, self._transcripts = sorted(self._transcripts), []
        rates = self._rates([row[2:] for row in transcripts])
        self.score = rates["per" if self.vocabulary.units == "phoneme" else "cer"]
        for name, rate in rates.items():
            self.dev_meter.add(name, torch.tensor(rate))
        log.info("dev: %s", ", ".join(f"{name} {rate:.3f}" for name, rate in rates.items()))
        languages = sorted({row[1] for row in transcripts})
        self.dev_languages.rates = {
            language: self._rates([row[2:] for row in transcripts if row[1] == language]) for language in languages
        }
        if len(languages) > 1:
            error = "per" if self.vocabulary.units == "phoneme" else "cer"
            each = (f"{language} {self.dev_languages.rates[language][error]:.3f}" for language in languages)
            log.info("  %s by language: %s", error, ", ".join(each))
        step = max(1, len(transcripts) // max(1, self.samples))
        for id, _, reference, hypothesis in transcripts[::step][: self.samples]:
            log.info("  %s\n    reference:  %s\n    hypothesis: %s", id, reference, hypothesis)
        if rates["empty"] > _MOSTLY and self.global_step >= self.patience:
            log.warning(
                "step %d: %.0f %% of the dev transcripts are empty, although the warm-up is long over. The likely causes: texts "
                "that do not belong to their recordings (speechxl validate), a learning rate that is too high or too low "
                "(--optim.lr, it is %g; --find_lr), too few steps, waveforms that are normalised otherwise than in pretraining "
                "(do_normalize in preprocessor_config.json). --overfit 8 shows whether anything can be learnt; --curriculum "
                "0.2 shortens the time of blanks",
                self.global_step, 100 * rates["empty"], self.highest_lr,
            )  # fmt: skip

    def _rates(self, pairs: Sequence[tuple[str, ...]]) -> dict[str, float]:
        """Error rates of references and hypotheses."""
        references, hypotheses = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        phones = self.vocabulary.units == "phoneme"
        rates = {"per" if phones else "wer": count_errors(references, hypotheses, "word").rate or 0.0}
        if not phones:
            rates["cer"] = count_errors(references, hypotheses, "char").rate or 0.0
        return rates | {"empty": sum(not text for text in hypotheses) / max(1, len(hypotheses))}

    def _masks(self, batch: Batch, frames: Tensor, width: int) -> dict[str, Tensor | None]:
        augment = self.augment
        masks: dict[str, Tensor | None] = {}
        if augment.time_prob:
            masks["mask"] = span_mask(
                batch.keys, frames, width, prob=augment.time_prob, length=augment.time_length, min_spans=0, stream=MASK
            )
        if augment.channel_prob:
            channels = self.encoder.masked_spec_embed.shape[0]
            masks["channel_mask"] = span_mask(
                batch.keys, torch.full_like(frames, channels), channels,
                prob=augment.channel_prob, length=augment.channel_length, min_spans=0, stream=CHANNELS,
            )  # fmt: skip
        return masks


class _Rates:
    """Error rates of each language at the last evaluation."""

    def __init__(self) -> None:
        self.rates: dict[str, dict[str, float]] = {}

    def read(self) -> dict[str, dict[str, float]]:
        """Measures of each language, which are then forgotten."""
        rates, self.rates = self.rates, {}
        return rates


def _foreign(vocabulary: Vocabulary | Vocabularies, languages: Sequence[str]) -> Tensor | None:
    """(L, V), True where an output stands for a symbol of other languages; None if there are none."""
    if not vocabulary.languages:
        return None
    foreign = torch.ones(len(languages), len(vocabulary), dtype=torch.bool)
    for row, language in zip(foreign, languages, strict=True):
        row[list(vocabulary.outputs(language))] = False
    return foreign


def _targets(batch: Batch) -> Targets:
    if batch.targets is None:
        raise InputError(f"The batch with {batch.ids[0]} has no targets; make the dataset with encode=.")
    return batch.targets
