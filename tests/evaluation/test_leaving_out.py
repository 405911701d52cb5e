import numpy as np
import pytest
import torch

from speechxl.evaluation.leaving_out import LeftOut, Spoken, left_out_rate, only_in
from speechxl.models.articulation import Articulation
from speechxl.models.phone_note import Heads
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.composition import new_composition
from speechxl.phonology.distance import new_metric
from speechxl.phonology.features import panphon_table
from speechxl.phonology.mapping import Settings
from speechxl.text import Vocabulary

NOTHING = np.zeros((0, 0), np.float32)
METRIC, TABLE = new_metric("panphon"), panphon_table()
COUNTS = {"quy": {"a": 9, "p": 4, "q": 2}, "swh": {"a": 5, "p": 1, "b": 3, "ɓ": 2}, "deu": {"a": 7, "k": 3, "b": 1}}
VOCABULARY = Vocabulary(("<pad>", "<unk>", "a", "b", "k", "p", "q", "ɓ", "1"), 0, None)


def emissions(*frames):
    """Log posteriors from probabilities of symbols; what is left goes to the blank."""
    rows = []
    for frame in frames:
        row = np.full(len(VOCABULARY), 1e-12)
        for symbol, probability in frame.items():
            row[VOCABULARY.symbols.index(symbol)] = probability
        row[0] += 1 - row.sum()
        rows.append(np.log(row))
    return np.array(rows)


def test_what_only_one_language_has_is_taken_from_the_model():
    assert only_in(COUNTS, "quy") == {"q"}
    assert only_in(COUNTS, "swh") == {"ɓ"}
    model = LeftOut(VOCABULARY, COUNTS, "swh", METRIC)
    assert model.removed == {"ɓ"}
    assert model.inventory.symbols == ("a", "b", "p", "ɓ")
    assert model.vocabulary.symbols == ("<pad>", "<unk>", "a", "b", "k", "p", "q", "1")
    assert set(model.training.counts) == {"a", "p", "q", "k", "b"}


def test_its_posterior_goes_to_the_other_phones_and_not_to_the_blank():
    model = LeftOut(VOCABULARY, COUNTS, "swh", METRIC)
    whole = emissions({"ɓ": 0.6, "b": 0.09, "p": 0.01}, {"a": 0.7}, {"ɓ": 1 - 1e-9})
    found = np.exp(model.emissions(whole))
    names = model.vocabulary.symbols
    assert found[0, names.index("b")] == pytest.approx(0.63)
    assert found[0, names.index("p")] == pytest.approx(0.07)
    assert found[0, 0] == pytest.approx(0.3)
    assert found[1, names.index("a")] == pytest.approx(0.7)
    np.testing.assert_allclose(found[:2].sum(1), 1)
    assert np.isfinite(model.emissions(whole)).all()


def test_the_left_out_language_is_recognised_by_phones_of_the_others():
    model = LeftOut(VOCABULARY, COUNTS, "quy", METRIC)
    utterance = Spoken(
        "quy",
        ("q", "a", "a"),
        emissions({"q": 0.9, "k": 0.05}, {"q": 0.9, "k": 0.05}, {"a": 0.9}, {}, {"a": 0.8}),
        None,
    )
    assert model.recognise([utterance], Settings()) == [("q", "a", "a")]  # by k, which is nearer to q than to p
    assert model.recognise([utterance], Settings(strategy="exact")) == [("a", "a")]
    rate = left_out_rate({"quy": [utterance]}, {"quy": model}, Settings(strategy="exact"))
    assert rate.per == pytest.approx(1 / 3)
    assert rate.languages == {"quy": rate.per}


def test_rates_are_means_over_languages_with_intervals():
    models = {name: LeftOut(VOCABULARY, COUNTS, name, METRIC) for name in ("deu", "quy")}
    right, wrong = emissions({"a": 0.9}), emissions({"p": 0.9})
    utterances = {
        "deu": [Spoken("deu", ("a",), right, NOTHING)] * 3 + [Spoken("deu", ("a",), emissions({"b": 0.9}), NOTHING)],
        "quy": [Spoken("quy", ("a",), right, NOTHING)] * 4 + [Spoken("quy", ("a",), wrong, NOTHING)] * 4,
    }
    rate = left_out_rate(utterances, models, Settings())
    assert rate.languages == {"deu": 0.25, "quy": 0.5}
    assert rate.per == pytest.approx(0.375)
    low, high = rate.interval
    assert low < 0.375 < high
    assert rate.difference(rate) == (0, 0)


def test_composed_phones_are_those_of_the_head_that_was_fitted_without_the_language():
    heard = ["a", "b", "k", "p", "q"]
    attributes = new_attributes(TABLE, heard)
    torch.manual_seed(0)
    own = Heads(attributes.values, len(attributes.bins), 8)
    head = Articulation(16, own, torch.from_numpy(attributes.bins))
    model = LeftOut(VOCABULARY, COUNTS, "swh", METRIC, (head, TABLE))
    features = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    spoken = Spoken("swh", ("a",), emissions(*[{"a": 0.5}] * 9), features)
    bins = head.bins(torch.from_numpy(features)).detach().numpy()
    expected = new_composition(TABLE, model.inventory.symbols, heard, 1.5).apply(bins).argmax(-1)
    path = [number for number, before in zip(expected, [-1, *expected[:-1]], strict=True) if number not in (0, before)]
    assert len(path) > 2
    found = model.recognise([spoken], Settings(strategy="compose", penalty=1.5))
    assert found == [tuple(model.inventory.symbols[number - 1] for number in path)]
