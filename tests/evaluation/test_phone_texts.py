import numpy as np
import pytest

from speechxl.evaluation.phone_texts import features_of, folded, model_inventory, read_texts, toneless
from speechxl.phonology.distance import new_metric


@pytest.fixture(scope="module")
def metric():
    return new_metric("panphon")


def said(texts, side="references"):
    return [[texts.symbols[number] for number in sequence] for sequence in getattr(texts, side)]


def test_spellings_of_one_phone_are_the_same():
    texts = read_texts(["g tʃ ç a"], ["ɡ t̠ʃ ç a"])
    assert said(texts) == said(texts, "hypotheses") == [["ɡ", "t͡ʃ", "ç", "a"]]
    assert not texts.not_ipa


def test_what_is_not_ipa_stays_and_is_known():
    texts = read_texts(["a <unk> b", ""], ["a @ b", "7"])
    assert said(texts) == [["a", "<unk>", "b"], []]
    assert {texts.symbols[number] for number in texts.not_ipa} == {"<unk>", "@", "7"}


def test_hypotheses_of_a_model_with_espeak_mnemonics_are_read_as_its_output():
    symbols = ["<pad>", "p", "th", "ts.h", "a", "i5"]
    texts = read_texts(["ʈ͡ʂʰ a tʰ"], ["ts.h a th"], symbols)
    assert said(texts) == said(texts, "hypotheses")
    assert model_inventory(symbols).symbols == ("a", "i", "p", "tʰ", "ʈ͡ʂʰ")


def test_the_inventory_of_a_model_has_no_tones_and_no_reserved_symbols():
    found = model_inventory(["<pad>", "<unk>", "a˥", "a", "˥", "b"])
    assert (found.symbols, found.source) == (("a", "b"), "model")
    assert model_inventory(["<pad>", "˥"]) is None


@pytest.mark.parametrize(
    ("phone", "letters"),
    [
        ("t͡ʃʰ", "tʃ"), ("aː", "a"), ("ei", "ei"), ("ã̰ˑ", "a"), ("ⁿd", "d"), ("a˥˩", "a"), ("˥˩", ""), ("ç", "ç"), ("k͡p", "kp"),
        ("t̪|t", "t"),
    ],
)  # fmt: skip
def test_folding_leaves_letters(phone, letters):
    assert folded(phone) == tuple(letters)


def test_folding_leaves_what_is_not_ipa():
    assert folded("<unk>") == ("<unk>",)
    assert toneless("<unk>") == "<unk>"


def test_differences_are_shares_of_features_and_full_without_any(metric):
    features = features_of(["a", "p", "b", "<unk>", "@"], metric)
    assert features.known.tolist() == [True, True, True, False, False]
    np.testing.assert_allclose(np.diag(features.differences), 0)
    np.testing.assert_allclose(features.differences, features.differences.T)
    assert features.differences[1, 2] == pytest.approx(1 / 24)  # voice
    assert features.differences[0, 3] == features.differences[3, 4] == 1
    assert features.differences.max() == 1


def test_no_phones_have_no_features(metric):
    assert features_of([], metric).differences.shape == (0, 0)
    assert features_of(["@", "7"], metric).differences.tolist() == [[0, 1], [1, 0]]
