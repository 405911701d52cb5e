import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from speechxl.data.espeak import speak

if find_spec("silero_vad") is None:
    pytest.skip("silero-vad is not installed", allow_module_level=True)
from speechxl.decoding.pauses import SpeechDetector, _apart


def test_speech_is_found_and_silence_is_not():
    said = speak("good morning to all of you", "en")
    silence = np.random.default_rng(0).normal(size=32_000).astype(np.float32) * 1e-3
    waveform = np.concatenate([silence, said, silence, said, silence[:16_000]]).astype(np.float32)
    spans = SpeechDetector()([waveform])
    places = [32_000, 32_000 + len(said), 64_000 + len(said), 64_000 + 2 * len(said)]
    assert [place for span in spans for place in span] == pytest.approx(places, abs=0.4 * 16_000)
    detector = SpeechDetector()
    assert detector([waveform[at : at + 7_001] for at in range(0, len(waveform), 7_001)]) == spans
    assert detector([silence]) == []
    assert detector([]) == []


def test_stretches_that_touch_become_one():
    assert _apart([(0, 5), (4, 9), (9, 12), (20, 20), (30, 31)]) == [(0, 12), (30, 31)]


def test_the_other_threads_stay():
    code = (
        "import torch; torch.set_num_threads(2); from speechxl.decoding.pauses import SpeechDetector; "
        "import numpy; SpeechDetector()([numpy.zeros(1000, 'float32')]); assert torch.get_num_threads() == 2"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
