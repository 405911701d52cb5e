import copy

import pytest
import torch
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2FeatureEncoder

from speechxl.models import extractor
from speechxl.models.extractor import FeatureExtractor
from speechxl.models.frames import FrameGeometry

GEOMETRIES = [FrameGeometry(), FrameGeometry((8, 8, 8), (4, 4, 4)), FrameGeometry((10, 1, 3), (5, 2, 2))]


def pair(geometry, norm, bias=None):
    """The extractor of transformers and this package's with the same weights."""
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=(24,) * len(geometry.kernels),
        conv_kernel=geometry.kernels,
        conv_stride=geometry.strides,
        num_feat_extract_layers=len(geometry.kernels),
        feat_extract_norm=norm,
        conv_bias=norm == "layer" if bias is None else bias,
    )
    peer = Wav2Vec2FeatureEncoder(config)
    for parameter in peer.parameters():
        torch.nn.init.normal_(parameter, mean=float(parameter.ndim == 1), std=0.5 if parameter.ndim == 1 else 0.2)
    return peer, FeatureExtractor(copy.deepcopy(peer.conv_layers), geometry, norm)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
@pytest.mark.parametrize("block_rows", [7, 100_000])
def test_features_and_gradients_equal_those_of_transformers(geometry, norm, block_rows, monkeypatch):
    monkeypatch.setattr(extractor, "BLOCK_SIZE", 24 * block_rows)
    peer, own = pair(geometry, norm)
    waveform = torch.randn(3, 5003)
    expected, features = peer(waveform.clone()).mT, own(waveform)
    torch.testing.assert_close(features, expected, atol=2e-5, rtol=1e-5)
    grad = torch.randn_like(expected)
    expected.backward(grad)
    features.backward(grad)
    for (name, theirs), ours in zip(peer.named_parameters(), own.parameters(), strict=True):
        scale = theirs.grad.abs().max()
        torch.testing.assert_close(
            ours.grad / scale, theirs.grad / scale, atol=2e-5, rtol=0, msg=lambda m, n=name: f"{n}: {m}"
        )


def test_an_accelerator_s_single_block_gives_the_same(norm, monkeypatch):
    _, own = pair(FrameGeometry(), norm)
    waveform = torch.randn(3, 4001)
    blocked = own(waveform)
    monkeypatch.setattr(extractor, "_blocks", lambda size, width, slots, device: [(0, size)])
    torch.testing.assert_close(own(waveform), blocked, atol=1e-5, rtol=1e-5)
    own(waveform).square().sum().backward()
    whole = [parameter.grad.clone() for parameter in own.parameters()]
    own.zero_grad()
    monkeypatch.undo()
    own(waveform).square().sum().backward()
    for parameter, gradient in zip(own.parameters(), whole, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, atol=1e-3, rtol=1e-3)


def test_bfloat16_is_as_close_to_float32_as_that_of_transformers(norm):
    peer, own = pair(FrameGeometry(), norm)
    waveform = torch.randn(2, 16_000)
    exact = own(waveform)
    with torch.autocast("cpu", torch.bfloat16):
        ours, theirs = own(waveform), peer(waveform.clone()).mT
    assert ours.dtype == torch.bfloat16
    assert (ours - exact).abs().mean() < 1.5 * (theirs - exact).abs().mean()


def test_padding_does_not_change_features(norm):
    _, own = pair(FrameGeometry(), norm)
    waveform = torch.randn(2, 16_000)
    waveform[1, 9_000:] = 0
    frames = own.geometry.num_frames(9_000)
    padded = own(waveform, torch.tensor([16_000, 9_000]))[1, :frames]
    torch.testing.assert_close(padded, own(waveform[1:, :9_000])[0], atol=1e-5, rtol=1e-5)


def test_a_common_mode_far_above_the_signal_does_not_hurt_the_folded_statistics(norm):
    peer, own = pair(FrameGeometry(), norm)
    waveform = 1e-3 * torch.randn(1, 4_000) + 1.0
    exact = copy.deepcopy(peer).double()(waveform.double()).mT
    ours, theirs = (own(waveform) - exact).abs().max(), (peer(waveform.clone()).mT - exact).abs().max()
    assert ours <= max(2 * theirs, torch.tensor(1e-4))


def test_nothing_is_kept_without_gradients(norm, monkeypatch):
    _, own = pair(FrameGeometry(), norm)
    waveform = torch.randn(1, 4_000)
    kept = []
    forward = extractor._ConvStack.forward

    def watched(ctx, *args):
        output = forward(ctx, *args)
        kept.append(len(ctx.outputs))
        return output

    monkeypatch.setattr(extractor._ConvStack, "forward", staticmethod(watched))
    with torch.no_grad():
        assert not own(waveform).requires_grad
    with torch.inference_mode():
        own(waveform)
    assert own(waveform).requires_grad
    assert kept == [1, 1, 6]


def test_moments_of_a_recording_make_its_parts_equal_to_the_whole():
    _, own = pair(FrameGeometry(), "group")
    waveform = torch.randn(1, 32_000) * torch.linspace(0.1, 3, 32_000)
    whole, moments = own(waveform), own.moments(waveform)
    torch.testing.assert_close(own(waveform[:, 16_000:], moments=moments), whole[:, 50:], atol=2e-5, rtol=1e-4)
    assert not torch.allclose(own(waveform[:, 16_000:]), whole[:, 50:], atol=1e-2)


@pytest.mark.parametrize("samples", [400, 401, 719, 720, 1041])
def test_the_shortest_utterances(norm, samples):
    peer, own = pair(FrameGeometry(), norm)
    waveform = torch.randn(2, samples)
    torch.testing.assert_close(own(waveform), peer(waveform.clone()).mT, atol=2e-5, rtol=1e-4)


def test_an_utterance_below_one_frame_gives_no_frame(norm):
    _, own = pair(FrameGeometry(), norm)
    assert own(torch.randn(2, 399)).shape == (2, 0, 24)
