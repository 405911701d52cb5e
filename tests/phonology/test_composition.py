import numpy as np
import pytest

from speechxl.errors import InputError
from speechxl.phonology.composition import bin_names, new_composition, phone_bins
from speechxl.phonology.distance import new_metric
from speechxl.phonology.features import panphon_table
from speechxl.phonology.inventory import new_inventory
from speechxl.phonology.mapping import Settings, new_map
from speechxl.text import Vocabulary

HEARD = ["p", "t", "k", "b", "m", "n", "s", "a", "e", "i", "u", "t͡ɕ", "ei"]
HELD_OUT = ["d", "ɡ", "z", "o", "t͡ɕʰ", "pʰ", "ou", "nd"]
TABLE = panphon_table()


def test_a_phone_has_a_value_of_each_feature_at_each_end():
    matrix = phone_bins(TABLE, HEARD)
    assert matrix.shape == (len(bin_names(TABLE)), len(HEARD))
    assert np.allclose(matrix.sum(0), 2 * len(TABLE.names) + 1)


@pytest.mark.parametrize("pair", [("t͡ɕ", "t͡ɕʰ"), ("e", "ei"), ("i", "ia"), ("nd", "nt")])
def test_contours_have_scores_of_their_own(pair):
    scores = np.random.default_rng(0).normal(size=(5, 1 + len(bin_names(TABLE))))
    composed = new_composition(TABLE, pair, pair, 0.0).apply(scores)
    assert (np.abs(composed[:, 1] - composed[:, 2]) > 1e-3).all()


def test_phones_that_were_held_out_are_decoded():
    symbols = sorted(HEARD + HELD_OUT)
    rng = np.random.default_rng(0)
    spoken = rng.integers(0, len(symbols), 400)
    bins = phone_bins(TABLE, symbols).toarray()[:, spoken].T + 0.3 * rng.normal(size=(400, len(bin_names(TABLE))))
    scores = np.concatenate([np.zeros((400, 1)), bins], axis=1)
    vocabulary = Vocabulary(("<pad>", *HEARD), 0, None)
    found = new_map(
        vocabulary, new_inventory(symbols), new_metric("panphon"), Settings(strategy="compose", penalty=0.0)
    )
    emissions = np.log(np.full((400, len(vocabulary)), 1 / len(vocabulary)))
    decoded = found.apply(emissions, scores).argmax(-1) - 1
    right = decoded == spoken
    held_out = np.isin(np.array(symbols, dtype=object)[spoken], HELD_OUT)
    assert right.mean() > 0.95
    assert right[held_out].mean() > 0.9


def test_phones_that_were_not_heard_pay():
    symbols = ["d", "t"]
    free, taxed = (
        new_composition(TABLE, symbols, ["t"], penalty).apply(np.zeros((1, 1 + len(bin_names(TABLE)))))
        for penalty in (0, 4)
    )
    assert np.allclose(taxed[0, 1] - taxed[0, 2], free[0, 1] - free[0, 2] - 4)


def test_a_blend_lies_between_and_needs_scores():
    vocabulary = Vocabulary(("<pad>", "t", "a"), 0, None)
    inventory = new_inventory(["d", "t", "a"])
    emissions = np.log([[0.1, 0.8, 0.1]])
    scores = np.zeros((1, 1 + len(bin_names(TABLE))))
    maps = {
        name: new_map(vocabulary, inventory, new_metric("panphon"), Settings(strategy=name, weight=0.3))
        for name in ("soft", "compose", "blend")
    }
    soft, compose, blend = (found.apply(emissions, scores) for found in maps.values())
    mixed = 0.7 * soft + 0.3 * compose
    assert np.allclose(blend, mixed - np.log(np.exp(mixed).sum(-1, keepdims=True)))
    assert np.allclose(np.exp(blend).sum(-1), 1)
    with pytest.raises(InputError, match="strategy blend needs the scores of a composition head"):
        maps["blend"].apply(emissions)
