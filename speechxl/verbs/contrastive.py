"""What `pretrain` and `adapt` share: from resolved settings to a pretrained model folder."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from speechxl.config import Data, Dropout, Guard, Mask, Objective, Optim, Preset, Probe, Sampling, Watch, fill
from speechxl.data.audio import read_utterance
from speechxl.data.datamodule import EndlessData, SpeechData, SpeechDataset, draw_key
from speechxl.data.manifest import Fault
from speechxl.data.sampling import Group, group_hours, group_shares
from speechxl.data.shards import holds_shards
from speechxl.errors import InputError, NothingMatched
from speechxl.evaluation.codes import code_usage, first_features
from speechxl.files import write_text
from speechxl.models.compiling import check_compiler
from speechxl.models.device import choose_device
from speechxl.models.flops import flops_per_second
from speechxl.models.weights import Card, save_model
from speechxl.shapes import Utterance
from speechxl.tasks.pretraining import Pretraining
from speechxl.tasks.probe import LinearProbe
from speechxl.tasks.processes import rank, world_size
from speechxl.tasks.schedule import linear_decay
from speechxl.tasks.training import fit
from speechxl.text import Vocabulary
from speechxl.verbs.outcome import PARTIAL, Outcome
from speechxl.verbs.plan import make_plan, warn
from speechxl.verbs.streamed import StreamedSpeech, read_shards
from speechxl.verbs.training import (
    Corpora,
    open_run,
    schedule,
    seconds,
    usable,
    within,
    without,
)

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
    """With those that are replayed at the end."""
    dev: list[Utterance]
    """At most five minutes to watch the loss on."""
    probed: list[Utterance]
    """Dev rows with text or phonemes."""
    replayed: frozenset[Group]
    """Languages and corpora of an earlier training set."""
    faults: list[Fault]
    """What was left out, as its audio cannot be used."""
    read: Callable[[Utterance], np.ndarray] = read_utterance
    """Gives an utterance's waveform."""

    @property
    def hours(self) -> dict[Group, float]:
        """To train on."""
        return group_hours(self.train)

    @property
    def utterances(self) -> int:
        """To train on."""
        return len(self.train)

    @property
    def languages(self) -> list[str]:
        """Of all utterances, sorted."""
        return sorted({row.language for row in [*self.train, *self.dev, *self.probed]})

    @property
    def first(self) -> list[Utterance]:
        """To look at before training."""
        return self.train

    @property
    def sample(self) -> list[Utterance]:
        """Some minutes to look at after training."""
        return self.dev or self.train[:: max(1, round(seconds(self.train) / _DEV_SECONDS))]

    def batches(self, train: Callable[..., SpeechDataset], dev: SpeechDataset | None, **options: Any) -> EndlessData:
        """For training; ``train`` makes a dataset of utterances."""
        return SpeechData(train(self.train), dev, **options)


def read_speech(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    split: str | None,
    data: Data,
    replay: Sequence[Path] | None = None,
) -> Speech | StreamedSpeech:
    """Reads corpora; by default the dev rows of ``train`` are those to watch."""
    if any(map(holds_shards, [*train, *(dev or []), *(replay or [])])):
        return read_shards(train, dev, split, replay, data.min_seconds or 0)
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
    earlier: list[Utterance] = []
    if replay:
        others = without(Corpora.read(replay).choose(None, "train"), [*rows, *watched])
        if not others:
            raise InputError(
                f"--replay {' '.join(map(str, replay))}: nothing is left, all of it is heard or watched already; name the "
                "corpora that the model was trained on before, or leave it out."
            )
        earlier, most = usable(others)
        earlier = [replace(row, id=f"replay/{row.id}") for row in within(earlier, data.min_seconds or 0, None)]
        more = [*more, *most]
    replayed = frozenset(group_hours(earlier))
    if both := replayed & set(group_hours(rows)):
        language, corpus = min(both)
        raise InputError(
            f"--replay and --train both have rows of {language or 'no language'} in {corpus}; they are balanced against each "
            "other by language and manifest, so put them into different manifests."
        )
    labelled = [row for row in watched if row.text or row.phonemes]
    return Speech([*rows, *earlier], watched[::every], labelled, replayed, [*faults, *more])


def make_probe(
    speech: Speech | StreamedSpeech, probe: Probe, make: Any, accumulate: int, batch_seconds: float, depth: int
) -> LinearProbe | None:
    """A probe on a fixed slice of the labelled dev rows; None where none is asked for.

    Raises:
        InputError: If no dev row is labelled, or they are too few, or the layer is not there.
    """
    if probe.every is None:
        return None
    if probe.layer is not None and probe.layer > depth:
        raise InputError(f"--probe.layer must be one of the model's {depth} layers, got {probe.layer}.")
    written, spoken = ([row for row in speech.probed if getattr(row, column)] for column in ("text", "phonemes"))
    phonemes = len(spoken) >= len(written)
    rows = sorted(spoken if phonemes else written, key=lambda row: draw_key(0, 0, row.id))
    chosen: list[Utterance] = []
    while rows and seconds(chosen) < 60 * probe.minutes:
        chosen.append(rows.pop(0))
    if len(chosen) < 6:
        raise InputError(
            f"--probe.every {probe.every}: {len(chosen)} dev rows have text or phonemes, at least 6 are needed; give labelled "
            "rows with --dev, or leave the probe out."
        )
    texts = {row.id: row.phonemes if phonemes else row.text for row in chosen}
    vocabulary = Vocabulary.from_texts(texts.values(), "phoneme" if phonemes else "char")
    parts = [row for place, row in enumerate(chosen) if place % 3 != 2], chosen[2::3]
    make = partial(make, max_seconds=None, encode=lambda row: (texts[row.id], vocabulary.encode(texts[row.id])))
    return LinearProbe(
        make(parts[0]), make(parts[1]), vocabulary,
        every=probe.every, layer=probe.layer, accumulate=accumulate, batch_seconds=batch_seconds,
    )  # fmt: skip


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
        save_model(out, model, replace(card, languages=heard), settings=settings)
        document["codebook"] = {language: usage["perplexity"] for language, usage in codes["languages"].items()}
    damaged = sorted(batches.damaged)
    document["dropped"]["undecodable"] = damaged
    return Outcome(document, str(out), PARTIAL if speech.faults or damaged else 0)
