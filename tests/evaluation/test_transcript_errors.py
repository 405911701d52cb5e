"""Transcript errors and correctness, against jiwer and scipy."""

import jiwer
import numpy as np
import pytest
from scipy import stats

from speechxl.evaluation.transcript_errors import error_rates, transcript_effect


def test_rates_are_those_of_jiwer_for_each_utterance():
    references, hypotheses = ["abcd", "ef gh", "xy"], ["abd", "ef gh", "zzzz"]
    found = error_rates(references, hypotheses)
    assert found.tolist() == pytest.approx([jiwer.cer(*pair) for pair in zip(references, hypotheses, strict=True)])


def test_correlation_is_that_of_scipy_and_bins_hold_all():
    rng = np.random.default_rng(0)
    rates = np.round(rng.random(200), 2)
    right = rng.random(200) > rates
    found = transcript_effect(rates, right)
    theirs = stats.spearmanr(rates, right)
    assert found["spearman"] == pytest.approx(theirs.statistic)
    assert found["spearman"] < -0.3
    assert found["p_value"] == pytest.approx(theirs.pvalue)
    assert sum(one["utterances"] for one in found["bins"]) == 200
    own = (rates > 0.2) & (rates <= 0.3)
    assert found["bins"][4] == {"low": 0.2, "high": 0.3, "utterances": own.sum(), "accuracy": right[own].mean()}


def test_utterances_without_errors_are_a_bin_of_their_own():
    found = transcript_effect(np.array([0.0, 0.0, 0.6, 0.04]), np.array([True, False, True, True]))
    assert found["bins"][0] == {"low": None, "high": 0.0, "utterances": 2, "accuracy": 0.5}
    assert found["bins"][-1] == {"low": 0.5, "high": None, "utterances": 1, "accuracy": 1.0}


def test_what_was_not_said_is_left_out_and_one_answer_has_no_correlation():
    found = transcript_effect(np.array([0.1, np.nan, 0.3]), np.array([True, False, True]))
    assert found["utterances"] == 2
    assert found["spearman"] is None
