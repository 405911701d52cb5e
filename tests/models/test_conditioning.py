import copy

import pytest
import torch
from torch import nn
from transformers import Wav2Vec2ForCTC

from speechxl.errors import InputError
from speechxl.models.conditioning import add_conditioning
from speechxl.models.folders import Card
from speechxl.models.making import configuration, new_ctc_model, with_encoder
from speechxl.models.onnx import Exportable
from speechxl.models.saving import save_model
from speechxl.models.weights import load_ctc_model
from tests.conftest import small_preset

LAYERS = [1]


def models(preset, vocabulary):
    """A model of `transformers`, and the same with this package's encoder."""
    torch.manual_seed(0)
    config = configuration(small_preset(preset))
    config.vocab_size, config.num_hidden_layers = len(vocabulary), 3
    plain = Wav2Vec2ForCTC(config).eval()
    nn.init.normal_(plain.lm_head.weight, std=1.0)
    return plain, with_encoder(copy.deepcopy(plain))


def conditioned(model, layers=LAYERS):
    """With feedback that does something."""
    add_conditioning(model, layers)
    nn.init.normal_(model.conditioning.weight, generator=torch.Generator().manual_seed(3))
    nn.init.normal_(model.conditioning.bias, generator=torch.Generator().manual_seed(4))
    return model


def logits(model, waveform, lengths=None):
    return model.lm_head(model.wav2vec2(waveform, lengths).features)


WAVEFORM = torch.randn(1, 8_000, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("preset", ["w2v2-base", "xls-r-300m"])
@pytest.mark.parametrize("layers", [[1], [1, 2]])
@torch.inference_mode()
def test_it_is_what_hooks_between_the_layers_of_transformers_compute(preset, layers, vocabulary):
    plain, own = models(preset, vocabulary)
    conditioned(own, layers)
    encoder, back = plain.wav2vec2.encoder, own.conditioning
    seen = []

    def hook(module, arguments, output):
        hidden = output[0] if isinstance(output, tuple) else output
        seen.append(plain.lm_head(encoder.layer_norm(hidden) if preset == "xls-r-300m" else hidden))
        hidden = hidden + back(seen[-1].softmax(-1))
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    without = plain(WAVEFORM).logits
    for layer in layers:
        encoder.layers[layer - 1].register_forward_hook(hook)
    expected = plain(WAVEFORM).logits
    torch.testing.assert_close(logits(own, WAVEFORM), expected, atol=1e-4, rtol=1e-4)
    assert (expected - without).abs().max() > 0.1
    found = own.wav2vec2(WAVEFORM).intermediate
    assert len(found) == len(layers) == len(seen)
    for intermediate, other in zip(found, seen, strict=True):
        torch.testing.assert_close(intermediate, other, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_a_model_is_as_it_was_until_it_is_trained(vocabulary):
    _, own = models("xls-r-300m", vocabulary)
    before = logits(own, WAVEFORM)
    assert own.wav2vec2(WAVEFORM).intermediate == []
    add_conditioning(own, LAYERS)
    assert torch.equal(logits(own, WAVEFORM), before)


@torch.inference_mode()
def test_padding_changes_nothing(vocabulary):
    model = conditioned(models("xls-r-300m", vocabulary)[1])
    batch = torch.cat([nn.functional.pad(WAVEFORM, (0, 4_000)), torch.randn(1, 12_000)])
    found = logits(model, batch, torch.tensor([8_000, 12_000]))
    alone = logits(model, WAVEFORM)
    torch.testing.assert_close(found[:1, : alone.shape[1]], alone, atol=1e-4, rtol=1e-4)


def test_what_is_fed_back_learns_from_what_comes_after_it(vocabulary):
    model = models("xls-r-300m", vocabulary)[1]
    add_conditioning(model, LAYERS)
    model.wav2vec2(WAVEFORM).intermediate[0].square().sum().backward()
    gradients = [layer.attention.q_proj.weight.grad for layer in model.wav2vec2.encoder.layers]
    assert gradients[0].abs().max() > 0
    assert gradients[1] is None
    assert model.conditioning.weight.grad is None
    logits(model, WAVEFORM).square().sum().backward()
    assert model.conditioning.weight.grad.abs().max() > 0


@pytest.mark.parametrize("layers", [[0], [3], [-1], [1, 1], [4]])
def test_layers_that_are_not_there_are_named(layers, vocabulary):
    told = " ".join(map(str, layers))
    with pytest.raises(InputError, match=rf"--conditioning.layers {told}: .* last of the 3 layers, .*: 1 to 2\."):
        add_conditioning(models("xls-r-300m", vocabulary)[1], layers)


@torch.inference_mode()
def test_a_folder_keeps_it_and_transformers_names_what_it_does_not_compute(tmp_path, vocabulary):
    torch.manual_seed(0)
    model = conditioned(new_ctc_model(small_preset(), vocabulary)).eval()
    card = Card(normalise=True, preset="tiny", units="char", vocabulary=vocabulary.hash, conditioning=LAYERS)
    save_model(tmp_path / "m", model, card, vocabulary)
    loaded, _, again = load_ctc_model(str(tmp_path / "m"))
    assert again.conditioning == LAYERS
    assert torch.equal(logits(loaded.eval(), WAVEFORM), logits(model, WAVEFORM))
    plain, report = Wav2Vec2ForCTC.from_pretrained(tmp_path / "m", output_loading_info=True)
    assert set(report["unexpected_keys"]) == {"conditioning.weight", "conditioning.bias"}
    assert (plain.eval()(WAVEFORM).logits - logits(model, WAVEFORM)).abs().max() > 0.01
    text = (tmp_path / "m" / "README.md").read_text()
    assert "the transformer layers 1 would write is fed back" in text
    assert "`transformers` does not compute this" in text
    (tmp_path / "m" / "README.md").write_text("my own")
    save_model(tmp_path / "m", model, card, vocabulary)
    assert (tmp_path / "m" / "README.md").read_text() == "my own"
    with pytest.raises(InputError, match="cannot be exported"):
        Exportable(model)


def test_weights_that_are_missing_are_named(tmp_path, ctc_model, vocabulary):
    card = Card(normalise=True, preset="tiny", units="char", vocabulary=vocabulary.hash, conditioning=LAYERS)
    save_model(tmp_path / "m", ctc_model, card, vocabulary)
    with pytest.raises(InputError, match=r"model.safetensors: the weights conditioning.weight and conditioning.bias"):
        load_ctc_model(str(tmp_path / "m"))
