import pytest
import torch
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2PositionalConvEmbedding

from speechxl.models import positions
from speechxl.models.positions import embed_positions


def embedding(width, kernel=16):
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        hidden_size=4 * width, num_conv_pos_embeddings=kernel, num_conv_pos_embedding_groups=4, num_attention_heads=1
    )
    return Wav2Vec2PositionalConvEmbedding(config)


def gradients(module, result, x, grad):
    return torch.autograd.grad(result, [x, *module.parameters()], grad)


@pytest.mark.parametrize("kernel", [1, 8, 15, 16, 128])
@pytest.mark.parametrize("frames", [1, 7, 8, 40])
def test_positions_and_their_gradients_equal_those_of_transformers(kernel, frames):
    module = embedding(3, kernel)
    x, grad = torch.randn(2, frames, 12, requires_grad=True), torch.randn(2, frames, 12)
    result, expected = embed_positions(module, x), module(x)
    assert "_GroupedConvolution" in str(result.grad_fn.next_functions[0][0].next_functions[0][0])
    torch.testing.assert_close(result, expected, atol=2e-6, rtol=1e-5)
    own, peer = gradients(module, result, x, grad), gradients(module, expected, x, grad)
    torch.testing.assert_close(own, peer, atol=1e-5, rtol=1e-4)


def test_gradients_are_those_of_the_function():
    x, weight = torch.randn(2, 11, 8, dtype=torch.double), torch.randn(8, 2, 5, dtype=torch.double)
    function = positions._GroupedConvolution.apply
    assert torch.autograd.gradcheck(lambda *args: function(*args, 4), (x.requires_grad_(), weight.requires_grad_()))


def test_bfloat16_is_near():
    module, x = embedding(3), torch.randn(2, 40, 12)
    with torch.autocast("cpu", torch.bfloat16):
        result = embed_positions(module, x)
        assert result.dtype == module(x).dtype == torch.bfloat16
    torch.testing.assert_close(result.float(), module(x), atol=0.02, rtol=0.05)


def test_wide_groups_are_left_to_torch(monkeypatch):
    monkeypatch.setattr(positions, "_GroupedConvolution", None)
    module, x = embedding(17), torch.randn(2, 40, 68)
    assert torch.equal(embed_positions(module, x), module(x))
