"""The parts of `align`: texts, recordings in groups, doubts, known boundaries."""

import logging
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from os.path import normpath
from pathlib import Path
from typing import Any, Literal

import numpy as np

from speechxl.data.alignments import Segment, read_alignment
from speechxl.data.audio import AudioError, read_utterance
from speechxl.decoding.aligned import tiers
from speechxl.decoding.placing import Placement, Script, place, read_script
from speechxl.decoding.recognisers import Recognisers
from speechxl.errors import InputError
from speechxl.evaluation.boundaries import boundary_errors, boundary_rates
from speechxl.shapes import SAMPLE_RATE, Utterance
from speechxl.text import UnknownSymbol, Vocabularies, Vocabulary, code_points
from speechxl.verbs.corpora import target

log = logging.getLogger(__name__)
_CURE = "write the text as that of the training was, or align without them: --unknown skip, or --unknown star."
_GROUP_SECONDS = 600
"""Audio that is held in memory and sorted by length together."""
_NAMED = 10
"""Symbols, or doubtful utterances, that are named in a message; of more, the number is given."""
_FEWEST = 5
"""Utterances without which none is said to be unlike the others."""


def read_reference(path: Path, rows: Sequence[Utterance]) -> dict[str, list[Segment]]:
    """Known times of the phones of recordings.

    Raises:
        InputError: If none of the rows is among them.
    """
    known = read_alignment(path)
    if not any(normpath(row.path) in known for row in rows):
        raise InputError(
            f"--reference {path}: holds none of the recordings, such as {rows[0].path}; "
            "the paths in it are relative to the folder it is in."
        )
    return known


def read_scripts(
    rows: Sequence[Utterance],
    column: str,
    vocabulary: Vocabulary | Vocabularies,
    unknown: Literal["error", "skip", "star"],
    *,
    star: bool,
) -> list[Script | str]:
    """What is to be aligned in each row, or why nothing can be."""
    scripts: list[Script | str] = []
    missing: Counter[str] = Counter()
    concerned = 0
    for row in rows:
        try:
            script = read_script(target(row, column), vocabulary.of(row.language), unknown=unknown, star=star)
            scripts.append(script)
            found = Counter(script.unknown)
        except UnknownSymbol as error:
            found = error.counts
            scripts.append(f"{row}: {_counted(found)} outside the vocabulary of the model; {_CURE}")
        except InputError as error:
            scripts.append(f"{row}: {error}")
            found = Counter()
        missing += found
        concerned += bool(found)
    if missing:
        done = {
            "error": f"they are left out: {_CURE}",
            "skip": "these symbols are passed over.",
            "star": "any speech is taken for these symbols.",
        }
        log.warning(
            "%d of %d texts have symbols outside the vocabulary of the model: %s; %s",
            concerned, len(rows), _counted(missing), done[unknown],
        )  # fmt: skip
    return scripts


def _counted(symbols: Counter[str]) -> str:
    names = [f"{symbol!r} ({code_points(symbol)}) {count}x" for symbol, count in symbols.most_common(_NAMED)]
    return ", ".join(names) + (f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else "")


def align_all(
    recognisers: Recognisers, rows: Sequence[Utterance], scripts: Sequence[Script | str]
) -> Iterator[tuple[float, Placement | str]]:
    """Seconds and placement of each row, or why there is none, in the order given."""
    begun, spoken, done = time.monotonic(), time.monotonic(), 0.0
    for group in _groups(rows, scripts):
        held = [(row.language, waveform) for row, _, waveform in group if not isinstance(waveform, str)]
        logits = iter(recognisers.logits([waveform for _, waveform in held], [language for language, _ in held]))
        for row, script, waveform in group:
            if isinstance(waveform, str) or isinstance(script, str):
                yield 0.0, str(waveform)
                continue
            seconds = len(waveform) / SAMPLE_RATE
            done += seconds
            try:
                own = recognisers.of(row.language)
                yield seconds, place(next(logits), script, own.vocabulary, own.geometry, seconds)
            except InputError as error:
                yield seconds, f"{row}: {error}"
        now = time.monotonic()
        if now - spoken > 10:
            spoken = now
            log.info("%.2f h of audio done · %.0fx real time", done / 3600, done / (now - begun))


def _groups(
    rows: Sequence[Utterance], scripts: Sequence[Script | str]
) -> Iterator[list[tuple[Utterance, Script | str, np.ndarray | str]]]:
    """Rows with their waveforms, some minutes at a time; a row that cannot be used has the reason in its place."""
    group: list[tuple[Utterance, Script | str, np.ndarray | str]] = []
    size = 0
    for row, script in zip(rows, scripts, strict=True):
        try:
            waveform = script if isinstance(script, str) else read_utterance(row)
        except AudioError as error:
            waveform = str(error)
        size += 0 if isinstance(waveform, str) else len(waveform)
        group.append((row, script, waveform))
        if size >= _GROUP_SECONDS * SAMPLE_RATE:
            yield group
            group, size = [], 0
    if group:
        yield group


def doubt(results: Sequence[dict[str, Any]]) -> list[int]:
    """Adds a warning to documents whose score is far below that of the others; gives their numbers.

    Far is more than three standard deviations on a logarithmic scale, estimated by the median absolute deviation
    (Leys et al. 2013), and less than half of the median.
    """
    if len(results) < _FEWEST:
        return []
    scores = np.log([max(result["score"], 1e-6) for result in results])
    median = float(np.median(scores))
    deviation = 1.4826 * float(np.median(np.abs(scores - median)))
    doubtful = [number for number in range(len(results)) if scores[number] < median - max(3 * deviation, np.log(2))]
    for number in doubtful:
        result = results[number]
        text = f"text and audio may not belong together: score {result['score']:.3f}, median {np.exp(median):.3f}"
        result["warnings"].append(text)
    for number in doubtful[:_NAMED]:
        log.warning("%s: %s", results[number]["audio"], results[number]["warnings"][-1])
    if len(doubtful) > _NAMED:
        log.warning("and %d more, whose warnings stand in --json", len(doubtful) - _NAMED)
    return doubtful


def compare(
    rows: Sequence[Utterance], results: Sequence[dict[str, Any]], known: dict[str, list[Segment]]
) -> dict[str, Any]:
    """Errors of the boundaries of phones, or of the characters of a character model.

    Args:
        rows: Utterances.
        results: Their documents.
        known: Segments of each recording.
    """
    errors, others = [], 0
    for row, result in zip(rows, results, strict=True):
        end = row.start + result["duration"]
        segments = known.get(normpath(row.path), [])
        inside = [segment for segment in segments if row.start - 1e-3 <= segment.start and segment.end <= end + 0.1]
        labels = tiers(result)
        units = labels.get("phone") or labels.get("char", [])
        error = boundary_errors([Segment(start, stop, label) for label, start, stop, _ in units], inside)
        others += bool(inside) and error is None
        errors += [] if error is None else [error]
    return boundary_rates(errors) | {"disagree": others}
