import pytest

from speechxl.data.sampling import flattened, group_hours, group_of, group_shares
from speechxl.errors import InputError
from speechxl.shapes import Utterance

XLSR = {
    "spa": 168, "fra": 353, "ita": 90, "kir": 17, "nld": 29, "rus": 55, "swe": 3, "tur": 11, "tat": 17, "cmn": 50,
}  # fmt: skip
"""Hours of XLSR-10 (Conneau et al. 2021)."""


def test_probabilities_are_those_of_xlsr():
    expected = {
        "spa": 17.4, "fra": 25.3, "ita": 12.8, "kir": 5.5, "nld": 7.2, "rus": 10.0, "swe": 2.33, "tur": 4.5, "tat": 5.5,
        "cmn": 9.5,
    }  # fmt: skip
    for language, share in flattened(XLSR, 0.5).items():
        assert 100 * share == pytest.approx(expected[language], abs=0.06), language


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_shares_sum_to_one_and_alpha_flattens(alpha):
    shares = flattened(XLSR, alpha)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["fra"] / shares["swe"] == pytest.approx((353 / 3) ** alpha)


def test_corpora_of_a_language_share_what_the_language_gets():
    hours = {("swh", "a"): 9.0, ("swh", "b"): 1.0, ("quy", "c"): 10.0}
    shares = group_shares(hours, 0.5)
    assert shares["quy", "c"] == pytest.approx(0.5)
    assert shares["swh", "a"] == pytest.approx(0.5 * 3 / 4)
    assert shares["swh", "b"] == pytest.approx(0.5 * 1 / 4)


def test_what_is_replayed_gets_its_share_and_is_balanced_in_itself():
    hours = {("mdw", "new"): 1.0, ("swh", "old"): 9.0, ("quy", "old"): 1.0}
    shares = group_shares(hours, 0.5, frozenset({("swh", "old"), ("quy", "old")}), 0.2)
    assert shares == pytest.approx({("mdw", "new"): 0.8, ("swh", "old"): 0.15, ("quy", "old"): 0.05})


def test_nothing_to_draw_from_is_an_error():
    with pytest.raises(InputError, match="no audio to draw from"):
        group_shares({}, 0.5)


def test_a_corpus_is_a_manifest_or_what_the_column_says(tmp_path):
    row = Utterance(tmp_path / "a.wav", "a", duration=3600.0, language="swh", origin="data/one.tsv:7")
    assert group_of(row) == ("swh", "data/one.tsv")
    named = Utterance(tmp_path / "a.wav", "a", duration=1800.0, language="swh", extra={"corpus": "radio"})
    assert group_hours([row, row, named]) == {("swh", "data/one.tsv"): 2.0, ("swh", "radio"): 0.5}
