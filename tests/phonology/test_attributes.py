import numpy as np
import pytest

from speechxl.errors import InputError
from speechxl.phonology.attributes import new_attributes, phones_with_features
from speechxl.phonology.composition import bin_names
from speechxl.phonology.features import panphon_table

TABLE = panphon_table()


def test_only_what_tells_phones_from_each_other_is_an_attribute():
    attributes = new_attributes(TABLE, ["p", "b", "m"])
    assert attributes.values == {"son": ["-", "+"], "nas": ["-", "+"], "voi": ["-", "+"]}
    assert attributes.labels.tolist() == [[1, 1, 1], [1, 1, 2], [2, 2, 2]]


def test_a_contour_is_a_value_of_its_own():
    attributes = new_attributes(TABLE, ["m", "b", "mb", "a"])
    nasal = attributes.labels[:, list(attributes.values).index("nas")]
    assert attributes.values["nas"] == ["-", "+→-", "+"]
    assert nasal.tolist() == [3, 1, 2, 1]


def test_values_of_all_features_are_those_of_the_table():
    phones = ["p", "pʰ", "t͡ɕ", "t͡ɕʰ", "e", "ei", "ã", "nd", "ʔ", "ɡ͡b"]
    attributes = new_attributes(TABLE, phones)
    found = TABLE.values(phones)
    signs = np.array(["0", "+", "-"])
    for column, name in enumerate(TABLE.names):
        ends = np.stack([found.start[:, column], found.end[:, column]], axis=1)
        pairs = ["→".join(dict.fromkeys(signs[pair])) for pair in ends]
        if len(set(pairs)) == 1:
            assert name not in attributes.values
        else:
            own = attributes.labels[:, list(attributes.values).index(name)]
            assert [attributes.values[name][label - 1] for label in own] == pairs
    assert 10 < len(attributes.values) < len(TABLE.names)


def test_a_value_that_no_phone_or_every_phone_has_tells_nothing():
    names = bin_names(TABLE)
    used = {name for name, use in zip(names, new_attributes(TABLE, ["p", "b", "mb"]).bins, strict=True) if use}
    assert {"nas=+ at the start", "nas=- at the start", "voi=- at the end", "p", "b", "m"} <= used
    assert not any(name.startswith("nas") and name.endswith("end") for name in used)  # all end without nasality
    assert not {"syl=- at the start", "voi=0 at the end", "k"} & used


def test_the_order_of_phones_makes_no_difference():
    one, other = (new_attributes(TABLE, phones) for phones in (["a", "i", "t", "n"], ["n", "t", "a", "i"]))
    assert one.values == other.values
    assert (one.bins == other.bins).all()
    assert (one.labels[[3, 2, 0, 1]] == other.labels).all()


@pytest.mark.parametrize("phones", [["a"], ["t", "t̠"]])
def test_phones_that_are_alike_have_no_attributes(phones):
    with pytest.raises(InputError, match=rf"All phones have the same features \({' '.join(phones)}\)"):
        new_attributes(TABLE, phones)


def test_phones_without_features_are_left_out():
    assert phones_with_features(TABLE, ["a", "☃", "t͡s"]) == ["a", "t͡s"]
