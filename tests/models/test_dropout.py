import pytest
import torch
from torch import nn

from speechxl.models.dropout import Dropout, kept, replace_dropout


@pytest.mark.parametrize("p", [0.1, 0.25, 0.9])
def test_the_share_that_is_kept(p):
    assert kept(torch.Size((100_003,)), p).float().mean().item() == pytest.approx(1 - p, abs=0.006)


def test_what_is_kept_does_not_depend_on_the_neighbours():
    keep = kept(torch.Size((100_000,)), 0.5).float()
    for distance in (1, 2, 3, 4, 8):
        assert abs(torch.corrcoef(torch.stack([keep[distance:], keep[:-distance]]))[0, 1]) < 0.02


def test_dropout_scales_what_it_keeps_and_passes_gradients_only_there():
    x = torch.rand(1000, requires_grad=True)
    y = Dropout(0.2)(x)
    y.sum().backward()
    torch.testing.assert_close(y[y != 0], x[y != 0] / 0.8)
    torch.testing.assert_close(x.grad, (y != 0) / 0.8)


def test_nothing_happens_in_evaluation_and_at_zero():
    x = torch.rand(10)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x
    assert (Dropout(1.0)(x) == 0).all()


def test_draws_follow_the_seed():
    torch.manual_seed(5)
    first = Dropout(0.5)(torch.ones(100))
    torch.manual_seed(5)
    assert torch.equal(Dropout(0.5)(torch.ones(100)), first)


def test_every_dropout_below_a_module_is_replaced():
    network = nn.Sequential(nn.Dropout(0.3), nn.Sequential(nn.Linear(2, 2), nn.Dropout(0.1)))
    replace_dropout(network)
    assert [child.p for child in network.modules() if isinstance(child, Dropout)] == [0.3, 0.1]
    assert not any(isinstance(child, nn.Dropout) for child in network.modules())
