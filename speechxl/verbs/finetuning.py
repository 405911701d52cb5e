"""The parts of `finetune` that are its own: the network, what is optimised, and the run itself."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from speechxl.config import Adapter, Dropout, Preset
from speechxl.data.datamodule import SpeechData
from speechxl.data.manifest import write_manifest
from speechxl.decoding.recognisers import Recognisers
from speechxl.models.adapters import Added
from speechxl.models.device import choose_device
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model
from speechxl.models.saving import save_model
from speechxl.models.weights import load_encoder_for_ctc
from speechxl.tasks.processes import rank
from speechxl.tasks.recognition import Recognition
from speechxl.tasks.schedule import Schedule
from speechxl.text import Vocabularies, Vocabulary
from speechxl.verbs import adapter as adapters
from speechxl.verbs.best import BestWeights, dev_transcripts
from speechxl.verbs.dev_scores import dev_error, recognition_scores
from speechxl.verbs.labelled import Labelled
from speechxl.verbs.material import material_of
from speechxl.verbs.model_page import model_page
from speechxl.verbs.recipe import Recipe
from speechxl.verbs.supervised import optimisation

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


def make_task(
    network: Any,
    corpus: Labelled,
    usual: Recipe,
    *,
    max_steps: int,
    samples: int,
    seed: int,
    conditioning: float = 0.5,
    extras: Sequence[nn.Module] = (),
) -> Recognition:
    """What is optimised, and how.

    Args:
        network: `Wav2Vec2ForCTC` with this package's encoder.
        corpus: Utterances with targets.
        usual: Settings.
        max_steps: Optimizer steps.
        samples: Dev utterances whose transcripts are shown.
        seed: Of all draws.
        conditioning: Weight of the losses after layers whose predictions are fed back.
        extras: What else is learnt.
    """
    warmup = usual.optim.warmup or 0.0
    return Recognition(
        network,
        vocabulary=corpus.vocabulary,
        augment=usual.augment,
        freeze_extractor=usual.freeze_extractor,
        freeze_encoder=round(usual.freeze_encoder * max_steps),
        languages=corpus.languages,
        patience=round((usual.freeze_encoder + 3 * warmup) * max_steps),
        samples=samples,
        conditioning=conditioning,
        extras=extras,
        seed=seed,
        **optimisation(usual.optim, max_steps, network.config.layerdrop),
    )


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
    material = material_of(corpus.train, corpus.dev)

    def save(step: int | list[int], error: float | None, transcripts: Sequence[tuple[str, str, str, str]]) -> None:
        best.update(step=step, error=error)
        scores = recognition_scores(transcripts, vocabulary)
        page = model_page(out.resolve().name, "recognition", settings, card, material, scores, step=step)
        save_model(out, network, card, vocabulary, settings, page)

    def keep(better: bool) -> None:
        if better:
            save(task.global_step, task.score, task.dev_transcripts)
        if average_best > 1:
            weights(task.global_step, task.score or 0.0)

    run(task, speech, out, steps, keep=keep, ema=ema)
    if rank() == 0 and (averaged := weights.average()):
        recognisers = Recognisers(
            network, vocabulary, normalise=card.normalise, device=choose_device(device), batch_seconds=batch_seconds
        )
        transcripts = dev_transcripts(recognisers, corpus.dev, corpus.column)
        error, least = dev_error(transcripts, vocabulary), min(averaged.values())
        log.info("average of the models at steps %s: error %.3f on dev, the best alone %.3f", [*averaged], error, least)
        if error <= least:
            network.cpu()
            save([*averaged], error, transcripts)
        weights.remove()
    return best
