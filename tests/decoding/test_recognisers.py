import numpy as np
import pytest
import torch

from speechxl.decoding.recogniser import Recogniser
from speechxl.decoding.recognisers import Recognisers
from speechxl.models.making import new_ctc_model
from speechxl.text import UnknownLanguage, Vocabularies, Vocabulary
from tests.conftest import small_preset

WAVEFORMS = [np.random.default_rng(seed).normal(size=8_000 * (seed + 1)).astype(np.float32) for seed in range(4)]
LANGUAGES = ["swh", "quy", "swh", "quy"]


@pytest.fixture
def vocabularies():
    return Vocabularies.from_texts({"quy": ["ba do"], "swh": ["bo lo ki"]}, "char")


@pytest.fixture
def model(vocabularies):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), vocabularies)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    return model


def test_each_recording_is_recognised_in_its_language_in_the_order_given(model, vocabularies):
    recognisers = Recognisers(model, vocabularies, normalise=True)
    together = recognisers.logits(WAVEFORMS, LANGUAGES)
    everything = Recogniser(model, Vocabulary(tuple(map(chr, range(97, 97 + len(vocabularies))))), normalise=True)
    for found, logits, language in zip(together, everything.logits(WAVEFORMS), LANGUAGES, strict=True):
        torch.testing.assert_close(found, logits[:, list(vocabularies.outputs(language))], atol=1e-4, rtol=0)
    texts = [hypothesis.text for hypothesis in recognisers(WAVEFORMS, LANGUAGES)]
    for text, logits, language in zip(texts, together, LANGUAGES, strict=True):
        best = logits.argmax(-1).unique_consecutive().tolist()
        assert text == vocabularies.of(language).decode(best) != ""


def test_a_long_recording_is_recognised_in_its_language_as_well(model, vocabularies):
    recognisers = Recognisers(model, vocabularies, normalise=True, window_seconds=0.5, context_seconds=0.2)
    for language in ("quy", "swh"):
        (whole,) = recognisers([WAVEFORMS[3]], [language])
        streamed = recognisers.of(language).stream(lambda: np.array_split(WAVEFORMS[3], 5))
        assert streamed.text == whole.text != ""


def test_one_vocabulary_takes_all_languages_in_common_batches(ctc_model, vocabulary, monkeypatch):
    recognisers = Recognisers(ctc_model, vocabulary, normalise=True)
    batches = []
    encode = Recogniser._encode
    monkeypatch.setattr(Recogniser, "_encode", lambda self, *rest: batches.append(1) or encode(self, *rest))
    assert len(recognisers(WAVEFORMS, ["", "quy", "xyz", ""])) == 4
    assert len(batches) == 1
    assert recognisers.of("quy") is recognisers.of("")


def test_a_language_that_the_model_lacks_is_named(model, vocabularies):
    recognisers = Recognisers(model, vocabularies, normalise=True)
    with pytest.raises(UnknownLanguage, match="each of quy, swh, and none for 'mdw'"):
        recognisers(WAVEFORMS, ["quy", "swh", "mdw", "quy"])
