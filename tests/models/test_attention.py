import pytest
import torch
import torch.nn.functional as F

from speechxl.models import attention as module
from speechxl.models.attention import attention


def tensors(dtype):
    torch.manual_seed(0)
    return [torch.randn(2, 3, 20, 8, dtype=dtype, requires_grad=True) for _ in range(3)]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_attention_and_its_gradients_equal_those_of_torch(masked, dtype):
    mask = (torch.arange(20) < torch.tensor([20, 11])[:, None])[:, None, None].expand(-1, 1, 20, -1) if masked else None
    ours, theirs = tensors(dtype), tensors(torch.float32)
    result = module._Attention.apply(*ours, mask, 0.0, 0.4)
    expected = F.scaled_dot_product_attention(*theirs, attn_mask=mask, scale=0.4)
    grad = torch.randn(2, 3, 20, 8)
    result.backward(grad.to(dtype))
    expected.backward(grad)
    tolerance = {"atol": 2e-6, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.06, "rtol": 0.05}
    torch.testing.assert_close(result.float(), expected, **tolerance)
    for own, peer in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad.float(), peer.grad, **tolerance)


def test_attention_with_dropout_equals_its_definition(monkeypatch):
    keep = torch.rand(2, 3, 20, 20) < 0.7
    monkeypatch.setattr(module, "kept", lambda shape, p: keep)
    ours, theirs = tensors(torch.float32), tensors(torch.float32)
    result = attention(*ours, None, 0.3, 0.4)
    query, key, value = theirs
    expected = ((query @ key.mT * 0.4).softmax(-1) * keep / 0.7) @ value
    grad = torch.randn_like(result)
    result.backward(grad)
    expected.backward(grad)
    torch.testing.assert_close(result, expected)
    for own, peer in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own.grad, peer.grad, atol=1e-5, rtol=1e-5)
