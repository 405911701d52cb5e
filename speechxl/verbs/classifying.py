"""The parts of `classify train` that are its own: the network, what is optimised, and the run itself."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechxl.config import Dropout, Head, Preset
from speechxl.data.datamodule import SpeechData
from speechxl.data.manifest import write_manifest
from speechxl.models.adapters import add_lora
from speechxl.models.classifier import SpeechClassifier
from speechxl.models.classifiers import classifier_from, new_classifier, save_classifier
from speechxl.models.folders import Card
from speechxl.tasks.classification import SpeechClassification
from speechxl.tasks.processes import rank
from speechxl.tasks.schedule import Schedule
from speechxl.verbs.classified import Classified
from speechxl.verbs.classifier_page import classifier_sections
from speechxl.verbs.classify_recipe import Recipe
from speechxl.verbs.dev_scores import class_scores
from speechxl.verbs.material import material_of
from speechxl.verbs.model_page import model_page
from speechxl.verbs.supervised import optimisation

log = logging.getLogger(__name__)
_HEADS = ("projector.", "classifier.", "layer_weights")
DEV_SECONDS = 30.0
"""What is heard of a longer dev utterance while training goes on."""


def make_model(
    start: Preset | str, corpus: Classified, head: Head, dropout: Dropout, usual: Recipe
) -> SpeechClassifier:
    """A classifier to be trained.

    Args:
        start: Architecture with random weights, or a model to start from.
        corpus: With its classes.
        head: What stands above the encoder.
        dropout: Changes to the regularisation of a model.
        usual: Settings.
    """
    if isinstance(start, Preset):
        return new_classifier(start, corpus.classes, head)
    model = classifier_from(start, corpus.classes, head, dropout)
    if usual.adapter.kind is not None:
        add_lora(
            model.network, rank=usual.adapter.rank, scale=usual.adapter.scale or 0, targets=usual.adapter.targets,
            layers=model.backbone.layers, heads=_HEADS,
        )  # fmt: skip
    return model


def warn_of_probe(start: str, *, tuned: bool, usual: Recipe) -> None:
    """Says loudly that a frozen self-supervised encoder tells next to nothing of meaning."""
    if not tuned and usual.freeze_encoder >= 1:
        log.warning(
            "%s HAS LEARNT FROM SOUND ALONE AND STAYS FROZEN: what a linear layer can read off such an encoder is who speaks, "
            "in which language and how, but next to nothing of what is meant (intents of MInDS-14: 9 %% right with a frozen "
            "XLS-R-300M, mean of 12 languages in MAEB, where 7 %% are chance). Start from a model that was fine-tuned on texts "
            "(speechxl finetune), or train the encoder: --freeze_encoder 0.1.", start,
        )  # fmt: skip


def make_task(
    model: SpeechClassifier,
    corpus: Classified,
    usual: Recipe,
    *,
    max_steps: int,
    train_layers: int | None,
    class_weights: bool,
    label_smoothing: float,
    seed: int,
) -> SpeechClassification:
    """What is optimised, and how.

    Args:
        model: Classifier.
        corpus: Utterances with labels.
        usual: Settings.
        max_steps: Optimizer steps.
        train_layers: Transformer layers at the top that are trained; None for all.
        class_weights: Whether rare classes count as much as frequent ones.
        label_smoothing: Share of the target that is spread over all classes.
        seed: Of all draws.
    """
    drop = model.config.layerdrop if model.config.model_type == "wav2vec2" else 0.0
    return SpeechClassification(
        model,
        classes=corpus.classes,
        weights=corpus.weights if class_weights else None,
        smoothing=label_smoothing,
        augment=usual.augment,
        freeze_extractor=usual.freeze_extractor,
        freeze_encoder=None if usual.freeze_encoder >= 1 else round(usual.freeze_encoder * max_steps),
        train_layers=train_layers,
        head_lr=usual.head_lr,
        languages=corpus.languages,
        seed=seed,
        **optimisation(usual.optim, max_steps, drop),
    )


def classes_of(document: dict[str, Any]) -> str:
    """What is learnt, in words."""
    return ", ".join(f"{len(counts)} classes of {kind}" for kind, counts in document["labels"].items())


def train(
    run: Callable[..., None],
    task: SpeechClassification,
    speech: SpeechData,
    corpus: Classified,
    card: Card,
    settings: str,
    *,
    out: Path,
    steps: Schedule,
    ema: float | None,
    calibrate: bool,
) -> dict[str, Any]:
    """Trains, and keeps the best model by macro-F1 on dev.

    Args:
        run: `fit`, with what it needs besides.
        task: With its model.
        speech: Its batches.
        corpus: What they are of.
        card: For ``speechxl.json``.
        settings: Resolved settings, YAML.
        out: Folder for the model.
        steps: When what is done.
        ema: Decay of a moving average of the weights.
        calibrate: Whether the scores of what is kept are divided by the temperature under which the labels of dev are likeliest.

    Returns:
        ``step`` and ``dev`` of what is kept, ``layer_weights`` and ``temperatures``; empty if nothing is better than what stood
        there.
    """
    if rank() == 0:
        write_manifest(out / "dev.tsv", corpus.dev)
    best: dict[str, Any] = {}
    material = material_of(corpus.train, corpus.dev)
    ones = [1.0] * len(corpus.classes)

    def keep(better: bool) -> None:
        if better:
            weights = task.model.layer_weights
            best.update(step=task.global_step, dev=dict(task.dev_rates))
            best["layer_weights"] = None if weights is None else [round(value, 6) for value in weights.tolist()]
            best["temperatures"] = dict(zip(corpus.classes, task.temperatures if calibrate else ones, strict=True))
            scores = class_scores(task.dev_judged, corpus.classes)
            page = model_page(
                out.resolve().name, "classification", settings, card, material, scores, step=task.global_step,
                sections=classifier_sections(corpus, task.model, best),
            )  # fmt: skip
            with task.model.divided(list(best["temperatures"].values())):
                save_classifier(out, task.model, card, corpus.classes, page=page, settings=settings)

    run(task, speech, out, steps, keep=keep, ema=ema)
    return best


def card_for(card: Card, corpus: Classified) -> Card:
    """What ``speechxl.json`` says of a classifier."""
    return replace(card, languages=corpus.languages, units=None, column=None, vocabulary=None, adapter=None)
