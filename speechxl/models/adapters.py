"""Small added weights that are trained in the place of the model's own: LoRA, and the adapters of MMS.

LoRA (Hu et al. 2022, section 4.1) adds scale / rank · B A to the weights of linear layers. It is trained by `peft`, stored in its
format, and merged into the weights when it is read, so that it costs nothing more then and needs no `peft`.
An adapter of MMS (Pratap et al. 2023) is a bottleneck after each transformer layer: normalisation, two linear layers with a ReLU
between them, residual. It is trained by what `transformers` has for it and stored under its file names.
Either file holds the output layer as well.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2AttnAdapterLayer

from speechxl.errors import InputError
from speechxl.files import replace_file, write_text

LORA, LORA_SETTINGS = "adapter_model.safetensors", "adapter_config.json"
"""As `peft` names them."""
BOTTLENECK = "adapter_layer."
"""In the names of `transformers`' parameters."""
_PREFIX = "base_model.model."
_HEAD = "lm_head."
_SAMPLE = 256


@dataclass(frozen=True)
class Added:
    """What ``speechxl.json`` says of a folder that holds added weights only."""

    kind: str
    """``"lora"`` or ``"mms"``."""
    base: str
    """Model that they belong to: a path, absolute or relative to the folder, or a name on the hub."""
    base_weights: str
    """`fingerprint` of that model."""
    name: str | None = None
    """Language in the name of an MMS adapter's file."""

    @property
    def file(self) -> str:
        """Name of the file with the weights."""
        return LORA if self.kind == "lora" else bottleneck_file(self.name or "")


def bottleneck_file(language: str) -> str:
    """Name that `transformers` gives the adapter of a language."""
    return f"adapter.{language}.safetensors"


def fingerprint(network: Any) -> str:
    """Short name of an encoder's weights: a hash of some hundred values of each tensor, whatever file they came from.

    Adapters and the mask embedding are not counted, as a checkpoint may lack them.
    """
    digest = hashlib.sha256()
    for name, value in network.wav2vec2.state_dict().items():
        if BOTTLENECK not in name and name != "masked_spec_embed":
            flat = value.detach().flatten()
            digest.update(flat[:: max(1, len(flat) // _SAMPLE)].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def add_lora(
    network: nn.Module,
    *,
    rank: int,
    scale: int,
    targets: Sequence[str],
    layers: nn.ModuleList | None = None,
    heads: Sequence[str] = (_HEAD,),
) -> None:
    """Adds LoRA to linear layers of each transformer layer, and freezes all but that and the output layer.

    Args:
        network: `Wav2Vec2ForCTC`, or a model for classification; it gives the same as before until it is trained.
        rank: Columns of B.
        scale: Usually called alpha.
        targets: Names of the linear layers, such as ``q_proj``.
        layers: Transformer layers; by default those of wav2vec 2.0.
        heads: What the names of parameters begin with that are trained as well.

    Raises:
        InputError: If `peft` is not installed, or there is no such layer.
    """
    if find_spec("peft") is None:
        raise InputError("--adapter.kind lora needs peft: pip install 'speechxl[lora]'.")
    from peft import LoraConfig, inject_adapter_in_model

    layers = layers or cast(nn.ModuleList, network.get_submodule("wav2vec2.encoder.layers"))
    linear = {name.rpartition(".")[2] for name, module in layers.named_modules() if isinstance(module, nn.Linear)}
    if wrong := sorted(set(targets) - linear):
        raise InputError(f"--adapter.targets: there is no {', '.join(wrong)}; there are {', '.join(sorted(linear))}.")
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=scale, target_modules=list(targets)), network)
    _train_only(network, "lora_", heads)


def add_bottlenecks(network: Any, *, begin: bool = True) -> None:
    """Draws the weights of the adapters as `transformers` does, and freezes all but them and the output layer.

    Args:
        network: `Wav2Vec2ForCTC` that was made with ``adapter_attn_dim``.
        begin: Whether the weights are drawn; if not, they are those of the adapter that the network has.

    Raises:
        InputError: If it has no place for adapters.
    """
    blocks = [module for module in network.modules() if isinstance(module, Wav2Vec2AttnAdapterLayer)]
    if not blocks:
        raise InputError(
            "--adapter.kind mms: transformers knows these adapters only where layers normalise first (XLSR-53, XLS-R, MMS: "
            "do_stable_layer_norm in config.json); take --adapter.kind lora."
        )
    for block in blocks if begin else ():  # `init_adapter_layers` of transformers 5.23 leaves them as they are
        for linear in (block.linear_1, block.linear_2):
            nn.init.normal_(linear.weight, std=network.config.initializer_range)
            nn.init.zeros_(linear.bias)
        block.norm.reset_parameters()
    _train_only(network, BOTTLENECK)


def _train_only(network: nn.Module, part: str, heads: Sequence[str] = (_HEAD,)) -> None:
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(part in name or name.startswith(tuple(heads)))


def merged_state(network: nn.Module) -> dict[str, Tensor]:
    """Weights with what LoRA has learnt added to them, by the names that they had before LoRA was."""
    state = {}
    for name, value in network.state_dict().items():
        if "lora_" not in name:
            state[name.replace(".base_layer.", ".")] = value.detach()
    for name, module in network.named_modules():
        if hasattr(module, "lora_A"):
            state[f"{name}.weight"] = state[f"{name}.weight"] + module.get_delta_weight("default").detach()
    return state


def save_added(folder: Path, network: Any, added: Added) -> None:
    """Writes the added weights and the output layer, as `peft` or `transformers` reads them."""
    part = "lora_" if added.kind == "lora" else BOTTLENECK
    state = {
        name: value.detach().cpu().contiguous()
        for name, value in network.named_parameters()
        if part in name or name.startswith(_HEAD)
    }
    if added.kind == "lora":
        state = {_PREFIX + name.replace(".default.", "."): value for name, value in state.items()}
        settings = network.peft_config["default"].to_dict() | {
            "base_model_name_or_path": added.base,
            "modules_to_save": ["lm_head"],
            "inference_mode": True,
        }
        write_text(folder / LORA_SETTINGS, json.dumps(settings, indent=2, sort_keys=True, default=sorted) + "\n")
    replace_file(folder / added.file, lambda path: save_file(state, path, metadata={"format": "pt"}))


def find_base(source: str, base: str) -> str:
    """The model that added weights belong to: where it was, or beside their folder.

    Args:
        source: Folder of the added weights.
        base: As ``speechxl.json`` has it.

    Raises:
        InputError: If it is a path and is not there.
    """
    folder, path = Path(source), Path(base)
    if (folder / path).exists():
        return str(folder / path)
    if not path.is_absolute() and not base.startswith("."):
        return base
    if (beside := folder.parent / path.name).exists():
        return str(beside)
    raise InputError(
        f"{source}: holds added weights only, and the model that they belong to is not at {base} any more, nor beside that "
        f'folder. Write where it is now into "base" in {folder / "speechxl.json"}, as an absolute path or from there.'
    )


def check_base(source: str, network: Any, added: Added, base: str) -> None:
    """Checks that a model is the one that added weights were trained with.

    Raises:
        InputError: If it is another.
    """
    if (found := fingerprint(network)) != added.base_weights:
        raise InputError(
            f"{source}: the added weights were trained with another model than {base} (its weights have the fingerprint {found}, "
            f'speechxl.json says {added.base_weights}); write the path of the right one into "base" in '
            f"{Path(source) / 'speechxl.json'}."
        )


def merge_lora(network: nn.Module, weights: Path, settings: dict[str, Any]) -> bool:
    """Adds what LoRA has learnt to the weights.

    Args:
        network: `Wav2Vec2ForCTC` as it was before training.
        weights: File of `peft`.
        settings: ``adapter_config.json``.

    Returns:
        Whether the output layer was taken over; not where it is of another size.

    Raises:
        InputError: If they do not fit.
    """
    state = {name.removeprefix(_PREFIX): value for name, value in _read(weights).items()}
    factor = settings["lora_alpha"] / settings["r"]
    parameters: dict[str, Any] = dict(network.named_parameters())
    change = {}
    for name in [name for name in state if ".lora_A." in name]:
        down, up = state.pop(name), state.pop(name.replace(".lora_A.", ".lora_B."))
        change[name.replace(".lora_A.", ".")] = factor * (up @ down)
    _check_fit(weights, change, {name: parameters[name] for name in change if name in parameters})
    with torch.no_grad():
        for name, value in change.items():
            parameters[name] += value
    return _put_head(network, weights, state)


def load_bottlenecks(network: nn.Module, weights: Path) -> bool:
    """Loads the adapter of a language.

    Args:
        network: `Wav2Vec2ForCTC` with places for adapters.
        weights: File of `transformers`.

    Returns:
        Whether the output layer was taken over; not where it is of another size.

    Raises:
        InputError: If they do not fit.
    """
    state = _read(weights)
    own = {name: value for name, value in state.items() if BOTTLENECK in name}
    _check_fit(weights, own, {name: value for name, value in network.named_parameters() if BOTTLENECK in name})
    network.load_state_dict(own, strict=False)
    return _put_head(network, weights, {name: value for name, value in state.items() if name not in own})


def _put_head(network: nn.Module, path: Path, state: dict[str, Tensor]) -> bool:
    head = {name: value for name, value in network.named_parameters() if name.startswith(_HEAD)}
    if state.keys() == head.keys() and any(state[name].shape != head[name].shape for name in head):
        return False
    _check_fit(path, state, head)
    network.load_state_dict(state, strict=False)
    return True


def _read(path: Path) -> dict[str, Tensor]:
    try:
        return {name: value.float() for name, value in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: the weights cannot be read: {error}") from None


def _check_fit(path: Path, given: dict[str, Tensor], wanted: dict[str, Any]) -> None:
    names = given.keys() | wanted.keys()
    broken = sorted(name for name in names if _shape(given.get(name)) != _shape(wanted.get(name)))
    if broken:
        raise InputError(
            f"{path}: does not fit the model: {', '.join(broken[:3])}{' ...' if len(broken) > 3 else ''} missing, too many or "
            "of another shape."
        )


def _shape(value: Tensor | None) -> tuple[int, ...] | None:
    return None if value is None else tuple(value.shape)
