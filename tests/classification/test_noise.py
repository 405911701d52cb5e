"""Texts with errors."""

from collections import Counter

import jiwer
import numpy as np
import pytest

from speechxl.classification.noise import with_errors
from speechxl.errors import InputError

WORDS = [
    "habari",
    "ya",
    "asubuhi",
    "watu",
    "wengi",
    "wanasema",
    "lugha",
    "moja",
    "nyumba",
    "kubwa",
    "maji",
    "safi",
    "chakula",
    "kizuri",
]


def corpus(count=80, seed=0):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, 6)) for _ in range(count)]


def spoil(texts, rate, kind="random", seed=0, names=None, languages=None):
    names = names or [f"u{n}" for n in range(len(texts))]
    return with_errors(texts, languages or ["swh"] * len(texts), names, rate=rate, kind=kind, seed=seed)


@pytest.mark.parametrize("kind", ["random", "systematic"])
@pytest.mark.parametrize("rate", [0.05, 0.2, 0.45])
def test_the_rate_is_reached_as_jiwer_counts_it(kind, rate):
    texts = corpus()
    assert jiwer.cer(texts, spoil(texts, rate, kind)) == pytest.approx(rate, abs=0.006)


def test_short_texts_reach_it_too():
    texts = ["moja", "mbili", "tatu", "nne", "tano"] * 12
    assert jiwer.cer(texts, spoil(texts, 0.3)) == pytest.approx(0.3, abs=0.01)


def test_no_errors_change_nothing_and_seeds_differ():
    texts = corpus()
    assert spoil(texts, 0) == texts
    assert spoil(texts, 0.2) == spoil(texts, 0.2)
    assert spoil(texts, 0.2) != spoil(texts, 0.2, seed=1)


def test_more_errors_stand_where_fewer_stood():
    texts = ["a" * 50]
    few, more = spoil(texts, 0.1), spoil(texts, 0.4)
    assert few != texts != more
    deleted = [len(texts[0]) - len(found[0]) for found in (few, more)]
    assert deleted[0] <= deleted[1]  # of one letter all errors are deletions or insertions


def test_random_errors_are_of_three_kinds_and_of_spaces_too():
    texts = corpus()
    measured = jiwer.process_characters(texts, spoil(texts, 0.2))
    total = measured.substitutions + measured.deletions + measured.insertions
    assert measured.substitutions / total > 0.4
    assert min(measured.deletions, measured.insertions) / total > 0.1
    assert jiwer.wer(texts, spoil(texts, 0.2)) > 0.6


def test_systematic_errors_give_each_character_one_wrong_reading():
    texts = ["abcdefgh" * 40]
    aligned = jiwer.process_characters(texts, spoil(texts, 0.2, "systematic"))
    readings = {}
    for chunk in aligned.alignments[0]:
        if chunk.type == "substitute":
            for offset in range(chunk.ref_end_idx - chunk.ref_start_idx):
                said = aligned.references[0][chunk.ref_start_idx + offset]
                readings.setdefault(said, Counter())[aligned.hypotheses[0][chunk.hyp_start_idx + offset]] += 1
    frequent = {said: counts for said, counts in readings.items() if counts.total() >= 6}
    assert len(frequent) >= 3
    assert all(counts.most_common(1)[0][1] / counts.total() > 0.75 for counts in frequent.values())


def test_systematic_errors_are_the_same_in_train_and_test_and_others_in_another_language():
    first, second = (spoil(["abcdefgh" * 40], 0.3, "systematic", names=[name])[0] for name in ("u1", "u2"))
    other = spoil(["abcdefgh" * 40], 0.3, "systematic", names=["u1"], languages=["quy"])[0]

    def shares(text):
        return np.array([text.count(letter) / len(text) for letter in "abcdefgh"])

    assert np.abs(shares(first) - shares(second)).max() < 0.06
    assert np.abs(shares(first) - shares(other)).max() > 0.1


def test_texts_of_two_languages_and_empty_ones_are_taken():
    texts = [*corpus(20), *["шум и речь"] * 10, ""]
    found = spoil(texts, 0.2, languages=["swh"] * 20 + ["rus"] * 11)
    assert found[-1] == ""
    assert not set("".join(found[20:])) & set("abcdefghij")


def test_rates_that_cannot_be_are_refused():
    with pytest.raises(InputError, match=r"rate of 0.95 was asked for; it is from 0 to 0.9"):
        spoil(["abc"], 0.95)
    with pytest.raises(InputError, match="'random' or 'systematic', not 'odd'"):
        spoil(["abc"], 0.1, "odd")
    with pytest.raises(
        InputError, match=r"systematic errors give these texts a character error rate of 0.\d+ at most; 0.9 was"
    ):
        spoil(["abababab" * 30], 0.9, "systematic")
