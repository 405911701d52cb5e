"""What `finetune` and `classify train` share: utterances as batches, the optimizer, and what there is before anything is done."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from speechxl.config import Augment, Data, Optim
from speechxl.data.datamodule import SpeechData, SpeechDataset, draw_key
from speechxl.data.perturb import Perturb
from speechxl.data.sampling import Group
from speechxl.data.sources import find_audio
from speechxl.errors import InputError
from speechxl.models.memory import training_memory
from speechxl.tasks.schedule import tri_stage
from speechxl.verbs.classified import Classified
from speechxl.verbs.labelled import Labelled
from speechxl.verbs.plan import Plan

Corpus = TypeVar("Corpus", Labelled, Classified)


def only(corpus: Corpus, count: int, seed: int) -> Corpus:
    """The same few utterances to train and to evaluate on; vocabulary and classes stay."""
    if count < 1:
        raise InputError(f"--overfit must be at least 1, got {count}.")
    few = sorted(corpus.train, key=lambda row: draw_key(seed, 0, row.id))[:count]
    return replace(corpus, train=few, dev=few)


def perturb(augment: Augment) -> Perturb | None:
    """Changes of the waveforms; None where none are asked for.

    Raises:
        NothingMatched: If the folder of noise holds no recordings.
    """
    if not augment.speed_prob and not augment.noise_prob:
        return None
    noises = [] if augment.noise is None else [row.path for row in find_audio([str(augment.noise)])]
    return Perturb(speed_prob=augment.speed_prob, noise_prob=augment.noise_prob, snr=augment.snr, noises=noises)


def make_speech(
    corpus: Labelled | Classified,
    augment: Augment,
    data: Data,
    shares: Mapping[Group, float],
    *,
    normalise: bool,
    batch_seconds: float,
    seed: int,
    curriculum: int = 0,
    crop: float | None = None,
    dev_crop: float | None = None,
) -> SpeechData:
    """Batches of a corpus, for training and evaluation.

    Args:
        corpus: Utterances with targets.
        augment: Changes of the waveforms.
        data: How recordings are read.
        shares: Of each language and corpus in the audio.
        normalise: Whether the network expects zero mean and unit variance.
        batch_seconds: Audio of a batch.
        seed: Of all draws.
        curriculum: Steps that begin with short utterances.
        crop: Seconds that are heard of a longer training utterance; None for all.
        dev_crop: The same of a dev utterance.
    """
    make = partial(SpeechDataset, languages=corpus.languages, normalise=normalise, seed=seed, encode=corpus.encode)
    return SpeechData(
        make(corpus.train, max_seconds=crop, perturb=perturb(augment)), make(corpus.dev, max_seconds=dev_crop), batch_seconds,
        data.workers, curriculum=curriculum, shares=shares, max_damaged=data.max_damaged,
    )  # fmt: skip


def optimisation(optim: Optim, max_steps: int, layer_drop: float) -> dict[str, Any]:
    """Arguments of a `Task`.

    Args:
        optim: Optimizer, with a learning rate and a warm-up.
        max_steps: Optimizer steps.
        layer_drop: Share of layers that a step leaves out.
    """
    return {
        "lr": optim.lr or 0.0,
        "schedule": partial(tri_stage, total=max_steps, rise=optim.warmup or 0.0),
        "weight_decay": optim.weight_decay or 0.0,
        "eps": 1e-8,
        "clip": optim.clip,
        "layer_drop": layer_drop,
        "layer_decay": optim.layer_decay,
    }


def report(
    corpus: Labelled | Classified,
    model: nn.Module,
    plan: Plan,
    *,
    out: Path,
    max_steps: int,
    batch_seconds: float,
    precision: str,
) -> dict[str, Any]:
    """What there is and what will be done, before anything is.

    Args:
        corpus: Utterances with targets.
        model: To be trained.
        plan: What will be heard.
        out: Folder for the model.
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch.
        precision: ``"32"`` or ``"bf16"``.
    """
    parameters = list(model.parameters())
    return corpus.document | {
        "schema": 1,
        "out": str(out),
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trained_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "max_steps": max_steps,
        "update_hours": plan.update_hours,
        "epochs": max_steps * plan.update_hours / sum(row["hours"] for row in plan.languages.values()),
        "memory_gib": round(training_memory(model, batch_seconds, precision) / 2**30, 2),
    }


def summary(document: dict[str, Any], targets: str) -> str:
    """One line on a corpus and the run on it.

    Args:
        document: Of `report`.
        targets: What is learnt, in words.
    """
    return (
        "{utterances} utterances, {hours:.2f} h, {dev_utterances} for dev, {targets}, {parameters:,} parameters, "
        "{trained_parameters:,} of them trained, {max_steps} steps, about {epochs:.1f} epochs, about {memory_gib:.1f} GiB of "
        "memory"
    ).format(**document, targets=targets)
