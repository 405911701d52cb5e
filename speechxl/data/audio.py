"""Audio files to waveforms: any container of libsndfile or PyAV, any rate and channel count, to 16 kHz mono."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from stat import S_ISDIR

import numpy as np
import soundfile
import soxr
from numpy.typing import ArrayLike

from speechxl.data import media
from speechxl.data.media import MediaError, MediaFile
from speechxl.errors import InputError
from speechxl.shapes import SAMPLE_RATE, Utterance

PLAIN = frozenset(
    [
        ".wav",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".mp3",
        ".aiff",
        ".aif",
        ".aifc",
        ".au",
        ".snd",
        ".w64",
        ".caf",
        ".sph",
        ".nist",
        ".rf64",
    ]
)
"""File names of what libsndfile reads."""
SUFFIXES = PLAIN | media.SUFFIXES
"""File names that are taken for audio when a folder is searched."""
_TOLERANCE_S, _MEDIA_TOLERANCE_S = 0.1, 0.5
"""Difference between what a header or manifest says and what the file holds that lossy containers make."""
_STREAMED_BYTES = (range(2**31 - 4096, 2**31 + 1), range(2**32 - 4096, 2**32))
"""Sizes that stand in the headers of wav files whose length was not known when they were begun."""
_NOTHING = np.empty(0, np.float32)


class AudioError(InputError):
    """A recording that cannot be used."""


class NoSamples(AudioError):
    """A recording without any audio."""


class NotFinite(AudioError):
    """A recording with samples that are not numbers."""


class Recording(BytesIO):
    """A recording in memory, with a name for messages."""

    def __init__(self, data: bytes, name: str) -> None:
        super().__init__(data)
        self.name = name

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class AudioInfo:
    """What the header of a file says."""

    duration: float
    """Seconds."""
    rate: int
    """Samples per second."""
    channels: int


def probe(path: Path) -> AudioInfo:
    """Reads the header only.

    Raises:
        AudioError: If the file is missing, empty or not audio.
    """
    with _open(path) as file:
        return AudioInfo(file.frames / file.samplerate, file.samplerate, file.channels)


def read_audio(path: Path | Recording, start: float = 0.0, duration: float | None = None) -> np.ndarray:
    """Reads a recording or a stretch of it; only the stretch is decoded.

    Args:
        path: Any format of libsndfile, in a file or in memory, or any file that PyAV reads.
        start: Offset, seconds.
        duration: Seconds; None for all that follows.

    Returns:
        (T,) float32 at 16 kHz, the mean of the channels.

    Raises:
        AudioError: If the file is missing, not audio, truncated, ends before the stretch does, or has samples that are
            not numbers.
    """
    return np.concatenate([_NOTHING, *audio_blocks(path, start, duration, math.inf)])


def audio_blocks(
    path: Path | Recording, start: float = 0.0, duration: float | None = None, seconds: float = 30.0
) -> Iterator[np.ndarray]:
    """The same as `read_audio`, in blocks of some seconds."""
    resampler = None
    for rate, samples in native_blocks(path, start, duration, seconds):
        mono = samples.mean(axis=1)
        if rate == SAMPLE_RATE:
            yield mono
            continue
        resampler = resampler or soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", "HQ")
        yield resampler.resample_chunk(mono)
    if resampler is not None:
        yield resampler.resample_chunk(_NOTHING, last=True)


def native_blocks(
    path: Path | Recording, start: float = 0.0, duration: float | None = None, seconds: float = 30.0
) -> Iterator[tuple[int, np.ndarray]]:
    """Rate, and (T, C) float32 of all channels at that rate, in blocks of some seconds; see `read_audio`."""
    with _open(path) as file:
        rate, total = file.samplerate, file.frames
        tolerance = rate * (_MEDIA_TOLERANCE_S if isinstance(file, MediaFile) else _TOLERANCE_S)
        first = round(start * rate)
        wanted = total - first if duration is None else round(duration * rate)
        if first == 0 and abs(wanted - total) <= tolerance:
            wanted = total
        if first + wanted > total + tolerance or first >= total:
            end = f"{start + (duration or 0):.2f} s"
            raise AudioError(f"{path}: the stretch from {start:.2f} s to {end} passes the end at {total / rate:.2f} s.")
        expected = min(wanted, total - first)
        done = 0
        try:
            for samples in _decoded(file, first, expected, int(min(expected, seconds * rate))):
                finite = np.isfinite(samples)
                if not finite.all():
                    place = (first + done + int(np.argmin(finite.all(axis=1)))) / rate
                    raise NotFinite(
                        f"{path}: the sample at {place:.3f} s is not a finite number; export the recording again."
                    )
                done += len(samples)
                yield rate, samples
        except MediaError as error:
            raise AudioError(f"{path}: {error}") from None
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path}: cannot be decoded, the file is damaged ({_reason(error)}).") from None
        if done < expected - tolerance:
            raise AudioError(f"{path}: {_truncated(total / rate, (first + done) / rate)}")


def _decoded(file: soundfile.SoundFile | MediaFile, first: int, wanted: int, size: int) -> Iterator[np.ndarray]:
    """Samples (T, C) from ``first`` on, ``size`` at a time; fewer than wanted where a file ends early."""
    file.seek(first)
    if isinstance(file, MediaFile):
        yield from file.blocks(wanted, size)
        return
    while wanted > 0:
        samples = file.read(min(size, wanted), dtype="float32", always_2d=True)
        wanted = wanted - len(samples) if len(samples) else 0
        yield samples


def read_utterance(utterance: Utterance) -> np.ndarray:
    """Audio of a manifest's row: (T,) float32 at 16 kHz.

    Raises:
        AudioError: With the place in the manifest.
    """
    return np.concatenate([_NOTHING, *utterance_blocks(utterance, math.inf)])


def utterance_blocks(utterance: Utterance, seconds: float = 30.0) -> Iterator[np.ndarray]:
    """The same as `read_utterance`, in blocks of some seconds."""
    try:
        yield from audio_blocks(utterance.path, utterance.start, utterance.duration, seconds)
    except AudioError as error:
        raise AudioError(f"{utterance.origin}: {error}" if utterance.origin else str(error)) from None


def from_array(samples: ArrayLike, rate: int) -> np.ndarray:
    """Samples in memory as `read_audio` gives them.

    Args:
        samples: (T,), or (T, C) of several channels; integers are taken as fractions of their largest value.
        rate: Samples per second.

    Returns:
        (T,) float32 at 16 kHz, the mean of the channels.

    Raises:
        AudioError: If that is no audio.
    """
    values = np.asarray(samples)
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiu":
        raise AudioError(
            f"an array of shape {values.shape} and type {values.dtype} is no audio; expected are numbers of shape (T,), or "
            "(T, C) for several channels."
        )
    if values.ndim == 2 and values.shape[1] > max(values.shape[0], 1):
        raise AudioError(f"an array of shape {values.shape} has more channels than samples; transpose it to (T, C).")
    if rate <= 0 or values.size == 0:
        raise AudioError(f"an array of shape {values.shape} with {rate} samples per second has no audio.")
    if values.dtype.kind != "f":
        middle = 0 if values.dtype.kind == "i" else 2 ** (8 * values.itemsize - 1)
        values = (values.astype(np.float64) - middle) / 2 ** (8 * values.itemsize - 1)
    mono = values.astype(np.float32).reshape(len(values), -1).mean(axis=1)
    if not np.isfinite(mono).all():
        raise AudioError(f"the sample at {np.argmin(np.isfinite(mono)) / rate:.3f} s is not a finite number.")
    if rate == SAMPLE_RATE:
        return mono
    return soxr.ResampleStream(rate, SAMPLE_RATE, 1, "float32", "HQ").resample_chunk(mono, last=True)


def standardise(waveform: np.ndarray) -> np.ndarray:
    """Zero mean and unit variance over the whole waveform, as `transformers`' feature extractor does."""
    return ((waveform - waveform.mean()) / np.sqrt(waveform.var() + 1e-7)).astype(np.float32)


def _open(path: Path | Recording) -> soundfile.SoundFile | MediaFile:
    if isinstance(path, Path):
        try:
            status = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            raise AudioError(f"{path}: there is no such file.") from None
        except (OSError, ValueError) as error:  # too long, a NUL byte, no permission
            raise AudioError(f"{str(path)[:200]}: cannot be opened ({getattr(error, 'strerror', error)}).") from None
        if S_ISDIR(status.st_mode):
            raise AudioError(f"{path} is a folder, a recording was expected.")
        if status.st_size == 0:
            raise NoSamples(f"{path}: the file is empty.")
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        if isinstance(path, Path) and media.is_media(path):
            return _open_media(path)
        raise AudioError(
            f"{path}: not audio that libsndfile reads ({_reason(error)}); it reads wav, flac, ogg, opus, mp3 and more. "
            "Convert it, for example with: ffmpeg -i IN -ar 16000 -ac 1 OUT.flac"
        ) from None
    sizes = re.search(r"^data : (\d+) \(should be (\d+)\)", file.extra_info, re.MULTILINE)
    if sizes and int(sizes[2]) < int(sizes[1]) and not any(int(sizes[1]) in streamed for streamed in _STREAMED_BYTES):
        promised, found = (file.frames / file.samplerate * int(size) / max(int(sizes[2]), 1) for size in sizes.groups())
        raise AudioError(f"{path}: {_truncated(promised, found)}")
    if not 0 < file.frames < 2**62:
        raise NoSamples(f"{path}: the recording has no samples.")
    return file


def _open_media(path: Path) -> MediaFile:
    try:
        file = MediaFile(path)
    except MediaError as error:
        raise AudioError(f"{path}: {error}") from None
    if file.frames <= 0:
        raise NoSamples(f"{path}: the recording has no samples.")
    return file


def _truncated(promised: float, found: float) -> str:
    return f"the file is truncated, its header promises {promised:.2f} s and it holds {found:.2f} s."


def _reason(error: soundfile.LibsndfileError) -> str:
    return error.error_string.strip().rstrip(".")
