import pytest
import torch

from speechxl.data.datamodule import SpeechDataset
from speechxl.data.manifest import read_manifest
from speechxl.tasks.probe import probe
from speechxl.text import Vocabulary
from tests.conftest import WORDS


@pytest.fixture
def parts(corpus):
    rows = read_manifest(corpus / "manifest.tsv")
    vocabulary = Vocabulary.from_texts(WORDS, "char")

    def make(chosen):
        return SpeechDataset(
            chosen, ["quy", "swh"], normalise=True, seed=1, encode=lambda row: (row.text, vocabulary.encode(row.text))
        )

    return make(rows[:10]), make(rows[10:]), vocabulary


class Telling(torch.nn.Module):
    """An encoder whose features say what is spoken."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder, self.geometry, self.inner = encoder.encoder, encoder.geometry, encoder

    def forward(self, waveform, lengths=None, skip=()):
        encoded = self.inner(waveform, lengths, skip=skip)
        windows = waveform.unfold(1, 400, 320)[:, : encoded.features.shape[1]]
        encoded.features = torch.fft.rfft(windows * torch.hann_window(400)).abs()[..., :32].log1p()
        return encoded


def test_features_that_tell_the_words_apart_have_a_lower_loss_and_error(parts, pretraining_model):
    encoder = pretraining_model.wav2vec2
    random = probe(encoder, *parts)
    telling = probe(Telling(encoder), *parts)
    assert telling["probe_loss"] < 0.7 * random["probe_loss"]
    assert telling["probe_error"] <= 0.6 < random["probe_error"]


def test_nothing_is_drawn_and_nothing_of_the_model_changes(parts, pretraining_model):
    encoder = pretraining_model.wav2vec2.train()
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    state = torch.get_rng_state()
    assert probe(encoder, *parts) == probe(encoder, *parts)
    assert torch.equal(state, torch.get_rng_state())
    assert encoder.training
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_the_layer_can_be_chosen(parts, pretraining_model):
    encoder = pretraining_model.wav2vec2
    assert probe(encoder, *parts, layer=1) != probe(encoder, *parts, layer=2)
    assert probe(encoder, *parts, layer=2) == probe(encoder, *parts, layer=9)
