from types import SimpleNamespace

import pytest
import torch

from speechxl.config import PRESETS, Architecture, Contrast, Dropout, Mask, resolve, settle
from speechxl.models.flops import TRAINING, flop_counter, flops_per_second
from speechxl.models.making import configuration, new_pretraining_model
from speechxl.shapes import Batch
from speechxl.tasks.pretraining import Pretraining

PUBLISHED = {"w2v2-base": (780, 15.4), "xls-r-300m": (1000, 41.0), "xls-r-1b": (1000, 113.1), "xls-r-2b": (1000, 238.9)}
"""Frames of an utterance, and GFLOP per second of it, worked out by hand from the sizes in the papers."""


@pytest.mark.parametrize("preset", PUBLISHED)
def test_published_models_cost_what_their_sizes_say(preset):
    frames, expected = PUBLISHED[preset]
    linear, square = flops_per_second(configuration(PRESETS[preset]))
    assert (linear + square * frames / 50) / 1e9 == pytest.approx(expected, abs=0.05)


def counted(task, seconds):
    """Operations of a forward pass, and of one with its backward pass, as torch counts them."""
    samples = int(16_000 * seconds)
    batch = Batch(["a"], torch.tensor([3]), torch.randn(1, samples), torch.tensor([samples]), False, torch.zeros(1))
    with flop_counter() as counter:
        loss = task.loss(batch).total
        forward = counter.get_total_flops()
        loss.backward()
    return forward, counter.get_total_flops()


@pytest.mark.parametrize("dropout", [Dropout(), Dropout(attention=0.1)], ids=["fused_attention", "plain_attention"])
def test_the_polynomial_is_what_torch_counts(dropout):
    torch.manual_seed(0)
    preset = resolve("tiny", Architecture(conv_channels=64, layers=3, width=96, ffn=128, heads=2), dropout)
    task = Pretraining(
        new_pretraining_model(preset), mask=Mask(), objective=settle(Contrast(), preset, gumbel_start=2.0),
        hours={"swh": 1.0}, seed=1, lr=1e-3, schedule=lambda step: 1.0, weight_decay=0.0,
    ).train()  # fmt: skip
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True)
    linear, square = flops_per_second(configuration(preset))
    assert square * 20 > 0.4 * linear
    for seconds in (5, 20):
        forward, both = counted(task, seconds)
        cost = linear * seconds + square * seconds**2
        assert forward == pytest.approx(cost, rel=0.03)
        assert both == pytest.approx(TRAINING * cost, rel=0.08)  # fused attention computes its weights twice


def test_the_gradient_of_a_grouped_convolution_counts_twice_its_forward_pass():
    convolution = torch.nn.Conv1d(16, 32, 5, groups=4)
    with flop_counter() as counter:
        output = convolution(torch.randn(2, 16, 24, requires_grad=True))
        forward = counter.get_total_flops()
        output.sum().backward()
    assert forward == 2 * 2 * 20 * 32 * 4 * 5
    assert counter.get_total_flops() == 3 * forward
