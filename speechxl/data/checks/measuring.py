"""What is measured of a recording: its header, and, if it is decoded, its content."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechxl.data.audio import AudioError, NoSamples, NotFinite, native_blocks, probe

LIMIT = 0.999
"""Of full scale, from which on a sample is taken for clipped."""
_FRAME_S = 0.025
_BLOCK = 1_200
"""Frames that are in memory at a time."""
_SILENCE_DB, _BELOW_LOUD_DB = -60.0, 40.0
"""Frames are silent below the one, or by the other below the loud frames."""
_LOUD = 95
"""Percentile of frames that is called loud."""
_SPECTRA = 400
"""Frames of a recording whose spectrum is looked at."""
_BELOW_HZ, _ABOVE_HZ = (2_800, 3_600), (4_400, 6_000)
"""Bands on both sides of the 4 kHz where speech with 8 kHz ends."""
_FLOOR = 1e-12

Stretch = tuple[float, float | None]
"""Start and duration, seconds; None for the rest of the recording."""


@dataclass(frozen=True)
class Header:
    """What the header of a file says, or why it cannot be read."""

    duration: float = 0.0
    """Seconds of the whole recording."""
    rate: int = 0
    channels: int = 0
    fault: str = ""
    """Class of what is wrong; empty if nothing is."""
    message: str = ""


@dataclass(frozen=True)
class Content:
    """What is in a stretch of a recording, or why that cannot be told."""

    name: str = ""
    """Hash of the samples."""
    clipped: float = 0.0
    """Share of the samples at the limit, of the channel that has most."""
    level: float = 0.0
    """Root mean square, dB of full scale; -120 for silence."""
    offset: float = 0.0
    """Mean of the samples, as a fraction of full scale."""
    silence: float = 0.0
    """Share of frames of 25 ms."""
    drop: float | None = None
    """By how many dB the spectrum falls at 4 kHz; None if that is the end of it anyway."""
    fault: str = ""
    message: str = ""


def measure(path: Path, stretches: Sequence[Stretch], *, decode: bool) -> tuple[Header, list[Content | None]]:
    """Measures a recording and stretches of it, which have no content where it cannot be read or they pass its end."""
    header = _header(path)
    if header.fault or not decode:
        return header, [None] * len(stretches)
    return header, [_content(path, header, stretch) for stretch in stretches]


def passes_end(header: Header, stretch: Stretch) -> bool:
    """Whether a stretch ends more than 0.1 s after the recording, or begins after it."""
    start, duration = stretch
    return start >= header.duration or start + (duration or 0) > header.duration + 0.1


def _header(path: Path) -> Header:
    if not path.exists():
        return Header(fault="missing", message=f"{path}: there is no such file")
    try:
        info = probe(path)
    except AudioError as error:
        return Header(fault="empty_audio" if isinstance(error, NoSamples) else "unreadable", message=str(error))
    return Header(info.duration, info.rate, info.channels)


def _content(path: Path, header: Header, stretch: Stretch) -> Content | None:
    if passes_end(header, stretch):
        return None
    start, duration = stretch
    total, clipped, squares, sums = 0, np.zeros(1), 0.0, 0.0
    levels: list[np.ndarray] = []
    spectra: list[np.ndarray] = []
    digest = hashlib.blake2b()
    frame = max(1, round(_FRAME_S * header.rate))
    hop = max(1, round((duration or header.duration - start) * header.rate) // frame // _SPECTRA)
    try:
        for _, samples in native_blocks(path, start, duration, frame * _BLOCK / header.rate):
            mono = samples.mean(axis=1)
            digest.update(mono.tobytes())
            total += len(mono)
            clipped = clipped + (np.abs(samples) >= LIMIT).sum(axis=0)
            sums += float(mono.sum(dtype=np.float64))
            frames = mono[: len(mono) // frame * frame].reshape(-1, frame)
            power = np.einsum("ft,ft->f", frames, frames, dtype=np.float64)
            squares += float(np.square(mono, dtype=np.float64).sum())
            levels.append(power / frame)
            if header.rate > 2 * _ABOVE_HZ[0]:
                spectra.append(_power_spectrum(frames[::hop]))
    except AudioError as error:
        return Content(fault="not_finite" if isinstance(error, NotFinite) else "unreadable", message=str(error))
    if not squares:
        return Content(fault="silent", message=f"{path}: all samples are zero")
    offset = sums / total
    return Content(
        name=digest.hexdigest()[:32],
        clipped=float(clipped.max() / total),
        level=_decibels(squares / total),
        offset=offset,
        silence=_silence(np.concatenate(levels)),
        drop=_drop(np.sum(spectra, axis=0), header.rate) if spectra else None,
    )


def _silence(powers: np.ndarray) -> float:
    """Share of silent frames."""
    if not len(powers):
        return 0.0
    levels = 10 * np.log10(powers + _FLOOR)
    return float(np.mean((levels < _SILENCE_DB) | (levels < np.percentile(levels, _LOUD) - _BELOW_LOUD_DB)))


def _power_spectrum(frames: np.ndarray) -> np.ndarray:
    """Sum over frames (F, T) of their power at each frequency."""
    windowed = frames * np.hanning(frames.shape[1]).astype(np.float32)
    return np.square(np.abs(np.fft.rfft(windowed, axis=1))).sum(axis=0)


def _drop(power: np.ndarray, rate: int) -> float | None:
    """By how many dB the band above 4 kHz is below the one beneath it."""
    hertz = np.linspace(0, rate / 2, len(power))
    below, above = (power[(hertz >= low) & (hertz <= high)] for low, high in (_BELOW_HZ, _ABOVE_HZ))
    if not len(below) or not len(above):
        return None
    return _decibels(float(below.mean())) - _decibels(float(above.mean()))


def _decibels(power: float) -> float:
    return float(10 * np.log10(power + _FLOOR))
