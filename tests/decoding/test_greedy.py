import pytest
import torch

from speechxl.decoding.greedy import greedy
from speechxl.models.frames import FrameGeometry
from speechxl.text import Vocabulary

CHARACTERS = Vocabulary(("<pad>", "|", "a", "b"))


def logits_of(ids, classes=4):
    return torch.nn.functional.one_hot(torch.tensor([ids]), classes).float() * 20


def decode(ids, vocabulary=CHARACTERS):
    return greedy(logits_of(ids, len(vocabulary)), torch.tensor([len(ids)]), vocabulary, FrameGeometry())[0]


@pytest.mark.parametrize(
    ("ids", "text"),
    [([0, 0], ""), ([2, 2, 2], "a"), ([2, 0, 2], "aa"), ([2, 2, 3, 0, 3], "abb"), ([1, 2, 1, 1, 3, 1], "a b")],
)
def test_repetitions_and_blanks_are_removed(ids, text):
    assert decode(ids).text == text


def test_words_have_times_and_scores():
    words = decode([0, 2, 2, 0, 3, 1, 1, 0, 3, 0]).words
    assert [(word.text, word.start, word.end) for word in words] == [("ab", 0.02, 0.1), ("b", 0.16, 0.18)]
    assert all(0.99 < word.score <= 1 for word in words)


def test_phones_have_times_each():
    phones = Vocabulary(("<pad>", "tʃ", "a"), delimiter=None)
    hypothesis = decode([1, 1, 0, 2], phones)
    assert hypothesis.text == "tʃ a"
    assert [(phone.text, phone.start, phone.end) for phone in hypothesis.words] == [
        ("tʃ", 0.0, 0.05),
        ("a", 0.05, 0.08),
    ]
    pause = decode([1, 1, *[0] * 13, 2, 0, 0, 1], phones).words
    times = [time for phone in pause for time in (phone.start, phone.end)]
    assert times == pytest.approx([0.0, 0.04, 0.3, 0.34, 0.34, 0.38])


def test_padding_is_not_decoded():
    logits = torch.cat([logits_of([2, 3]), logits_of([2, 2])], dim=1)
    assert greedy(logits, torch.tensor([2]), CHARACTERS, FrameGeometry())[0].text == "ab"


def test_a_blank_that_is_not_the_first_symbol():
    assert decode([0, 3, 3, 0], Vocabulary(("a", "|", "b", "[PAD]"), blank=3)).text == "aa"
