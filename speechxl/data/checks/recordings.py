"""Faults of recordings, each on its own."""

import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice
from pathlib import Path

from speechxl.data.checks.cache import Cache, Measured, cache_file
from speechxl.data.checks.classes import Finding, finding
from speechxl.data.checks.measuring import Content, Header, Stretch, measure, passes_end
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
SHORT_S, LONG_S = 0.1, 30.0
CLIPPED, LEVEL_DB, OFFSET, SILENCE = 0.001, -45.0, 0.02, 0.8
DROP_DB = 45.0
"""Of the spectrum at 4 kHz; of the words of thirteen corpora recorded with more than 8 kHz, none falls by so much."""
_STRETCHES, _RECORDINGS = 64, 64
"""That a thread does at a time, of one recording and in all."""
_EVERY_S = 15.0

Job = tuple[Path, list[Stretch], Measured | None]


def measured(
    utterances: Sequence[Utterance], *, decode: bool, threads: int, cache: Cache
) -> list[tuple[Header, Content | None]]:
    """Header and content of each row, whose order does not depend on threads.

    Args:
        utterances: Rows.
        decode: Whether to measure contents, too.
        threads: That read.
        cache: What was measured before; what is new is added.
    """
    places: dict[Path, list[int]] = defaultdict(list)
    for place, utterance in enumerate(utterances):
        places[utterance.path].append(place)
    step = _STRETCHES if decode else len(utterances)
    parts = [(path, rows[first : first + step]) for path, rows in places.items() for first in range(0, len(rows), step)]
    jobs = (
        (path, [(utterances[row].start, utterances[row].duration) for row in rows], cache.get(path))
        for path, rows in parts
    )
    found: list[tuple[Header, Content | None]] = [(Header(), None)] * len(utterances)
    headers: dict[Header, Header] = {}  # few different ones where recordings are alike
    begun = spoken = time.monotonic()
    done = iter(parts)
    for results in _in_threads(jobs, threads, decode):
        cache.put((path, new) for path, new, fresh in results if fresh)
        for (path, rows), (_, known, _) in zip(islice(done, len(results)), results, strict=True):
            header = headers.setdefault(known.header, known.header)
            for row in rows:
                stretch = utterances[row].start, utterances[row].duration
                found[row] = header, known.contents.get(stretch)
            last = path
        if time.monotonic() - spoken > _EVERY_S:
            spoken = time.monotonic()
            log.info("%s reached after %.0f s", last, spoken - begun)
    return found


def _in_threads(jobs: Iterable[Job], threads: int, decode: bool) -> Iterator[list[tuple[Path, Measured, bool]]]:
    """Results in the order of the jobs, of which only so many wait as there are threads to take them."""
    jobs = iter(jobs)
    size = max(1, _RECORDINGS // 8) if decode else _RECORDINGS
    waiting: list[Future[list[tuple[Path, Measured, bool]]]] = []
    with ThreadPoolExecutor(threads) as pool:
        while lot := list(islice(jobs, size)):
            waiting.append(pool.submit(_do, lot, decode))
            if len(waiting) > 2 * threads:
                yield waiting.pop(0).result()
        for future in waiting:
            yield future.result()


def _do(jobs: Sequence[Job], decode: bool) -> list[tuple[Path, Measured, bool]]:
    return [(path, *_measured(path, stretches, known, decode)) for path, stretches, known in jobs]


def _measured(path: Path, stretches: Sequence[Stretch], known: Measured | None, decode: bool) -> tuple[Measured, bool]:
    """What is known of a recording now, and whether any of it is new."""
    try:
        state = os.stat(path)
    except OSError:
        header, _ = measure(path, [], decode=False)
        return Measured(0, 0, header), False
    if known is not None and (known.size, known.changed) == (state.st_size, state.st_mtime_ns):
        absent = [stretch for stretch in stretches if stretch not in known.contents] if decode else []
        absent = [] if known.header.fault else [x for x in absent if not passes_end(known.header, x)]
        if not absent:
            return known, False
    else:
        known, absent = None, list(stretches)
    header, contents = measure(path, absent, decode=decode)
    new = {stretch: content for stretch, content in zip(absent, contents, strict=True) if content is not None}
    old = {} if known is None else known.contents
    return Measured(state.st_size, state.st_mtime_ns, header, old | new), True


def recording_faults(utterance: Utterance, header: Header, content: Content | None) -> Iterator[Finding]:
    """What is wrong with the audio of a row."""
    if header.fault:
        yield finding(header.fault, utterance, header.message)
        return
    start = utterance.start
    duration = utterance.duration or header.duration - start
    if passes_end(header, (start, utterance.duration)):
        message = (
            f"from {start:.2f} s to {start + max(duration, 0):.2f} s, the recording ends at {header.duration:.2f} s"
        )
        yield finding("beyond_end", utterance, message)
        return
    if duration < SHORT_S:
        yield finding("very_short", utterance, f"{duration:.3f} s")
    if duration > LONG_S:
        yield finding("very_long", utterance, f"{duration:.1f} s; cut it at pauses")
    if content is not None:
        yield from _content_faults(utterance, content)


def _content_faults(utterance: Utterance, content: Content) -> Iterator[Finding]:
    if content.fault:
        yield finding(content.fault, utterance, content.message)
        return
    if content.clipped > CLIPPED:
        yield finding("clipped", utterance, f"{content.clipped:.2%} of the samples")
    if content.level < LEVEL_DB:
        yield finding("quiet", utterance, f"{content.level:.1f} dBFS")
    if abs(content.offset) > OFFSET:
        yield finding("dc_offset", utterance, f"the mean is {content.offset:+.3f} of full scale")
    if content.silence > SILENCE:
        yield finding("mostly_silence", utterance, f"{content.silence:.0%} silence")
    if content.drop is not None and content.drop > DROP_DB:
        yield finding("band_limited", utterance, f"the spectrum falls by {content.drop:.0f} dB at 4 kHz")


def with_duration(utterance: Utterance, header: Header) -> Utterance:
    """The row with the duration that its recording has, where the manifest does not say."""
    if utterance.duration is not None or header.fault:
        return utterance
    return replace(utterance, duration=max(header.duration - utterance.start, 0.0) or None)


def timed(utterances: Sequence[Utterance], threads: int = 8) -> list[Utterance]:
    """Rows with the durations that the manifest lacks, from headers; None where those cannot be read."""
    absent = [row for row in utterances if row.duration is None]
    cache = Cache(cache_file() if absent else None)
    try:
        measures = iter(measured(absent, decode=False, threads=threads, cache=cache))
    finally:
        cache.close()
    return [row if row.duration is not None else with_duration(row, next(measures)[0]) for row in utterances]
