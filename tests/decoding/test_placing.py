from itertools import pairwise

import numpy as np
import pytest
import torch

from speechxl.decoding.alignment import STAR
from speechxl.decoding.placing import place, read_script
from speechxl.errors import InputError
from speechxl.models.frames import FrameGeometry
from speechxl.text import UnknownSymbol, Vocabulary

CHARACTERS = Vocabulary(("<pad>", "|", "a", "b", "ch"))
PHONES = Vocabulary(("<pad>", "tʃ", "a"), delimiter=None)


def logits_of(ids, vocabulary=CHARACTERS):
    """(F, V) where each frame has one likely symbol."""
    return torch.nn.functional.one_hot(torch.tensor(ids), len(vocabulary)).float() * 10


def placed(text, ids, vocabulary=CHARACTERS, **options):
    logits = logits_of(ids, vocabulary)
    return place(logits, read_script(text, vocabulary, **options), vocabulary, FrameGeometry(), len(ids) * 0.02 + 0.005)


def times(units):
    return [(unit.text, round(unit.start, 4), round(unit.end, 4)) for unit in units]


def test_words_and_their_characters_have_times_and_scores():
    result = placed("ab b", [0, 2, 2, 0, 0, 3, 1, 1, 0, 3, 0])
    assert times(result.units) == [("ab", 0.02, 0.12), ("b", 0.18, 0.2)]
    assert times(result.units[0].parts) == [("a", 0.02, 0.08), ("b", 0.08, 0.12)]  # they share the blanks between them
    assert all(0.99 < unit.score <= 1 for word in result.units for unit in [word, *word.parts])
    assert 0.99 < result.score <= 1


def test_scores_are_geometric_means_over_frames():
    logits = logits_of([0, 2, 2, 3])
    logits[2] = torch.tensor([0.0, 0.0, 1.0, 0.0, 0.0])
    (word,) = place(logits, read_script("ab", CHARACTERS), CHARACTERS, FrameGeometry(), 0.1).units
    sure, unsure = float(logits[0].softmax(0)[0]), float(logits[2].softmax(0)[2])
    assert [part.score for part in word.parts] == [pytest.approx(np.sqrt(sure * unsure)), pytest.approx(sure)]
    assert word.score == pytest.approx((sure * unsure * sure) ** (1 / 3))


def test_the_score_of_a_text_is_that_of_the_frames_of_its_words():
    logits = logits_of([2, 0, 0, 1, 3, 0])
    logits[1] *= 0.1  # an unsure blank, and unsure what separates words
    logits[3] *= 0.1
    result = place(logits, read_script("a b", CHARACTERS), CHARACTERS, FrameGeometry(), 0.2)
    assert result.score == pytest.approx(float(logits[0].softmax(0)[2]))


def test_symbols_of_several_characters_are_one():
    assert [part.text for part in placed("cha", [4, 2]).units[0].parts] == ["ch", "a"]


def test_phones_share_short_pauses_and_not_long_ones():
    result = placed("tʃ a a", [1, 0, 0, 2, *[0] * 20, 2], PHONES)
    assert times(result.units) == [("tʃ", 0, 0.04), ("a", 0.04, 0.08), ("a", 0.48, 0.5)]


def test_a_star_is_a_gap_and_no_word():
    script = read_script("a * b", CHARACTERS)
    assert (script.units, script.symbols, script.tokens) == (["a", "b"], ["a", "*", "b"], [2, STAR, 3])
    result = placed("a * b", [2, 1, 3, 3, 0, 2, 1, 0, 3, 0])
    assert times(result.units) == [("a", 0.0, 0.02), ("b", 0.16, 0.18)]
    assert result.score > 0.99


def test_stars_at_both_ends_allow_for_any_speech_there():
    ids = [3, 3, 0, 3, 1, 2, 0, 3, 0, 3]
    assert times(placed("a", ids, star=True).units) == [("a", 0.1, 0.12)]
    assert times(placed("ab", [3, 3, 0, 3, 1, 2, 3, 0, 3], star=True).units) == [("ab", 0.1, 0.14)]


def test_unknown_symbols_are_an_error_by_default():
    with pytest.raises(UnknownSymbol, match=r"'7' \(U\+0037 DIGIT SEVEN\)") as caught:
        read_script("a7 77", CHARACTERS)
    assert caught.value.counts == {"7": 3}


def test_unknown_symbols_may_be_any_speech():
    result = placed("a7 b", [2, 0, 3, 3, 1, 0, 3], unknown="star")
    assert [word.text for word in result.units] == ["a7", "b"]
    assert times(result.units[0].parts) == [("a", 0.0, 0.02), ("7", 0.02, 0.08)]
    assert result.units[0].parts[1].score is None
    assert result.units[0].score > 0.99
    assert placed("77 b", [2, 0, 3, 3, 1, 0, 3], unknown="star").units[0].score is None


def test_unknown_symbols_may_be_passed_over_and_every_word_has_a_time():
    result = placed("7 a7 77 7 b 7", [0, 2, 0, 0, 1, 0, 0, 0, 3, 0], unknown="skip")
    assert times(result.units) == [
        ("7", 0.0, 0.02), ("a7", 0.02, 0.04), ("77", 0.04, 0.1), ("7", 0.1, 0.16), ("b", 0.16, 0.18), ("7", 0.18, 0.205),
    ]  # fmt: skip
    assert [unit.score is None for unit in result.units] == [True, False, True, True, False, True]
    assert read_script("7 a 7 b", CHARACTERS, unknown="skip").symbols == ["a", "|", "b"]


@pytest.mark.parametrize("unknown", ["skip", "star"])
def test_unknown_phones_keep_their_place(unknown):
    result = placed("tʃ x a", [1, 0, 0, 2], PHONES, unknown=unknown)
    assert times(result.units) == [("tʃ", 0, 0.02), ("x", 0.02, 0.06), ("a", 0.06, 0.08)]


def test_a_text_of_unknown_symbols_only_cannot_be_aligned():
    for text, unknown in [("*", "error"), ("7 7", "skip"), ("7 7", "star"), ("", "error")]:
        with pytest.raises(InputError, match="nothing to align"):
            read_script(text, CHARACTERS, unknown=unknown, star=bool(text))


@pytest.mark.parametrize("seed", range(20))
def test_times_increase_and_stay_within_the_recording(seed):
    rng = np.random.default_rng(seed)
    text = " ".join("".join(rng.choice(["a", "b", "ch", "7"], rng.integers(1, 5))) for _ in range(rng.integers(1, 9)))
    logits = torch.randn(100, 5, generator=torch.Generator().manual_seed(seed)) * 3
    script = read_script(
        f"{text} a *", CHARACTERS, unknown=str(rng.choice(["skip", "star"])), star=bool(rng.integers(2))
    )
    samples = 100 * 320 + int(rng.integers(80, 400))
    words = place(logits, script, CHARACTERS, FrameGeometry(), samples / 16_000).units
    assert [word.text for word in words] == [*text.split(), "a"]
    for units in [words, *(word.parts for word in words)]:
        ends = [0.0, *(time for unit in units for time in (unit.start, unit.end)), samples / 16_000]
        assert all(one <= other + 1e-9 for one, other in pairwise(ends))
    for word in words:
        assert all(part.start < part.end for part in word.parts)
        if word.parts:
            assert (word.start, word.end) == (word.parts[0].start, word.parts[-1].end)
