"""What the heads of articulation add to a step of CTC fine-tuning, and what they would take one after the other.

In the part `overhead`, the peer is a step without attributes; in `one_by_one`, it computes the loss of one head at a time.
"""

import argparse

import torch
import torch.nn.functional as F
from compare import Step, arguments, run
from finetune_step import own_step
from models import pair, preset_of
from torch import nn
from transformers import Wav2Vec2ForCTC

from speechxl.config import Articulation
from speechxl.models.phone_note import PhoneNote
from speechxl.tasks.articulation import LearnArticulation
from speechxl.text import Vocabulary
from speechxl.verbs.articulation import learn_articulation

PHONES = [
    "p", "b", "t", "d", "k", "ɡ", "m", "n", "ŋ", "ɲ", "f", "v", "s", "z", "ʃ", "ʒ", "x", "h", "l", "r", "j", "w",
    "ʔ", "q", "ɬ", "t͡ʃ", "d͡ʒ", "t͡s", "pʰ", "tʰ", "kʰ", "a", "e", "i", "o", "u", "ɛ", "ɔ", "ə", "ɪ", "ʊ", "y",
    "ø", "ã", "ẽ", "ĩ", "õ", "ũ", "aː", "iː", "uː", "ai", "au", "ei", "ou",
]  # fmt: skip
PER_SECOND = 10
"""Phones that are said."""


def network_of(options: argparse.Namespace) -> tuple[Wav2Vec2ForCTC, Vocabulary]:
    """A model of these phones."""
    vocabulary = Vocabulary(("<pad>", "<unk>", *PHONES), 0, None)
    fields = {"vocab_size": len(vocabulary)}
    return pair(Wav2Vec2ForCTC, preset_of(options.preset), options.device, **fields)["speechxl"], vocabulary


def learning(network: nn.Module, vocabulary: Vocabulary, device: str) -> LearnArticulation:
    """Puts heads on a network."""
    _, learn = learn_articulation(
        network, PhoneNote("", "", "", {"": dict.fromkeys(PHONES, 1)}), vocabulary, Articulation()
    )
    network.to(device)
    return learn.to(device)


def spoken(options: argparse.Namespace, vocabulary: Vocabulary) -> torch.Tensor:
    """(B, U) phones at random."""
    torch.manual_seed(1)
    shape = (options.batch, int(PER_SECOND * options.seconds))
    return torch.randint(2, len(vocabulary), shape, device=options.device)


def overhead(options: argparse.Namespace, side: str) -> Step:
    """A whole step; the peer has no heads."""
    network, vocabulary = network_of(options)
    extras = [] if side == "peer" else [learning(network, vocabulary, options.device)]
    waveform = torch.randn(options.batch, int(16_000 * options.seconds), device=options.device)
    return own_step(network, waveform, spoken(options, vocabulary), vocabulary, extras)


def one_by_one(options: argparse.Namespace, side: str) -> Step:
    """The heads' losses alone, forward and backward."""
    network, vocabulary = network_of(options)
    loss = learning(network, vocabulary, options.device).loss
    heads, tokens = network.articulation, spoken(options, vocabulary)
    frames = torch.full((options.batch,), int(50 * options.seconds), device=options.device)
    lengths = torch.full((options.batch,), tokens.shape[1], device=options.device)
    features = torch.randn(options.batch, int(frames[0]), network.config.hidden_size, device=options.device)

    def step() -> None:
        if side == "speechxl":
            found = loss(heads, features, frames, tokens, lengths)
            (found.attributes + found.phones).sum().backward()
        else:
            phones = loss.outputs[tokens]
            scores = [(heads.phone_logits(features, loss.phones), phones)]
            scores += zip(heads.attribute_logits(features).unbind(2), loss.labels[phones - 1].unbind(2), strict=True)
            for logits, labels in scores:
                emissions = logits.float().log_softmax(-1).transpose(0, 1)
                F.ctc_loss(emissions, labels, frames, lengths, reduction="sum", zero_infinity=True).backward(
                    retain_graph=True
                )
        heads.zero_grad()

    return step


if __name__ == "__main__":
    run("articulation_step", arguments(__doc__), {"overhead": overhead, "one_by_one": one_by_one})
