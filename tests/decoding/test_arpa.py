import math
import random
from itertools import product

import pytest

from speechxl.decoding.arpa import BEGIN, END, UNKNOWN, estimate, read_unigrams, write
from speechxl.errors import InputError

WORDS = ["la", "mo", "ba", "te"]


def text(size=200):
    draw = random.Random(1)
    return [[draw.choice(WORDS[: draw.randint(1, 4)]) for _ in range(draw.randint(1, 6))] for _ in range(size)]


def log_probability(levels, context, word):
    """By the definition of the format."""
    context = tuple(context)[-(len(levels) - 1) :] if len(levels) > 1 else ()
    if (*context, word) in levels[len(context)]:
        return levels[len(context)][(*context, word)][0]
    weight = levels[len(context) - 1].get(context, (0, 0))[1]
    return weight + log_probability(levels, context[1:], word)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [3, 200])
def test_the_probabilities_of_all_words_add_up_to_one_in_every_context(order, size):
    levels = estimate(text(size), order)
    words = [word for (word,) in levels[0] if word != BEGIN]
    for context in [(), (BEGIN,), *product(WORDS, repeat=min(2, order)), (BEGIN, "la")]:
        assert sum(10 ** log_probability(levels, context, word) for word in words) == pytest.approx(1, abs=1e-6)


def test_a_case_worked_by_hand():
    # one bigram "a b" in two sentences; too little for discounts, so 0.5, 1, 1.5 are taken off 1, 2, 3
    levels = estimate([["a", "b"], ["a", "b"]], 2)
    # each of a, b, </s> follows one word: count 1, total 3, 0.5 taken off each; 4 words with <unk>
    unigram = 0.5 / 3 + (1.5 / 3) / 4
    assert 10 ** levels[0][("b",)][0] == pytest.approx(unigram)
    assert 10 ** levels[0][(UNKNOWN,)][0] == pytest.approx((1.5 / 3) / 4)
    assert 10 ** levels[1][("a", "b")][0] == pytest.approx((2 - 1) / 2 + (1 / 2) * unigram)
    assert 10 ** levels[0][("a",)][1] == pytest.approx(1 / 2)
    assert 10 ** levels[1][("b", END)][0] == pytest.approx((2 - 1) / 2 + (1 / 2) * unigram)


def test_kenlm_reads_it_and_gives_the_same_scores(tmp_path):
    pytest.importorskip("flashlight")
    from flashlight.lib.text.decoder.kenlm import KenLM
    from flashlight.lib.text.dictionary import Dictionary

    levels = estimate(text(), 3)
    path = tmp_path / "lm.arpa"
    path.write_text("\n".join(write(levels)) + "\n")
    model = KenLM(str(path), Dictionary(WORDS))
    assert read_unigrams(path) == set(WORDS)
    for sentence in text(20):
        state, total = model.start(False), 0.0
        for word in sentence:
            state, score = model.score(state, WORDS.index(word))
            total += score
        total += model.finish(state)[1]
        padded = [BEGIN, *sentence, END]
        expected = sum(log_probability(levels, padded[:at], padded[at]) for at in range(1, len(padded)))
        assert total == pytest.approx(expected, abs=1e-3)


def test_a_longer_model_fits_better():
    pattern = [["a", "b", "c", "a", "b", "d"]] * 20 + [["b", "c", "a"]] * 5
    scores = []
    for order in (1, 2, 3):
        levels = estimate(pattern, order)
        padded = [BEGIN, *pattern[0], END]
        scores.append(sum(log_probability(levels, padded[:at], padded[at]) for at in range(1, len(padded))))
    assert scores == sorted(scores)
    assert all(math.isfinite(score) for score in scores)


def test_what_is_no_arpa_file_is_named(tmp_path):
    path = tmp_path / "lm.bin"
    path.write_bytes(b"mmap lm http://kheafield.com/code format version 5\n\x00\xff\x80")
    with pytest.raises(InputError, match=r"lm\.bin: is not an ARPA file.*--lexicon"):
        read_unigrams(path)


def test_no_text_is_an_error():
    with pytest.raises(InputError, match="no words"):
        estimate([], 3)
