"""`speechxl pretrain`: self-supervised pretraining from scratch."""

from pathlib import Path
from typing import Literal

from speechxl.config import (
    Architecture,
    Contrast,
    Data,
    Dropout,
    Guard,
    Mask,
    Optim,
    PresetName,
    Probe,
    Sampling,
    Watch,
    check_run,
    resolve,
    settle,
)
from speechxl.verbs.outcome import Outcome


def pretrain(
    *,
    train: list[Path],
    out: Path,
    dev: list[Path] | None = None,
    split: str | None = None,
    preset: PresetName = "w2v2-base",
    max_steps: int = 400_000,
    batch_seconds: float = 80.0,
    precision: Literal["auto", "32", "bf16"] = "32",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    compile: bool = False,
    seed: int = 1,
    resume: bool = False,
    dry_run: bool = False,
    strategy: Literal["auto", "ddp", "fsdp"] = "auto",
    checkpoint_activations: bool = False,
    architecture: Architecture = Architecture(),
    dropout: Dropout = Dropout(),
    mask: Mask = Mask(),
    contrast: Contrast = Contrast(),
    optim: Optim = Optim(),
    data: Data = Data(),
    sampling: Sampling = Sampling(),
    watch: Watch = Watch(),
    guard: Guard = Guard(),
    probe: Probe = Probe(),
) -> Outcome:
    """Pretrain wav2vec 2.0 / XLS-R on unlabelled speech of any number of languages.

    Args:
        train: Manifests, or folders of recordings.
        out: Folder for the model.
        dev: Manifests on which the loss is watched; by default the dev rows of --train.
        split: Rows of --train to use; by default "train", or all rows where there are no splits; "all" for every row.
        preset: Published model whose architecture and settings are taken.
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch, padding included.
        precision: "bf16" computes in bfloat16 where that is safe, "auto" does so where the processor is faster in it.
        device: Where to compute.
        compile: Compile the transformer layers (torch.compile), which takes a minute first and needs a C++ compiler; meant
            for a GPU, on a CPU steps get slower.
        seed: Of all random draws.
        resume: Continue the run that stands in --out.
        dry_run: Say what would be done, and do nothing.
        strategy: Of several processes each holds the model ("ddp") or a share of it ("fsdp"); "auto" takes "fsdp" from a
            billion parameters on where there are several GPUs.
        checkpoint_activations: Compute activations again in the backward pass instead of keeping them: less memory.
        architecture: Changes to the preset's size.
        dropout: Changes to the preset's regularisation.
        mask: Span masks.
        contrast: Objective.
        optim: Optimizer.
        data: Audio.
        sampling: Balance of languages and corpora.
        watch: Evaluation and checkpoints.
        guard: Against a collapse of the codebook.
        probe: A linear recogniser on the features now and then.
    """
    import torch

    from speechxl.models.device import choose_precision
    from speechxl.models.folders import Card
    from speechxl.models.making import new_pretraining_model
    from speechxl.verbs.contrastive import resolve_data, resolve_optim, run_contrastive
    from speechxl.verbs.recordings import read_speech
    from speechxl.verbs.training import settings_yaml

    shape = resolve(preset, architecture, dropout)
    check_run(max_steps, batch_seconds)
    precision = choose_precision(precision, device)
    objective = settle(contrast, shape, gumbel_start=2.0)
    optim = resolve_optim(optim, shape.lr)
    data = resolve_data(data, shape)
    speech = read_speech(train, dev, split, data)
    settings = settings_yaml(
        train=train, out=out, dev=dev, split=split, preset=preset, max_steps=max_steps, batch_seconds=batch_seconds,
        precision=precision, device=device, seed=seed, strategy=strategy, compile=compile,
        checkpoint_activations=checkpoint_activations, architecture=architecture, dropout=shape.dropout, mask=mask,
        contrast=objective, optim=optim, data=data, sampling=sampling, watch=watch, guard=guard, probe=probe,
    )  # fmt: skip
    torch.manual_seed(seed)
    return run_contrastive(
        new_pretraining_model(shape), speech, Card(normalise=shape.normalise, preset=preset), settings,
        fresh=True, out=out, max_steps=max_steps, batch_seconds=batch_seconds, precision=precision, device=device, seed=seed,
        resume=resume, dry_run=dry_run, strategy=strategy, compile=compile, checkpoint_activations=checkpoint_activations,
        dropout=shape.dropout, mask=mask, objective=objective, optim=optim, data=data, sampling=sampling, watch=watch,
        guard=guard, probe=probe,
    )  # fmt: skip
