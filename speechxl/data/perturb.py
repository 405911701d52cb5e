"""Speed, noise and other recordings mixed in, drawn for each utterance and pass (Ko et al. 2015, 2017)."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import soxr

from speechxl.data.audio import probe, read_audio
from speechxl.shapes import SAMPLE_RATE

SPEEDS = (Fraction(9, 10), Fraction(11, 10))


class Perturb:
    """Changes waveforms before they are normalised.

    Args:
        speed_prob: Probability that an utterance is spoken at 0.9 or 1.1 times its speed, with the pitch going along.
        noise_prob: Probability that noise is added.
        snr: Lowest and highest ratio of speech to noise, decibels.
        noises: Recordings that are mixed in; by default noise is made, white to brown.
    """

    def __init__(
        self, *, speed_prob: float, noise_prob: float, snr: tuple[float, float], noises: Sequence[Path] = ()
    ) -> None:
        self.speed_prob, self.noise_prob, self.snr, self.noises = speed_prob, noise_prob, snr, noises

    def __call__(self, waveform: np.ndarray, key: int) -> np.ndarray:
        """The waveform as it is heard this time.

        Args:
            waveform: (T,) at 16 kHz.
            key: Of the draws.

        Returns:
            (T',) float32.
        """
        rng = np.random.default_rng(key)
        if rng.random() < self.speed_prob:
            waveform = change_speed(waveform, SPEEDS[int(rng.integers(len(SPEEDS)))])
        if rng.random() < self.noise_prob and len(waveform):
            noise = self._recorded(len(waveform), rng) if self.noises else coloured_noise(len(waveform), rng)
            waveform = add_noise(waveform, noise, rng.uniform(*self.snr))
        return waveform

    def _recorded(self, samples: int, rng: np.random.Generator) -> np.ndarray:
        """A stretch of one of the recordings, repeated where it is too short."""
        path = self.noises[int(rng.integers(len(self.noises)))]
        seconds = probe(path).duration
        wanted = samples / SAMPLE_RATE
        start = rng.uniform(0, seconds - wanted) if seconds > wanted else 0.0
        return np.resize(read_audio(path, start, min(wanted, seconds)), samples)


def change_speed(waveform: np.ndarray, speed: Fraction) -> np.ndarray:
    """Plays a waveform faster or slower.

    Args:
        waveform: (T,).
        speed: Factor.

    Returns:
        (T / speed,).
    """
    return soxr.resample(waveform, speed.numerator, speed.denominator, quality="HQ").astype(np.float32)


def add_noise(waveform: np.ndarray, noise: np.ndarray, snr: float) -> np.ndarray:
    """Mixes noise in.

    Args:
        waveform: (T,).
        noise: (T,).
        snr: Ratio of the powers, decibels.
    """
    power = float(np.mean(noise**2))
    if power == 0:
        return waveform
    return waveform + noise * np.float32(np.sqrt(np.mean(waveform**2) / power / 10 ** (snr / 10)))


def coloured_noise(samples: int, rng: np.random.Generator) -> np.ndarray:
    """Noise whose power falls with the frequency by a power from 0, white, to 2, brown: (T,)."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    places = np.maximum(np.arange(len(spectrum)), 1)
    return np.fft.irfft(spectrum * places ** (-rng.uniform(0, 2) / 2), samples).astype(np.float32)
