"""Classification of whole utterances against `transformers`: a training step with everything trained, and inference."""

import argparse
import copy
from functools import cache
from types import SimpleNamespace

import torch
import torch.nn.functional as F
from compare import Step, arguments, run
from models import pair, preset_of
from transformers import Wav2Vec2ForSequenceClassification

from speechxl.config import Augment
from speechxl.models.backbones import Waves
from speechxl.models.classifier import SpeechClassifier
from speechxl.models.device import cast_linear
from speechxl.shapes import Batch, Targets
from speechxl.tasks.classification import SpeechClassification

CLASSES = 10
FIELDS = {
    "num_labels": CLASSES, "use_weighted_layer_sum": True, "mask_time_prob": 0.05, "mask_time_length": 10,
    "mask_feature_prob": 0.0,
}  # fmt: skip
"""Sum of all layers; time masks as `transformers` has them by default."""


def training(options: argparse.Namespace, side: str) -> Step:
    """Forward and backward with cross-entropy; extractor and transformer are trained."""
    model = pair(Wav2Vec2ForSequenceClassification, preset_of(options.preset), options.device, **FIELDS)[side]
    waveform, lengths, targets = _batch(options)
    if side == "peer":

        def peer() -> None:
            model(waveform.clone(), labels=targets).loss.backward()
            model.zero_grad()

        return peer
    size = len(waveform)
    task = SpeechClassification(
        SpeechClassifier(model, Waves(model), [CLASSES], "mean"), classes={"label": [str(n) for n in range(CLASSES)]},
        weights=None, smoothing=0.0, augment=Augment(time_prob=0.05, channel_prob=0.0), freeze_extractor=False,
        freeze_encoder=0, train_layers=None, head_lr=1e-3, languages=[""], seed=1, lr=1e-4, schedule=lambda step: 1.0,
        weight_decay=0.0,
    ).train()  # fmt: skip
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
    batch = Batch(
        [str(row) for row in range(size)],
        torch.arange(size, device=options.device),
        waveform,
        lengths,
        padded=False,
        languages=torch.zeros(size, dtype=torch.long, device=options.device),
        targets=Targets([""] * size, targets[:, None], torch.ones(size, dtype=torch.long, device=options.device)),
    )

    def own() -> None:
        batch.keys += size
        loss = task.loss(batch)
        (loss.total / loss.count).backward()
        task.zero_grad()

    return own


def inference(options: argparse.Namespace, side: str) -> Step:
    """Probabilities, in evaluation mode; in bfloat16 speechxl casts weights once, as `Predictor` does."""
    model = pair(Wav2Vec2ForSequenceClassification, preset_of(options.preset), options.device, **FIELDS)[side].eval()
    waveform, lengths, _ = _batch(options)
    if side == "peer":

        @torch.inference_mode()
        def peer() -> None:
            F.softmax(model(waveform.clone()).logits.float(), dim=-1)

        return peer
    exact = SpeechClassifier(model, Waves(model), [CLASSES], "mean")

    @cache
    def near() -> SpeechClassifier:
        model = copy.deepcopy(exact)
        cast_linear(model.backbone.layers)
        return model

    @torch.inference_mode()
    def own() -> None:
        classifier = near() if torch.is_autocast_enabled(options.device) else exact
        F.softmax(classifier(waveform, lengths, padded=False)[0], dim=-1)

    return own


def _batch(options: argparse.Namespace) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Waveforms, samples of each, and classes."""
    torch.manual_seed(1)
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)
    lengths = torch.full((options.batch,), waveform.shape[1], device=options.device)
    return waveform, lengths, torch.randint(CLASSES, (options.batch,), device=options.device)


if __name__ == "__main__":
    run("classify_step", arguments(__doc__), {"training": training, "inference": inference})
