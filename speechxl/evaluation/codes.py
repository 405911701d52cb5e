"""How languages use the shared codebooks (Conneau et al. 2021, XLSR, section 5.3)."""

from typing import Any

import torch

from speechxl.data.datamodule import SpeechDataset, ordered_batches
from speechxl.models.quantizer import perplexity


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
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    encoder, quantizer = model.wav2vec2, model.quantizer
    books, codes = quantizer.num_codebooks, quantizer.weight_proj.out_features // quantizer.num_codebooks
    histograms = torch.zeros(len(dataset.numbers), books, codes)
    for places in ordered_batches(dataset, batch_seconds):
        batch = dataset.collate([dataset[place] for place in places])
        conv = encoder.feature_extractor(batch.waveform.to(device), batch.lengths.to(device) if batch.padded else None)
        normed = encoder.feature_projection.layer_norm(conv)
        chosen = quantizer(normed.flatten(0, 1)).codes.view(*conv.shape[:2], books).cpu()
        for row, language, frames in zip(
            chosen, batch.languages, encoder.geometry.num_frames(batch.lengths), strict=True
        ):
            for book in range(books):
                histograms[language, book] += torch.bincount(row[:frames, book], minlength=codes)
    model.train(training)
    languages = {}
    for language, number in dataset.numbers.items():
        frames = float(histograms[number, 0].sum())
        if frames:
            shares = histograms[number] / frames
            languages[language or "(unknown)"] = {
                "frames": int(frames),
                "perplexity": [round(value, 2) for value in perplexity(shares).tolist()],
                "used": (shares > 0).sum(1).tolist(),
                "shares": [[round(value, 6) for value in book] for book in shares.tolist()],
            }
    return {"schema": 1, "codebooks": books, "codes": codes, "languages": languages}
