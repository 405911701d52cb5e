"""What `pretrain` and `adapt` share: from resolved settings to a pretrained model folder."""

import json
import logging
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from speechxl.config import Contrast, Data, Dropout, Guard, Mask, Objective, Optim, Preset, Probe, Sampling, Watch, fill
from speechxl.data.datamodule import SpeechDataset
from speechxl.data.sampling import group_shares
from speechxl.evaluation.codes import code_usage, first_features
from speechxl.evaluation.pretrained import hear
from speechxl.files import write_text
from speechxl.models.compiling import check_compiler
from speechxl.models.device import choose_device
from speechxl.models.flops import flops_per_second
from speechxl.models.folders import Card
from speechxl.models.saving import save_model
from speechxl.tasks.pretraining import Pretraining
from speechxl.tasks.processes import rank, world_size
from speechxl.tasks.schedule import linear_decay
from speechxl.tasks.training import fit
from speechxl.verbs.dev_scores import pretraining_scores
from speechxl.verbs.model_page import model_page
from speechxl.verbs.outcome import PARTIAL, Outcome
from speechxl.verbs.plan import make_plan, warn
from speechxl.verbs.probing import make_probe
from speechxl.verbs.recordings import Speech
from speechxl.verbs.streamed import StreamedSpeech
from speechxl.verbs.training import open_run, schedule

log = logging.getLogger(__name__)
CODEBOOK = "codebook.json"


def resolve_optim(optim: Optim, lr: float) -> Optim:
    """The usual values of pretraining where nothing was asked for."""
    return fill(optim, lr=lr, warmup=0.08, weight_decay=0.01)


def resolve_data(data: Data, preset: Preset) -> Data:
    """The preset's lengths where nothing was asked for."""
    return fill(data, min_seconds=preset.min_seconds, max_seconds=preset.max_seconds)


def run_contrastive(
    model: Any,
    speech: Speech | StreamedSpeech,
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
    strategy: str,
    checkpoint_activations: bool,
    dropout: Dropout,
    mask: Mask,
    objective: Objective,
    optim: Optim,
    data: Data,
    sampling: Sampling,
    watch: Watch,
    guard: Guard,
    probe: Probe,
    freeze_extractor: bool = False,
    replay_share: float = 0.0,
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
        strategy: How several processes train together.
        checkpoint_activations: Whether activations are computed again instead of kept.
        dropout: For its layer drop.
        mask: Span masks.
        objective: What is minimised.
        optim: Optimizer.
        data: Audio.
        sampling: Balance of languages, and batches.
        watch: Evaluation and checkpoints.
        guard: Against a collapse of the codebook.
        probe: Of the features.
        freeze_extractor: Whether the feature extractor keeps its weights.
        replay_share: Share of the audio for what is replayed.
    """
    hours, languages = speech.hours, speech.languages
    cost = flops_per_second(model.config)
    make = partial(
        SpeechDataset,
        languages=languages,
        normalise=card.normalise,
        seed=seed,
        max_seconds=data.max_seconds,
        read=speech.read,
    )
    shares = group_shares(hours, sampling.alpha, speech.replayed, replay_share)
    batches = speech.batches(
        partial(make, crop_to_shortest=sampling.crop_to_shortest), make(speech.dev) if speech.dev else None,
        batch_seconds=batch_seconds, workers=data.workers, shares=shares, quadratic=cost[1] / cost[0],
        max_damaged=data.max_damaged,
    )  # fmt: skip
    plan = make_plan(shares, hours, batches.seconds_per_batch, optim, max_steps, world_size(device))
    document = {
        "schema": 1,
        "out": str(out),
        "languages": {name: {key: round(v, 4) for key, v in row.items()} for name, row in plan.languages.items()},
        "utterances": speech.utterances,
        "hours": sum(hours.values()),
        "dropped": {"unusable_audio": len(speech.faults)},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "max_steps": max_steps,
        "update_hours": plan.update_hours,
        "accumulate": plan.accumulate,
        "epochs": max_steps * plan.update_hours / sum(hours.values()),
    }
    text = (
        "{utterances} utterances, {hours:.2f} h, {parameters:,} parameters, {max_steps} steps of {update_hours:.3g} h, "
        "about {epochs:.1f} epochs"
    )
    prober = make_probe(speech, probe, make, plan.accumulate, batch_seconds, model.config.num_hidden_layers)
    warn(plan, sampling, fresh=fresh)
    if dry_run:
        return Outcome(document, f"{plan.table()}\n{text.format(**document)}")
    log.info("%s", plan.table())
    log.info(text.format(**document))
    if compile:
        check_compiler(choose_device(device))
    open_run(out, settings, model, resume=resume)
    by_language = {
        language: sum(value for group, value in hours.items() if group[0] == language) for language in languages
    }
    task = Pretraining(
        model,
        mask=mask,
        objective=objective,
        hours=by_language,
        freeze_extractor=freeze_extractor,
        seed=seed,
        lr=optim.lr or 0.0,
        schedule=partial(linear_decay, total=max_steps, warmup=round((optim.warmup or 0.0) * max_steps)),
        weight_decay=optim.weight_decay or 0.0,
        clip=optim.clip,
        layer_drop=dropout.layer or 0.0,
        layer_decay=optim.layer_decay,
        cost=cost,
    )
    if fresh and objective.code_spread:
        model.quantizer.spread(first_features(model, make(speech.first), batch_seconds, seed), objective.code_spread)
    model.wav2vec2.checkpoint_activations = checkpoint_activations
    fit(
        task, batches, out, schedule(watch, max_steps, plan.accumulate), precision=precision, device=device,
        strategy=strategy, compile=compile, timeout=watch.timeout, ema=optim.ema, guard=guard, probe=prober,
    )  # fmt: skip
    if rank() == 0:
        model = task.model  # put together again where it was split
        codes = code_usage(model, make(speech.sample), batch_seconds)
        write_text(out / CODEBOOK, json.dumps(codes, indent=1) + "\n")
        heard = sorted({language for language, _ in hours})
        card = replace(card, languages=heard)
        contrast = Contrast(distractors=objective.distractors, temperature=objective.temperature)
        model.eval()
        scores = (
            pretraining_scores(hear(model, make(speech.dev), batch_seconds, mask=mask, contrast=contrast))
            if speech.dev
            else []
        )
        page = model_page(out.resolve().name, "pretraining", settings, card, speech.material, scores, step=max_steps)
        save_model(out, model, card, settings=settings, page=page)
        document["codebook"] = {language: usage["perplexity"] for language, usage in codes["languages"].items()}
    damaged = sorted(batches.damaged)
    document["dropped"]["undecodable"] = damaged
    return Outcome(document, str(out), PARTIAL if speech.faults or damaged else 0)
