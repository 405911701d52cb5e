import copy

import pytest
import torch
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2GumbelVectorQuantizer

from speechxl.models.quantizer import GumbelQuantizer, perplexity


def pair():
    torch.manual_seed(0)
    config = Wav2Vec2Config(conv_dim=(24,) * 7, codevector_dim=16, num_codevectors_per_group=10)
    peer = Wav2Vec2GumbelVectorQuantizer(config)
    torch.nn.init.normal_(peer.weight_proj.weight)
    torch.nn.init.uniform_(peer.codevectors)
    twin = copy.deepcopy(peer)
    return peer, GumbelQuantizer(twin.codevectors, twin.weight_proj, 2)


def test_the_likeliest_codes_equal_those_of_transformers():
    peer, own = pair()
    features = torch.randn(3, 20, 24)
    vectors, _ = peer.eval()(features)
    torch.testing.assert_close(own(features.flatten(0, 1)).vectors, vectors.flatten(0, 1), atol=1e-6, rtol=0)


def test_values_and_gradients_with_noise_equal_those_of_transformers(monkeypatch):
    peer, own = pair()
    features = torch.randn(1, 30, 24)
    uniform = torch.rand(30, 20).clamp(1e-6, 1 - 1e-6)
    noise = -(-uniform.log()).log()

    def gumbel_softmax(logits, tau, hard):
        soft = ((logits + noise.view_as(logits)) / tau).softmax(-1)
        return torch.zeros_like(soft).scatter_(-1, soft.argmax(-1, keepdim=True), 1.0) - soft.detach() + soft

    monkeypatch.setattr(torch.nn.functional, "gumbel_softmax", gumbel_softmax)
    peer.train()
    peer.temperature = 1.5
    theirs, their_input = peer(features.requires_grad_())[0], features
    own_input = features.detach().clone().requires_grad_()
    ours = own(own_input[0], 1.5, uniform).vectors
    torch.testing.assert_close(ours, theirs[0], atol=1e-5, rtol=0)
    grad = torch.randn_like(ours)
    theirs.backward(grad[None])
    ours.backward(grad)
    torch.testing.assert_close(own_input.grad, their_input.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(own.codevectors.grad, peer.codevectors.grad, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(own.weight_proj.weight.grad, peer.weight_proj.weight.grad, atol=1e-5, rtol=1e-4)


def test_everything_is_computed_in_float32_under_autocast():
    _, own = pair()
    features = torch.randn(30, 24)
    with torch.autocast("cpu", torch.bfloat16):
        low = own(features)
    assert low.vectors.dtype == torch.float32
    assert torch.equal(low.vectors, own(features).vectors)


@pytest.mark.parametrize(
    ("distribution", "expected"), [([0.25] * 4, 4.0), ([1.0, 0, 0, 0], 1.0), ([0.5, 0.5, 0, 0], 2.0)]
)
def test_perplexity(distribution, expected):
    assert perplexity(torch.tensor(distribution)).item() == pytest.approx(expected, rel=1e-5)


def test_the_gradient_of_perplexity_is_finite_for_unused_codes():
    distribution = torch.tensor([1.0, 0.0], requires_grad=True)
    perplexity(distribution).backward()
    assert distribution.grad.isfinite().all()


def test_spreading_uses_many_codes_for_features_that_have_much_in_common():
    _, own = pair()
    features = 5 * torch.randn(24) + torch.randn(2000, 24)

    def used():
        return [len(book.unique()) for book in own(features).codes.T]

    before = used()
    own.spread(features, 4.0)
    logits = own.weight_proj(features)
    torch.testing.assert_close(logits.std(0), torch.full((20,), 4.0))
    torch.testing.assert_close(logits.mean(0), torch.zeros(20), atol=1e-4, rtol=0)
    assert min(used()) >= 9 > max(before)
