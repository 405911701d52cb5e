"""CTC fine-tuning (Baevski et al. 2020, section 4.3; Babu et al. 2022, section 4)."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from speechxl.config import Augment
from speechxl.decoding.greedy import greedy
from speechxl.errors import InputError
from speechxl.evaluation.metrics import count_errors
from speechxl.evaluation.phone_texts import in_one_spelling
from speechxl.models.extensions import allophones_of
from speechxl.objectives.ctc import ctc_loss
from speechxl.shapes import Batch, Targets
from speechxl.tasks.augmenting import draw_masks
from speechxl.tasks.base import LossSum, Measures, Task
from speechxl.tasks.languages import LanguageRates
from speechxl.text import Vocabularies, Vocabulary

log = logging.getLogger(__name__)
_NEVER = -1e4
"""Score of a symbol of another language; finite, as differences of it are taken."""
_MOSTLY = 0.9
"""Share of empty transcripts above which a model has learnt nothing."""


@dataclass
class Heard:
    """What a model gives for a batch."""

    features: Tensor
    """(B, F, D) of the encoder, as the output layer sees them."""
    logits: Tensor
    """(B, F, V) scores of the symbols, next to none for those of other languages."""
    frames: Tensor
    """(B,)."""
    intermediate: Sequence[Tensor]
    """(B, F, V) the same after chosen layers, where predictions are fed back."""


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
        conditioning: Weight of the losses after layers whose predictions are fed back.
        extras: What else is learnt: each gives losses (B,) that are added, and measures, for the model, a `Heard` and targets.
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
        conditioning: float = 0.5,
        extras: Iterable[nn.Module] = (),
        **training: Any,
    ) -> None:
        super().__init__(model, **training)
        self.vocabulary, self.augment, self.samples = vocabulary, augment, samples
        self.names, self.patience = languages, patience
        self.conditioning, self.extras = conditioning, nn.ModuleList(extras)
        self.dev_languages = LanguageRates()
        self.freeze_extractor, self.freeze_encoder = freeze_extractor, freeze_encoder
        self.encoder: Any = model.wav2vec2
        self.encoder.feature_extractor.requires_grad_(not freeze_extractor)
        self.leave_out_frozen()
        self.foreign: Tensor | None
        self.register_buffer("foreign", _foreign(vocabulary, languages), persistent=False)
        self._transcripts: list[tuple[str, str, str, str]] = []
        self.dev_transcripts: list[tuple[str, str, str, str]] = []
        """Id, language, reference and hypothesis of each utterance of the last evaluation."""

    @property
    def skips_parameters(self) -> bool:
        """While the encoder is frozen, too, and the mask embedding where nothing is masked."""
        return super().skips_parameters or self.freeze_encoder > 0 or not self.augment.time_prob

    def hear(self, batch: Batch) -> Heard:
        """What the model gives for a batch."""
        lengths = batch.lengths if batch.padded else None
        frames = self.encoder.geometry.num_frames(batch.lengths)
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.freeze_extractor):
            conv = self.encoder.feature_extractor(batch.waveform, lengths)
        masks: dict[str, Tensor] = {}
        if self.training:
            channels = self.encoder.masked_spec_embed.shape[0]
            masks = draw_masks(self.augment, batch.keys, frames, conv.shape[1], channels)
        frozen = self.training and self.global_step < self.freeze_encoder
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            encoded = self.encoder.contextualise(conv, lengths, **masks, skip=self.skipped_layers())
        features = self.model.dropout(encoded.features)
        logits, *lower = (self._of_language(x, batch) for x in (self.model.lm_head(features), *encoded.intermediate))
        return Heard(features, logits, frames, lower)

    def _of_language(self, logits: Tensor, batch: Batch) -> Tensor:
        """(B, F, V) scores of the symbols of each utterance's language, in which phones may be allophones of phonemes."""
        if self.foreign is not None:
            return logits.masked_fill(self.foreign[batch.languages][:, None], _NEVER)
        layer = allophones_of(self.model)
        return logits if layer is None else layer(logits, batch.languages)

    def loss(self, batch: Batch) -> LossSum:
        """CTC loss summed over utterances."""
        heard, targets = self.hear(batch), _targets(batch)
        logits, frames = heard.logits, heard.frames
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
        if heard.intermediate:  # Nozaki and Komatsu 2021, section 3
            parts = [
                ctc_loss(x, frames, targets.tokens, targets.lengths, self.vocabulary.blank) for x in heard.intermediate
            ]
            lower = torch.stack(parts).mean(0)
            measures["intermediate_loss_per_symbol"] = lower.sum(), targets.lengths.sum()
            losses = (1 - self.conditioning) * losses + self.conditioning * lower
        for extra in self.extras:
            more, told = extra(self.model, heard, targets)
            losses, measures = losses + more, measures | told
        return LossSum(losses.sum(), count, losses, measures)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Decodes a dev batch greedily."""
        del batch_idx
        heard, targets = self.hear(batch), _targets(batch)
        logits, frames = heard.logits, heard.frames
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
        self.dev_transcripts = transcripts
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
        if phones:  # as `evaluate` has it
            references, hypotheses = in_one_spelling(references, hypotheses, self.vocabulary.symbols)
        rates = {"per" if phones else "wer": count_errors(references, hypotheses, "word").rate or 0.0}
        if not phones:
            rates["cer"] = count_errors(references, hypotheses, "char").rate or 0.0
        return rates | {"empty": sum(not text for text in hypotheses) / max(1, len(hypotheses))}


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
