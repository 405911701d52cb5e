"""A look at what the features are good for while pretraining goes on: a linear CTC layer on a fixed slice of labelled speech.

The contrastive loss does not tell whether recognition will profit; a frozen encoder with a linear layer does in seconds
(Rivière et al. 2020, section 3.3, train the same on frozen features).
"""

import logging
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from speechxl.data.datamodule import SpeechDataset, ordered_batches
from speechxl.decoding.greedy import greedy
from speechxl.evaluation.metrics import count_errors
from speechxl.objectives.ctc import ctc_loss
from speechxl.shapes import Targets
from speechxl.tasks.watching import Measures
from speechxl.text import Vocabulary

log = logging.getLogger(__name__)
STEPS, LR = 150, 0.02


class LinearProbe(Callback):
    """Trains the layer on one part of the slice and tests it on the other, every so many steps and before the first.

    Args:
        train: Labelled utterances to train on, with ``encode``.
        test: To test on.
        vocabulary: Of both.
        every: Optimizer steps between probes.
        layer: Transformer layer whose output is taken, counted from 1; None for two thirds of the depth.
        accumulate: Batches per optimizer step.
        batch_seconds: Limit of a batch.
    """

    def __init__(
        self,
        train: SpeechDataset,
        test: SpeechDataset,
        vocabulary: Vocabulary,
        *,
        every: int,
        layer: int | None,
        accumulate: int,
        batch_seconds: float,
    ) -> None:
        self.train, self.test, self.vocabulary = train, test, vocabulary
        self.every, self.layer, self.accumulate, self.batch_seconds = every, layer, accumulate, batch_seconds

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if trainer.global_step == 0:
            self._probe(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: object, batch: object, batch_idx: int
    ) -> None:
        del outputs, batch
        if (batch_idx + 1) % self.accumulate == 0 and trainer.global_step % self.every == 0:
            self._probe(trainer, pl_module)

    def _probe(self, trainer: lightning.Trainer, task: Any) -> None:
        measures = task.with_weights(
            lambda: probe(task.model.wav2vec2, self.train, self.test, self.vocabulary, self.layer, self.batch_seconds)
        )
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Measures):
                callback.write(trainer, measures)
        text = ", ".join(f"{name} {value:.3f}" for name, value in measures.items())
        log.info("step %d: %s", trainer.global_step, text)


def probe(
    encoder: Any,
    train: SpeechDataset,
    test: SpeechDataset,
    vocabulary: Vocabulary,
    layer: int | None = None,
    batch_seconds: float = 30.0,
) -> dict[str, float]:
    """Trains a linear CTC layer on frozen features; nothing is drawn at random.

    Args:
        encoder: `Encoder`.
        train: Labelled utterances to train on, with ``encode``.
        test: To test on.
        vocabulary: Of both.
        layer: See `LinearProbe`.
        batch_seconds: Limit of a batch.

    Returns:
        ``probe_loss`` in nats a symbol and ``probe_error`` (edits a symbol) on ``test``.
    """
    depth = len(encoder.encoder.layers)
    layer = min(depth, layer or max(1, round(2 / 3 * depth)))
    features, frames, targets = _features(encoder, train, layer, batch_seconds)
    mean = torch.cat([row[:length] for row, length in zip(features, frames, strict=True)]).mean(0)
    spread = torch.cat([row[:length] for row, length in zip(features, frames, strict=True)]).std(0).clamp(min=1e-5)
    head: Any = nn.utils.skip_init(nn.Linear, features.shape[2], len(vocabulary), device=features.device)
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    optimizer = torch.optim.AdamW(head.parameters(), lr=LR, weight_decay=0.01)
    with torch.enable_grad(), torch.autocast(features.device.type, enabled=False):
        for step in range(STEPS):
            optimizer.param_groups[0]["lr"] = LR * (1 - step / STEPS)
            losses = ctc_loss(
                head((features - mean) / spread), frames, targets.tokens, targets.lengths, vocabulary.blank
            )
            optimizer.zero_grad()
            (losses.sum() / targets.lengths.sum()).backward()
            optimizer.step()
    features, frames, targets = _features(encoder, test, layer, batch_seconds)
    with torch.no_grad():
        logits = head((features - mean) / spread)
        losses = ctc_loss(logits, frames, targets.tokens, targets.lengths, vocabulary.blank)
    hypotheses = [hypothesis.text for hypothesis in greedy(logits, frames, vocabulary, encoder.geometry)]
    unit = "word" if vocabulary.delimiter is None else "char"
    return {
        "probe_loss": float(losses.sum() / targets.lengths.sum()),
        "probe_error": count_errors(targets.texts, hypotheses, unit).rate or 0.0,
    }


@torch.no_grad()
def _features(encoder: Any, dataset: SpeechDataset, layer: int, batch_seconds: float) -> tuple[Tensor, Tensor, Targets]:
    """(N, F, D) output of a layer for every utterance, (N,) frames, and the targets."""
    device = next(encoder.parameters()).device
    upper = range(layer, len(encoder.encoder.layers))
    was_training = encoder.training
    encoder.eval()
    rows: list[Tensor] = []
    frames: list[Tensor] = []
    targets: list[Targets] = []
    for places in ordered_batches(dataset, batch_seconds):
        batch = dataset.collate([dataset[place] for place in places])
        lengths = batch.lengths.to(device)
        encoded = encoder(batch.waveform.to(device), lengths if batch.padded else None, skip=upper)
        rows += encoded.features.float().unbind()
        frames.append(encoder.geometry.num_frames(lengths))
        if batch.targets is not None:
            targets.append(batch.targets)
    encoder.train(was_training)
    tokens = pad_sequence([row for part in targets for row in part.tokens], batch_first=True).to(device)
    lengths = torch.cat([part.lengths for part in targets]).to(device)
    texts = [text for part in targets for text in part.texts]
    return pad_sequence(rows, batch_first=True), torch.cat(frames), Targets(texts, tokens, lengths)
