"""Forward and backward of contrastive pretraining, with masks and distractors, against `transformers` and its script."""

import argparse
from types import SimpleNamespace

import torch
from compare import Step, arguments, run
from models import pair, preset_of
from transformers import Wav2Vec2ForPreTraining
from transformers.models.wav2vec2.modeling_wav2vec2 import _compute_mask_indices, _sample_negative_indices

from speechxl.config import Contrast, Mask, Preset, settle
from speechxl.shapes import Batch
from speechxl.tasks.pretraining import Pretraining


def pretraining(options: argparse.Namespace, side: str) -> Step:
    """A step of the model's own training code."""
    preset = preset_of(options.preset)
    model = pair(Wav2Vec2ForPreTraining, preset, options.device)[side]
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)
    return _peer(model, waveform) if side == "peer" else own(model, waveform, preset)


def _peer(model: Wav2Vec2ForPreTraining, waveform: torch.Tensor) -> Step:
    """As `run_wav2vec2_pretraining_no_trainer.py` does: masks and distractors by numpy, then the model's loss."""

    def step() -> None:
        frames = int(model._get_feat_extract_output_lengths(waveform.shape[1]))
        mask = _compute_mask_indices((len(waveform), frames), 0.65, 10)
        negatives = _sample_negative_indices((len(waveform), frames), model.config.num_negatives, mask)
        mask, negatives = torch.tensor(mask, device=waveform.device), torch.tensor(negatives, device=waveform.device)
        loss = model(waveform.clone(), mask_time_indices=mask, sampled_negative_indices=negatives).loss
        loss.backward()
        model.zero_grad()

    return step


def own(model: Wav2Vec2ForPreTraining, waveform: torch.Tensor, preset: Preset) -> Step:
    """As `speechxl pretrain` does, without the optimizer."""
    objective = settle(Contrast(), preset, gumbel_start=2.0)
    task = Pretraining(
        model,
        mask=Mask(),
        objective=objective,
        hours={"swh": 1.0},
        seed=1,
        lr=1e-4,
        schedule=lambda step: 1.0,
        weight_decay=0.01,
    ).train()
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
    size, device = len(waveform), waveform.device
    batch = Batch(
        [str(row) for row in range(size)],
        torch.arange(size, device=device),
        waveform,
        torch.full((size,), waveform.shape[1], device=device),
        padded=False,
        languages=torch.zeros(size, dtype=torch.long, device=device),
    )

    def step() -> None:
        batch.keys += size
        task.loss(batch).total.backward()
        model.zero_grad()

    return step


if __name__ == "__main__":
    run("pretrain_step", arguments(__doc__), {"pretraining": pretraining})
