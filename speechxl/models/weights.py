"""Reading models: folders of `transformers`, names on its hub, checkpoints of fairseq, added weights with what they belong to."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import PreTrainedModel, Wav2Vec2Config, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining

from speechxl.config import Dropout
from speechxl.errors import InputError
from speechxl.models.adapters import (
    BOTTLENECK,
    LORA_SETTINGS,
    Added,
    bottleneck_file,
    check_base,
    find_base,
    load_bottlenecks,
    merge_lora,
)
from speechxl.models.conditioning import load_conditioning
from speechxl.models.extensions import load_extensions
from speechxl.models.fairseq import is_checkpoint, read_checkpoint
from speechxl.models.folders import Card, absent, file_of, read_card, read_config, read_json, read_note
from speechxl.models.making import given_dropout, with_encoder
from speechxl.models.vocabularies import read_vocabularies
from speechxl.text import Vocabularies, Vocabulary

log = logging.getLogger(__name__)
_QUANTIZER = ("quantizer.", "project_q.", "project_hid.")
_HEADS = ("lm_head.", "projector.", "classifier.", "layer_weights")
"""What stands above an encoder, and is new where it does not fit."""


def load_pretraining_model(
    source: str, dropout: Dropout = Dropout(), *, reinit_quantizer: bool = False
) -> tuple[Wav2Vec2ForPreTraining, bool]:
    """A pretrained model with its quantizer, to go on with.

    Args:
        source: Model folder, or name on the hub.
        dropout: Changes to its regularisation.
        reinit_quantizer: Whether a quantizer and heads that are missing are drawn at random.

    Returns:
        The model, and whether its quantizer is new.

    Raises:
        InputError: If the folder has no quantizer, as after fine-tuning.
    """
    model, missing = _load(Wav2Vec2ForPreTraining, source, given_dropout(dropout))
    if (lost := [name for name in missing if name.startswith(_QUANTIZER)]) and not reinit_quantizer:
        raise InputError(
            f"{source}: no weights for {', '.join(lost[:3])}{' ...' if len(lost) > 3 else ''}; fine-tuned checkpoints lack "
            "the quantizer that pretraining goes on with. Start from the pretrained checkpoint, or draw a new one with "
            "--reinit_quantizer true."
        )
    return model, bool(lost)


def load_ctc_model(
    source: str, language: str | None = None, changes: Mapping[str, Any] | None = None
) -> tuple[Wav2Vec2ForCTC, Vocabulary | Vocabularies, Card]:
    """A fine-tuned model and its vocabulary, or those of its languages.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub; a folder that holds added weights only is put together
            with the model that they belong to.
        language: Whose vocabulary and outputs to keep, where the model has some for each; in models such as MMS whose adapter.
        changes: To its configuration.

    Raises:
        InputError: If the folder has no CTC head or vocabulary, or they do not fit, or a language of MMS is to be named.
    """
    model, vocabulary, card = _load_ctc(source, language, changes)
    load_extensions(model, source, card.phones, vocabulary)
    load_conditioning(model, source, card.conditioning)
    return model, vocabulary, card


def _load_ctc(
    source: str, language: str | None, changes: Mapping[str, Any] | None
) -> tuple[Wav2Vec2ForCTC, Vocabulary | Vocabularies, Card]:
    """`load_ctc_model` without what speechxl adds."""
    if not is_checkpoint(source):
        read_config(source)
    vocabulary, own = read_vocabularies(source, language), dict(changes or {})
    separate = isinstance(vocabulary, Vocabularies)
    if language is not None and not separate:
        model, _ = _load(Wav2Vec2ForCTC, source, own | {"vocab_size": len(vocabulary)})
        _load_adapter(model, source, language, len(vocabulary))
    else:
        model, missing = _load(Wav2Vec2ForCTC, source, own)
        if any(name.startswith("lm_head") for name in missing):
            raise InputError(
                f"{source}: no weights of a CTC head; this is a pretrained encoder. Run speechxl finetune first."
            )
    if len(vocabulary) != model.config.vocab_size:
        raise InputError(
            f"{source}: vocab.json has {len(vocabulary)} symbols and the checkpoint's CTC head {model.config.vocab_size}; "
            "they belong to different models."
        )
    card = read_card(source)
    if card.vocabulary not in (None, vocabulary.hash):
        raise InputError(
            f"{source}: vocab.json was changed since training (hash {vocabulary.hash}, speechxl.json says {card.vocabulary}); "
            "put the original back."
        )
    if language is not None and separate:
        _keep_outputs(model, vocabulary.outputs(language))
        vocabulary = vocabulary.of(language)
    return model, vocabulary, card


def load_encoder_for_ctc(
    source: str,
    vocabulary: Vocabulary | Vocabularies,
    dropout: Dropout,
    bottleneck: int | None = None,
    language: str | None = None,
) -> Wav2Vec2ForCTC:
    """Any wav2vec2-family checkpoint with a CTC head for ``vocabulary``, kept where it was trained for exactly that.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        vocabulary: Of the head.
        dropout: Changes to its regularisation.
        bottleneck: Features inside an MMS adapter after each transformer layer; None for none.
        language: To start from, where the model has a vocabulary for each; in models such as MMS from its adapter.

    Raises:
        InputError: If the model cannot be read, or there is nothing for ``language``.
    """
    changes = given_dropout(dropout) | ({} if bottleneck is None else {"adapter_attn_dim": bottleneck})
    there = _vocabularies(source, language)
    if language is not None and there is not None and there.of(language) == vocabulary:
        return _load_ctc(source, language, changes)[0]
    changes |= {"vocab_size": len(vocabulary), "pad_token_id": vocabulary.blank}
    model, missing = _load(Wav2Vec2ForCTC, source, changes)
    if language is not None and not isinstance(there, Vocabularies):
        _load_adapter(model, source, language, None)
    if there != vocabulary or "lm_head.weight" in missing:
        nn.init.xavier_uniform_(model.lm_head.weight)  # as fairseq's wav2vec2_asr.py
        nn.init.zeros_(model.lm_head.bias)
        log.info("%s: the output layer is new, for %d symbols", source, len(vocabulary))
    return model


def load_network(
    kind: type[PreTrainedModel], source: str, changes: Mapping[str, Any] | None = None
) -> tuple[Any, list[str]]:
    """A model for classification, with this package's encoder where it is of wav2vec 2.0.

    Args:
        kind: Class of `transformers`.
        source: Model folder, checkpoint of fairseq, or name on the hub; added weights are put together with their model.
        changes: To its configuration.

    Returns:
        The model, and the names of what is new in it, as the checkpoint lacks it.

    Raises:
        InputError: If it cannot be read.
    """
    if is_checkpoint(source) or not read_note(source).get("adapter"):
        return _load_whole(kind, source, dict(changes or {}))
    recogniser, _ = _load(Wav2Vec2ForCTC, source, {})
    for name, value in (changes or {}).items():
        setattr(recogniser.config, name, value)
    model = kind(recogniser.config)
    new = [name for name in model.state_dict() if name.startswith(_HEADS)]
    model.wav2vec2 = recogniser.wav2vec2
    return model, new


def _vocabularies(source: str, language: str | None) -> Vocabulary | Vocabularies | None:
    """`read_vocabularies`; None where there are none, or one has to be chosen and is not."""
    try:
        return read_vocabularies(source, language)
    except InputError:
        if language is not None:
            raise
        return None


def _load_adapter(model: Wav2Vec2ForCTC, source: str, language: str, symbols: int | None) -> None:
    """Loads the adapter of a language of MMS, with its output layer if that is of the model's size.

    Raises:
        InputError: If it does not fit, or the output layer is not of ``symbols``.
    """
    path = file_of(source, bottleneck_file(language))
    if not load_bottlenecks(model, path) and symbols is not None:
        raise InputError(f"{path}: its output layer has another size than the {symbols} symbols in vocab.json.")


def _keep_outputs(model: Wav2Vec2ForCTC, outputs: Sequence[int]) -> None:
    """Leaves a model some of its outputs only."""
    head = nn.Linear(model.lm_head.in_features, len(outputs))
    head.load_state_dict({name: value[list(outputs)] for name, value in model.lm_head.state_dict().items()})
    model.lm_head, model.config.vocab_size = head, len(outputs)


def _load(kind: type[PreTrainedModel], source: str, changes: dict[str, Any]) -> tuple[Any, list[str]]:
    """A model and the names of its parameters that the checkpoint lacks; added weights together with what they belong to."""
    if is_checkpoint(source):
        return _load_whole(kind, source, changes)
    config = read_config(source)
    if not (note := read_note(source).get("adapter")):
        return _load_whole(kind, source, changes)
    added = Added(**note)
    if kind is not Wav2Vec2ForCTC:
        raise InputError(
            f"{source}: holds added weights only, for recognition; name the model they belong to, {added.base}."
        )
    base = find_base(source, added.base)
    own = {name: config.get(name) for name in ("vocab_size", "pad_token_id", "adapter_attn_dim")}
    model, _ = _load_whole(kind, base, own | changes)
    check_base(source, model, added, base)
    if added.kind == "lora":
        whole = merge_lora(model, file_of(source, added.file), read_json(file_of(source, LORA_SETTINGS)))
    else:
        whole = load_bottlenecks(model, file_of(source, added.file))
    return model, [] if whole else ["lm_head.weight"]


def _load_whole(kind: type[PreTrainedModel], source: str, changes: dict[str, Any]) -> tuple[Any, list[str]]:
    """Like `_load`, of a model that has all its weights."""
    own: dict[str, Any]
    if in_file := is_checkpoint(source):
        checkpoint = read_checkpoint(source)
        own = {
            "pretrained_model_name_or_path": None,
            "config": Wav2Vec2Config(**{**checkpoint.config, **changes}),
            "state_dict": {name: x.to(torch.float32, copy=True) for name, x in checkpoint.weights.items()},
        }
        del checkpoint
    else:
        config_class: Any = kind.config_class
        read_config(source, (config_class.model_type,))
        own = {"pretrained_model_name_or_path": source, **changes}
    try:
        loaded: Any = kind.from_pretrained(
            output_loading_info=True, ignore_mismatched_sizes=True, dtype=torch.float32, **own
        )
    except UnpicklingError:
        raise InputError(
            f"{source}: the weights are a pickle that holds more than tensors, which could run code when it is read; "
            "ask for model.safetensors, or convert it where you trust it."
        ) from None
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        if not in_file and not Path(source).exists():
            raise InputError(absent(source, reason)) from None
        raise InputError(f"{source}: the weights cannot be read: {reason}") from None
    model, report = loaded
    missing = sorted(name for name in report["missing_keys"] if not name.endswith("masked_spec_embed"))
    mismatched = [name for name, *_ in report["mismatched_keys"]]
    wrong = [name for name in mismatched if not name.startswith(_HEADS)]
    if changes.get("adapter_attn_dim") is not None:  # their weights follow
        missing, wrong = ([name for name in names if BOTTLENECK not in name] for names in (missing, wrong))
    broken = [name for name in missing if not name.startswith((*_HEADS, *_QUANTIZER))] + wrong
    if in_file:
        broken += [name for name in report["unexpected_keys"] if not name.startswith((*_QUANTIZER, "lm_head."))]
    if broken:
        raise InputError(
            f"{source}: {'its settings' if in_file else 'config.json'} and weights do not fit: {', '.join(broken[:3])}"
            f"{f' and {len(broken) - 3} more' if len(broken) > 3 else ''} missing{', too many' if in_file else ''} or of "
            "another shape."
        )
    new = sorted({*missing, *mismatched})
    return with_encoder(model) if hasattr(model, "wav2vec2") else model, new
