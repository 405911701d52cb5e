"""Small models and corpora made on the spot."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded; spinning threads starve each other

import numpy as np
import pytest
import soundfile
import torch

from speechxl.config import Architecture, Dropout, resolve
from speechxl.data.manifest import write_manifest
from speechxl.models.folders import Card
from speechxl.models.making import new_ctc_model, new_pretraining_model
from speechxl.models.saving import save_model
from speechxl.phonology.phoible import open_phoible
from speechxl.shapes import Utterance
from speechxl.text import Vocabulary

torch.set_num_threads(1 if "PYTEST_XDIST_WORKER" in os.environ else 2)  # as many processes as cores
SMALL = Architecture(conv_channels=16, layers=2, width=32, ffn=64, heads=2)
NO_DROPOUT = Dropout(0.0, 0.0, 0.0, 0.0, 0.0)
WORDS = ["ba", "bo", "da", "do", "la", "lo"]


def small_preset(base="tiny"):
    """Two layers of 32 features."""
    return resolve(base, SMALL, NO_DROPOUT)


@pytest.fixture
def no_phoible(tmp_path, monkeypatch):
    """As on a machine where PHOIBLE is not installed."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SPEECHXL_PHOIBLE", raising=False)
    open_phoible.cache_clear()
    yield
    open_phoible.cache_clear()


@pytest.fixture(params=["group", "layer"])
def norm(request):
    return request.param


@pytest.fixture
def vocabulary():
    return Vocabulary.from_texts(WORDS, "char")


@pytest.fixture
def pretraining_model():
    torch.manual_seed(0)
    return new_pretraining_model(small_preset())


@pytest.fixture
def ctc_model(vocabulary):
    torch.manual_seed(0)
    return new_ctc_model(small_preset(), vocabulary)


@pytest.fixture
def pretrained_folder(tmp_path, pretraining_model):
    folder = tmp_path / "pretrained"
    save_model(folder, pretraining_model, Card(normalise=True, preset="tiny"))
    return folder


@pytest.fixture
def ctc_folder(tmp_path, ctc_model, vocabulary):
    folder = tmp_path / "ctc"
    card = Card(normalise=True, preset="tiny", units="char", column="text", vocabulary=vocabulary.hash)
    save_model(folder, ctc_model, card, vocabulary)
    return folder


def tone(seconds, hertz, seed=0):
    """A tone with a little noise: (T,) at 16 kHz."""
    time = np.arange(int(seconds * 16_000)) / 16_000
    noise = np.random.default_rng(seed).normal(size=len(time))
    return (0.3 * np.sin(2 * np.pi * hertz * time) + 0.01 * noise).astype(np.float32)


@pytest.fixture
def corpus(tmp_path):
    return make_corpus(tmp_path / "corpus")


def make_corpus(folder, dev=4):
    """Utterances in two languages, each word a pitch; ten to train on, and ``dev`` more."""
    folder.mkdir()
    rows = []
    for number in range(10 + dev):
        rng = np.random.default_rng(number)
        words = rng.choice(len(WORDS), size=2)
        samples = np.concatenate([tone(0.3 + 0.1 * rng.random(), 200 + 150 * word, number) for word in words])
        path = folder / f"u{number:02d}.wav"
        soundfile.write(path, samples, 16_000)
        rows.append(
            Utterance(
                path,
                path.name,
                duration=len(samples) / 16_000,
                language="swh" if number % 2 else "quy",
                speaker=f"s{number % 3}",
                split="train" if number < 10 else "dev",
                text=" ".join(WORDS[word] for word in words),
            )
        )
    write_manifest(folder / "manifest.tsv", rows)
    return folder


def speak_up(model, encode):
    """Sets the output layer so that each symbol is the likeliest somewhere in tones as those of the corpus."""
    heard = torch.from_numpy(np.concatenate([tone(0.2, hertz, hertz) for hertz in range(200, 1_000, 50)]))
    with torch.inference_mode():
        features = encode(((heard - heard.mean()) / heard.std())[None])
        torch.nn.init.normal_(model.lm_head.weight)
        scores = features @ model.lm_head.weight.T
        model.lm_head.weight *= 2 / scores.std(1).T
        model.lm_head.bias.copy_(-(features @ model.lm_head.weight.T).mean(1)[0])


def save_phones(folder, vocabulary):
    """An untrained model that writes something for any recording."""
    torch.manual_seed(1)
    model = new_ctc_model(small_preset(), vocabulary).eval()
    speak_up(model, lambda waveform: model.wav2vec2(waveform).features)
    card = Card(normalise=True, preset="tiny", units="phoneme", column="phonemes", vocabulary=vocabulary.hash)
    save_model(folder, model, card, vocabulary)
    return str(folder)


@pytest.fixture
def recording(tmp_path):
    """Tones of many pitches."""
    pitches = np.random.default_rng(0).uniform(200, 1_000, 20)
    path = tmp_path / "u00.wav"
    soundfile.write(path, np.concatenate([tone(0.15, hertz, number) for number, hertz in enumerate(pitches)]), 16_000)
    return str(path)


@pytest.fixture(scope="session", params=["w2v2-base", "xls-r-300m"], ids=["group", "layer"])
def exported(request, tmp_path_factory):
    """Outcome of `export`, and the model folder; an export takes seconds."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from speechxl.verbs.export import export

    folder = tmp_path_factory.mktemp("exported")
    vocabulary = Vocabulary.from_texts(WORDS, "char")
    torch.manual_seed(0)
    card = Card(normalise=request.param != "w2v2-base", preset=request.param, units="char")
    save_model(folder / "model", new_ctc_model(small_preset(request.param), vocabulary), card, vocabulary)
    return export("onnx", str(folder / "model"), folder / "model.onnx"), folder / "model"
