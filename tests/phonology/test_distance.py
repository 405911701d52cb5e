import csv
import random
import sys
from pathlib import Path

import numpy as np
import pytest

from speechxl.errors import InputError
from speechxl.phonology.distance import Metric, base_letters, fitted_weights, new_metric
from speechxl.phonology.inventory import phoible_inventory

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import allophones


def nearest(metric, symbol, others):
    return others[metric.ranked([symbol], others)[1][0, 0]]


def test_a_distance_counts_features(small):
    uniform = new_metric("phoible", phoible=small.table, weights="uniform")
    assert uniform.matrix(["p"], ["p", "pʰ", "b", "m", "mb"]).tolist() == [[0, 1, 1, 2, 1.5]]
    hamming = new_metric("hamming", phoible=small.table)
    assert hamming.matrix(["p"], ["p", "pʰ", "b", "m", "mb"]).tolist() == [[0, 1, 1, 2, 2]]
    weighted = Metric("weighted", small.table, np.array([1, 3, 2, 1, 1]))
    assert weighted.matrix(["p"], ["m"]).tolist() == [[5]]


def test_without_phoible_there_is_panphon():
    assert new_metric().name == "panphon"
    assert nearest(new_metric(), "tʰ", ["t", "d", "a"]) == "t"
    with pytest.raises(InputError, match="needs PHOIBLE: speechxl inventory install"):
        new_metric("phoible")


def test_weights_are_never_zero(phoible):
    weights = fitted_weights(phoible.table.names)
    assert len(weights) == 38
    assert weights.min() >= 0.1
    assert len(set(weights)) > 20


def test_ties_are_resolved_by_letters_marks_frequency_and_code_point(phoible):
    metric = new_metric("phoible", phoible=phoible.table)
    assert nearest(metric, "p", ["b̥", "p"]) == "p"  # same features
    assert nearest(metric, "k", ["ɡ̊", "k̟", "k"]) == "k"
    flat = Metric("flat", phoible.table, np.zeros(38))
    assert nearest(flat, "tʷʰ", ["p", "tʰʷʲ", "tʰ", "m"]) == "tʰ"
    assert nearest(flat, "tʷ", ["ɢ", "p", "m"]) == "m"


def test_the_order_of_phones_makes_no_difference(phoible):
    metric = new_metric("phoible", phoible=phoible.table)
    symbols = list(dict.fromkeys(phoible.table.symbols))[::9]
    ranked = metric.ranked(symbols[:40], symbols)[1]
    expected = [[symbols[n] for n in row] for row in ranked]
    shuffled = random.Random(0).sample(symbols, len(symbols))
    again = metric.ranked(symbols[:40], shuffled)[1]
    assert [[shuffled[n] for n in row] for row in again] == expected


def test_base_letters():
    assert base_letters("n̠t̠ʃʰ") == "ntʃ"


@pytest.fixture(scope="module")
def cases(phoible):
    return list(allophones.cases(phoible))


def test_allophones_are_near_to_their_phonemes(phoible, cases):
    assert len(cases) == 9083
    rate, ties = allophones.accuracy(cases, new_metric("phoible", phoible=phoible.table, weights="uniform"))
    assert rate >= 0.70
    assert ties < 0.2


def test_weights_fitted_to_other_families_are_better(phoible, cases):
    folds = allophones.families_in_folds(cases)
    assert set(folds.values()) == set(range(allophones.FOLDS))
    own = [case for case in cases if folds[case.family] == 0]
    others = [case for case in cases if folds[case.family] != 0]
    weights = allophones.fit(others[::4], phoible.table, 1.0)
    uniform = new_metric("phoible", phoible=phoible.table, weights="uniform")
    rates = [allophones.accuracy(own, metric)[0] for metric in (Metric("fitted", phoible.table, weights), uniform)]
    assert rates[0] > rates[1] + 0.01


def test_the_shipped_weights_reach_what_they_are_for(phoible, cases):
    assert allophones.accuracy(cases, new_metric("phoible", phoible=phoible.table))[0] >= 0.735


def test_the_table_of_weights_says_how_it_was_made():
    path = Path(allophones.__file__).parents[1] / "speechxl" / "phonology" / "tables" / "weights.tsv"
    first, *rest = path.read_text(encoding="utf-8").splitlines()
    assert first.startswith("# benchmarks/allophones.py")
    assert len(list(csv.DictReader(rest, delimiter="\t"))) == 38


def test_an_inventory_is_measured_whole(phoible):
    symbols = phoible_inventory(phoible, "swh").symbols
    distances = new_metric(phoible=phoible.table).matrix(symbols, symbols)
    assert (distances + np.eye(len(symbols)) > 0).all()  # no two share all features
    assert np.allclose(distances, distances.T)
