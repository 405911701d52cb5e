"""The parts of `finetune`: the network, what it hears, what is optimised, the report, and the run itself."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from speechxl.config import Adapter, Dropout, Preset
from speechxl.data.datamodule import SpeechData, SpeechDataset
from speechxl.data.manifest import write_manifest
from speechxl.data.sampling import Group
from speechxl.decoding.languages import Recognisers
from speechxl.models.adapters import Added
from speechxl.models.device import choose_device
from speechxl.models.memory import training_memory
from speechxl.models.weights import Card, load_encoder_for_ctc, new_ctc_model, save_model
from speechxl.tasks.processes import rank
from speechxl.tasks.recognition import Recognition
from speechxl.tasks.schedule import Schedule, tri_stage
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs import adapter as adapters
from speechxl.verbs import labelled
from speechxl.verbs.best import BestWeights, dev_error
from speechxl.verbs.labelled import Labelled
from speechxl.verbs.plan import Plan
from speechxl.verbs.recipe import Recipe

log = logging.getLogger(__name__)


def make_network(
    start: Preset | str, vocabulary: Vocabulary | Vocabularies, dropout: Dropout, adapter: Adapter, language: str | None
) -> tuple[Any, Added | None]:
    """A network to be trained, and what of it is added weights.

    Args:
        start: Architecture of a network with random weights, or a model to start from.
        vocabulary: Of its outputs.
        dropout: Changes to the regularisation of a model.
        adapter: Settled.
        language: Of the model to start from, where it has several.
    """
    if isinstance(start, Preset):
        return new_ctc_model(start, vocabulary), None
    bottleneck = adapter.dim if adapter.kind == "mms" else None
    network = load_encoder_for_ctc(start, vocabulary, dropout, bottleneck, language)
    return network, adapters.add(network, start, adapter, begin=language is None)


def make_speech(
    corpus: Labelled,
    usual: Recipe,
    shares: Mapping[Group, float],
    *,
    normalise: bool,
    batch_seconds: float,
    max_steps: int,
    seed: int,
) -> SpeechData:
    """Batches of a corpus, for training and evaluation.

    Args:
        corpus: Utterances with targets.
        usual: Settings.
        shares: Of each language and corpus in the audio.
        normalise: Whether the network expects zero mean and unit variance.
        batch_seconds: Audio of a batch.
        max_steps: Optimizer steps.
        seed: Of all draws.
    """
    make = partial(SpeechDataset, languages=corpus.languages, normalise=normalise, seed=seed, encode=corpus.encode)
    return SpeechData(
        make(corpus.train, perturb=labelled.perturb(usual.augment)), make(corpus.dev), batch_seconds, usual.data.workers,
        curriculum=round(usual.curriculum * max_steps), shares=shares, max_damaged=usual.data.max_damaged,
    )  # fmt: skip


def make_task(network: Any, corpus: Labelled, usual: Recipe, *, max_steps: int, samples: int, seed: int) -> Recognition:
    """What is optimised, and how.

    Args:
        network: `Wav2Vec2ForCTC` with this package's encoder.
        corpus: Utterances with targets.
        usual: Settings.
        max_steps: Optimizer steps.
        samples: Dev utterances whose transcripts are shown.
        seed: Of all draws.
    """
    optim, warmup = usual.optim, usual.optim.warmup or 0.0
    return Recognition(
        network,
        vocabulary=corpus.vocabulary,
        augment=usual.augment,
        freeze_extractor=usual.freeze_extractor,
        freeze_encoder=round(usual.freeze_encoder * max_steps),
        languages=corpus.languages,
        patience=round((usual.freeze_encoder + 3 * warmup) * max_steps),
        samples=samples,
        seed=seed,
        lr=optim.lr or 0.0,
        schedule=partial(tri_stage, total=max_steps, rise=warmup),
        weight_decay=optim.weight_decay or 0.0,
        eps=1e-8,
        clip=optim.clip,
        layer_drop=network.config.layerdrop,
        layer_decay=optim.layer_decay,
    )


def report(
    corpus: Labelled, network: Any, plan: Plan, *, out: Path, max_steps: int, batch_seconds: float, precision: str
) -> dict[str, Any]:
    """What there is and what will be done, before anything is.

    Args:
        corpus: Utterances with targets.
        network: To be trained.
        plan: What will be heard.
        out: Folder for the model.
        max_steps: Optimizer steps.
        batch_seconds: Audio of a batch.
        precision: ``"32"`` or ``"bf16"``.
    """
    parameters = list(network.parameters())
    return corpus.document | {
        "schema": 1,
        "out": str(out),
        "parameters": sum(parameter.numel() for parameter in parameters),
        "trained_parameters": sum(parameter.numel() for parameter in parameters if parameter.requires_grad),
        "max_steps": max_steps,
        "update_hours": plan.update_hours,
        "epochs": max_steps * plan.update_hours / sum(row["hours"] for row in plan.languages.values()),
        "memory_gib": round(training_memory(network, batch_seconds, precision) / 2**30, 2),
    }


def train(
    run: Callable[..., None],
    task: Recognition,
    speech: SpeechData,
    corpus: Labelled,
    card: Card,
    settings: str,
    *,
    out: Path,
    steps: Schedule,
    average_best: int,
    ema: float | None,
    batch_seconds: float,
    device: str,
) -> dict[str, Any]:
    """Trains, and keeps the best model by error on dev, or the average of the best.

    Args:
        run: `fit`, with what it needs besides.
        task: With its network.
        speech: Its batches.
        corpus: What they are of.
        card: For ``speechxl.json``.
        settings: Resolved settings, YAML.
        out: Folder for the model.
        steps: When what is done.
        average_best: Evaluations of which the weights are averaged.
        ema: Decay of a moving average of the weights.
        batch_seconds: Audio of a batch.
        device: Where the average is measured.

    Returns:
        ``step``, or steps, and ``error`` of what is kept; empty if nothing is better than what stood there.
    """
    if rank() == 0:
        write_manifest(out / "dev.tsv", corpus.dev)
        if corpus.infeasible:
            write_manifest(out / "dropped.tsv", corpus.infeasible)
    network, vocabulary = task.model, corpus.vocabulary
    best: dict[str, Any] = {}
    weights = BestWeights(out, network, average_best)

    def keep(better: bool) -> None:
        if better:
            best.update(step=task.global_step, error=task.score)
            save_model(out, network, card, vocabulary, settings)
        if average_best > 1:
            weights(task.global_step, task.score or 0.0)

    run(task, speech, out, steps, keep=keep, ema=ema)
    if rank() == 0 and (averaged := weights.average()):
        recognisers = Recognisers(
            network, vocabulary, normalise=card.normalise, device=choose_device(device), batch_seconds=batch_seconds
        )
        error, least = dev_error(recognisers, corpus.dev, corpus.column), min(averaged.values())
        log.info("average of the models at steps %s: error %.3f on dev, the best alone %.3f", [*averaged], error, least)
        if error <= least:
            best.update(step=[*averaged], error=error)
            save_model(out, network.cpu(), card, vocabulary, settings)
        weights.remove()
    return best
