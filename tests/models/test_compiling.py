import pytest
import torch
from torch._dynamo.utils import counters

from speechxl.errors import InputError
from speechxl.models.compiling import compiled_layers
from tests.conftest import NO_DROPOUT
from tests.tasks.test_step import batch_of, task_of

BATCHES = [[20_000, 12_000], [24_000, 9_000, 24_000], [15_000, 14_000], [21_000, 21_000], [30_000, 30_000]]


def gradients(task, batch):
    task.zero_grad()
    loss = task.loss(batch).total
    loss.backward()
    return loss.detach(), [None if p.grad is None else p.grad.clone() for p in task.parameters()]


def test_compiled_layers_give_the_same_and_compile_once_for_all_lengths_layers_and_temperatures(monkeypatch):
    torch._dynamo.reset()
    counters.clear()
    torch.manual_seed(0)
    task = task_of("w2v2-base", NO_DROPOUT)
    names = list(task.state_dict())
    for number, lengths in enumerate(BATCHES):
        task.trainer.global_step = 1000 * number  # another Gumbel temperature
        monkeypatch.setattr(task, "skipped_layers", lambda number=number: {0} if number == 2 else set())
        batch = batch_of(lengths)
        loss, expected = gradients(task, batch)
        with compiled_layers(task.encoder, "cpu", backend="aot_eager"):
            assert list(task.state_dict()) == names
            compiled_loss, found = gradients(task, batch)
        torch.testing.assert_close(compiled_loss, loss, rtol=1e-5, atol=1e-4)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert counters["stats"]["unique_graphs"] == 2  # padded or not
    assert all(layer._compiled_call_impl is None for layer in task.encoder.encoder.layers)


@pytest.mark.parametrize(("device", "variable"), [("cpu", "CXX"), ("cuda", "CC")])
def test_without_a_compiler_the_cure_is_named(device, variable, monkeypatch):
    monkeypatch.setenv(variable, "no-such-compiler")
    encoder = task_of("w2v2-base").encoder
    cure = pytest.raises(InputError, match=r"no-such-compiler\); install one .* or leave --compile out")
    with cure, compiled_layers(encoder, device):
        pass


def test_a_compiler_that_fails_is_told_apart_from_a_fault_in_the_run():
    def broken(graph, inputs):
        raise RuntimeError("Python.h: No such file")

    torch._dynamo.reset()
    task = task_of("w2v2-base")
    told = pytest.raises(InputError, match=r"--compile: torch.compile failed: .*Python.h: No such file")
    with told, compiled_layers(task.encoder, "cpu", backend=broken):
        task.loss(batch_of([9_000]))
    with pytest.raises(KeyError), compiled_layers(task.encoder, "cpu"):
        raise KeyError
