"""Checkpoint files as fairseq writes them, of small random models; parameter names are spelt out as in `wav2vec2.py`."""

import argparse
import sys
import types
from collections import defaultdict
from contextlib import contextmanager
from unittest.mock import patch

import torch

CONVOLUTIONS = "[(16,10,5)] + [(16,3,2)] * 4 + [(16,2,2)] * 2"
WIDTH, FFN, LAYERS, HEADS, FINAL, CODES, POSITIONS, GROUPS = 32, 48, 2, 2, 12, 6, 16, 4
DICTIONARY = "| 90\na 50\nb 40\n"


def tensors(family):
    """Random parameters of a pretrained ``"base"`` (post-norm, group norm) or ``"large"`` (pre-norm, layer norm) model."""
    shapes = {"mask_emb": (WIDTH,), "post_extract_proj.weight": (WIDTH, 16), "post_extract_proj.bias": (WIDTH,)}
    for index, kernel in enumerate([10, 3, 3, 3, 3, 2, 2]):
        conv = f"feature_extractor.conv_layers.{index}"
        shapes[f"{conv}.0.weight"] = (16, 16 if index else 1, kernel)
        if family == "large":
            shapes[f"{conv}.0.bias"] = (16,)
            shapes |= pair(f"{conv}.2.1", 16)
        elif index == 0:
            shapes |= pair(f"{conv}.2", 16)
    shapes |= {
        "encoder.pos_conv.0.bias": (WIDTH,),
        "encoder.pos_conv.0.weight_g": (1, 1, POSITIONS),
        "encoder.pos_conv.0.weight_v": (WIDTH, WIDTH // GROUPS, POSITIONS),
    }
    for index in range(LAYERS):
        layer = f"encoder.layers.{index}"
        for name in ("k_proj", "v_proj", "q_proj", "out_proj"):
            shapes |= pair(f"{layer}.self_attn.{name}", WIDTH, WIDTH)
        shapes |= pair(f"{layer}.self_attn_layer_norm", WIDTH) | pair(f"{layer}.final_layer_norm", WIDTH)
        shapes |= pair(f"{layer}.fc1", FFN, WIDTH) | pair(f"{layer}.fc2", WIDTH, FFN)
    shapes |= pair("encoder.layer_norm", WIDTH) | pair("layer_norm", 16)
    shapes |= {"quantizer.vars": (1, 2 * CODES, FINAL // 2)} | pair("quantizer.weight_proj", 2 * CODES, 16)
    shapes |= pair("project_q", FINAL, FINAL) | pair("final_proj", FINAL, WIDTH)
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.randn(shape, generator=generator) * 0.2 + ("norm.weight" in name or ".2." in name)
        for name, shape in shapes.items()
    }


def pair(name, *shape):
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def fine_tuned(family, symbols=7):
    """Parameters after fine-tuning with CTC."""
    lost = ("quantizer.", "project_q.", "final_proj.")
    kept = {name: tensor for name, tensor in tensors(family).items() if not name.startswith(lost)}
    generator = torch.Generator().manual_seed(1)
    return {f"w2v_encoder.w2v_model.{name}": tensor for name, tensor in kept.items()} | {
        "w2v_encoder.proj.weight": torch.randn(symbols, WIDTH, generator=generator),
        "w2v_encoder.proj.bias": torch.randn(symbols, generator=generator),
    }


def model_settings(family, **changes):
    """What fairseq's `Wav2Vec2Config` says of such a model."""
    large = family == "large"
    return {
        "_name": "wav2vec2", "extractor_mode": "layer_norm" if large else "default", "layer_norm_first": large,
        "conv_bias": large, "conv_feature_layers": CONVOLUTIONS, "encoder_layers": LAYERS, "encoder_embed_dim": WIDTH,
        "encoder_ffn_embed_dim": FFN, "encoder_attention_heads": HEADS, "activation_fn": "gelu", "layer_type": "transformer",
        "dropout": 0.0, "attention_dropout": 0.0, "activation_dropout": 0.0, "encoder_layerdrop": 0.05,
        "dropout_input": 0.1, "dropout_features": 0.1, "final_dim": FINAL, "latent_vars": CODES, "latent_groups": 2,
        "latent_dim": 0, "quantize_targets": True, "quantize_input": False, "target_glu": False, "quantizer_depth": 1,
        "conv_pos": POSITIONS, "conv_pos_groups": GROUPS, "pos_conv_depth": 1, "latent_temp": [2.0, 0.1, 0.999995],
    } | changes  # fmt: skip


def settings(family, form="dict", **changes):
    """``cfg`` or ``args`` of a pretrained model, in one of the forms that fairseq has had."""
    model, normalize = model_settings(family, **changes), family == "large"
    if form == "args":  # everything in one namespace, until 2020
        return {
            "args": argparse.Namespace(arch=model.pop("_name"), task="audio_pretraining", normalize=normalize, **model)
        }
    return {"cfg": {"model": model, "task": {"_name": "audio_pretraining", "normalize": normalize, "labels": None}}}


def fine_tuned_settings(family, form="dict", normalize=None):
    """The same of a model fine-tuned with CTC."""
    normalize = family == "large" if normalize is None else normalize
    inner = settings(family, form)
    if form == "args":
        return {
            "args": argparse.Namespace(arch="wav2vec_ctc", normalize=normalize, labels="ltr", w2v_args=inner["args"])
        }
    model = {"_name": "wav2vec_ctc", "normalize": "${task.normalize}", "dropout": 0.2, "w2v_args": inner["cfg"]}
    return {"cfg": {"model": model, "task": {"_name": "audio_finetuning", "normalize": normalize, "labels": "ltr"}}}


def save(path, parameters, said, *, zipped=True, **more):
    """Writes a checkpoint with what else fairseq puts into it."""
    document = {"args": None, "cfg": None, **said, "model": parameters, "criterion": None, "task_state": {}}
    document |= {"optimizer_history": [{"num_updates": 3}], "extra_state": {"epoch": 2}, **more}
    with hidden_modules():
        torch.save(document, path, _use_new_zipfile_serialization=zipped)
    return str(path)


@contextmanager
def hidden_modules():
    """Modules that pickled classes pretend to come from while a file is written, and that are gone when it is read."""
    names = ("omegaconf", "omegaconf.dictconfig", "omegaconf.nodes", "omegaconf.base")
    names += ("fairseq", "fairseq.data", "fairseq.data.dictionary", "fairseq.constants")
    modules = {name: types.ModuleType(name) for name in names}
    for kind in (DictConfig, ListConfig, AnyNode, EnumNode, ContainerMetadata, Mode, Dictionary):
        setattr(modules[kind.__module__], kind.__name__, kind)
    with patch.dict(sys.modules, modules):
        yield


def pretend(module):
    def change(kind):
        kind.__module__, kind.__qualname__ = module, kind.__name__
        return kind

    return change


@pretend("omegaconf.base")
class ContainerMetadata:
    def __init__(self):
        self.ref_type, self.object_type, self.key, self.flags = dict, type(None), None, {"struct": True}
        self.resolver_cache = defaultdict(dict, {"now": {}})


class _Node:
    def __init__(self, parent, **content):
        self.__dict__.update(_metadata=ContainerMetadata(), _parent=parent, **content)


@pretend("omegaconf.dictconfig")
class DictConfig(_Node):
    pass


@pretend("omegaconf.dictconfig")
class ListConfig(_Node):
    pass


@pretend("omegaconf.nodes")
class AnyNode(_Node):
    pass


@pretend("omegaconf.nodes")
class EnumNode(_Node):
    pass


@pretend("fairseq.constants")
class Mode:
    """An enum, which is pickled as its class and value."""

    def __init__(self, value):
        self.value = value

    def __reduce__(self):
        return Mode, (self.value,)


@pretend("fairseq.data.dictionary")
class Dictionary:
    def __init__(self, symbols):
        self.symbols, self.count, self.bos_word = list(symbols), [1] * len(symbols), "<s>"


def omegaconf(value, parent=None):
    """Settings as `omegaconf` pickles them: a tree of nodes that know their parents."""
    if isinstance(value, dict):
        node = DictConfig(parent, _content={})
        node._content.update({key: omegaconf(item, node) for key, item in value.items()})
        return node
    if isinstance(value, list):
        node = ListConfig(parent, _content=[])
        node._content.extend(omegaconf(item, node) for item in value)
        return node
    if value in ("layer_norm", "default"):
        return EnumNode(parent, _val=Mode(value))
    return AnyNode(parent, _val=value)
