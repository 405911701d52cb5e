"""What test_processes.py runs on two processes at once: ``python -m tests.tasks.two_processes CORPUS OUT``."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from torch import distributed

from speechxl.config import PRESETS, Contrast, Data, Dropout, Mask, Optim, Probe, Sampling, Watch, settle
from speechxl.data.batching import Corpus, EpochBatches
from speechxl.data.manifest import read_manifest
from speechxl.models.flops import flops_per_second
from speechxl.models.making import configuration, new_pretraining_model
from speechxl.shapes import Batch
from speechxl.tasks.base import Task
from speechxl.tasks.pretraining import Pretraining
from speechxl.tasks.processes import rank
from speechxl.verbs import contrastive
from speechxl.verbs.prepare import prepare
from speechxl.verbs.pretrain import pretrain
from tests.conftest import NO_DROPOUT, SMALL, small_preset

NOISY = Dropout(hidden=0.1, attention=0.1, activation=0.1, projection=0.1, layer=0.5)
WATCH = Watch(log_every=1, eval_every=3, save_every=4)
OPTIM = Optim(lr=1e-3, clip=0.5, ema=0.9)
STEPS = 8
SURE = {
    "dropout": NO_DROPOUT,
    "contrast": Contrast(diversity=0.0, code_spread=0.0),
    "sampling": Sampling(alpha=1.0),  # every utterance once
    "max_steps": 1,
    "probe": Probe(),
}


class Killed(BaseException):
    """What a SIGKILL looks like to the run: nothing is saved."""


def run(corpus, out, **options):
    settings = {"batch_seconds": 2.0, "max_steps": STEPS, "dropout": NOISY, "optim": OPTIM, "watch": WATCH}
    settings |= {"preset": "tiny", "architecture": SMALL, "device": "cpu", "probe": Probe(every=5)}
    pretrain(train=[corpus], out=out, **{**settings, **options})


def killed_in_step(corpus, out, number, **options):
    step, seen = Task.training_step, []

    def training_step(self, *args):
        seen.append(1)
        if len(seen) == number:
            raise Killed
        return step(self, *args)

    Task.training_step = training_step
    try:
        run(corpus, out, **options)
    except Killed:
        distributed.barrier()
    else:
        raise AssertionError("the run was not killed")
    finally:
        Task.training_step = step


def even_batches(corpus):
    """Seconds of a batch with which one epoch has an even number of them, and that number."""
    for seconds in (2.0, 1.8, 1.6, 1.4, 1.2):
        if (count := number_of_batches(corpus, seconds)) % 2 == 0 and count > 2:
            return seconds, count
    raise AssertionError("no even number of batches")


def number_of_batches(corpus, seconds):
    """Batches of the first epoch, every utterance once."""
    durations = np.array([row.duration for row in read_manifest(corpus / "manifest.tsv") if row.split == "train"])
    linear, square = flops_per_second(configuration(small_preset()))
    return len(EpochBatches(Corpus.unbalanced(durations), seconds, 1, quadratic=square / linear).epoch(0))


class Frozen(Pretraining):
    """Pretraining that leaves the feature extractor alone."""

    def __init__(self, model, **options):
        super().__init__(model, **options)
        self.encoder.feature_extractor.requires_grad_(False)


def gradients(task, batch):
    """Loss and gradients of a batch, the latter in one vector."""
    task.zero_grad()
    loss = task.loss(batch)
    loss.total.backward()
    return loss.total.detach(), torch.cat([p.grad.flatten() for p in task.model.parameters() if p.grad is not None])


def diversity_over_both():
    """Differences of the gradient on two halves of a batch to that of the whole, relative to the latter."""
    torch.manual_seed(0)
    model = new_pretraining_model(small_preset())
    waveform = torch.randn(8, 16_000)
    waveform[:4] = waveform[:1]  # so that the halves use different codes

    def batch(rows):
        lengths = torch.full((len(rows),), 16_000)
        return Batch(
            [str(row) for row in rows], torch.tensor(rows) * 7919 + 3, waveform[rows], lengths, False, lengths * 0
        )

    results = {}
    for all_reduce in (False, True):
        objective = settle(Contrast(diversity=30.0, all_reduce=all_reduce), PRESETS["tiny"], gumbel_start=2.0)
        task = Pretraining(
            model,
            mask=Mask(),
            objective=objective,
            hours={"swh": 1.0},
            seed=1,
            lr=1e-3,
            schedule=lambda step: 1.0,
            weight_decay=0.0,
        )
        task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
        if not all_reduce:
            whole_loss, whole = gradients(task, batch(list(range(8))))
        loss, half = gradients(task, batch([0, 1, 2, 3] if rank() == 0 else [4, 5, 6, 7]))
        distributed.all_reduce(loss)
        distributed.all_reduce(half)
        results[f"all_reduce {all_reduce}"] = {
            "loss": float((loss - whole_loss).abs() / whole_loss),
            "gradient": float((half - whole).norm() / whole.norm()),
        }
    return results


def main(corpus, out):
    torch.set_num_threads(1)
    tasks, fit = [], contrastive.fit

    def fit_and_keep(task, *args, **options):
        tasks.append(task)
        fit(task, *args, **options)

    contrastive.fit = fit_and_keep
    run(corpus, out / "ddp", data=Data(workers=1))
    torch.save(tasks[-1].model.state_dict(), out / f"ddp{rank()}.pt")
    killed_in_step(corpus, out / "ddp_killed", 7, data=Data(workers=1))
    run(corpus, out / "ddp_killed", resume=True, data=Data(workers=1))

    if rank() == 0:
        prepare("shards", corpus, out / "shards", shard_seconds=2.0)
    distributed.barrier()
    run(out / "shards", out / "streamed", data=Data(workers=1))
    killed_in_step(out / "shards", out / "streamed_killed", 7, data=Data(workers=1))
    run(out / "shards", out / "streamed_killed", resume=True, data=Data(workers=1))

    seconds, count = even_batches(corpus)
    run(corpus, out / "sum", batch_seconds=seconds, optim=Optim(lr=1e-3, accumulate=count // 2), **SURE)

    run(corpus, out / "fsdp", strategy="fsdp")
    weight = tasks[-1].encoder.encoder.layers[0].attention.q_proj.weight
    share = tuple(weight.to_local().shape)
    killed_in_step(corpus, out / "fsdp_killed", 7, strategy="fsdp")
    if rank() == 0:
        for name in ("fsdp_to_ddp", "fsdp_to_one"):
            shutil.copytree(out / "fsdp_killed", out / name)
    distributed.barrier()
    run(corpus, out / "fsdp_killed", resume=True, strategy="fsdp")
    run(corpus, out / "fsdp_to_ddp", resume=True, strategy="ddp")
    run(corpus, out / "fsdp_checkpointed", strategy="fsdp", checkpoint_activations=True)

    contrastive.Pretraining = Frozen
    for strategy in ("ddp", "fsdp"):
        run(corpus, out / f"frozen_{strategy}", strategy=strategy, max_steps=2)
    results = diversity_over_both() | {"share": share, "whole": tuple(weight.shape)}
    (out / f"results{rank()}.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
