import torch
from scipy import stats

from speechxl.models import draws
from speechxl.models.draws import keyed_uniform


def test_numbers_are_uniform_and_inside_the_open_interval():
    numbers = keyed_uniform(torch.arange(50), 2000, 0)
    assert numbers.min() > 0
    assert numbers.max() < 1
    assert stats.kstest(numbers.flatten().numpy(), "uniform").pvalue > 1e-3


def test_neighbouring_keys_counters_and_streams_are_independent():
    one = keyed_uniform(torch.arange(1000), 50, 0)
    other = keyed_uniform(torch.arange(1000), 50, 1)
    for first, second in [(one[1:], one[:-1]), (one[:, 1:], one[:, :-1]), (one, other)]:
        correlation = torch.corrcoef(torch.stack([first.flatten(), second.flatten()]))[0, 1]
        assert abs(correlation) < 0.02


def test_numbers_depend_on_nothing_but_the_key():
    keys = torch.tensor([2**62 + 11, 5, 2**40])
    together = keyed_uniform(keys, 30, 2)
    for row, key in enumerate(keys):
        assert torch.equal(keyed_uniform(key[None], 7, 2)[0], together[row, :7])


def test_the_largest_and_smallest_numbers_have_a_finite_gumbel_noise(monkeypatch):
    for bits in (0, -1):
        monkeypatch.setattr(draws, "_mix", lambda state, bits=bits: torch.full_like(state, bits))
        assert (-(-keyed_uniform(torch.tensor([1]), 1, 0).log()).log()).isfinite().all()
