import numpy as np
import pytest
import soundfile

from speechxl.config import Search
from speechxl.data.sources import find_audio
from speechxl.decoding.recogniser import Recogniser
from speechxl.errors import InputError
from speechxl.verbs import recognise


@pytest.fixture
def folder(tmp_path):
    """Recordings of several lengths and rates, and one whose end is missing."""
    for name, seconds, rate in [("a.wav", 1, 16_000), ("b.flac", 7, 44_100), ("c.wav", 2, 8_000), ("d.wav", 9, 16_000)]:
        noise = np.random.default_rng(int(seconds)).normal(size=seconds * rate) / 9
        soundfile.write(tmp_path / name, noise, rate)
    (tmp_path / "e.wav").write_bytes((tmp_path / "d.wav").read_bytes()[:200_000])
    return tmp_path


def texts(ctc_folder, folder):
    recogniser, _ = recognise.load_recogniser(
        str(ctc_folder), device="cpu", precision="32", batch_seconds=10, window_seconds=2
    )
    return [
        (item.utterance.path.name, item.seconds, item.hypothesis and item.hypothesis.text)
        for item in recognise.recognise(recogniser, find_audio([str(folder)]))
    ]


def test_long_recordings_are_streamed_and_give_the_same(ctc_folder, folder, monkeypatch):
    whole = texts(ctc_folder, folder)
    assert [name for name, *_ in whole] == ["a.wav", "b.flac", "c.wav", "d.wav", "e.wav"]
    assert whole[-1] == ("e.wav", 0.0, None)
    monkeypatch.setattr(recognise, "_LONG_SECONDS", 5)
    monkeypatch.setattr(recognise, "_AHEAD", 1)
    streamed = []
    stream = Recogniser.stream
    monkeypatch.setattr(Recogniser, "stream", lambda self, read: (streamed.append(read), stream(self, read))[1])
    assert texts(ctc_folder, folder) == whole
    assert len(streamed) == 2


def test_a_search_without_its_library_says_what_to_install(ctc_folder, monkeypatch):
    monkeypatch.setattr(recognise, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"pip install 'speechxl\[lm\]'"):
        recognise.load_recogniser(
            str(ctc_folder), device="cpu", precision="32", batch_seconds=10, window_seconds=2, search=Search(beam=9)
        )
