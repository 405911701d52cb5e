from fractions import Fraction

import numpy as np
import pytest
import soundfile

from speechxl.data.perturb import Perturb, add_noise, change_speed, coloured_noise
from tests.conftest import tone


def perturb(**options):
    return Perturb(**{"speed_prob": 0.0, "noise_prob": 0.0, "snr": (10.0, 10.0), **options})


def pitch(waveform):
    return np.argmax(np.abs(np.fft.rfft(waveform))) * 16_000 / len(waveform)


def snr(clean, mixed):
    return 10 * np.log10(np.mean(clean**2) / np.mean((mixed - clean) ** 2))


@pytest.mark.parametrize("speed", [Fraction(9, 10), Fraction(11, 10)])
def test_speed_changes_length_and_pitch_alike(speed):
    faster = change_speed(tone(2, 440), speed)
    assert len(faster) == pytest.approx(32_000 / speed, abs=1)
    assert pitch(faster) == pytest.approx(440 * speed, rel=1e-3)


@pytest.mark.parametrize("decibels", [-5.0, 0.0, 20.0])
def test_noise_has_the_power_that_is_asked_for(decibels):
    clean = tone(1, 440)
    assert snr(clean, add_noise(clean, tone(1, 90), decibels)) == pytest.approx(decibels, abs=1e-3)


def test_noise_is_from_white_to_brown():
    slopes = []
    for seed in range(40):
        noise = coloured_noise(1 << 14, np.random.default_rng(seed))
        power = np.abs(np.fft.rfft(noise)) ** 2
        low, high = power[10:100].mean(), power[1000:8000].mean()
        slopes.append(np.log10(low / high))
    assert min(slopes) < 0.5
    assert max(slopes) > 3
    assert coloured_noise(1, np.random.default_rng(0)).shape == (1,)


def test_recordings_are_mixed_in_and_repeated_where_too_short(tmp_path):
    clean = tone(2, 440)
    for name, seconds in (("long.wav", 5), ("short.wav", 0.3)):
        soundfile.write(tmp_path / name, tone(seconds, 90), 16_000)
        mixed = perturb(noise_prob=1.0, noises=[tmp_path / name])(clean, 7)
        assert len(mixed) == len(clean)
        assert snr(clean, mixed) == pytest.approx(10, abs=1e-3)


def test_the_key_alone_decides():
    change = perturb(speed_prob=0.5, noise_prob=0.5, snr=(0.0, 20.0))
    clean = tone(1, 440)
    heard = [change(clean, key) for key in range(40)]
    for key in (3, 11):
        np.testing.assert_array_equal(change(clean, key), heard[key])
    lengths = [len(each) for each in heard]
    assert {14_545, 16_000, 17_778} <= set(lengths)
    untouched = sum(len(each) == 16_000 and (each == clean).all() for each in heard)
    assert 4 <= untouched <= 16
    assert all(each.dtype == np.float32 for each in heard)


def test_nothing_is_changed_where_nothing_is_asked_for():
    assert perturb()(tone(1, 440), 1) is not None
    np.testing.assert_array_equal(perturb()(tone(1, 440), 1), tone(1, 440))


def test_silence_stays_silence():
    silence = np.zeros(100, np.float32)
    np.testing.assert_array_equal(perturb(noise_prob=1.0)(silence, 1), silence)
    np.testing.assert_array_equal(add_noise(tone(1, 9), np.zeros(16_000, np.float32), 10), tone(1, 9))
