import itertools

import pytest
import torch

from speechxl.models.frames import frames_needed
from speechxl.objectives.ctc import ctc_loss, occupancies


def test_equals_torch_on_float32_logits():
    torch.manual_seed(0)
    logits, tokens = torch.randn(3, 20, 6), torch.randint(1, 6, (3, 5))
    lengths, token_lengths = torch.tensor([20, 15, 10]), torch.tensor([5, 3, 4])
    expected = torch.nn.functional.ctc_loss(
        logits.log_softmax(-1).transpose(0, 1), tokens, lengths, token_lengths, blank=0, reduction="none"
    )
    torch.testing.assert_close(ctc_loss(logits, lengths, tokens, token_lengths, 0), expected)


def test_impossible_alignments_give_zero_and_no_gradient():
    logits = torch.randn(1, 3, 4, requires_grad=True)
    loss = ctc_loss(logits, torch.tensor([3]), torch.tensor([[1, 2, 1, 2]]), torch.tensor([4]), 0)
    loss.sum().backward()
    assert loss.item() == 0
    assert (logits.grad == 0).all()


def test_two_frames_by_hand():
    logits = torch.log(torch.tensor([[[0.6, 0.4], [0.5, 0.5]]]))
    loss = ctc_loss(logits, torch.tensor([2]), torch.tensor([[1]]), torch.tensor([1]), 0)
    assert loss.exp().reciprocal().item() == pytest.approx(0.4 * 0.5 + 0.4 * 0.5 + 0.6 * 0.5)


@pytest.mark.parametrize(
    ("tokens", "frames"), [([], 0), ([1], 1), ([1, 2, 3], 3), ([1, 1], 3), ([1, 1, 1], 5), ("aabb", 6)]
)
def test_frames_needed_are_the_fewest_with_a_finite_loss(tokens, frames):
    assert frames_needed(tokens) == frames
    if isinstance(tokens, list) and tokens:
        target = torch.tensor([tokens])
        for given in (frames - 1, frames):
            if given:
                emissions = torch.zeros(given, 1, 5).log_softmax(-1)
                loss = torch.nn.functional.ctc_loss(
                    emissions, target, torch.tensor([given]), torch.tensor([len(tokens)])
                )
                assert loss.isfinite() == (given >= frames)


def test_occupancies_are_the_shares_of_all_alignments():
    emissions = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    total, found = 0.0, torch.zeros(5, 4)
    for path in itertools.product(range(4), repeat=5):
        written = [symbol for symbol, _ in itertools.groupby(path) if symbol]
        if written == [2, 2]:
            probability = emissions[range(5), path].sum().exp()
            total += probability
            found[range(5), path] += probability
    torch.testing.assert_close(occupancies(emissions, torch.tensor([2, 2]), 0), found / total, atol=1e-5, rtol=1e-4)
    assert (occupancies(emissions, torch.tensor([2, 2, 2, 2]), 0) == 0).all()  # no alignment
