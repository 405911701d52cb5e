"""Peer and own models with the same weights."""

import copy
from dataclasses import replace
from typing import Any

import torch
from transformers import PreTrainedModel

from speechxl.config import PRESETS, Preset
from speechxl.models.making import configuration, with_encoder


def preset_of(name: str) -> Preset:
    """A preset without layer drop, which would make steps of different work."""
    preset = PRESETS[name]
    return replace(preset, dropout=replace(preset.dropout, layer=0.0))


def pair(kind: type[PreTrainedModel], preset: Preset, device: str, **fields: Any) -> dict[str, Any]:
    """A model of `transformers`, and the same with this package's encoder."""
    torch.manual_seed(0)
    config = configuration(preset)
    for name, value in fields.items():
        setattr(config, name, value)
    peer = kind(config)
    own = with_encoder(copy.deepcopy(peer))
    return {"peer": peer.to(device).train(), "speechxl": own.to(device).train()}
