import jiwer
import numpy as np
import pytest

from speechxl.evaluation.metrics import Errors, count_errors, interval_of_difference


def test_hand_cases():
    errors = count_errors(["abc", "ab", "", "a"], ["axc", "abd", "x", ""], "char")
    assert errors.substitutions.tolist() == [1, 0, 0, 0]
    assert errors.insertions.tolist() == [0, 1, 1, 0]
    assert errors.deletions.tolist() == [0, 0, 0, 1]
    assert errors.lengths.tolist() == [3, 2, 0, 1]
    assert errors.rate == pytest.approx(4 / 6)


def test_rates_equal_those_of_jiwer():
    rng = np.random.default_rng(0)
    texts = [" ".join("".join(rng.choice(list("abc"), 3)) for _ in range(rng.integers(1, 6))) for _ in range(60)]
    others = texts[1:] + texts[:1]
    assert count_errors(texts, others, "word").rate == pytest.approx(jiwer.wer(texts, others))
    assert count_errors(texts, others, "char").rate == pytest.approx(jiwer.cer(texts, others))


def test_composed_and_decomposed_letters_are_the_same():
    assert count_errors(["é"], ["e\u0301"], "char").rate == 0


def test_without_references_there_is_no_rate():
    assert count_errors([], [], "word").rate is None
    assert count_errors([""], ["a"], "word").interval() is None


def test_the_interval_covers_the_rate_and_shrinks_with_more_utterances():
    rng = np.random.default_rng(0)

    def interval(utterances):
        edits = rng.binomial(20, 0.3, utterances)
        zero = np.zeros(utterances, int)
        return Errors(edits, zero, zero, np.full(utterances, 20)).interval()

    few, many = interval(30), interval(3000)
    assert few[0] < 0.3 < few[1]
    assert many[0] < 0.3 < many[1]
    assert many[1] - many[0] < (few[1] - few[0]) / 4
    assert interval(3000)[1] - interval(3000)[0] == pytest.approx(2 * 1.96 * np.sqrt(0.3 * 0.7 / 60_000), rel=0.2)


def test_intervals_are_the_same_each_time():
    errors = count_errors(["abc", "bcd"], ["abd", "bcd"], "char")
    assert errors.interval() == errors.interval()


def substitutions(edits, length=20):
    zero = np.zeros(len(edits), int)
    return Errors(np.asarray(edits), zero, zero, np.full(len(edits), length))


def test_the_interval_of_a_difference_is_that_of_pairs():
    rng = np.random.default_rng(0)
    hard = rng.integers(0, 15, 200)  # what makes an utterance hard for both is far more than what sets them apart
    better, worse = substitutions(hard), substitutions(hard + rng.integers(0, 3, 200))
    low, high = interval_of_difference(worse, better)
    assert 0 < low < worse.rate - better.rate < high
    own_low, own_high = better.interval()
    assert high - low < (own_high - own_low) / 4
    deviation = (worse.total - better.total).std() / 20 / np.sqrt(200)
    assert high - low == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_a_difference_changes_its_sign_with_its_order_and_is_nothing_between_equals():
    few, many = substitutions([1, 0, 3]), substitutions([2, 2, 2])
    low, high = interval_of_difference(few, many)
    assert interval_of_difference(many, few) == pytest.approx((-high, -low))
    assert interval_of_difference(few, few) == (0, 0)


def test_two_recognitions_together_have_the_mean_of_their_rates():
    few, many = substitutions([1, 0, 3]), substitutions([2, 2, 2])
    assert (few + many).rate == pytest.approx((few.rate + many.rate) / 2)


def test_differences_between_other_utterances_are_refused():
    with pytest.raises(ValueError, match="same references"):
        interval_of_difference(substitutions([1, 2]), substitutions([1, 2], length=10))
