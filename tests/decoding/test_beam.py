from itertools import product

import pytest
import torch

from speechxl.decoding.arpa import estimate, write
from speechxl.decoding.greedy import Greedy
from speechxl.decoding.path import hypothesis
from speechxl.errors import InputError
from speechxl.models.frames import FrameGeometry
from speechxl.text import Vocabulary

pytest.importorskip("flashlight")
from speechxl.decoding.beam import Beam

CHARACTERS = Vocabulary(("<pad>", "<unk>", "|", "a", "b", "c"))
PHONES = Vocabulary(("<pad>", "<unk>", "a", "tʃ", "b"), delimiter=None)


def text(decoder, emissions, vocabulary=CHARACTERS):
    return hypothesis(decoder.search([decoder.reduce(emissions)]), vocabulary, FrameGeometry()).text


def said(spelling, vocabulary=CHARACTERS, likely=4.0):
    """Emissions in which each symbol is the likeliest of a frame, and a blank follows."""
    logits = torch.zeros(2 * len(spelling), len(vocabulary))
    for place, symbol in enumerate(spelling):
        logits[2 * place, vocabulary.symbols.index(symbol)] = likely
        logits[2 * place + 1, vocabulary.blank] = likely
    return logits


@pytest.fixture
def language_model(tmp_path):
    def make(sentences, order=3, name="lm.arpa"):
        path = tmp_path / name
        path.write_text("\n".join(write(estimate(sentences, order))) + "\n")
        return path

    return make


@pytest.mark.parametrize("seed", range(8))
def test_the_likeliest_text_is_found_as_by_trying_all_paths(seed):
    torch.manual_seed(seed)
    vocabulary = Vocabulary(("<pad>", "<unk>", "a", "b"), delimiter=None)
    emissions = torch.randn(6, 4).log_softmax(-1)
    probabilities = {}
    for path in product([0, 2, 3], repeat=6):
        symbols = tuple(s for place, s in enumerate(path) if s and (place == 0 or path[place - 1] != s))
        score = sum(emissions[frame, symbol] for frame, symbol in enumerate(path)).exp().item()
        probabilities[symbols] = probabilities.get(symbols, 0.0) + score
    likeliest = max(probabilities, key=probabilities.get)
    assert text(Beam(vocabulary), emissions, vocabulary) == vocabulary.decode(likeliest)


def test_where_all_is_clear_it_is_the_greedy_path():
    emissions = said("ab|ca|b")
    assert text(Beam(CHARACTERS), emissions) == text(Greedy(), emissions) == "ab ca b"
    path = Beam(CHARACTERS).search([Beam(CHARACTERS).reduce(emissions)])
    torch.testing.assert_close(path, Greedy().reduce(emissions))


def test_a_recording_in_stretches_gives_what_it_gives_whole(language_model):
    torch.manual_seed(0)
    emissions = torch.randn(1500, 6) * 3
    beam = Beam(CHARACTERS, language_model=language_model([list("ab|ca"), list("c|ba")]))
    kept = beam.reduce(emissions)
    torch.testing.assert_close(beam.search(kept.split(217)), beam.search([kept]))


def test_no_frames_give_no_text():
    assert len(Beam(CHARACTERS).search([])) == 0


def test_a_model_of_characters_decides_where_sound_does_not(language_model):
    emissions = said("ab|a")
    emissions[2] = torch.tensor([0.0, 0, 0, 0, 4.0, 3.9])  # b or c
    assert text(Beam(CHARACTERS), emissions) == "ab a"
    model = language_model([list("ac|a")] * 5 + [list("bb|b")] * 5)
    assert text(Beam(CHARACTERS, language_model=model), emissions) == "ac a"


def test_a_model_of_words_finds_its_words_only(language_model):
    model = language_model([["ab", "ca"], ["ab", "b"], ["ca", "ab"]])
    assert text(Beam(CHARACTERS, language_model=model), said("ab|cb")) in {"ab ca", "ab b"}
    assert text(Beam(CHARACTERS, language_model=model), said("ab|ca")) == "ab ca"


def test_a_lexicon_alone_finds_its_words_only(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("cab\nba\n\nxyz\n")
    assert text(Beam(CHARACTERS, lexicon=path), said("cab|bb")) == "cab ba"


@pytest.mark.parametrize("in_lexicon", [False, True])
def test_hot_words_are_preferred_and_others_are_left_alone(in_lexicon, tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("ab\nac\nca\ncab\nb\n")
    options = {"lexicon": path} if in_lexicon else {}
    emissions = said("ab|ca")
    emissions[2] = torch.tensor([0.0, 0, 0, 0, 4.0, 3.0])  # b, less likely c
    assert text(Beam(CHARACTERS, **options), emissions) == "ab ca"
    assert text(Beam(CHARACTERS, hot_words=["ac"], hot_word_score=2, **options), emissions) == "ac ca"
    assert text(Beam(CHARACTERS, hot_words=["ac ca"], hot_word_score=2, **options), emissions) == "ac ca"
    assert text(Beam(CHARACTERS, hot_words=["ac b"], hot_word_score=0.3, **options), emissions) == "ab ca"


def test_hot_phones_are_preferred():
    emissions = said(["a", "tʃ"], PHONES)
    emissions[2] = torch.tensor([0.0, 0, 0, 4.0, 3.0])
    assert text(Beam(PHONES), emissions, PHONES) == "a tʃ"
    assert text(Beam(PHONES, hot_words=["a b"], hot_word_score=2), emissions, PHONES) == "a b"


def test_a_hot_word_counts_once_it_is_complete():
    emissions = said("ab")
    emissions[2] = torch.tensor([0.0, 0, 0, 0, 4.0, 3.0])
    assert text(Beam(CHARACTERS, hot_words=["acc"], hot_word_score=2), emissions) == "ab"


def test_what_cannot_be_used_is_named(tmp_path, language_model):
    with pytest.raises(InputError, match=r"--hot_words 'axe'.*'x'"):
        Beam(CHARACTERS, hot_words=["axe"])
    with pytest.raises(InputError, match="holds words, and the model recognises phones"):
        Beam(PHONES, language_model=language_model([["xa", "xb"]]))
    with pytest.raises(InputError, match="none of its 2 words can be spelled"):
        Beam(CHARACTERS, language_model=language_model([["xa", "xb"]]))
    broken = tmp_path / "broken.arpa"
    broken.write_text("\\data\\\nngram 1=9\n\n\\1-grams:\n-1\ta\n")
    with pytest.raises(InputError, match=r"broken\.arpa: is not a language model"):
        Beam(CHARACTERS, language_model=broken)
