"""Model folders: what `transformers` reads and writes, and a note of what speechxl knows beside it.

A checkpoint file of fairseq stands in for a folder wherever a model is read.
"""

import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn
from transformers import (
    PreTrainedModel,
    Wav2Vec2Config,
    Wav2Vec2CTCTokenizer,
    Wav2Vec2FeatureExtractor,
    Wav2Vec2ForCTC,
    Wav2Vec2ForPreTraining,
)
from transformers.utils import cached_file

from speechxl.config import PRESETS, Dropout, Preset
from speechxl.errors import InputError
from speechxl.files import replace_file, write_text
from speechxl.models.adapters import (
    BOTTLENECK,
    LORA_SETTINGS,
    Added,
    bottleneck_file,
    check_base,
    find_base,
    load_bottlenecks,
    merge_lora,
    save_added,
)
from speechxl.models.dropout import Dropout as DropoutModule
from speechxl.models.encoder import Encoder
from speechxl.models.fairseq import is_checkpoint, read_checkpoint, read_dictionary
from speechxl.models.quantizer import GumbelQuantizer
from speechxl.shapes import SAMPLE_RATE
from speechxl.text import SPECIAL, Vocabularies, Vocabulary

log = logging.getLogger(__name__)
_SETTINGS = ("config.json", "preprocessor_config.json", "vocab.json")
_WEIGHTS = (
    "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
)  # fmt: skip
"""Where `transformers` looks for weights, in this order."""
_SHOWN = 40
"""Languages that an error lists."""
_QUANTIZER = ("quantizer.", "project_q.", "project_hid.")


@dataclass(frozen=True)
class Card:
    """What ``speechxl.json`` says of a model beside what `transformers` reads."""

    normalise: bool
    """Whether waveforms get zero mean and unit variance."""
    languages: list[str] = field(default_factory=list)
    """ISO 639-3 codes of the training data."""
    units: str | None = None
    """``"char"`` or ``"phoneme"`` of a CTC model."""
    column: str | None = None
    """Manifest column of its targets."""
    vocabulary: str | None = None
    """Hash of its vocabulary."""
    preset: str | None = None
    """What the encoder was first made from, or the published model it is nearest to."""
    adapter: Added | None = None
    """Of a folder that holds added weights only."""


def new_pretraining_model(preset: Preset) -> Wav2Vec2ForPreTraining:
    """A model with random weights (initialised as `transformers` does, which follows fairseq)."""
    return with_encoder(Wav2Vec2ForPreTraining(configuration(preset)))


def new_ctc_model(preset: Preset, vocabulary: Vocabulary | Vocabularies) -> Wav2Vec2ForCTC:
    """A CTC model with random weights."""
    return with_encoder(Wav2Vec2ForCTC(_with_vocabulary(configuration(preset), vocabulary)))


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
    model, missing = _load(Wav2Vec2ForPreTraining, source, _given_dropout(dropout))
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
    if not is_checkpoint(source):
        _read_config(source)
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
    changes = _given_dropout(dropout) | ({} if bottleneck is None else {"adapter_attn_dim": bottleneck})
    there = _vocabularies(source, language)
    if language is not None and there is not None and there.of(language) == vocabulary:
        return load_ctc_model(source, language, changes)[0]
    changes |= {"vocab_size": len(vocabulary), "pad_token_id": vocabulary.blank}
    model, missing = _load(Wav2Vec2ForCTC, source, changes)
    if language is not None and not isinstance(there, Vocabularies):
        _load_adapter(model, source, language, None)
    if there != vocabulary or "lm_head.weight" in missing:
        nn.init.xavier_uniform_(model.lm_head.weight)  # as fairseq's wav2vec2_asr.py
        nn.init.zeros_(model.lm_head.bias)
        log.info("%s: the output layer is new, for %d symbols", source, len(vocabulary))
    return model


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
    path = _file(source, bottleneck_file(language))
    if not load_bottlenecks(model, path) and symbols is not None:
        raise InputError(f"{path}: its output layer has another size than the {symbols} symbols in vocab.json.")


def _keep_outputs(model: Wav2Vec2ForCTC, outputs: Sequence[int]) -> None:
    """Leaves a model some of its outputs only."""
    head = nn.Linear(model.lm_head.in_features, len(outputs))
    head.load_state_dict({name: value[list(outputs)] for name, value in model.lm_head.state_dict().items()})
    model.lm_head, model.config.vocab_size = head, len(outputs)


def save_model(
    folder: Path,
    model: PreTrainedModel,
    card: Card,
    vocabulary: Vocabulary | Vocabularies | None = None,
    settings: str | None = None,
) -> None:
    """Writes a model folder file by file, each complete or not at all, the weights last; of an adapter only what was added.

    Args:
        folder: Where.
        model: With this package's encoder; its parameter names are those of `transformers`.
        card: For ``speechxl.json``.
        vocabulary: Of a CTC model, or those of its languages.
        settings: Resolved settings of the run, YAML.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = json.loads(model.config.to_json_string())
    config["architectures"] = [type(model).__name__]
    _write_json(folder / "config.json", config)
    frontend = Wav2Vec2FeatureExtractor(do_normalize=card.normalise, return_attention_mask=True)
    _write_json(folder / "preprocessor_config.json", json.loads(frontend.to_json_string()))
    if vocabulary is not None:
        _write_json(folder / "vocab.json", vocabulary.document)
        _write_json(folder / "tokenizer_config.json", _tokenizer_config(vocabulary))
    libraries = {name: version(name) for name in ("speechxl", "torch", "transformers")}
    _write_json(folder / "speechxl.json", {"schema": 1, **asdict(card), "libraries": libraries})
    if settings is not None:
        write_text(folder / "config.yaml", settings)
    if card.adapter is not None:
        save_added(folder, model, card.adapter)
        return
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    replace_file(folder / "model.safetensors", lambda part: save_file(weights, part, metadata={"format": "pt"}))


def read_card(source: str) -> Card:
    """``speechxl.json`` of a model; for a foreign one what its preprocessor and configuration say."""
    if is_checkpoint(source):
        checkpoint = read_checkpoint(source)
        return Card(normalise=checkpoint.normalise, preset=_nearest_preset(checkpoint.config))
    config = _read_config(source)
    if document := _read_note(source):
        card = Card(**{name: document[name] for name in Card.__dataclass_fields__ if name in document})
        card = replace(card, adapter=Added(**document["adapter"]) if document.get("adapter") else None)
        return card if card.preset in PRESETS else replace(card, preset=_nearest_preset(config))
    normalise = config.get("feat_extract_norm") == "layer"
    for name in ("preprocessor_config.json", "processor_config.json"):
        path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
        if path is not None:
            document = _read_json(Path(path))
            document = document.get("feature_extractor", document)
            if document.get("sampling_rate", SAMPLE_RATE) != SAMPLE_RATE:
                raise InputError(
                    f"{source}: the model expects {document['sampling_rate']} Hz; only 16000 Hz is supported."
                )
            normalise = bool(document.get("do_normalize", normalise))
            break
    return Card(normalise=normalise, preset=_nearest_preset(config))


def _read_note(source: str) -> dict[str, Any]:
    """``speechxl.json``; nothing for a foreign model."""
    path = cached_file(source, "speechxl.json", _raise_exceptions_for_missing_entries=False)
    return {} if path is None else _read_json(Path(path))


def _nearest_preset(config: dict[str, Any]) -> str:
    """The published model of the same size, else one with the same normalisation."""
    shape = config.get("hidden_size"), config.get("num_hidden_layers")
    same = [name for name, preset in PRESETS.items() if (preset.width, preset.layers) == shape]
    return same[-1] if same else "w2v2-base" if config.get("feat_extract_norm") == "group" else "xls-r-300m"


def fingerprint(source: str, *others: Path) -> str:
    """Hash of the files that decide on what a model gives, SHA-256: weights, configuration, vocabulary, and others."""
    if is_checkpoint(source):
        paths = [Path(source)]
    else:
        _read_config(source)
        paths = _cached(source, _SETTINGS)
        if (added := read_card(source).adapter) is not None:  # whose speechxl.json has a hash of the base
            paths += _cached(source, ["speechxl.json", added.file])
        else:
            weights = _cached(source, _WEIGHTS)[0]
            whole = weights.suffix != ".json"
            paths += [weights] if whole else _cached(source, sorted(set(_read_json(weights)["weight_map"].values())))
    digest = sha256()
    for path in [*paths, *others]:
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                digest.update(block)
    return digest.hexdigest()


def _cached(source: str, names: Sequence[str]) -> list[Path]:
    """Those of some files that a model has."""
    found = (cached_file(source, name, _raise_exceptions_for_missing_entries=False) for name in names)
    return [Path(path) for path in found if path is not None]


def read_vocabulary(source: str, language: str | None = None) -> Vocabulary:
    """Symbols of a CTC model, from ``vocab.json`` and the tokenizer's settings.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        language: Whose vocabulary, where there is one for each language.

    Raises:
        InputError: If there is none, or it is not one symbol a number.
    """
    vocabulary = read_vocabularies(source, language)
    if isinstance(vocabulary, Vocabularies) and language is None:
        raise _not_chosen(source, vocabulary.languages, None)
    return vocabulary.of(language or "")


def read_vocabularies(source: str, language: str | None = None) -> Vocabulary | Vocabularies:
    """The same; all of them where the languages of a model have each its own and share the encoder.

    Args:
        source: Model folder, checkpoint of fairseq, or name on the hub.
        language: One of them, where there are several; that of the vocabulary, in models such as MMS.
    """
    if is_checkpoint(source) and language is None:
        return read_dictionary(source)
    if is_checkpoint(source):
        raise InputError(f"{source}: has one vocabulary; leave --model_language out.")
    path = cached_file(source, "vocab.json", _raise_exceptions_for_missing_entries=False)
    if path is None:
        raise InputError(f"{source}: no vocab.json; this is not a fine-tuned CTC model. Run speechxl finetune first.")
    symbols = _read_json(Path(path))
    path = cached_file(source, "tokenizer_config.json", _raise_exceptions_for_missing_entries=False)
    settings = _read_json(Path(path)) if path is not None else {}
    nested = any(isinstance(number, dict) for number in symbols.values())
    if not nested and language is not None:
        raise InputError(
            f"{source}: vocab.json holds one vocabulary, for no particular language; leave --model_language out."
        )
    separate = nested and _is_one_layer(symbols.values())
    if nested and language not in symbols and not (separate and language is None):
        raise _not_chosen(source, list(symbols), language)
    if separate:
        parts = (_ordered(own, 0, settings) for own in symbols.values())
        vocabularies = Vocabularies(tuple(symbols), tuple(parts))
        if vocabularies.document != symbols:
            raise InputError(
                f"{source}: the numbers in vocab.json are not those of the blank, 0, and then of one language after the other."
            )
        return vocabularies
    if language is not None:
        symbols = symbols[language]
    path = cached_file(source, "config.json", _raise_exceptions_for_missing_entries=False)
    blank = _read_json(Path(path)).get("pad_token_id") if path is not None else None
    if blank is None:
        blank = next((symbols[name] for name in (settings.get("pad_token"), "[PAD]", "<pad>") if name in symbols), 0)
    if sorted(symbols.values()) != list(range(len(symbols))):
        raise InputError(f"{source}: the numbers in vocab.json are not 0 to {len(symbols) - 1}, each once.")
    return _ordered(symbols, blank, settings)


def _ordered(symbols: Mapping[str, int], blank: int, settings: Mapping[str, Any]) -> Vocabulary:
    """Vocabulary from symbols and their numbers, and ``tokenizer_config.json``."""
    phones = settings.get("tokenizer_class") == "Wav2Vec2PhonemeCTCTokenizer"
    delimiter = settings.get("word_delimiter_token", "|")
    ordered = sorted(symbols, key=symbols.__getitem__)
    return Vocabulary(tuple(ordered), blank, delimiter if delimiter in symbols and not phones else None)


def _is_one_layer(vocabularies: Collection[Mapping[str, int]]) -> bool:
    """Whether the numbers of several vocabularies are those of one output layer; in MMS there is one for each."""
    numbers = [number for own in vocabularies for number in own.values()]
    repeated = len(numbers) - len(set(numbers))
    return len(vocabularies) > 1 and repeated == len(vocabularies) - 1  # that is the blank


def _not_chosen(source: str, languages: Sequence[str], language: str | None) -> InputError:
    """None of several vocabularies was chosen, or one that is not there."""
    alike = [name for name in languages if language and name.startswith(language[:3])]
    names = [*alike, *sorted(set(languages) - set(alike))]
    unknown = "" if language is None else f", none for {language!r}"
    more = f" and {len(names) - _SHOWN} more, which stand in vocab.json" if len(names) > _SHOWN else ""
    return InputError(
        f"{source}: vocab.json holds one vocabulary for each of {len(names)} languages{unknown}; choose one with "
        f"--model_language: {', '.join(names[:_SHOWN])}{more}."
    )


def configuration(preset: Preset) -> Wav2Vec2Config:
    """A preset in the words of `transformers`."""
    dropout: dict[str, Any] = {**_dropout_fields(preset.dropout)}
    return Wav2Vec2Config(
        hidden_size=preset.width,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        intermediate_size=preset.ffn,
        conv_dim=(preset.conv_channels,) * 7,
        feat_extract_norm=preset.extractor_norm,
        conv_bias=preset.conv_bias,
        do_stable_layer_norm=preset.norm_first,
        proj_codevector_dim=preset.final_dim,
        codevector_dim=preset.final_dim,
        num_codevectors_per_group=preset.codes,
        feat_quantizer_dropout=preset.feature_dropout,
        final_dropout=0.0,
        ctc_loss_reduction="mean",
        ctc_zero_infinity=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=None,
        **dropout,
    )


def _dropout_fields(dropout: Dropout) -> dict[str, float | None]:
    """Names of `transformers`' configuration."""
    return {
        "hidden_dropout": dropout.hidden,
        "attention_dropout": dropout.attention,
        "activation_dropout": dropout.activation,
        "feat_proj_dropout": dropout.projection,
        "layerdrop": dropout.layer,
    }


def _given_dropout(dropout: Dropout) -> dict[str, float]:
    """What of it is not None, by the names of `transformers`' configuration."""
    return {name: value for name, value in _dropout_fields(dropout).items() if value is not None}


def _with_vocabulary(config: Wav2Vec2Config, vocabulary: Vocabulary | Vocabularies) -> Wav2Vec2Config:
    config.vocab_size, config.pad_token_id = len(vocabulary), vocabulary.blank
    return config


def with_encoder(model: Any) -> Any:
    """Puts this package's encoder and quantizer in the place of those of `transformers`, with their parameters."""
    config = model.config
    model.wav2vec2 = Encoder(model.wav2vec2)
    if isinstance(model, Wav2Vec2ForPreTraining):
        quantizer = model.quantizer
        own = GumbelQuantizer(quantizer.codevectors, quantizer.weight_proj, config.num_codevector_groups)
        model.add_module("quantizer", own)
        model.add_module("dropout_features", DropoutModule(config.feat_quantizer_dropout))
    return model


def _load(kind: type[PreTrainedModel], source: str, changes: dict[str, Any]) -> tuple[Any, list[str]]:
    """A model and the names of its parameters that the checkpoint lacks; added weights together with what they belong to."""
    if is_checkpoint(source):
        return _load_whole(kind, source, changes)
    config = _read_config(source)
    if not (note := _read_note(source).get("adapter")):
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
        whole = merge_lora(model, _file(source, added.file), _read_json(_file(source, LORA_SETTINGS)))
    else:
        whole = load_bottlenecks(model, _file(source, added.file))
    return model, [] if whole else ["lm_head.weight"]


def _file(source: str, name: str) -> Path:
    """A file of a model."""
    path = cached_file(source, name, _raise_exceptions_for_missing_entries=False)
    if path is None:
        raise InputError(f"{source}: no {name} there.")
    return Path(path)


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
        _read_config(source)
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
        raise InputError(f"{source}: the weights cannot be read: {str(error).splitlines()[0]}") from None
    model, report = loaded
    missing = sorted(name for name in report["missing_keys"] if not name.endswith("masked_spec_embed"))
    wrong = [name for name, *_ in report["mismatched_keys"] if not name.startswith("lm_head.")]
    if changes.get("adapter_attn_dim") is not None:  # their weights follow
        missing, wrong = ([name for name in names if BOTTLENECK not in name] for names in (missing, wrong))
    broken = [name for name in missing if name.startswith("wav2vec2.")] + wrong
    if in_file:
        broken += [name for name in report["unexpected_keys"] if not name.startswith((*_QUANTIZER, "lm_head."))]
    if broken:
        raise InputError(
            f"{source}: {'its settings' if in_file else 'config.json'} and weights do not fit: {', '.join(broken[:3])}"
            f"{f' and {len(broken) - 3} more' if len(broken) > 3 else ''} missing{', too many' if in_file else ''} or of "
            "another shape."
        )
    return with_encoder(model), missing


def _read_config(source: str) -> dict[str, Any]:
    """``config.json`` of a wav2vec 2.0 model.

    Raises:
        InputError: If there is none, or it is of another kind.
    """
    if not Path(source).exists():
        if source.startswith((".", "/", "~")) or source.count("/") != 1:
            raise InputError(f"{source}: there is no such model folder.")
        log.info("%s: no such folder here, asking the hub", source)
    try:
        path = cached_file(source, "config.json", _raise_exceptions_for_missing_entries=not Path(source).exists())
    except OSError as error:
        raise InputError(
            f"{source}: there is no such folder, and the hub gave no model of that name ({str(error).splitlines()[0]}). "
            "Without network, copy the model's files (config.json, model.safetensors, preprocessor_config.json, "
            "vocab.json) to a folder and name that."
        ) from None
    if path is None:
        raise InputError(f"{source}: no config.json there; it is not a model folder of transformers.")
    config = _read_json(Path(path))
    if config.get("model_type") != "wav2vec2":
        raise InputError(
            f"{source}: config.json says model_type {config.get('model_type')!r}; a wav2vec2 model is needed "
            "(wav2vec 2.0, XLSR-53, XLS-R, MMS, CLSRIL-23)."
        )
    return config


def _tokenizer_config(vocabulary: Vocabulary | Vocabularies) -> dict[str, Any]:
    """Settings with which `transformers` gives the same text: every unit of text belongs to the vocabulary already."""
    first = next(iter(vocabulary.languages), "")
    symbols = vocabulary.of(first).symbols
    special = [symbol for symbol in symbols if symbol in SPECIAL]
    blank = symbols[vocabulary.blank]
    unknown = next((symbol for symbol in special if "unk" in symbol.lower()), blank)
    settings: dict[str, Any] = {
        "tokenizer_class": Wav2Vec2CTCTokenizer.__name__,
        "pad_token": blank,
        "unk_token": unknown,
        "bos_token": None,
        "eos_token": None,
        "word_delimiter_token": vocabulary.of(first).delimiter or " ",
        "replace_word_delimiter_char": " ",
        "do_lower_case": False,
    }
    return settings | ({"target_lang": first} if vocabulary.languages else {})


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not JSON ({error}).") from None
    if not isinstance(document, dict):
        raise InputError(f"{path}: a JSON object was expected.")
    return document


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False) + "\n")
