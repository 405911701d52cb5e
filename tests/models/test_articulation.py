import numpy as np
import pytest
import torch

from speechxl.models.articulation import Articulation
from speechxl.models.phone_note import Heads
from speechxl.phonology.attributes import new_attributes
from speechxl.phonology.composition import new_composition, phone_bins
from speechxl.phonology.features import panphon_table

TABLE = panphon_table()
PHONES = ["p", "b", "m", "t͡ɕ", "t͡ɕʰ", "e", "ei", "nd", "nt"]


@pytest.fixture
def attributes():
    return new_attributes(TABLE, PHONES)


@pytest.fixture
def heads(attributes):
    torch.manual_seed(0)
    own = Heads(attributes.values, len(attributes.bins), 6)
    return Articulation(8, own, torch.from_numpy(attributes.bins))


@pytest.fixture
def features():
    return torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(1))


def test_each_attribute_has_outputs_of_its_own(heads, attributes, features):
    logits = heads.attribute_logits(features)
    sizes = [1 + len(values) for values in attributes.values.values()]
    assert logits.shape == (2, 5, len(sizes), max(sizes))
    parts = torch.nn.functional.linear(features, heads.attributes.weight, heads.attributes.bias).split(sizes, -1)
    for number, part in enumerate(parts):
        assert (logits[:, :, number, : sizes[number]] == part).all()
        assert (logits[:, :, number, sizes[number] :] == -1e4).all()
    assert min(sizes) < max(sizes)


def test_phones_have_the_scores_that_the_composition_gives_them(heads, features):
    found = heads.phone_logits(features, torch.from_numpy(phone_bins(TABLE, PHONES).toarray().T).float())
    bins = heads.bins(features).detach().numpy().reshape(10, -1)
    composed = new_composition(TABLE, PHONES, PHONES, 0.0).apply(bins)
    expected = found.log_softmax(-1).detach().numpy().reshape(10, -1)
    np.testing.assert_allclose(composed, expected, atol=1e-5)


@pytest.mark.parametrize("pair", [("t͡ɕ", "t͡ɕʰ"), ("e", "ei"), ("nd", "nt")])
def test_contours_have_scores_of_their_own(heads, features, pair):
    with torch.no_grad():
        heads.used[2 * 3 * len(TABLE.names) :] = False  # without their letters
    scores = heads.phone_logits(features, torch.from_numpy(phone_bins(TABLE, pair).toarray().T).float())
    assert ((scores[..., 1] - scores[..., 2]).abs() > 1e-3).all()


def test_values_that_tell_nothing_score_nothing_and_learn_nothing(heads, features):
    bins = heads.bins(features)
    assert (bins[..., 1:][..., ~heads.used] == 0).all()
    assert (bins[..., 1:][..., heads.used].abs().sum((0, 1)) > 0).all()
    bins.square().sum().backward()
    learns = heads.embeddings.grad.abs().sum(1) > 0
    assert (learns == torch.cat([torch.tensor([True]), heads.used])).all()


def test_scores_of_values_are_in_float32(heads, features):
    with torch.autocast("cpu", torch.bfloat16):
        assert heads.bins(features).dtype == torch.float32
        assert (heads.bins(features) == heads.bins(features.float())).all()
