"""Where in a recording somebody speaks, by Silero's detector (extra ``vad``)."""

import warnings
from collections.abc import Iterable

import numpy as np
import torch

from speechxl.shapes import SAMPLE_RATE

_CHUNK = 512
"""Samples that the detector takes at a time."""
_PAUSE_MS, _PAD_MS = 500, 200
"""Silence at which speech is cut, and what is kept of it on either side."""


class SpeechDetector:
    """Finds speech in recordings of any length."""

    def __init__(self) -> None:
        threads = torch.get_num_threads()
        import silero_vad

        torch.set_num_threads(threads)  # the package takes all but one away when it is imported
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*torch.jit.load.*")
            self.model = silero_vad.load_silero_vad()
        self.iterator = silero_vad.VADIterator

    def __call__(self, blocks: Iterable[np.ndarray]) -> list[tuple[int, int]]:
        """Stretches with speech, samples from and up to, in order; they do not overlap.

        Args:
            blocks: The recording from its beginning, each (T,) at 16 kHz.
        """
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # several would wait for each other longer than they compute
        try:
            return self._find(blocks)
        finally:
            torch.set_num_threads(threads)

    def _find(self, blocks: Iterable[np.ndarray]) -> list[tuple[int, int]]:
        detector = self.iterator(
            self.model, sampling_rate=SAMPLE_RATE, min_silence_duration_ms=_PAUSE_MS, speech_pad_ms=_PAD_MS
        )
        places: list[int] = []
        rest, samples = torch.empty(0), 0
        for block in blocks:
            samples += len(block)
            rest = torch.cat([rest, torch.from_numpy(np.ascontiguousarray(block))])
            whole = len(rest) // _CHUNK * _CHUNK
            for chunk in rest[:whole].view(-1, _CHUNK):
                places += (detector(chunk) or {}).values()
            rest = rest[whole:]
        if len(rest):
            places += (detector(torch.nn.functional.pad(rest, (0, _CHUNK - len(rest)))) or {}).values()
        if len(places) % 2:
            places.append(samples)
        spans = zip(places[::2], places[1::2], strict=True)
        return _apart([(max(0, first), min(last, samples)) for first, last in spans])


def _apart(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretches that do not overlap; those that touch become one."""
    result: list[tuple[int, int]] = []
    for first, last in spans:
        if result and first <= result[-1][1]:
            result[-1] = (result[-1][0], max(last, result[-1][1]))
        elif last > first:
            result.append((first, last))
    return result
