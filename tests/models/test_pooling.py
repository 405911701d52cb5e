import pytest
import torch

from speechxl.models.pooling import POOLINGS, Attention, mean

FRAMES = torch.tensor([7, 1, 4, 12])


@pytest.fixture(params=POOLINGS)
def pooling(request):
    torch.manual_seed(0)
    return POOLINGS[request.param](6)


def features():
    return torch.randn(4, 12, 6, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("fill", [0.0, 1e4, -1e4])
def test_what_stands_in_padding_changes_nothing(pooling, fill):
    x = features()
    rows = [pooling(x[row : row + 1, :frames], torch.tensor([frames]))[0] for row, frames in enumerate(FRAMES.tolist())]
    for row, frames in enumerate(FRAMES.tolist()):
        x[row, frames:] = fill
    pooled = pooling(x, FRAMES)
    assert pooled.shape == (4, pooling.width)
    torch.testing.assert_close(pooled, torch.stack(rows), atol=1e-5, rtol=1e-5)


def test_padding_gets_no_gradient_and_every_frame_gets_some(pooling):
    x = features().requires_grad_()
    (pooling(x, FRAMES) * torch.randn(4, pooling.width)).sum().backward()
    seen = x.grad.abs().sum(-1) > 0
    assert (seen == (torch.arange(12) < FRAMES[:, None])).all()
    assert x.grad.isfinite().all()


def test_the_order_of_frames_does_not_matter(pooling):
    x, order, all_of_them = features(), torch.randperm(12), torch.full((4,), 12)
    torch.testing.assert_close(pooling(x, all_of_them), pooling(x[:, order], all_of_them), atol=1e-5, rtol=1e-5)


def test_a_mean_is_that_of_the_valid_frames():
    x = features()
    for row, frames in enumerate(FRAMES.tolist()):
        torch.testing.assert_close(mean(x, FRAMES)[row], x[row, :frames].mean(0))


def test_weights_of_attention_sum_to_one_and_are_none_for_padding():
    torch.manual_seed(0)
    weights = Attention(6).weights(10 * features(), FRAMES)
    torch.testing.assert_close(weights.sum(1), torch.ones(4))
    assert (weights[torch.arange(12) >= FRAMES[:, None]] == 0).all()
    assert weights[3].std() > 1e-3  # not a mean


def test_statistics_are_those_of_numpy():
    x = features()
    pooled = POOLINGS["statistics"](6)(x, FRAMES)
    for row, frames in enumerate(FRAMES.tolist()):
        own = x[row, :frames].numpy()
        expected = torch.from_numpy((own.var(axis=0) + 1e-5) ** 0.5)
        torch.testing.assert_close(pooled[row, 6:], expected, atol=1e-6, rtol=1e-5)


def test_bfloat16_is_summed_in_float32(pooling):
    x = features().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        pooled = pooling(x, FRAMES)
    assert pooled.dtype == torch.float32
    exact = 1e-6 if not isinstance(pooling, Attention) else 2e-2  # frames are compared in bfloat16
    torch.testing.assert_close(pooled, pooling(x.float(), FRAMES), atol=exact, rtol=exact)
