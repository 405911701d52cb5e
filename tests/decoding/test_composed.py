"""Phones that heads of articulation score by their features, in the recogniser."""

import numpy as np
import pytest
import torch

from speechxl.decoding.recogniser import Recogniser
from speechxl.errors import InputError
from speechxl.models.extensions import add_articulation
from speechxl.models.making import new_ctc_model
from speechxl.models.phone_note import Heads
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.distance import new_metric
from speechxl.phonology.features import panphon_table
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.mapping import Settings, new_map
from speechxl.phonology.report import Training
from speechxl.text import Vocabulary
from tests.conftest import small_preset

PHONES = ["p", "t", "b", "m", "a", "i", "u", "t͡ʃ"]
VOCABULARY = Vocabulary(("<pad>", "<unk>", *PHONES), 0, None)
INVENTORY = Inventory(["p", "d", "n", "a", "e", "t͡ʃʰ", "ai"])
WAVEFORMS = [
    np.random.default_rng(seed).normal(size=size).astype(np.float32) for seed, size in enumerate((9_000, 30_000))
]


def new_model(*, heads=True):
    torch.manual_seed(0)
    model = new_ctc_model(small_preset(), VOCABULARY)
    torch.nn.init.normal_(model.lm_head.weight, std=0.5)
    if heads:
        attributes = new_attributes(panphon_table(), PHONES)
        own = Heads(attributes.values, len(attributes.bins), 16)
        add_articulation(model, own, torch.from_numpy(attributes.bins))
    return model


def mapping_of(strategy, **settings):
    training = Training(counts=dict.fromkeys(["p", "a"], 3))
    return new_map(VOCABULARY, INVENTORY, new_metric("panphon"), Settings(strategy=strategy, **settings), training)


@pytest.mark.parametrize("strategy", ["compose", "blend"])
def test_the_recogniser_does_what_the_map_does_to_logits_and_scores_of_values(strategy):
    model, mapping = new_model(), mapping_of(strategy, weight=0.4, penalty=2.0)
    own = Recogniser(model, VOCABULARY, mapping=mapping, normalise=False)
    for waveform, found in zip(WAVEFORMS, own.logits(WAVEFORMS), strict=True):
        with torch.inference_mode():
            features = model.wav2vec2(torch.from_numpy(waveform)[None]).features
            emissions = model.lm_head(features).double().log_softmax(-1).numpy()
            bins = model.articulation.bins(features).double().numpy()
        np.testing.assert_allclose(found.numpy(), mapping.apply(emissions, bins)[0], atol=2e-4)
    soft = Recogniser(model, VOCABULARY, mapping=mapping_of("soft"), normalise=False).logits(WAVEFORMS)
    assert (soft[0] - own.logits(WAVEFORMS)[0]).abs().max() > 0.1


def test_phones_that_were_not_heard_pay():
    model = new_model()
    free, taxed = (
        Recogniser(model, VOCABULARY, mapping=mapping_of("compose", penalty=penalty), normalise=False).logits(
            WAVEFORMS
        )[0]
        for penalty in (0.0, 3.0)
    )
    difference = (free - taxed) - (free - taxed)[:, :1]  # to that of the blank
    for column, phone in enumerate(INVENTORY.symbols, 1):
        expected = 0.0 if phone in ("p", "a") else 3.0
        torch.testing.assert_close(difference[:, column], torch.full((len(free),), expected), atol=1e-4, rtol=0)


def test_a_model_without_heads_is_refused():
    with pytest.raises(
        InputError, match=r"The strategy blend scores phones by their features, for which the model lacks heads"
    ):
        Recogniser(new_model(heads=False), VOCABULARY, mapping=mapping_of("blend"), normalise=False)
