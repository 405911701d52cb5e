"""How languages use the shared codebooks (Conneau et al. 2021, XLSR, section 5.3)."""

from itertools import islice
from typing import Any

import numpy as np
import torch
from torch import Tensor

from speechxl.data.batching import Corpus, EpochBatches
from speechxl.data.datamodule import SpeechDataset, ordered_batches
from speechxl.models.quantizer import perplexity
from speechxl.shapes import Batch


@torch.no_grad()
def code_usage(model: Any, dataset: SpeechDataset, batch_seconds: float) -> dict[str, Any]:
    """Share of each code in the frames of each language.

    Args:
        model: `Wav2Vec2ForPreTraining` with this package's encoder and quantizer.
        dataset: Utterances with their languages.
        batch_seconds: Limit of a batch.

    Returns:
        ``{"schema", "codebooks", "codes", "languages": {iso: {"frames", "perplexity": [G], "used": [G], "shares": [G][V]}}}``,
        where "used" is the number of codes that occur.
    """
    quantizer = model.quantizer
    books, codes = quantizer.num_codebooks, quantizer.weight_proj.out_features // quantizer.num_codebooks
    histograms = torch.zeros(len(dataset.numbers), books, codes)
    for places in ordered_batches(dataset, batch_seconds):
        batch = dataset.collate([dataset[place] for place in places])
        for features, language in zip(_features(model, batch), batch.languages, strict=True):
            chosen = quantizer(features).codes.cpu()
            for book in range(books):
                histograms[language, book] += torch.bincount(chosen[:, book], minlength=codes)
    languages = {}
    for language, number in dataset.numbers.items():
        if histograms[number].any():
            languages[language or "(unknown)"] = usage_of(histograms[number])
    return {"schema": 1, "codebooks": books, "codes": codes, "languages": languages}


def usage_of(histogram: Tensor) -> dict[str, Any]:
    """Use of the codes by one language.

    Args:
        histogram: (G, V) frames with each code, at least one in each codebook.

    Returns:
        ``{"frames", "perplexity": [G], "used": [G], "shares": [G][V]}``.
    """
    frames = histogram[0].sum()
    shares = histogram / frames
    return {
        "frames": int(frames),
        "perplexity": [round(value, 2) for value in perplexity(shares).tolist()],
        "used": (shares > 0).sum(1).tolist(),
        "shares": [[round(value, 6) for value in book] for book in shares.tolist()],
    }


@torch.no_grad()
def first_features(model: Any, dataset: SpeechDataset, batch_seconds: float, seed: int) -> Tensor:
    """(N, Dc) features that the quantizer sees in the first four batches of a run."""
    durations = np.array([utterance.seconds for utterance in dataset.utterances])
    batches = EpochBatches(Corpus.unbalanced(durations), batch_seconds, seed)
    collated = [dataset.collate([dataset[place] for place in places]) for places in islice(batches, 4)]
    return torch.cat([features for batch in collated for features in _features(model, batch)])


def _features(model: Any, batch: Batch) -> list[Tensor]:
    """Valid frames (F, Dc) of each utterance, as the quantizer sees them."""
    encoder, device = model.wav2vec2, next(model.parameters()).device
    conv = encoder.feature_extractor(batch.waveform.to(device), batch.lengths.to(device) if batch.padded else None)
    normed = encoder.feature_projection.layer_norm(conv)
    return [row[:frames] for row, frames in zip(normed, encoder.geometry.num_frames(batch.lengths), strict=True)]
