"""Intervals and tests of classifiers against scipy."""

from itertools import product

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics

from speechxl.evaluation import significance
from speechxl.evaluation.predictions import Predictions
from speechxl.evaluation.significance import (
    difference_intervals,
    holm,
    intervals,
    mcnemar_test,
    randomisation_test,
)

LABELS = ["a", "b", "c"]


def guesses(answers):
    """Predictions that are certain of these labels."""
    table = np.eye(3)[[LABELS.index(answer) for answer in answers]]
    return Predictions([f"u{n}" for n in range(len(answers))], LABELS, table)


def spoiled(references, share, seed):
    rng = np.random.default_rng(seed)
    return [LABELS[rng.integers(3)] if rng.random() < share else own for own in references]


@pytest.fixture
def references():
    return [LABELS[n] for n in np.random.default_rng(0).integers(0, 3, 120)]


def test_intervals_are_those_of_scipy(references):
    answers = spoiled(references, 0.5, 1)
    found = intervals(references, guesses(answers), draws=4000)
    right = np.array(references) == np.array(answers)
    theirs = stats.bootstrap((right,), np.mean, n_resamples=2000, method="percentile", rng=0).confidence_interval
    assert found["accuracy"] == pytest.approx((theirs.low, theirs.high), abs=0.012)

    def f1(places):
        rows = places.astype(int)
        return metrics.f1_score(np.array(references)[rows], np.array(answers)[rows], average="macro")

    whole = np.arange(len(references))
    theirs = stats.bootstrap(
        (whole,), f1, n_resamples=200, method="percentile", vectorized=False, rng=0
    ).confidence_interval
    assert found["macro_f1"] == pytest.approx((theirs.low, theirs.high), abs=0.035)


def test_groups_widen_intervals_by_what_utterances_in_them_share(references):
    answers = spoiled(references, 0.5, 1)
    alone = intervals(references, guesses(answers))
    repeated = [own for own in references for _ in range(4)]
    groups = [str(n // 4) for n in range(len(repeated))]
    together = intervals(repeated, guesses([own for own in answers for _ in range(4)]), groups)
    assert together["accuracy"] == pytest.approx(alone["accuracy"], abs=0.02)
    naive = intervals(repeated, guesses([own for own in answers for _ in range(4)]))
    assert np.ptp(naive["accuracy"]) < 0.6 * np.ptp(together["accuracy"])


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(150):
        truth = ["a"] * 100
        answers = ["a" if value < 0.7 else "b" for value in rng.random(100)]
        low, high = intervals(truth, guesses(answers), draws=200, seed=trial)["accuracy"]
        inside += low <= 0.7 <= high
    assert 0.89 <= inside / 150 <= 0.99


def test_one_group_has_no_interval(references):
    found = intervals(references, guesses(references), ["same"] * len(references))
    assert found == {"accuracy": None, "macro_f1": None}
    one = guesses(references)
    assert difference_intervals(references, one, one, ["same"] * len(references))["accuracy"] is None


def test_a_difference_is_drawn_together(references):
    first, second = guesses(spoiled(references, 0.2, 1)), guesses(spoiled(references, 0.6, 2))
    low, high = difference_intervals(references, first, second)["accuracy"]
    right = [np.array(references) == np.array(one.best) for one in (first, second)]
    difference = right[0].mean() - right[1].mean()
    assert 0 < low < difference < high
    assert difference_intervals(references, first, first)["macro_f1"] == (0.0, 0.0)


def test_blocks_of_draws_are_the_same_draws(references, monkeypatch):
    answers = spoiled(references, 0.5, 1)
    whole = intervals(references, guesses(answers), draws=50)
    monkeypatch.setattr(significance, "_HELD", 1000)
    assert intervals(references, guesses(answers), draws=50)["accuracy"] == pytest.approx(whole["accuracy"], abs=0.05)


def test_randomisation_agrees_with_every_exchange_there_is():
    truth = list("abcabca")
    first, second = guesses(list("abcabcb")), guesses(list("abbacba"))
    found = randomisation_test(truth, first, second)

    def difference(one, two):
        return abs(metrics.f1_score(truth, one, average="macro") - metrics.f1_score(truth, two, average="macro"))

    observed = difference(first.best, second.best)
    beyond = []
    for swaps in product([False, True], repeat=7):
        one = [b if swap else a for a, b, swap in zip(first.best, second.best, swaps, strict=True)]
        two = [a if swap else b for a, b, swap in zip(first.best, second.best, swaps, strict=True)]
        beyond.append(difference(one, two) >= observed - 1e-12)
    assert found["macro_f1"] == pytest.approx(np.mean(beyond), abs=0.02)
    assert 0.01 < found["macro_f1"] < 0.9


def test_randomisation_of_accuracy_is_the_permutation_test_of_scipy(references):
    first, second = guesses(spoiled(references, 0.3, 1)), guesses(spoiled(references, 0.5, 4))
    right = [(np.array(references) == np.array(one.best)).astype(float) for one in (first, second)]
    theirs = stats.permutation_test(
        right, lambda x, y, axis: np.mean(x, axis) - np.mean(y, axis), permutation_type="samples", n_resamples=9999, rng=0,
        vectorized=True,
    )  # fmt: skip
    assert randomisation_test(references, first, second)["accuracy"] == pytest.approx(theirs.pvalue, abs=0.015)


def test_randomisation_exchanges_groups_as_a_whole(references):
    first, second = guesses(spoiled(references, 0.3, 1)), guesses(spoiled(references, 0.5, 4))
    alone = randomisation_test(references, first, second)
    many, groups = [own for own in references for _ in range(3)], [str(n // 3) for n in range(360)]
    thrice = [guesses([own for own in one.best for _ in range(3)]) for one in (first, second)]
    assert randomisation_test(many, *thrice, groups)["accuracy"] == pytest.approx(alone["accuracy"], abs=0.02)
    assert randomisation_test(many, *thrice)["accuracy"] < 0.5 * alone["accuracy"]


def test_equal_classifiers_do_not_differ(references):
    one = guesses(spoiled(references, 0.5, 1))
    assert randomisation_test(references, one, one, draws=99) == {"accuracy": 1.0, "macro_f1": 1.0}
    assert mcnemar_test(references, one, one).p_value == 1.0


def test_mcnemar_counts_who_alone_is_right():
    truth = ["a"] * 12
    found = mcnemar_test(truth, guesses(["a"] * 10 + ["b"] * 2), guesses(["a"] + ["b"] * 9 + ["a"] * 2))
    assert (found.first_only, found.second_only) == (9, 2)
    assert found.p_value == pytest.approx(2 * stats.binom.cdf(2, 11, 0.5))


def test_holm_is_that_of_the_textbook():
    found = holm({"x": 0.01, "y": 0.04, "z": 0.03, "w": 0.005})
    assert found == pytest.approx({"x": 0.03, "y": 0.06, "z": 0.06, "w": 0.02})


def test_other_utterances_or_groups_are_refused(references):
    one = guesses(references)
    other = Predictions(one.ids[::-1], LABELS, one.probabilities)
    with pytest.raises(ValueError, match="same utterances in the same order"):
        randomisation_test(references, one, other)
    with pytest.raises(ValueError, match="of the same utterances"):
        intervals(references, one, ["g"])
