"""How far through a pile of recordings a verb is, in hours of audio."""

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Protocol, TypeVar

from speechxl.data.audio import AudioError, probe
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
_EVERY_S = 5.0
"""Time between two lines."""
_PAUSE_S = 0.05
"""Many results come at once, then none for a while: what is said is as of the end of the last lot."""
_CHUNK = 64
"""Headers that a thread reads at a time."""


class Done(Protocol):
    """What became of a recording."""

    @property
    def seconds(self) -> float:
        """Audio of it."""


Item = TypeVar("Item", bound=Done)


def watched(items: Iterable[Item], utterances: Sequence[Utterance]) -> Iterator[Item]:
    """Passes results on, and every few seconds says how much is done and how long the rest takes.

    The headers, for the sum, are read by other threads meanwhile.

    Args:
        items: What became of each recording.
        utterances: The recordings.
    """
    threads = ThreadPoolExecutor(8)
    try:
        chunks = [utterances[first : first + _CHUNK] for first in range(0, len(utterances), _CHUNK)]
        sums = [threads.submit(_seconds, chunk) for chunk in chunks]
        begun = spoken = last = time.monotonic()
        done = 0.0
        for item in items:
            if done and last - spoken > _EVERY_S and time.monotonic() - last > _PAUSE_S:
                spoken = last
                total = sum(each.result() for each in sums) if all(each.done() for each in sums) else None
                log.info("%s", progress(done, total, last - begun))
            yield item
            done += item.seconds
            last = time.monotonic()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def progress(done: float, total: float | None, passed: float) -> str:
    """A line such as ``12.4 h / 96.0 h · 38x real time · 2:12:00 left``.

    Args:
        done: Audio that is done, seconds, more than 0.
        total: Audio of all, seconds; None while it is not known.
        passed: Time since the beginning, seconds.
    """
    digits = 1 if (total or done) >= 36_000 else 2
    rate = done / passed
    if total is None:
        return f"{done / 3600:.{digits}f} h · {rate:.0f}x real time"
    left = round(max(0.0, total - done) / rate)
    return (
        f"{done / 3600:.{digits}f} h / {total / 3600:.{digits}f} h · {rate:.0f}x real time · "
        f"{left // 3600}:{left % 3600 // 60:02d}:{left % 60:02d} left"
    )


def _seconds(utterances: Sequence[Utterance]) -> float:
    """Audio of recordings by manifest or header; none for those that cannot be read."""
    total = 0.0
    for utterance in utterances:
        with suppress(AudioError, OSError):
            total += utterance.duration or max(0.0, probe(utterance.path).duration - utterance.start)
    return total
