import subprocess
import sys
import time

import numpy as np
import pytest

from speechxl.data.espeak import speak
from speechxl.data.languages import language_fault
from speechxl.data.manifest import read_manifest
from speechxl.data.synthetic import DEV_VARIANTS, VARIANTS, languages, write_corpus
from speechxl.errors import InputError


def test_speech_is_made_at_16_khz_and_varies_with_the_settings():
    samples = speak("maji moto", "sw")
    assert samples.dtype == np.float32
    assert 0.5 < len(samples) / 16_000 < 2
    assert np.abs(samples).max() > 0.1
    assert len(speak("maji moto", "sw", rate=260)) < len(samples)


def test_every_process_says_the_same():
    code = (
        "from speechxl.data.espeak import speak; import sys;"
        "[sys.stdout.buffer.write(speak(text, 'sw+f2').tobytes()) for text in ('maji moto', 'nyota saba')]"
    )
    outputs = []
    for _ in range(2):
        outputs.append(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        time.sleep(1.1)  # by itself espeak-ng takes its noise from the clock, in seconds
    assert len(outputs[0]) > 50_000
    assert outputs[0] == outputs[1]


def test_voices_differ():
    low, high = (np.abs(np.fft.rfft(speak("moja mbili tatu", f"sw+{variant}"))) for variant in ("m1", "f2"))
    frequencies = [np.arange(len(power)) * 8_000 / len(power) for power in (low, high)]
    centres = [
        (power * frequency).sum() / power.sum() for power, frequency in zip((low, high), frequencies, strict=True)
    ]
    assert abs(centres[0] - centres[1]) > 50


def test_a_voice_that_does_not_exist_is_named():
    with pytest.raises(InputError, match="no voice 'xx-none'"):
        speak("a", "xx-none")


def test_there_are_six_languages_with_codes_and_words():
    table = languages()
    assert len(table) >= 6
    assert all(language_fault(entry["language"]) is None for entry in table)
    assert all(len(set(entry["words"].split())) >= 30 for entry in table)


def test_dev_has_other_phrases_and_voices_and_one_language_has_no_text(tmp_path):
    table = languages()
    minutes = {entry["language"]: 0.1 for entry in table}
    rows = read_manifest(write_corpus(tmp_path, minutes, 0.05, 1))
    for entry in table:
        own = [row for row in rows if row.language == entry["language"]]
        for split, voices in (("train", VARIANTS), ("dev", DEV_VARIANTS)):
            part = [row for row in own if row.split == split]
            assert sum(row.duration for row in part) >= 60 * (0.1 if split == "train" else 0.05)
            assert {row.speaker.rpartition("-")[2] for row in part} <= set(voices)
        train, dev = ({row.text for row in own if row.split == split} for split in ("train", "dev"))
        if entry is table[-1]:
            assert train == dev == {""}
        else:
            assert not train & dev
