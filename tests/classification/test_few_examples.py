"""Few examples of each class, and class weights."""

from collections import Counter

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from speechxl.classification.selection import class_weights, few
from speechxl.errors import InputError

IDS = [f"u{n}" for n in range(60)]
LABELS = [("a", "b", "c")[n % 3 if n % 7 else 0] for n in range(60)]


def test_every_class_has_as_many():
    chosen = few(IDS, LABELS, 5, seed=1)
    assert Counter(LABELS[place] for place in chosen) == {"a": 5, "b": 5, "c": 5}
    assert chosen == sorted(set(chosen))


def test_fewer_are_among_more_and_seeds_differ():
    assert set(few(IDS, LABELS, 3, 1)) < set(few(IDS, LABELS, 8, 1))
    assert few(IDS, LABELS, 5, 1) != few(IDS, LABELS, 5, 2)


def test_the_order_of_utterances_changes_nothing():
    order = np.random.default_rng(0).permutation(60)
    mixed = few([IDS[n] for n in order], [LABELS[n] for n in order], 5, 1)
    assert {IDS[order[place]] for place in mixed} == {IDS[place] for place in few(IDS, LABELS, 5, 1)}


def test_draws_are_spread_over_all_utterances():
    counts = Counter(place for seed in range(300) for place in few(IDS, ["a"] * 60, 10, seed))
    assert len(counts) == 60
    assert max(counts.values()) < 85  # 50 are expected, with a deviation of 6.5
    assert min(counts.values()) > 20


def test_strata_may_be_pairs_of_language_and_label():
    strata = [("swh" if n < 30 else "quy", label) for n, label in enumerate(LABELS)]
    assert set(Counter(strata[place] for place in few(IDS, strata, 2, 0)).values()) == {2}


def test_too_few_are_named():
    with pytest.raises(
        InputError, match=r"9 examples of each class were asked for, and there are fewer of b \(2\), c \(1\)"
    ):
        few(IDS[:13], ["a"] * 10 + ["b", "b", "c"], 9, 0)
    with pytest.raises(InputError, match="0 examples of each class"):
        few(IDS, LABELS, 0, 0)


def test_class_weights_are_those_of_scikit_learn():
    labels = ["a", "b", "c"]
    theirs = compute_class_weight("balanced", classes=np.array(labels), y=np.array(LABELS))
    np.testing.assert_allclose(class_weights(LABELS, labels), theirs)
