"""Calibration against scikit-learn and torchmetrics."""

import numpy as np
import pytest
import torch
from sklearn import metrics
from torchmetrics.functional.classification import multiclass_calibration_error

from speechxl.evaluation.calibration import (
    brier_score,
    calibration_error,
    fit_temperature,
    negative_log_likelihood,
    reliability,
    softmax,
)


@pytest.fixture
def drawn():
    rng = np.random.default_rng(1)
    logits = 2 * rng.normal(size=(400, 5))
    truth = np.array([rng.choice(5, p=row) for row in softmax(logits)])
    return logits, truth


def test_calibration_error_is_that_of_torchmetrics(drawn):
    logits, truth = drawn
    for probabilities in (softmax(logits), softmax(logits, 0.3)):
        theirs = multiclass_calibration_error(torch.tensor(probabilities), torch.tensor(truth), 5, n_bins=15, norm="l1")
        assert calibration_error(probabilities, truth) == pytest.approx(float(theirs), abs=1e-6)
    assert calibration_error(softmax(logits, 0.3), truth) > 0.1


def test_bins_hold_every_utterance_once_and_certain_ones_too():
    probabilities = np.array([[1.0, 0.0], [0.5, 0.5], [0.2, 0.8]])
    bins = reliability(probabilities, np.array([0, 0, 0]), 5)
    assert [one.count for one in bins] == [0, 0, 1, 1, 1]
    assert (bins[4].confidence, bins[4].accuracy) == (1.0, 1.0)
    assert (bins[3].confidence, bins[3].accuracy) == (0.8, 0.0)
    assert bins[0].accuracy is None


def test_likelihood_and_brier_score_are_those_of_scikit_learn(drawn):
    logits, truth = drawn
    probabilities = softmax(logits)
    assert negative_log_likelihood(probabilities, truth) == pytest.approx(metrics.log_loss(truth, probabilities))
    whole = metrics.brier_score_loss(truth, probabilities, labels=list(range(5)), scale_by_half=False)
    assert brier_score(probabilities, truth) == pytest.approx(whole)


def test_one_certain_mistake_leaves_the_likelihood_finite():
    assert negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-12))


@pytest.mark.parametrize("spoiled", [0.25, 1.0, 4.0])
def test_the_temperature_undoes_a_factor_of_the_logits(drawn, spoiled):
    logits, truth = drawn
    found = fit_temperature(logits * spoiled, truth)
    assert found == pytest.approx(spoiled, rel=0.15)
    grid = np.geomspace(0.05, 20, 400)
    costs = [negative_log_likelihood(softmax(logits * spoiled, value), truth) for value in grid]
    assert negative_log_likelihood(softmax(logits * spoiled, found), truth) <= min(costs) + 1e-3


@pytest.mark.parametrize("count", [2, 8, 98])
def test_few_utterances_that_are_all_right_do_not_make_certain(count):
    logits = np.tile([[1.0, 0.0], [0.0, 1.0]], (count // 2, 1))
    found = softmax(logits, fit_temperature(logits, np.tile([0, 1], count // 2)))
    assert found.max() == pytest.approx(1 - 0.5 / (count + 1), abs=1e-4)


def test_the_temperature_needs_utterances_and_differences():
    assert fit_temperature(np.zeros((0, 2)), np.zeros(0, int)) == 1.0
    assert fit_temperature(np.zeros((3, 2)), np.array([0, 1, 1])) == 1.0
