"""All faults of a corpus."""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from speechxl.data.checks.cache import Cache
from speechxl.data.checks.classes import Finding
from speechxl.data.checks.pairing import odd_rates, uncorrelated
from speechxl.data.checks.recordings import measured, recording_faults, with_duration
from speechxl.data.checks.splits import copies, mixed, repeated_texts, speaker_faults
from speechxl.data.checks.texts import Symbols, case_faults, language_faults, target, text_faults
from speechxl.shapes import Utterance
from speechxl.text import normalise


def check(
    utterances: Sequence[Utterance],
    *,
    decode: bool,
    frames: Callable[[int], int],
    frames_needed: Callable[[Sequence[str]], int],
    symbols: Symbols | None = None,
    languages: Collection[str] = (),
    threads: int = 1,
    cache: Path | None = None,
) -> Iterator[Finding]:
    """Faults of a corpus, utterance by utterance, then those that lie between utterances.

    Args:
        utterances: Of one corpus, or several that are used together.
        decode: Whether to decode the audio, and not only to read headers.
        frames: Frames that the encoder gives for a number of samples.
        frames_needed: Frames that CTC needs for symbols.
        symbols: What texts may hold; None for anything.
        languages: Of the model that the corpus is for; empty for any.
        threads: That read recordings.
        cache: File of earlier measurements; None to measure everything anew.
    """
    known = Cache(cache)
    try:
        measures = measured(utterances, decode=decode, threads=threads, cache=known)
    finally:
        known.close()
    timed = [with_duration(row, header) for row, (header, _) in zip(utterances, measures, strict=True)]
    column = "text" if symbols is None else symbols.column
    has_text = any(normalise(row.text) or target(row, column) for row in utterances)
    for row, (header, content) in zip(timed, measures, strict=True):
        yield from recording_faults(row, header, content)
        yield from text_faults(row, has_text, frames, frames_needed, symbols)
    yield from language_faults(timed, languages)
    yield from case_faults(timed)
    yield from copies(timed, measures)
    yield from repeated_texts(timed)
    yield from speaker_faults(timed)
    yield from mixed(timed, measures)
    sound = [row for row, (header, _) in zip(timed, measures, strict=True) if not header.fault]
    yield from odd_rates(sound)
    yield from uncorrelated(sound)
