"""Means over test sets and trainings, their intervals and tests."""

import numpy as np
import pytest

from speechxl.evaluation.class_comparison import (
    exchange_test,
    guesses,
    judged,
    mean_difference_intervals,
    mean_intervals,
    means,
)
from speechxl.evaluation.class_report import chance_line
from speechxl.evaluation.predictions import Predictions
from speechxl.evaluation.significance import difference_intervals, intervals, randomisation_test

LABELS = ["a", "b", "c"]
COUNT = 60
TRUTH = [LABELS[place] for place in np.random.default_rng(0).integers(0, 3, COUNT)]
GROUPS = [f"g{place % 20}" for place in range(COUNT)]


def predicted(share, seed, truth=TRUTH):
    """Right in a share of the utterances."""
    rng = np.random.default_rng(seed)
    known = np.array([LABELS.index(label) for label in truth])
    said = np.where(rng.random(len(truth)) < share, known, (known + rng.integers(1, 3, len(truth))) % 3)
    return Predictions([str(place) for place in range(len(truth))], LABELS, np.eye(3)[said])


def cell(share, seed, test="x", groups=GROUPS):
    return judged(test, TRUTH, predicted(share, seed), groups)


def test_one_test_set_and_one_training_is_what_the_plain_functions_give():
    one, two = predicted(0.8, 1), predicted(0.5, 2)
    a, b = judged("x", TRUTH, one, GROUPS), judged("x", TRUTH, two, GROUPS)
    assert mean_intervals([a]) == intervals(TRUTH, one, GROUPS)
    assert mean_difference_intervals([(a, b)]) == difference_intervals(TRUTH, one, two, GROUPS)
    assert exchange_test([(a, b)]) == randomisation_test(TRUTH, one, two, GROUPS)
    assert means([a])["accuracy"] == np.mean([said == label for said, label in zip(one.best, TRUTH, strict=True)])


def test_guessing_one_test_set_is_the_chance_line():
    found, ranges = guesses([("x", TRUTH, LABELS)], draws=500)
    line = chance_line(TRUTH, LABELS, 500)
    assert found == {name: pytest.approx(line[name]) for name in found}
    assert ranges == {name: pytest.approx(line["intervals"][name]) for name in ranges}
    both, narrow = guesses([("x", TRUTH, LABELS), ("y", TRUTH, LABELS)], draws=500)
    assert both["accuracy"] == pytest.approx(1 / 3, abs=0.02)
    assert np.diff(narrow["accuracy"]) < 0.85 * np.diff(ranges["accuracy"])


def test_every_test_set_counts_alike_however_many_trainings_it_has():
    good, bad = cell(1.0, 0), cell(0.0, 1, "y")
    assert means([good, good, good, bad])["accuracy"] == 0.5
    assert means([good, bad, bad])["macro_f1"] == 0.5


def test_sentences_that_several_languages_have_are_drawn_together():
    alone = mean_intervals([cell(0.7, 3)])["accuracy"]
    same = mean_intervals([cell(0.7, 3), cell(0.7, 3, "y")])["accuracy"]
    other = mean_intervals([cell(0.7, 3), cell(0.7, 3, "y", [f"y{name}" for name in GROUPS])])["accuracy"]
    assert same == alone  # two copies of the same sentences are no more evidence than one
    assert np.diff(other) == pytest.approx(np.diff(alone) / np.sqrt(2), rel=0.15)


def test_a_test_set_of_one_group_has_no_interval():
    assert mean_intervals([cell(0.7, 3), cell(0.7, 3, "y", ["all"] * COUNT)]) == {"accuracy": None, "macro_f1": None}


def test_seeds_are_exchanged_with_their_group():
    """Copies of a training are no more evidence than one; independent differences in two languages are."""
    pair = cell(0.75, 1), cell(0.5, 2)
    assert exchange_test([pair] * 3) == exchange_test([pair])
    second = tuple(cell(share, seed, "y", [f"y{name}" for name in GROUPS]) for share, seed in ((0.75, 1), (0.5, 2)))
    assert exchange_test([pair, second])["accuracy"] < 0.5 * exchange_test([pair])["accuracy"]


def test_where_nothing_differs_tests_rarely_say_so():
    values = []
    for seed in range(60):
        pairs = [(cell(0.6, 10 * seed + k, f"t{k}"), cell(0.6, 10 * seed + k + 5, f"t{k}")) for k in range(2)]
        values.append(exchange_test(pairs, draws=199, seed=seed)["accuracy"])
    assert 0.01 <= np.mean(np.array(values) < 0.1) <= 0.25
    assert 0.3 < np.mean(values) < 0.7


def test_only_the_same_utterances_are_compared():
    with pytest.raises(ValueError, match="same utterances in the same order"):
        exchange_test([(cell(0.5, 1), cell(0.5, 1, groups=GROUPS[::-1]))])
    with pytest.raises(ValueError, match="'x' has other utterances"):
        mean_intervals([cell(0.5, 1), cell(0.5, 1, groups=GROUPS[::-1])])
