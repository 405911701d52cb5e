"""Feature extractor and whole encoder, forward and backward, against `transformers`."""

import argparse

import torch
from compare import Step, arguments, run
from models import pair, preset_of
from transformers import Wav2Vec2ForPreTraining


def extractor(options: argparse.Namespace, side: str) -> Step:
    """A step of the seven convolutions."""
    module = pair(Wav2Vec2ForPreTraining, preset_of(options.preset), options.device)[side].wav2vec2.feature_extractor
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)
    grad: list[torch.Tensor] = []

    def step() -> None:
        features = module(waveform.clone())
        if not grad:
            grad.append(torch.randn_like(features))
        features.backward(grad[0].to(features.dtype))
        module.zero_grad()

    return step


def encoder(options: argparse.Namespace, side: str) -> Step:
    """A step of extractor and transformer."""
    module = pair(Wav2Vec2ForPreTraining, preset_of(options.preset), options.device)[side].wav2vec2
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)

    def step() -> None:
        output = module(waveform.clone())
        features = output.last_hidden_state if side == "peer" else output.features
        features.float().square().sum().backward()
        module.zero_grad()

    return step


if __name__ == "__main__":
    run("encoder", arguments(__doc__), {"extractor": extractor, "encoder": encoder})
