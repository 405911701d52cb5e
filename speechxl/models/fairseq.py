"""Checkpoint files of fairseq, in which wav2vec 2.0, XLSR-53, XLS-R, CLSRIL-23 and MMS were first published.

Names and defaults follow fairseq 0.12 (`fairseq/models/wav2vec/wav2vec2.py`, `wav2vec2_asr.py`).
"""

import ast
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch._weights_only_unpickler import get_globals_in_pkl

from speechxl.errors import InputError
from speechxl.text import Vocabulary

log = logging.getLogger(__name__)
_SUFFIXES = (".pt", ".pth")
_SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
_CONVOLUTIONS = "[(512, 10, 5)] + [(512, 3, 2)] * 4 + [(512, 2, 2)] * 2"
_LARGEST_STACK = 100
_NEVER_LOADED = ("os", "posix", "nt", "sys")
"""Modules that torch refuses whatever it is told; no settings need them."""
_LAYER = r"encoder\.layers\.(\d+)\."
_NAMES = [
    (re.compile(pattern), name)
    for pattern, name in {
        r"mask_emb": "wav2vec2.masked_spec_embed",
        r"feature_extractor\.conv_layers\.(\d+)\.0\.(weight|bias)": r"wav2vec2.feature_extractor.conv_layers.\1.conv.\2",
        r"feature_extractor\.conv_layers\.(\d+)\.2(?:\.1)?\.(weight|bias)": (
            r"wav2vec2.feature_extractor.conv_layers.\1.layer_norm.\2"
        ),
        r"layer_norm\.(weight|bias)": r"wav2vec2.feature_projection.layer_norm.\1",
        r"post_extract_proj\.(weight|bias)": r"wav2vec2.feature_projection.projection.\1",
        r"encoder\.pos_conv\.0\.bias": "wav2vec2.encoder.pos_conv_embed.conv.bias",
        r"encoder\.pos_conv\.0\.weight_g": "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original0",
        r"encoder\.pos_conv\.0\.weight_v": "wav2vec2.encoder.pos_conv_embed.conv.parametrizations.weight.original1",
        r"encoder\.layer_norm\.(weight|bias)": r"wav2vec2.encoder.layer_norm.\1",
        _LAYER + r"self_attn\.([qkv]|out)_proj\.(weight|bias)": r"wav2vec2.encoder.layers.\1.attention.\2_proj.\3",
        _LAYER + r"self_attn_layer_norm\.(weight|bias)": r"wav2vec2.encoder.layers.\1.layer_norm.\2",
        _LAYER + r"fc1\.(weight|bias)": r"wav2vec2.encoder.layers.\1.feed_forward.intermediate_dense.\2",
        _LAYER + r"fc2\.(weight|bias)": r"wav2vec2.encoder.layers.\1.feed_forward.output_dense.\2",
        _LAYER + r"final_layer_norm\.(weight|bias)": r"wav2vec2.encoder.layers.\1.final_layer_norm.\2",
        r"quantizer\.vars": "quantizer.codevectors",
        r"quantizer\.weight_proj\.(weight|bias)": r"quantizer.weight_proj.\1",
        r"project_q\.(weight|bias)": r"project_q.\1",
        r"final_proj\.(weight|bias)": r"project_hid.\1",
        r"proj\.(weight|bias)": r"lm_head.\1",
    }.items()
]
"""fairseq's parameter names, and those of `transformers`."""
_ONLY = {
    "layer_type": "transformer",
    "pos_conv_depth": 1,
    "quantizer_depth": 1,
    "quantize_targets": True,
    "quantize_input": False,
    "target_glu": False,
}
"""Settings that change what is computed, and the only value that `transformers`' model has."""


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds, in the words of `transformers`."""

    config: dict[str, Any]
    """For `Wav2Vec2Config`."""
    weights: dict[str, Tensor]
    """By the names of `Wav2Vec2ForPreTraining` or `Wav2Vec2ForCTC`; those of a zip archive lie in the file still."""
    normalise: bool
    """Whether waveforms get zero mean and unit variance."""
    labels: str = "ltr"
    """Kind of the symbols of a fine-tuned model."""
    symbols: tuple[str, ...] | None = None
    """They themselves, where the file holds them (fairseq 0.11 and later)."""


def is_checkpoint(source: str) -> bool:
    """Whether a model is named by a file, not by a folder or a name on the hub."""
    path = Path(source)
    return path.is_file() or (path.suffix in _SUFFIXES and not path.is_dir())


def read_checkpoint(source: str) -> Checkpoint:
    """Reads a wav2vec 2.0 model of fairseq, pretrained or fine-tuned with CTC; nothing in the file is executed.

    Raises:
        InputError: If it is another model, damaged, or its settings and weights contradict each other.
    """
    document = _unpickle(Path(source))
    model = document.get("model") if isinstance(document, dict) else None
    settings = document.get("cfg") or document.get("args") if isinstance(document, dict) else None
    named = isinstance(model, dict) and all(isinstance(x, Tensor) and isinstance(key, str) for key, x in model.items())
    if not named or not settings:
        raise InputError(
            f"{source}: {_kind(document)}; a checkpoint of fairseq was expected, which holds 'model' (tensors) and 'cfg' or "
            "'args' (settings). Other models are read as folders of transformers."
        )
    tensors = _without_prefixes(source, document["model"])
    try:
        outer, task, inner, inner_task = _sections(_plain(settings))
        state = _plain(document.get("task_state")) or {}
        symbols = (state.get("target_dictionary") or {}).get("symbols")
    except (RecursionError, TypeError, AttributeError):
        raise InputError(f"{source}: its settings ('cfg' or 'args') cannot be understood.") from None
    config = _configuration(source, inner, tensors)
    weights = {_rename(source, name): tensor for name, tensor in tensors.items()}
    normalise = _normalise(source, config, (task, outer, inner_task, inner))
    labels = task.get("labels")
    return Checkpoint(
        config,
        weights,
        normalise,
        labels=labels if isinstance(labels, str) and labels.isalnum() else "ltr",
        symbols=tuple(map(str, symbols)) if isinstance(symbols, list) else None,
    )


def read_dictionary(source: str) -> Vocabulary:
    """Vocabulary of a model fine-tuned with CTC, from the file, or from fairseq's ``dict.ltr.txt`` beside it.

    Raises:
        InputError: If there is none, or it is not that of the CTC head.
    """
    checkpoint = read_checkpoint(source)
    if "lm_head.weight" not in checkpoint.weights:
        raise InputError(f"{source}: has no CTC head; this is a pretrained encoder. Run speechxl finetune first.")
    place, symbols = Path(source).with_name(f"dict.{checkpoint.labels}.txt"), checkpoint.symbols
    if symbols is None:
        try:
            lines = place.read_text(encoding="utf-8").splitlines()
        except OSError:
            raise InputError(
                f"{source}: the symbols of its CTC head are not in it; fairseq keeps them in {place.name}. Put that file beside "
                "the checkpoint."
            ) from None
        except UnicodeDecodeError as error:
            raise InputError(f"{place}: is not UTF-8 text ({error.reason}).") from None
        symbols = (*_SPECIAL, *(line.rsplit(" ", 1)[0] for line in lines if line.strip()))
    if len(symbols) != checkpoint.config["vocab_size"]:
        raise InputError(
            f"{source}: the CTC head has {checkpoint.config['vocab_size']} symbols and its dictionary ({place.name}) "
            f"{len(symbols)}, with the four that fairseq adds; they belong to different models."
        )
    return Vocabulary(symbols, 0, "|" if "|" in symbols else None)


class _Inert:
    """Stands for whatever a pickle asks for that is not a tensor or a plain container, and only keeps what it is given."""

    def __new__(cls, *arguments: Any) -> "_Inert":
        self = super().__new__(cls)
        self.arguments, self.state = arguments, None
        return self

    def __init__(self, *arguments: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        self.state = state

    arguments: tuple[Any, ...]
    state: Any


def _mapping(*_: Any) -> dict[Any, Any]:
    """Stands for defaultdict, which is filled item by item."""
    return {}


def _unpickle(path: Path) -> Any:
    """The object in a file of `torch.save`, new or legacy format.

    torch's unpickler for weights calls nothing but what rebuilds tensors and what it is told to; every other name in the
    file is told to be `_Inert`.
    """
    if not path.is_file():
        raise InputError(f"{path}: there is no such file.")
    try:
        with path.open("rb") as file:
            zipped = file.read(4) == b"PK\x03\x04"
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path) if zipped else _legacy_globals(path)
        blocked = [name for name in names if name.split(".")[0] in _NEVER_LOADED]
        if not blocked:
            stand_ins = [(_mapping if name == "collections.defaultdict" else _Inert, name) for name in names]
            with torch.serialization.safe_globals(stand_ins):  # type: ignore[arg-type]
                return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except Exception as error:  # a damaged file can fail anywhere
        reason = (str(error).split("WeightsUnpickler error:")[-1].strip() or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{path}: cannot be read as a checkpoint of fairseq ({reason}); it is damaged or something else. Fetch it again."
        ) from None
    raise InputError(
        f"{path}: asks to run {', '.join(blocked[:3])} when it is read; that is no checkpoint to trust. Nothing was run."
    )


def _legacy_globals(path: Path) -> set[str]:
    """Names that a file of torch before 1.6 refers to: magic number, version, machine and object are one pickle each."""
    with path.open("rb") as file:
        return set().union(*(get_globals_in_pkl(file) for _ in range(4)))


def _plain(value: Any) -> Any:
    """Settings as dicts, lists and scalars, from Namespace, omegaconf and enums that were read as `_Inert`."""
    if isinstance(value, _Inert):
        state = value.state
        if not isinstance(state, dict):
            return _plain(value.arguments[-1]) if value.arguments else None  # an enum is its value
        return _plain(state.get("_content", state.get("_val")) if "_metadata" in state else state)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _sections(settings: dict[str, Any]) -> tuple[dict[str, Any], ...]:
    """Settings of model and task, and of the pretrained model and task inside, which are the same before fine-tuning.

    Old files have one flat namespace for all of them.
    """

    def part(settings: dict[str, Any], name: str) -> dict[str, Any]:
        return found if isinstance(found := settings.get(name), dict) else settings

    outer = part(settings, "model")
    inner = part(outer, "w2v_args")
    return outer, part(settings, "task"), part(inner, "model"), part(inner, "task")


def _kind(document: Any) -> str:
    """What a file holds instead of a fairseq checkpoint."""
    if not isinstance(document, dict):
        return f"holds a {'pickled object' if isinstance(document, _Inert) else type(document).__name__}"
    if "pytorch-lightning_version" in document:
        return "is a checkpoint of Lightning"
    if document and all(isinstance(value, Tensor) for value in document.values()):
        return f"holds weights only ({len(document)} tensors)"
    return f"holds {', '.join(map(repr, list(document)[:6])) or 'nothing'}"


def _without_prefixes(source: str, model: dict[str, Tensor]) -> dict[str, Tensor]:
    """Tensors by the names of the pretrained model; the CTC head of a fine-tuned one is ``proj``."""
    if any(".adapter_layer." in name for name in model):
        raise InputError(
            f"{source}: holds language adapters (MMS, fine-tuned), which are not read from fairseq's files. Start from the "
            "pretrained base_300m.pt or base_1b.pt, or from a folder of transformers such as facebook/mms-1b-all."
        )
    prefix = r"^w2v_encoder\.(w2v_model\.|(?=proj\.))"
    return {re.sub(prefix, "", name): tensor for name, tensor in model.items()}


def _rename(source: str, name: str) -> str:
    for pattern, ours in _NAMES:
        if match := pattern.fullmatch(name):
            return match.expand(ours)
    raise InputError(
        f"{source}: the parameter {name} does not belong to wav2vec 2.0 or its CTC head, so the model is another one."
    )


def _configuration(source: str, settings: dict[str, Any], tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Configuration of `transformers`; where settings are silent the weights speak, where both speak they must agree."""
    name = settings.get("_name") or settings.get("arch") or "wav2vec2"
    if name != "wav2vec2":
        raise InputError(
            f"{source}: the model is {name!r}; only fairseq's 'wav2vec2' can be read (not HuBERT, data2vec, ...)."
        )
    for field, only in _ONLY.items():
        if settings.get(field, only) not in (only, None):
            raise InputError(
                f"{source}: was trained with {field} {settings[field]!r}; only models with {only!r} can be represented."
            )
    if settings.get("negatives_from_everywhere") or settings.get("cross_sample_negatives"):
        log.warning(
            "%s: distractors were drawn elsewhere too; here they are masked frames of the same utterance", source
        )

    def shape(name: str, dimensions: int) -> torch.Size:
        if name not in tensors:
            raise InputError(f"{source}: has no parameter {name}, so it is not a wav2vec 2.0 model.")
        size = tensors[name].shape
        if len(size) != dimensions or 0 in size:
            raise InputError(
                f"{source}: the parameter {name} has shape {tuple(size)}; {dimensions} dimensions were expected."
            )
        return size

    def number(field: str, default: float) -> Any:
        value = settings.get(field)
        value = default if value is None else value
        if not isinstance(value, type(default)) and not (isinstance(value, int) and isinstance(default, float)):
            raise InputError(
                f"{source}: {field} is {value!r} in its settings; a {type(default).__name__} was expected."
            )
        return value

    def count(pattern: str) -> int:
        return 1 + max((int(match[1]) for match in (re.match(pattern, name) for name in tensors) if match), default=-1)

    convs = _convolutions(source, settings.get("conv_feature_layers") or _CONVOLUTIONS)
    depth = count(r"feature_extractor\.conv_layers\.(\d+)\.")
    kernels = [shape(f"feature_extractor.conv_layers.{index}.0.weight", 3) for index in range(depth)]
    (width,), (_, per_group, positions) = shape("encoder.layer_norm.weight", 1), shape("encoder.pos_conv.0.weight_v", 3)
    heads, groups = number("encoder_attention_heads", 12), number("latent_groups", 2)
    for field, value in {"encoder_attention_heads": heads, "latent_groups": groups}.items():
        if value < 1:
            raise InputError(f"{source}: {field} is {value} in its settings; at least 1 was expected.")
    measured: dict[str, Any] = {
        "extractor_mode": "layer_norm" if "feature_extractor.conv_layers.0.2.1.weight" in tensors else "default",
        "conv_bias": "feature_extractor.conv_layers.0.0.bias" in tensors,
        "encoder_layers": count(_LAYER),
        "encoder_embed_dim": width,
        "encoder_ffn_embed_dim": shape("encoder.layers.0.fc1.weight", 2)[0],
        "conv_pos": positions,
        "conv_pos_groups": width // per_group,
    }
    if "final_proj.weight" in tensors:
        measured["final_dim"] = shape("final_proj.weight", 2)[0]
    if "quantizer.vars" in tensors:
        _, codes, features = shape("quantizer.vars", 3)
        measured |= {"latent_vars": codes // groups, "latent_dim": features * groups}
    for field, value in measured.items():
        said = settings.get(field)
        if said not in (None, value) and not (field in ("final_dim", "latent_dim") and said == 0):
            raise InputError(f"{source}: {field} is {said!r} in its settings and {value!r} in its weights.")
    if [(dim, kernel) for dim, kernel, _ in convs] != [(size[0], size[2]) for size in kernels]:
        raise InputError(
            f"{source}: conv_feature_layers is {settings.get('conv_feature_layers')!r} in its settings, and the weights have "
            f"(channels, kernel) {[(size[0], size[2]) for size in kernels]}."
        )
    activation = settings.get("activation_fn") or "gelu"
    if width % heads:
        raise InputError(f"{source}: encoder_attention_heads is {heads}, which does not divide the width {width}.")
    if activation not in ("gelu", "relu"):
        raise InputError(f"{source}: activation_fn is {activation!r}; only 'gelu' and 'relu' are supported.")
    final = measured.get("final_dim") or max(number("final_dim", 0), 0) or width
    return {
        "model_type": "wav2vec2",
        "hidden_size": width,
        "num_hidden_layers": measured["encoder_layers"],
        "num_attention_heads": heads,
        "intermediate_size": measured["encoder_ffn_embed_dim"],
        "hidden_act": activation,
        "conv_dim": tuple(dim for dim, _, _ in convs),
        "conv_kernel": tuple(kernel for _, kernel, _ in convs),
        "conv_stride": tuple(stride for _, _, stride in convs),
        "conv_bias": measured["conv_bias"],
        "feat_extract_norm": "layer" if measured["extractor_mode"] == "layer_norm" else "group",
        "do_stable_layer_norm": number("layer_norm_first", False),
        "num_conv_pos_embeddings": positions,
        "num_conv_pos_embedding_groups": measured["conv_pos_groups"],
        "hidden_dropout": number("dropout", 0.1),
        "attention_dropout": number("attention_dropout", 0.1),
        "activation_dropout": number("activation_dropout", 0.0),
        "feat_proj_dropout": number("dropout_input", 0.0),
        "feat_quantizer_dropout": number("dropout_features", 0.0),
        "layerdrop": number("encoder_layerdrop", 0.0),
        "final_dropout": 0.0,
        "num_codevectors_per_group": measured.get("latent_vars") or number("latent_vars", 320),
        "num_codevector_groups": groups,
        "codevector_dim": measured.get("latent_dim") or max(number("latent_dim", 0), 0) or final,
        "proj_codevector_dim": final,
        "vocab_size": shape("proj.weight", 2)[0] if "proj.weight" in tensors else 32,
        "ctc_loss_reduction": "mean",
        "ctc_zero_infinity": True,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
    }


def _convolutions(source: str, text: Any) -> list[tuple[int, int, int]]:
    """(channels, kernel, stride) of each layer, from text such as ``[(512,10,5)] + [(512,3,2)] * 4``."""

    def value(node: ast.AST) -> Any:
        if isinstance(node, ast.Constant) and type(node.value) is int:
            return node.value
        if isinstance(node, (ast.Tuple, ast.List)):
            return [value(item) for item in node.elts]
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mult)):
            left, right = value(node.left), value(node.right)
            if isinstance(node.op, ast.Add) and isinstance(left, list) and isinstance(right, list):
                return left + right
            if isinstance(left, list) and isinstance(right, int) and len(left) * right <= _LARGEST_STACK:
                return left * right
        raise ValueError

    try:
        layers = value(ast.parse(text, mode="eval").body) if isinstance(text, str) else text
        stack = [(int(dim), int(kernel), int(stride)) for dim, kernel, stride in layers]
        if not stack or min(map(min, stack)) < 1:
            raise ValueError
        return stack
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        raise InputError(
            f"{source}: conv_feature_layers is {text!r}; a list of (channels, kernel, stride) such as {_CONVOLUTIONS!r} was "
            "expected."
        ) from None


def _normalise(source: str, config: dict[str, Any], sections: Sequence[dict[str, Any]]) -> bool:
    """What the settings say; a fine-tuned model must have been given waveforms as the pretrained one was."""
    said = {section["normalize"] for section in sections if isinstance(section.get("normalize"), bool)}
    if len(said) > 1:
        raise InputError(
            f"{source}: normalize is true in some of its settings and false in others (before fine-tuning)."
        )
    if said:
        return said.pop()
    usual = config["feat_extract_norm"] == "layer"
    log.warning("%s: does not say whether waveforms are normalised; %s, as is usual for its kind", source, usual)
    return usual
