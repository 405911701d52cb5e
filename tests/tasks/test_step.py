"""What a training step on an accelerator must not do, shown without one."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException, DynamicOutputShapeException, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from speechxl.config import Contrast, Dropout, Mask, settle
from speechxl.models import attention, dropout, extractor
from speechxl.models.making import new_pretraining_model
from speechxl.shapes import Batch
from speechxl.tasks import pretraining
from speechxl.tasks.pretraining import Pretraining
from tests.conftest import small_preset

NOISY = Dropout(hidden=0.1, attention=0.1, activation=0.1, projection=0.1, layer=0.0)
VALUES = (DataDependentOutputException, DynamicOutputShapeException)
"""What a fake tensor raises when its values are asked for."""


def task_of(preset, noise=NOISY, device="cpu"):
    """A task in train mode with clipping; ``w2v2-base`` has group norm, a feature penalty and dropout everywhere."""
    shape = replace(small_preset(preset), dropout=noise, feature_dropout=0.1 if noise.hidden else 0.0)
    with torch.device(device):
        model = new_pretraining_model(shape)
    for module in model.modules():  # transformers makes some where torch.device does not reach
        for name, parameter in module.named_parameters(recurse=False):
            module.register_parameter(name, torch.nn.Parameter(parameter.to(device)))
    task = Pretraining(
        model, mask=Mask(), objective=settle(Contrast(), shape, gumbel_start=2.0),
        hours={"swh": 1.0}, seed=1, lr=1e-3, schedule=lambda step: 1.0, weight_decay=0.01, clip=1.0,
    ).train()  # fmt: skip
    task.__dict__["_trainer"] = SimpleNamespace(global_step=0, training=True, world_size=1, accumulate_grad_batches=1)
    return task


def batch_of(lengths, device="cpu"):
    """Noise of so many samples."""
    longest = max(lengths)
    waveform = torch.randn(len(lengths), longest, device=device)
    samples = torch.tensor(lengths, device=device)
    waveform = waveform * (torch.arange(longest, device=device) < samples[:, None])
    keys = torch.arange(len(lengths), device=device) * 7919 + 3
    return Batch([str(n) for n in lengths], keys, waveform, samples, min(lengths) < longest, torch.zeros_like(keys))


@pytest.fixture
def accelerated(monkeypatch):
    """The way of computing that an accelerator gets."""
    for module in (attention, dropout, extractor, pretraining):
        monkeypatch.setattr(module, "plain_cpu", lambda device: False)


def step(task, batch, precision):
    """Loss, gradients, their normalisation and clipping, and the optimizer."""
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = task.training_step(batch, 0)
    loss.backward()
    optimizer = task.configure_optimizers()["optimizer"]
    task.on_before_optimizer_step(optimizer)
    optimizer.step()


CASES = pytest.mark.parametrize(
    ("preset", "lengths", "precision"),
    [
        ("w2v2-base", [20_000, 20_000], "32"),
        ("w2v2-base", [20_000, 9_000], "bf16"),
        ("xls-r-300m", [20_000, 9_000], "32"),
        ("xls-r-300m", [20_000, 20_000], "bf16"),
    ],
)


@CASES
def test_no_step_asks_for_the_value_of_a_tensor(preset, lengths, precision, accelerated):
    with FakeTensorMode():
        step(task_of(preset), batch_of(lengths), precision)


@pytest.mark.parametrize("ask", [torch.Tensor.item, bool, torch.Tensor.nonzero], ids=["item", "bool", "nonzero"])
def test_a_step_that_asks_for_a_value_is_found(ask, accelerated, monkeypatch):
    loss = Pretraining.loss

    def curious(self, batch):
        found = loss(self, batch)
        ask(found.total)
        return found

    monkeypatch.setattr(Pretraining, "loss", curious)
    with FakeTensorMode(), pytest.raises(VALUES):
        step(task_of("w2v2-base"), batch_of([20_000, 20_000]), "32")


def test_a_cpu_s_own_way_asks_and_is_found():
    with FakeTensorMode(), pytest.raises(VALUES):
        step(task_of("w2v2-base"), batch_of([20_000, 20_000]), "32")


class Copies(TorchDispatchMode):
    """Notes the operations that bring a tensor from an accelerator to the CPU, or the other way."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        tensors = [x for x in torch.utils._pytree.tree_leaves((args, kwargs, result)) if isinstance(x, torch.Tensor)]
        if len({tensor.device.type for tensor in tensors}) > 1:
            self.found.append(str(func))
        return result


@pytest.mark.parametrize("preset", ["w2v2-base", "xls-r-300m"])
@pytest.mark.parametrize("padded", [False, True])
def test_the_loss_stays_on_the_accelerator(preset, padded):
    with FakeTensorMode():
        task, batch = task_of(preset, device="cuda"), batch_of([20_000, 9_000 if padded else 20_000], device="cuda")
        with Copies() as copies:
            loss = task.loss(batch)
        assert not copies.found
        assert loss.total.device.type == "cuda"
        with Copies() as copies:
            loss.total.cpu()
        assert copies.found


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_is_never_waited_for():
    task, batch = task_of("w2v2-base").cuda(), batch_of([20_000, 9_000], device="cuda")
    step(task, batch, "32")
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss = task.training_step(batch, 0)
        loss.backward()
        task.on_before_optimizer_step(torch.optim.AdamW(task.parameters(), fused=True))
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(
    ("preset", "lengths", "precision"),
    [("w2v2-base", [20_000, 9_000], "32"), ("xls-r-300m", [20_000, 20_000], "bf16")],
)
def test_no_step_breaks_the_graph(preset, lengths, precision):
    task = task_of(preset)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        seen = torch._dynamo.explain(task.loss)(batch_of(lengths))
    assert (seen.graph_count, seen.graph_break_count) == (1, 0), seen.break_reasons


def test_a_value_that_the_host_asks_for_breaks_the_graph():
    assert torch._dynamo.explain(lambda x: x * x.sum().item() + 1)(torch.ones(2)).graph_break_count == 1
