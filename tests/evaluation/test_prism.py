import string
import unicodedata

import numpy as np
import pytest

from speechxl.evaluation.prism import feature_edits

TEXTS = [
    "p a d j a n", "t͡ʃ ɔ k u", "t ʃ ɔ k u", "ŋ͡m a ŋ m", "g a ɡ a", "ʦ ɚ ᵻ", "k̚ ʔ̚ ã ā", "a˥˩ b a¹²³", "x y z ?", "", "<unk> | tʰ",
    "ʰ p ⁿ d ʊ̯̃", "ç c̨ é", "aː e ə˞ ʘ ǃ", "don't", "t͡", "ɬ ɮ ʟ ɺ",
]  # fmt: skip


@pytest.fixture(scope="module")
def panphon():
    distance = pytest.importorskip("panphon.distance")
    return distance.Distance()


def cleaned(text):
    """As PRiSM's `clean_text` does it."""
    text = text.replace(" ", "").translate(str.maketrans("", "", string.punctuation))
    return unicodedata.normalize("NFD", text).replace("g", "ɡ").strip()


def test_costs_are_those_of_panphon(panphon):
    pairs = [(x, y) for x in TEXTS for y in TEXTS]
    rng = np.random.default_rng(0)
    longer = [" ".join(rng.choice(TEXTS, 6)) for _ in range(40)]
    pairs += zip(longer, longer[1:] + longer[:1], strict=True)
    known = [panphon.hamming_feature_edit_distance(cleaned(y), cleaned(x)) for x, y in pairs]
    np.testing.assert_allclose(feature_edits(*zip(*pairs, strict=True)), known, atol=1e-9)
    assert max(known) > 10


def test_what_is_not_known_costs_nothing():
    assert feature_edits(["x y z"], ["x y z ? 7"]).tolist() == [0]


def test_one_feature_of_24_and_an_insertion():
    assert feature_edits(["p a"], ["b a a"]).tolist() == pytest.approx([1 + 1 / 24])
