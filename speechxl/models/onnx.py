"""CTC models as ONNX, which runs without torch."""

import json
import logging
import warnings
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import Wav2Vec2ForCTC

from speechxl.errors import InputError
from speechxl.models.extensions import plain as known
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE
from speechxl.text import Vocabulary

INLINE_BYTES = 1_900_000_000
"""Weights from this size on stand in a file beside, as a protocol buffer holds 2 GB."""
_TRACED_SECONDS = 1.0


class Exportable(nn.Module):
    """A CTC model in operations that ONNX has; padding changes nothing, as in this package's encoder.

    Args:
        model: CTC model with this package's encoder, on the CPU.
    """

    def __init__(self, model: Any) -> None:
        super().__init__()
        if model.wav2vec2.feedback is not None:
            raise InputError(
                "The model feeds the predictions of some layers back to others (--conditioning.layers), which cannot be exported."
            )
        config = deepcopy(model.config)
        config._attn_implementation = "sdpa"  # the exporter does not know this package's
        plain = Wav2Vec2ForCTC(config)
        plain.load_state_dict(known(model.state_dict()))
        encoder = plain.wav2vec2
        self.layers, self.projection = encoder.feature_extractor.conv_layers, encoder.feature_projection
        self.encoder, self.head = encoder.encoder, plain.lm_head
        self.geometry: FrameGeometry = model.wav2vec2.geometry
        self.group_norm = model.config.feat_extract_norm == "group"
        self.eval()  # otherwise the exporter leaves dropout and layer drop in

    def forward(self, input_values: Tensor, lengths: Tensor) -> Tensor:
        """Logits (B, F, V) of waveforms (B, T), of which ``lengths`` (B,) samples are valid."""
        hidden = input_values[:, None]
        for number, layer in enumerate(self.layers):
            hidden = self._first(layer, hidden, lengths) if number == 0 and self.group_norm else layer(hidden)
        features, _ = self.projection(hidden.transpose(1, 2))
        return self.head(self.encoder(features, attention_mask=_valid(features.shape[1], self._frames(lengths)))[0])

    def _first(self, layer: Any, waveform: Tensor, lengths: Tensor) -> Tensor:
        """First convolution and its group norm, whose statistics are those of the valid frames."""
        hidden = layer.conv(waveform)  # (B, D, F)
        frames = (lengths - self.geometry.kernels[0]) // self.geometry.strides[0] + 1
        valid = _valid(hidden.shape[2], frames)[:, None].to(hidden.dtype)
        count = frames.to(hidden.dtype)[:, None, None]
        centred = hidden - (hidden * valid).sum(2, keepdim=True) / count
        variance = (centred.square() * valid).sum(2, keepdim=True) / count
        norm = layer.layer_norm
        return layer.activation(centred * (variance + norm.eps).rsqrt() * norm.weight[:, None] + norm.bias[:, None])

    def _frames(self, lengths: Tensor) -> Tensor:
        for kernel, stride in zip(self.geometry.kernels, self.geometry.strides, strict=True):
            lengths = (lengths - kernel) // stride + 1
        return lengths


def write_onnx(path: Path, model: Any, vocabulary: Vocabulary, *, normalise: bool, opset: int | None = None) -> int:
    """Writes a model with all that is needed to use it.

    Args:
        path: Of the file; large weights are written to a file beside it.
        model: CTC model with this package's encoder, on the CPU.
        vocabulary: Of its outputs.
        normalise: Whether it expects zero mean and unit variance.
        opset: Version of ONNX's operators; by default what torch takes.

    Returns:
        The version.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision
    network = Exportable(model)
    samples = int(_TRACED_SECONDS * SAMPLE_RATE)
    batch, time = torch.export.Dim("batch"), torch.export.Dim("samples", min=network.geometry.receptive_field)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two inputs share an axis
        program: Any = torch.onnx.export(
            network,
            (torch.zeros(2, samples), torch.tensor([samples, samples // 2])),
            input_names=["input_values", "lengths"],
            output_names=["logits"],
            dynamic_shapes={"input_values": {0: batch, 1: time}, "lengths": {0: batch}},
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    program.model.metadata_props.update(
        symbols=json.dumps(vocabulary.symbols, ensure_ascii=False),
        blank=str(vocabulary.blank),
        delimiter=vocabulary.delimiter or "",
        units=vocabulary.units,
        normalise=str(normalise).lower(),
        sampling_rate=str(SAMPLE_RATE),
        frame_seconds=str(network.geometry.stride / SAMPLE_RATE),
    )
    size = sum(parameter.numel() * 4 for parameter in network.parameters())
    program.save(path, external_data=size > INLINE_BYTES)
    return int(program.model.opset_imports[""])


def onnx_error(path: Path, waveforms: list[np.ndarray], expected: list[Tensor]) -> float:
    """Largest difference between logits of an ONNX file and those of the model, of each waveform alone and of all as a batch.

    Args:
        path: The file.
        waveforms: Each (T,), normalised as the model expects.
        expected: (F, V) for each.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    lengths = np.array([len(waveform) for waveform in waveforms])
    padded = np.zeros((len(waveforms), lengths.max()), np.float32)
    for row, waveform in zip(padded, waveforms, strict=True):
        row[: len(waveform)] = waveform
    together = session.run(["logits"], {"input_values": padded, "lengths": lengths})[0]
    worst = 0.0
    for number, (waveform, logits) in enumerate(zip(waveforms, expected, strict=True)):
        alone = session.run(["logits"], {"input_values": waveform[None], "lengths": lengths[number : number + 1]})[0][0]
        for found in (alone, together[number, : len(logits)]):
            worst = max(worst, float(np.abs(found - logits.numpy()).max()))
    return worst


def _valid(size: int, lengths: Tensor) -> Tensor:
    """(B, size), True up to each length."""
    return torch.arange(size)[None] < lengths[:, None]
