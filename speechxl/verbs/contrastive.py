"""What `pretrain` and `adapt` share: from resolved settings to a pretrained model folder."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from speechxl.config import Data, Dropout, Mask, Objective, Optim, Preset, Watch, fill
from speechxl.data.datamodule import SpeechData, SpeechDataset
from speechxl.data.manifest import Fault
from speechxl.errors import NothingMatched
from speechxl.evaluation.codes import code_usage, first_features
from speechxl.files import write_text
from speechxl.models.compiling import check_compiler
from speechxl.models.device import choose_device
from speechxl.models.weights import Card, save_model
from speechxl.shapes import Utterance
from speechxl.tasks.pretraining import Pretraining
from speechxl.tasks.schedule import linear_decay
from speechxl.tasks.training import fit
from speechxl.verbs.outcome import PARTIAL, Outcome
from speechxl.verbs.training import Corpora, hours_by_language, open_run, schedule, seconds, usable, within, without

log = logging.getLogger(__name__)
CODEBOOK = "codebook.json"
_DEV_SECONDS = 300


def resolve_optim(optim: Optim, lr: float) -> Optim:
    """The usual values of pretraining where nothing was asked for."""
    return fill(optim, lr=lr, warmup=0.08, weight_decay=0.01)


def resolve_data(data: Data, preset: Preset) -> Data:
    """The preset's lengths where nothing was asked for."""
    return fill(data, min_seconds=preset.min_seconds, max_seconds=preset.max_seconds)


@dataclass(frozen=True)
class Speech:
    """Recordings for pretraining."""

    train: list[Utterance]
    dev: list[Utterance]
    """At most five minutes to watch the loss on."""
    faults: list[Fault]
    """What was left out, as its audio cannot be used."""


def read_speech(train: Sequence[Path], dev: Sequence[Path] | None, split: str | None, data: Data) -> Speech:
    """Reads corpora; by default the dev rows of ``train`` are those to watch."""
    corpora = Corpora.read(train)
    rows, faults = usable(corpora.choose(split, "train"))
    rows = within(rows, data.min_seconds or 0, None)
    try:
        watched = (
            Corpora.read(dev).choose(None, "dev") if dev else corpora.choose("dev", "dev") if split != "all" else []
        )
    except NothingMatched:
        watched = []
    watched, more = usable(watched)
    watched = [row for row in without(watched, rows) if row.seconds >= (data.min_seconds or 0)]
    every = max(1, round(seconds(watched) / _DEV_SECONDS))
    return Speech(rows, watched[::every], [*faults, *more])


def run_contrastive(
    model: Any,
    speech: Speech,
    card: Card,
    settings: str,
    *,
    fresh: bool,
    out: Path,
    max_steps: int,
    batch_seconds: float,
    precision: str,
    device: str,
    compile: bool,
    seed: int,
    resume: bool,
    dry_run: bool,
    dropout: Dropout,
    mask: Mask,
    objective: Objective,
    optim: Optim,
    data: Data,
    watch: Watch,
) -> Outcome:
    """Trains ``model`` and writes the folder; all settings are resolved.

    Args:
        model: `Wav2Vec2ForPreTraining` with this package's encoder.
        speech: To train on, and to watch the loss on.
        card: What is known of the model so far.
        settings: All settings, YAML.
        fresh: Whether the model's weights are random.
        out: Folder for the model.
        max_steps: Of the optimizer.
        batch_seconds: Audio of a batch.
        precision: ``"32"`` or ``"bf16"``.
        device: Where to compute.
        compile: Whether the transformer layers are compiled.
        seed: Of all draws.
        resume: Whether to go on in ``out``.
        dry_run: Whether to stop before anything is written.
        dropout: For its layer drop.
        mask: Span masks.
        objective: What is minimised.
        optim: Optimizer.
        data: Audio.
        watch: Evaluation and checkpoints.
    """
    rows, watched = speech.train, speech.dev
    hours = hours_by_language(rows)
    languages = sorted({row.language for row in [*rows, *watched]})
    document = {
        "schema": 1,
        "out": str(out),
        "languages": {language or "(unknown)": round(value, 4) for language, value in hours.items()},
        "utterances": len(rows),
        "hours": sum(hours.values()),
        "dropped": {"unusable_audio": len(speech.faults)},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "max_steps": max_steps,
        "epochs": max_steps * optim.accumulate * batch_seconds / 3600 / sum(hours.values()),
    }
    text = "{utterances} utterances, {hours:.2f} h, {parameters:,} parameters, {max_steps} steps, about {epochs:.1f} epochs"
    if dry_run:
        return Outcome(document, text.format(**document))
    log.info(text.format(**document))
    if compile:
        check_compiler(choose_device(device))
    plan = schedule(watch, max_steps, optim.accumulate)
    open_run(out, settings, model, resume=resume)
    make = partial(
        SpeechDataset, languages=languages, normalise=card.normalise, seed=seed, max_seconds=data.max_seconds
    )
    task = Pretraining(
        model,
        mask=mask,
        objective=objective,
        seed=seed,
        lr=optim.lr or 0.0,
        schedule=partial(linear_decay, total=max_steps, warmup=round((optim.warmup or 0.0) * max_steps)),
        weight_decay=optim.weight_decay or 0.0,
        clip=optim.clip,
        layer_drop=dropout.layer or 0.0,
    )
    if fresh and objective.code_spread:
        model.quantizer.spread(first_features(model, make(rows), batch_seconds, seed), objective.code_spread)
    batches = SpeechData(make(rows), make(watched) if watched else None, batch_seconds, data.workers)
    fit(task, batches, out, plan, precision=precision, device=device, compile=compile)
    if task.global_rank == 0:
        sample = make([*watched] or list(rows)[:: max(1, round(seconds(rows) / _DEV_SECONDS))])
        codes = code_usage(model, sample, batch_seconds)
        write_text(out / CODEBOOK, json.dumps(codes, indent=1) + "\n")
        save_model(out, model, replace(card, languages=languages), settings=settings)
        document["codebook"] = {language: usage["perplexity"] for language, usage in codes["languages"].items()}
    return Outcome(document, str(out), PARTIAL if speech.faults or batches.damaged else 0)
