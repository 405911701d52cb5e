"""Texts that do not belong to their recordings, as far as lengths tell."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import NormalDist

import numpy as np

from speechxl.data.checks.classes import Finding, finding
from speechxl.shapes import Utterance
from speechxl.text import normalise

EXPECTED = 0.5
"""Correlation of the lengths of texts and recordings that any read or spoken corpus has."""
_FEWEST = 20
"""Rows of a group without which nothing is said."""
_SPREAD, _UTTERANCE_S = 0.15, 1.5
"""Standard deviation of the logarithms of lengths, and median of recordings, below which no correlation is to be expected: all
are about as long, or they are single words, of which the pauses around them are most."""
_CONFIDENCE = NormalDist().inv_cdf(0.95)
_DEVIATIONS, _FACTOR = 4.0, 3.0
"""By how much a recording is odd that is longer or shorter than is usual for its text: in robust deviations, as a factor."""
_SHIFTS = 5
"""Rows by which texts may be displaced."""
_SCALE = 1.4826
"""Of the median absolute deviation to the standard deviation of a normal distribution."""
_PAIRS = 20_000
"""Of rows from which a slope is taken."""


def odd_rates(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Rows with far more, or far less, audio than texts of that length usually have in their language.

    What is usual is a straight line, whose beginning is the silence around the speech (Theil and Sen's estimator).
    """
    for language, rows in _groups(utterances, lambda row: row.language).items():
        if len(rows) < _FEWEST:
            continue
        lengths = np.array([_length(row) for row in rows], float)
        seconds = np.array([row.seconds for row in rows])
        usual = _usual(lengths, seconds)
        logs = np.log(seconds / usual)
        middle = np.median(logs)
        deviation = _SCALE * np.median(np.abs(logs - middle))
        far = np.abs(logs - middle) > max(_DEVIATIONS * deviation, math.log(_FACTOR))
        for place in np.flatnonzero(far):
            message = (
                f"{seconds[place]:.2f} s for {lengths[place]:.0f} symbols; {usual[place]:.2f} s would be usual in "
                f"{language or 'no language'}"
            )
            yield finding("odd_rate", rows[place], message)


def _usual(lengths: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Seconds that texts of these lengths usually take."""
    first, second = np.random.default_rng(0).integers(len(lengths), size=(2, _PAIRS))
    apart = lengths[first] != lengths[second]
    slope = 0.0
    if apart.any():
        first, second = first[apart], second[apart]
        slope = max(0.0, float(np.median((seconds[first] - seconds[second]) / (lengths[first] - lengths[second]))))
    return np.maximum(0.0, np.median(seconds - slope * lengths)) + slope * lengths


def uncorrelated(utterances: Sequence[Utterance]) -> Iterator[Finding]:
    """Sessions in which long texts do not stand at long recordings.

    A session is what the column ``session`` names, else a recording of which rows are stretches, else a speaker, else all
    rows of a language. Those with few rows count with their language only.
    """
    told: set[int] = set()
    levels: list[tuple[str, Callable[[Utterance], str]]] = [
        ("session", lambda row: row.extra.get("session", "")),
        ("recording", lambda row: str(row.path)),
        ("speaker", lambda row: row.speaker),
        ("language", lambda row: row.language or "no language"),
    ]
    for rows in _groups(utterances, lambda row: row.language).values():
        lengths = np.log([_length(row) for row in rows])
        seconds = np.log([row.seconds for row in rows])
        for what, name_of in levels:
            places: dict[str, list[int]] = defaultdict(list)
            for place, row in enumerate(rows):
                places[name_of(row)].append(place)
            for name, group in places.items():
                if not name or len(group) < _FEWEST or told & {id(rows[place]) for place in group}:
                    continue
                if (found := _fault(lengths, seconds, np.array(group))) is not None:
                    told |= {id(rows[place]) for place in group}
                    yield finding("uncorrelated", rows[group[0]], f"{what} {name}, {len(group)} rows: {found}")


def _fault(lengths: np.ndarray, seconds: np.ndarray, group: np.ndarray) -> str | None:
    """What is wrong with the pairs of a group.

    Args:
        lengths: Logarithms, of all rows of the language.
        seconds: Logarithms.
        group: Places in them.
    """
    spread = min(lengths[group].std(), seconds[group].std())
    if spread < _SPREAD or np.median(seconds[group]) < math.log(_UTTERANCE_S):
        return None
    found = _correlation(lengths[group], seconds[group])
    # the upper bound by Fisher's transformation
    if math.tanh(math.atanh(found) + _CONFIDENCE / math.sqrt(len(group) - 3)) >= EXPECTED:
        return None
    shifts = {}
    for by in (shift for shift in range(-_SHIFTS, _SHIFTS + 1) if shift):
        inside = group[(group + by >= 0) & (group + by < len(lengths))]
        shifts[by] = _correlation(lengths[inside + by], seconds[inside])
    best = max(shifts, key=lambda by: shifts[by])
    advice = "are texts and recordings in the same order?"
    if shifts[best] > max(EXPECTED, found + 0.3):
        away = f"{abs(best)} row{'s' * (abs(best) > 1)} {'below' if best > 0 else 'above'}"
        advice = f"with the text {away} it would be {shifts[best]:.2f}"
    return f"the lengths of text and recording correlate with {found:.2f}; {advice}"


def _groups(utterances: Sequence[Utterance], name_of: Callable[[Utterance], str]) -> dict[str, list[Utterance]]:
    found: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in utterances:
        if utterance.seconds > 0 and _length(utterance):
            found[name_of(utterance)].append(utterance)
    return found


def _length(utterance: Utterance) -> int:
    """Symbols of the text without spaces; of the phones where there is no text."""
    text = normalise(utterance.text).replace(" ", "")
    return len(text) or len(utterance.phonemes.split())


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    if len(first) < 2 or min(first.std(), second.std()) == 0:
        return 0.0
    return float(np.clip(np.corrcoef(first, second)[0, 1], -0.999, 0.999))
