"""Containers that libsndfile does not know, read by PyAV (optional, ``pip install 'speechxl[media]'``)."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

SUFFIXES = frozenset([".m4a", ".mp4", ".webm", ".aac", ".wma", ".amr", ".3gp", ".mkv", ".mka", ".mov"])
"""File names that are taken for such containers when a folder is searched."""
_UNINDEXED = frozenset(["aac", "loas", "amr", "amrnb", "amrwb"])
"""Streams without times of their own: their length is counted, and nothing but their beginning is found by seeking."""
_PREROLL_S = 0.5
"""Audio that is decoded before a stretch, so that the decoder's state is that of an uninterrupted reading."""
_JUMP_S = 0.1
"""Difference between a frame's time and the sum of those before it from which the time is believed."""


class MediaError(Exception):
    """A container that cannot be read; the message is why."""


def is_media(path: Path) -> bool:
    """Whether a file is such a container by its name or, whatever its name, by its first bytes."""
    with path.open("rb") as file:
        head = file.read(8)
    marks = (b"\x1aE\xdf\xa3", b"0&\xb2u\x8ef\xcf\x11", b"#!AMR")  # Matroska and WebM, Windows Media, AMR
    return path.suffix.lower() in SUFFIXES or head[4:] == b"ftyp" or head.startswith(marks)


class MediaFile:
    """The first sound track of a container, with what of `soundfile.SoundFile` is used here.

    Args:
        path: File.

    Raises:
        MediaError: If PyAV is missing, or finds no sound.
    """

    def __init__(self, path: Path) -> None:
        try:
            import av
        except ImportError:
            raise MediaError(
                "libsndfile does not read this container; to have it read, pip install 'speechxl[media]'."
            ) from None
        self._av, self._path, self._first = av, str(path), 0
        try:
            with av.open(self._path) as container:
                if not container.streams.audio:
                    raise MediaError("there is no sound track in it.")
                # the rate is that of a frame, headers of HE-AAC name half of it
                frame = next(container.decode(container.streams.audio[0]), None)
            with av.open(self._path) as container:
                seconds = _seconds(container)
        except av.FFmpegError as error:
            raise MediaError(f"neither libsndfile nor FFmpeg reads it ({error.strerror}).") from None
        self.samplerate = frame.sample_rate if frame is not None else 1
        self.channels = frame.layout.nb_channels if frame is not None else 0
        self.frames = round(seconds * self.samplerate) if frame is not None else 0

    def seek(self, first: int) -> None:
        """Where to read from, samples."""
        self._first = first

    def blocks(self, wanted: int, size: int) -> Iterator[np.ndarray]:
        """The mean of the channels, (T, 1) float32, ``size`` samples at a time, at most ``wanted``; decodes little more.

        Raises:
            MediaError: If the file is damaged.
        """
        block, begun, at = np.zeros((min(size, wanted), 1), np.float32), 0, 0
        try:
            with self._av.open(self._path) as container:
                for begin, values in self._pieces(container):
                    if begin >= wanted:
                        break
                    at, piece = max(begin, 0), values[max(0, -begin) : wanted - begin]
                    while len(piece):
                        while at >= begun + len(block):
                            yield block
                            begun += len(block)
                            block = np.zeros((min(size, wanted - begun), 1), np.float32)
                        part = piece[: begun + len(block) - at]
                        block[at - begun : at - begun + len(part), 0] = part
                        at, piece = at + len(part), piece[len(part) :]
        except self._av.FFmpegError as error:
            raise MediaError(f"cannot be decoded, the file is damaged ({error.strerror}).") from None
        if at > begun:
            yield block[: at - begun]

    def _pieces(self, container: Any) -> Iterator[tuple[int, np.ndarray]]:
        """Stretches of sound (T,) with their place, samples from where is read; the first may begin before that."""
        rate, stream = self.samplerate, container.streams.audio[0]
        origin = (container.start_time or 0) / 1e6
        early = self._first / rate - _PREROLL_S
        if early > 0 and container.format.name not in _UNINDEXED:
            container.seek(round((early + origin) / stream.time_base), stream=stream)
        place: int | None = None
        for frame in container.decode(stream):
            if frame.sample_rate != rate:
                raise MediaError(f"its rate changes from {rate} to {frame.sample_rate} Hz; convert it first.")
            if frame.pts is not None:
                said = round((float(frame.pts * frame.time_base) - origin) * rate) - self._first
                place = said if place is None or abs(said - place) > _JUMP_S * rate else place
            place = -self._first if place is None else place
            values = _mono(frame)
            yield place, values
            place += len(values)

    def __enter__(self) -> "MediaFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass  # nothing stays open


def _seconds(container: Any) -> float:
    """Length of the first sound track by the header, or counted where a header does not say it."""
    stream = container.streams.audio[0]
    if container.format.name not in _UNINDEXED:
        if stream.duration is not None:
            return float(stream.duration * stream.time_base)
        if container.duration is not None and len(container.streams) == 1:
            return container.duration / 1e6
    return float(sum(packet.duration or 0 for packet in container.demux(stream)) * stream.time_base)


def _mono(frame: Any) -> np.ndarray:
    """The mean of a frame's channels: (T,) float32 in -1 to 1."""
    values = frame.to_ndarray()  # (C, T), or (1, T * C) where channels alternate
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    if values.dtype == np.uint8:
        values = values.astype(np.float32) / 128 - 1
    elif values.dtype.kind == "i":
        values = values.astype(np.float32) / -float(np.iinfo(values.dtype).min)
    return values.mean(axis=0, dtype=np.float32)
