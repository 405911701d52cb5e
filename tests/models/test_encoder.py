import copy

import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from speechxl.errors import InputError
from speechxl.models import encoder
from speechxl.models.encoder import Encoder


def models(norm, stable):
    torch.manual_seed(0)
    config = Wav2Vec2Config(
        conv_dim=(24,) * 7,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        feat_extract_norm=norm,
        do_stable_layer_norm=stable,
        conv_bias=norm == "layer",
        attn_implementation="eager",
    )
    peer = Wav2Vec2Model(config).eval()
    return peer, Encoder(copy.deepcopy(peer)).eval()


@pytest.fixture(params=[False, True], ids=["post-norm", "pre-norm"])
def stable(request):
    return request.param


def test_features_equal_those_of_transformers(norm, stable):
    peer, own = models(norm, stable)
    waveform = torch.randn(2, 16_000)
    theirs, ours = peer(waveform), own(waveform)
    torch.testing.assert_close(ours.features, theirs.last_hidden_state, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.normed_features, theirs.extract_features, atol=1e-5, rtol=1e-5)


def test_masked_features_equal_those_of_transformers(norm, stable):
    peer, own = models(norm, stable)
    waveform, mask = torch.randn(2, 16_000), torch.rand(2, 49) < 0.5
    theirs = peer(waveform, mask_time_indices=mask).last_hidden_state
    torch.testing.assert_close(own(waveform, mask=mask).features, theirs, atol=1e-5, rtol=1e-5)


def test_padding_does_not_change_features(norm, stable):
    _, own = models(norm, stable)
    waveform = torch.randn(3, 16_000)
    lengths = torch.tensor([16_000, 9_000, 400])
    for row, length in zip(waveform, lengths, strict=True):
        row[length:] = 0
    padded = own(waveform, lengths)
    assert padded.lengths.tolist() == [49, 27, 1]
    for row, (length, frames) in enumerate(zip(lengths, padded.lengths, strict=True)):
        alone = own(waveform[row : row + 1, :length]).features[0]
        torch.testing.assert_close(padded.features[row, :frames], alone, atol=1e-4, rtol=0)


def test_utterances_below_one_frame_stay_finite_beside_others(norm, stable):
    _, own = models(norm, stable)
    waveform = torch.randn(2, 4_000)
    waveform[1, 200:] = 0
    encoded = own(waveform, torch.tensor([4_000, 200]))
    assert encoded.lengths.tolist() == [12, 0]
    assert encoded.features.isfinite().all()


def test_parameter_names_are_those_of_transformers(norm, stable):
    peer, own = models(norm, stable)
    assert own.state_dict().keys() == peer.state_dict().keys()


def test_skipped_layers_are_left_out(stable):
    peer, own = models("layer", stable)
    waveform = torch.randn(1, 8_000)
    del peer.encoder.layers[1]
    torch.testing.assert_close(own(waveform, skip={1}).features, peer(waveform).last_hidden_state, atol=1e-5, rtol=1e-5)


def test_masked_channels_are_zero_before_the_transformer(norm, monkeypatch):
    _, own = models(norm, True)
    seen = []
    monkeypatch.setattr(encoder, "embed_positions", lambda module, x: seen.append(x) or module(x))
    own(torch.randn(1, 8_000), channel_mask=torch.arange(32)[None] < 8)
    assert (seen[0][..., :8] == 0).all()
    assert (seen[0][..., 8:] != 0).any()


def test_an_encoder_with_a_convolutional_adapter_is_refused():
    config = Wav2Vec2Config(
        conv_dim=(8,) * 7,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        add_adapter=True,
    )
    with pytest.raises(InputError, match="add_adapter=True"):
        Encoder(Wav2Vec2Model(config))


def test_activations_that_are_computed_again_give_the_same_gradients(norm, stable):
    _, own = models(norm, stable)
    own.train()
    waveform, calls = torch.randn(2, 16_000), []
    own.encoder.layers[0].register_forward_pre_hook(lambda *_: calls.append(1))
    results = []
    for own.checkpoint_activations in (False, True):
        torch.manual_seed(1)
        own.zero_grad()
        loss = own(waveform, skip={1}).features.sin().sum()
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in own.parameters() if p.grad is not None)])
        calls.append(0)
    assert calls == [1, 0, 1, 1, 0]
    assert not torch.equal(results[0][0], own.eval()(waveform, skip={1}).features.sin().sum())
    for kept, again in zip(*results, strict=True):
        assert torch.equal(kept, again)
