"""What a pretrained model makes of each utterance: its codes, and how well it finds them under masks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from speechxl.config import Contrast, Mask
from speechxl.data.datamodule import SpeechDataset, ordered_batches
from speechxl.models.draws import DISTRACTORS, MASK, keyed_uniform
from speechxl.models.masking import span_mask
from speechxl.objectives.contrastive import contrastive_loss, draw_distractors
from speechxl.shapes import Utterance


@dataclass(frozen=True)
class Heard:
    """One utterance."""

    utterance: Utterance
    codes: np.ndarray
    """(F, G) likeliest code of each frame in each codebook."""
    masked: int
    """Frames under masks."""
    loss: float
    """Contrastive loss summed over them, nats."""
    correct: int
    """Of them, those whose code was found."""
    tied: float
    """Share of distractors that have the target's own codes, summed over them."""


@torch.no_grad()
def hear(
    model: Any, dataset: SpeechDataset, batch_seconds: float, *, mask: Mask = Mask(), contrast: Contrast = Contrast()
) -> Iterator[Heard]:
    """Runs a pretrained model over utterances, the longest first, each once.

    Masks and distractors follow from the dataset's seed and the utterance alone, so that they are the same each time and
    in any batch. Recordings that cannot be decoded are left out.

    Args:
        model: `Wav2Vec2ForPreTraining` with this package's encoder and quantizer, in evaluation mode.
        dataset: Utterances.
        batch_seconds: Limit of a batch.
        mask: Span masks.
        contrast: For the number of distractors and the temperature.
    """
    encoder, device = model.wav2vec2, next(model.parameters()).device
    left = {utterance.id: utterance for utterance in dataset.utterances}
    for places in ordered_batches(dataset, batch_seconds):
        batch = dataset.collate([dataset[place] for place in places])
        lengths, keys = batch.lengths.to(device), batch.keys.to(device)
        frames = encoder.geometry.num_frames(lengths)
        width = encoder.geometry.num_frames(batch.waveform.shape[1])
        masked = span_mask(
            keys, frames, width, prob=mask.prob, length=mask.length, min_spans=mask.min_spans, stream=MASK
        )
        encoded = encoder(batch.waveform.to(device), lengths if batch.padded else None, mask=masked)
        quantized = model.quantizer(encoded.normed_features.flatten(0, 1))
        codes = quantized.codes.unflatten(0, masked.shape)  # (B, F, G)

        counts = masked.sum(1)
        chosen = masked.byte().argsort(dim=1, descending=True, stable=True)[:, : max(1, int(counts.max()))]  # (B, M)
        rows = torch.arange(len(chosen), device=device)[:, None]
        valid = torch.arange(chosen.shape[1], device=device) < counts[:, None]
        context = model.project_hid(encoded.features[rows, chosen])
        targets = model.project_q(quantized.vectors.unflatten(0, masked.shape)[rows, chosen])
        uniform = keyed_uniform(keys, chosen.shape[1] * contrast.distractors, DISTRACTORS)
        distractors = draw_distractors(uniform.unflatten(1, (chosen.shape[1], -1)), counts)
        found = contrastive_loss(context, targets, codes[rows, chosen], valid, distractors, contrast.temperature)
        sums = torch.stack([counts, found.loss.sum(1), found.correct.sum(1), found.tied.sum(1)], dim=1).tolist()
        for row, (id, (count, loss, correct, tied)) in enumerate(zip(batch.ids, sums, strict=True)):
            if id in left:  # the dataset puts another utterance, seen elsewhere, in the place of a damaged one
                own = codes[row, : int(frames[row])].cpu().numpy()
                yield Heard(left.pop(id), own, int(count), loss, int(correct), tied)
