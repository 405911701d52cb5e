"""Making classifiers: from any encoder, from a preset, from a folder; and their folders.

A folder holds what `transformers` reads, ``labels.json``, and in ``heads.safetensors`` what `transformers` has no place for:
pooling other than a mean, and the output layers of further kinds of labels.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    HubertForSequenceClassification,
    PreTrainedModel,
    SeamlessM4TFeatureExtractor,
    Wav2Vec2BertForSequenceClassification,
    Wav2Vec2ForSequenceClassification,
    WavLMForSequenceClassification,
    WhisperFeatureExtractor,
    WhisperForAudioClassification,
)

from speechxl.config import Dropout, Head, Preset
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.models.backbones import Backbone, LogMels, Relatives, Waves, Whisper
from speechxl.models.classifier import SpeechClassifier
from speechxl.models.fairseq import is_checkpoint, read_checkpoint
from speechxl.models.folders import WAV2VEC2, Card, file_of, read_card, read_config, read_document, read_note
from speechxl.models.making import configuration, given_dropout, with_encoder
from speechxl.models.saving import write_folder
from speechxl.models.weights import load_network

log = logging.getLogger(__name__)
KINDS: dict[str, type[PreTrainedModel]] = {
    WAV2VEC2: Wav2Vec2ForSequenceClassification,
    "hubert": HubertForSequenceClassification,
    "wavlm": WavLMForSequenceClassification,
    "wav2vec2-bert": Wav2Vec2BertForSequenceClassification,
    "whisper": WhisperForAudioClassification,
}
"""Models for classification of `transformers`, by the type in ``config.json``."""
_BACKBONES: dict[str, type[Any]] = {
    WAV2VEC2: Waves, "hubert": Relatives, "wavlm": Relatives, "wav2vec2-bert": LogMels, "whisper": Whisper,
}  # fmt: skip
_FRONTENDS: dict[str, Any] = {"wav2vec2-bert": SeamlessM4TFeatureExtractor, "whisper": WhisperFeatureExtractor}
_CLASSIFIES = ("ForSequenceClassification", "ForAudioClassification")
_TUNED = (*_CLASSIFIES, "ForCTC", "ForConditionalGeneration")
LABELS, HEADS = "labels.json", "heads.safetensors"
Classes = Mapping[str, Sequence[str]]
"""Values of each kind of label, in the order of the outputs."""


def new_classifier(preset: Preset, classes: Classes, head: Head) -> SpeechClassifier:
    """A classifier with random weights."""
    config = configuration(preset)
    for name, value in _changes(classes, head).items():
        setattr(config, name, value)
    network = with_encoder(Wav2Vec2ForSequenceClassification(config))
    model = SpeechClassifier(network, Waves(network), _sizes(classes), head.pooling)
    _draw_heads(model)
    return model


def classifier_from(source: str, classes: Classes, head: Head, dropout: Dropout) -> SpeechClassifier:
    """A classifier on the encoder of a model; the model's own classifier is kept where it has the same labels and pooling.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        classes: Values of each kind of label.
        head: What stands above the encoder.
        dropout: Changes to the regularisation.

    Raises:
        InputError: If it cannot be read.
    """
    network, backbone, new = _network(source, _changes(classes, head) | _dropout(kind_of(source), dropout))
    if "layer_weights" in new:  # `transformers` 5.23 leaves them as the memory was
        torch.nn.init.zeros_(network.layer_weights)
    model = SpeechClassifier(network, backbone, _sizes(classes), head.pooling)
    same = _labels(source) == {kind: list(values) for kind, values in classes.items()}
    if same and _note(source).get("pooling", "mean") == head.pooling and not any(_is_head(name, model) for name in new):
        _load_heads(source, model)
    else:
        _draw_heads(model)
        counts = ", ".join(f"{len(values)} of the kind {kind}" for kind, values in classes.items())
        log.info("%s: the output layers are new, for labels: %s", source, counts)
    return model


def load_classifier(source: str) -> tuple[SpeechClassifier, dict[str, list[str]], Card]:
    """A trained classifier, its labels by kind, and its card.

    Args:
        source: Folder of `save_classifier`, or a model for classification of `transformers`, such as ``facebook/mms-lid-126``,
            whose kind of label is called ``label``.

    Raises:
        InputError: If it is none.
    """
    classes = _labels(source)
    if not classes:
        raise InputError(f"{source}: this is no classifier; run speechxl classify train first.")
    network, backbone, new = _network(source, {})
    model = SpeechClassifier(network, backbone, _sizes(classes), _note(source).get("pooling", "mean"))
    if lacking := [name for name in new if _is_head(name, model)]:
        raise InputError(f"{source}: no weights for {', '.join(lacking)}, which a classifier needs.")
    _load_heads(source, model)
    return model, classes, card_of(source)


def save_classifier(
    folder: Path, model: SpeechClassifier, card: Card, classes: Classes, *, page: str, settings: str | None = None
) -> None:
    """Writes a folder file by file, the weights that `transformers` reads last.

    Args:
        folder: Where.
        model: Trained.
        card: For ``speechxl.json``.
        classes: Values of each kind of label.
        page: ``README.md``.
        settings: Resolved settings of the run, YAML.
    """
    note = {"classifier": {"pooling": model.pooled_by, "transformers": model.lossless}}
    labels = {"schema": 1, "kinds": {kind: list(values) for kind, values in classes.items()}}
    write_text(folder / LABELS, json.dumps(labels, indent=2, ensure_ascii=False) + "\n")
    own = {name: value.detach().cpu().contiguous() for name, value in _own(model).items()}
    if own:
        replace_file(folder / HEADS, lambda part: save_file(own, part, metadata={"format": "pt"}))
    frontend = getattr(model.backbone, "frontend", None)
    write_folder(folder, model.network, card, frontend=frontend, note=note, settings=settings, page=page)


def is_tuned(source: str) -> bool:
    """Whether a model has learnt from texts or labels, and not from sound alone."""
    if is_checkpoint(source):
        return any(name.startswith("lm_head.") for name in read_checkpoint(source).weights)
    architectures = read_config(source, tuple(KINDS)).get("architectures") or []
    return any(name.endswith(_TUNED) for name in architectures)


def kind_of(source: str) -> str:
    """Type of a model's encoder, as ``config.json`` has it."""
    return WAV2VEC2 if is_checkpoint(source) else read_config(source, tuple(KINDS))["model_type"]


def linear_of(kind: str) -> tuple[str, ...]:
    """Linear layers that LoRA adds to in a type of encoder, by the last part of their names: those of attention, where it can."""
    if kind == "wavlm":  # whose attention takes the weights and not the layers
        return ("intermediate_dense", "output_dense")
    linear: tuple[str, ...] = _BACKBONES[kind].linear
    return linear


def _network(source: str, changes: dict[str, Any]) -> tuple[Any, Backbone, list[str]]:
    """`transformers`' model, its encoder, and the names of what is new in it."""
    name = kind_of(source)
    card_of(source)
    try:
        network, new = load_network(KINDS[name], source, changes)
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{source}: {error}") from None
    if name not in _FRONTENDS:
        return network, _BACKBONES[name](network), new
    file_of(source, "preprocessor_config.json")
    return network, _BACKBONES[name](network, _FRONTENDS[name].from_pretrained(source)), new


def card_of(source: str) -> Card:
    """`read_card` of any encoder; what makes its own features takes waveforms as they are.

    Raises:
        InputError: If it expects another sampling rate, or is of another kind.
    """
    card = read_card(source, tuple(KINDS))
    name = kind_of(source)
    if name == WAV2VEC2:
        return card
    return replace(card, normalise=card.normalise and name not in _FRONTENDS, preset=None)


def _labels(source: str) -> dict[str, list[str]]:
    """Values of each kind of label; none of what is no classifier."""
    if is_checkpoint(source):
        return {}
    if document := read_document(source, LABELS):
        return {kind: list(values) for kind, values in document["kinds"].items()}
    config = read_config(source, tuple(KINDS))
    if not any(name.endswith(_CLASSIFIES) for name in config.get("architectures") or []):
        return {}
    return {"label": [value for _, value in sorted((int(key), value) for key, value in config["id2label"].items())]}


def _note(source: str) -> dict[str, Any]:
    """What ``speechxl.json`` says of the classifier."""
    return {} if is_checkpoint(source) else read_note(source).get("classifier", {})


def _sizes(classes: Classes) -> list[int]:
    return [len(values) for values in classes.values()]


def _is_head(name: str, model: SpeechClassifier) -> bool:
    """Whether a parameter of `transformers`' model stands above the encoder, and is used."""
    return name.startswith(("projector.", "layer_weights", *(("classifier.",) if model.lossless else ())))


def _own(model: SpeechClassifier) -> dict[str, Tensor]:
    """What `transformers` has no place for."""
    return {name: value for name, value in model.state_dict().items() if name.startswith(("pooling.", "outputs."))}


def _draw_heads(model: SpeechClassifier) -> None:
    """Random weights for the output layers, of one size for all kinds."""
    for head in model.heads:
        head.reset_parameters()


def _load_heads(source: str, model: SpeechClassifier) -> None:
    """Loads what `transformers` has no place for.

    Raises:
        InputError: If it is missing or does not fit.
    """
    if not (wanted := _own(model)):
        return
    path = file_of(source, HEADS)
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: the weights cannot be read: {error}") from None
    if {name: value.shape for name, value in state.items()} != {name: value.shape for name, value in wanted.items()}:
        raise InputError(
            f"{path}: does not fit {LABELS} and the pooling in speechxl.json; they belong to different models."
        )
    model.load_state_dict(state, strict=False)


def _changes(classes: Classes, head: Head) -> dict[str, Any]:
    """Of a configuration."""
    values = next(iter(classes.values()))
    return {
        "id2label": dict(enumerate(values)),
        "label2id": {value: number for number, value in enumerate(values)},
        "use_weighted_layer_sum": head.layers == "weighted",
        "classifier_proj_size": head.projection,
        "problem_type": "single_label_classification",
    }


def _dropout(name: str, dropout: Dropout) -> dict[str, Any]:
    """By the names of a configuration; layers are never left out by `transformers`, which would drop their states as well."""
    given = given_dropout(dropout)
    if name == WAV2VEC2:
        return given
    if name != "whisper":
        return given | {"layerdrop": 0.0, "apply_spec_augment": False}
    own = {
        "hidden_dropout": "dropout",
        "attention_dropout": "attention_dropout",
        "activation_dropout": "activation_dropout",
    }
    return {own[key]: value for key, value in given.items() if key in own} | {"encoder_layerdrop": 0.0}
