import math

import pytest
import torch
from scipy import stats

from speechxl.objectives.contrastive import contrastive_loss, draw_distractors


def test_a_case_by_hand():
    context = torch.tensor([[[1.0, 0.0], [0.0, 2.0]]])
    targets = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
    codes = torch.tensor([[[0], [1]]])
    contrast = contrastive_loss(context, targets, codes, torch.ones(1, 2, dtype=bool), torch.tensor([[[1], [0]]]), 0.5)
    expected = math.log(math.exp(2) + math.exp(0)) - 2
    torch.testing.assert_close(contrast.loss, torch.full((1, 2), expected))
    assert contrast.correct.all()


def test_random_vectors_give_the_logarithm_of_the_number_of_candidates():
    torch.manual_seed(0)
    context, targets = torch.randn(4, 300, 256), torch.randn(4, 300, 256)
    codes = torch.arange(1200).view(4, 300, 1)
    distractors = draw_distractors(torch.rand(4, 300, 100), torch.full((4,), 300))
    contrast = contrastive_loss(context, targets, codes, torch.ones(4, 300, dtype=bool), distractors, 0.1)
    assert contrast.loss.mean().item() == pytest.approx(math.log(101), abs=0.25)
    assert contrast.correct.float().mean().item() == pytest.approx(1 / 101, abs=0.006)


def test_a_collapsed_codebook_gives_no_loss_and_perfect_accuracy():
    same = torch.ones(1, 20, 8)
    codes = torch.zeros(1, 20, 2, dtype=torch.long)
    distractors = draw_distractors(torch.rand(1, 20, 10), torch.tensor([20]))
    context = torch.randn(1, 20, 8, requires_grad=True)
    contrast = contrastive_loss(context, same, codes, torch.ones(1, 20, dtype=bool), distractors, 0.1)
    assert contrast.loss.abs().max() == 0
    assert contrast.correct.all()
    assert (contrast.tied == 1).all()
    contrast.loss.sum().backward()
    assert context.grad.isfinite().all()


def test_invalid_places_count_for_nothing():
    context, targets = torch.randn(1, 6, 4), torch.randn(1, 6, 4)
    codes = torch.arange(6).view(1, 6, 1)
    valid = torch.tensor([[True, True, True, False, False, False]])
    distractors = draw_distractors(torch.rand(1, 6, 5), torch.tensor([3]))
    contrast = contrastive_loss(context, targets, codes, valid, distractors, 0.1)
    alone = contrastive_loss(context[:, :3], targets[:, :3], codes[:, :3], valid[:, :3], distractors[:, :3], 0.1)
    torch.testing.assert_close(contrast.loss[:, :3], alone.loss)
    assert (contrast.loss[:, 3:] == 0).all()
    assert not contrast.correct[:, 3:].any()


def test_distractors_are_other_frames_uniformly():
    counts = torch.tensor([7, 3])
    places = draw_distractors(torch.rand(2, 7, 20_000), counts)
    for row, count in enumerate(counts.tolist()):
        for own in range(count):
            histogram = torch.bincount(places[row, own], minlength=count)
            assert histogram[own] == 0
            others = torch.cat([histogram[:own], histogram[own + 1 :]])
            assert len(others) == count - 1
            assert stats.chisquare(others.numpy()).pvalue > 1e-4


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_masked_frames_give_places_that_exist(count):
    assert (draw_distractors(torch.rand(1, 2, 5), torch.tensor([count])) == 0).all()
