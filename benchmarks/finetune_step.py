"""Forward and backward of CTC fine-tuning, with its masks, against `transformers`."""

import argparse
from collections.abc import Sequence
from types import SimpleNamespace

import torch
from compare import Step, arguments, run
from models import pair, preset_of
from torch import nn
from transformers import Wav2Vec2ForCTC

from speechxl.config import Augment
from speechxl.shapes import Batch, Targets
from speechxl.tasks.recognition import Recognition
from speechxl.text import Vocabulary

SYMBOLS, TARGETS = 32, 60


def finetuning(options: argparse.Namespace, side: str) -> Step:
    """A step with frozen extractor, time masks 0.75 × 10 and channel masks 0.25 × 64."""
    fields = {
        "vocab_size": SYMBOLS, "mask_time_prob": 0.75, "mask_time_length": 10, "mask_feature_prob": 0.25,
        "mask_feature_length": 64,
    }  # fmt: skip
    model = pair(Wav2Vec2ForCTC, preset_of(options.preset), options.device, **fields)[side]
    torch.manual_seed(1)
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)
    targets = torch.randint(3, SYMBOLS, (options.batch, TARGETS), device=options.device)
    if side == "peer":
        return _peer(model, waveform, targets)
    letters = map(chr, range(0x430, 0x430 + SYMBOLS - 3))
    return own_step(model, waveform, targets, Vocabulary(("<pad>", "<unk>", "|", *letters)))


def _peer(model: Wav2Vec2ForCTC, waveform: torch.Tensor, targets: torch.Tensor) -> Step:
    model.freeze_feature_encoder()

    def step() -> None:
        model(waveform.clone(), labels=targets).loss.backward()
        model.zero_grad()

    return step


def own_step(
    model: Wav2Vec2ForCTC,
    waveform: torch.Tensor,
    targets: torch.Tensor,
    vocabulary: Vocabulary,
    extras: Sequence[nn.Module] = (),
) -> Step:
    """A step of this package, with what else is learnt."""
    task = Recognition(
        model, vocabulary=vocabulary, augment=Augment(time_prob=0.75, channel_prob=0.25), freeze_extractor=True,
        freeze_encoder=0, languages=[""], patience=0, extras=extras, seed=1, lr=1e-4, schedule=lambda step: 1.0, weight_decay=0.0,
    ).train()  # fmt: skip
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
    size, device = len(waveform), waveform.device
    batch = Batch(
        [str(row) for row in range(size)],
        torch.arange(size, device=device),
        waveform,
        torch.full((size,), waveform.shape[1], device=device),
        padded=False,
        languages=torch.zeros(size, dtype=torch.long, device=device),
        targets=Targets([""] * size, targets, torch.full((size,), targets.shape[1], device=device)),
    )

    def step() -> None:
        batch.keys += size
        task.loss(batch).total.backward()
        model.zero_grad()

    return step


if __name__ == "__main__":
    run("finetune_step", arguments(__doc__), {"finetuning": finetuning})
