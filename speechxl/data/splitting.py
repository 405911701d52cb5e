"""Dividing a corpus so that no speaker is in two parts, and every language has its share of each."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from speechxl.errors import InputError
from speechxl.shapes import Utterance

TRAIN = "train"
_TRIALS, _MOVES = 24, 20_000
"""Orders in which groups are tried, and moves of groups that are, over all trials, before the best is taken."""


def read_size(name: str, size: str) -> tuple[str, float]:
    """``"share"`` or ``"minutes"``, and how much.

    Args:
        name: Of the setting, for messages.
        size: Such as ``0.1``, ``10%``, ``15``, ``15m``, ``1.5h``; numbers of 1 and more are minutes.

    Raises:
        InputError: If it is neither.
    """
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(%|min|m|h|)", size.strip())
    if not match:
        raise InputError(f"--{name} {size}: a share such as 0.1 or 10% was expected, or minutes such as 15 or 1.5h.")
    value, unit = float(match[1]), match[2]
    if unit == "%" or (not unit and value < 1):
        share = value / 100 if unit else value
        if share >= 1:
            raise InputError(f"--{name} {size}: a share of all is less than 100 %.")
        return "share", share
    return "minutes", value * (60 if unit == "h" else 1)


def divide(
    utterances: Sequence[Utterance],
    sizes: Mapping[str, tuple[str, float]],
    group_of: Callable[[Utterance], str],
    seed: int = 0,
) -> list[str]:
    """The part of each row; rows of a group, in whatever languages, are in one.

    Every language has at least one group in each part if it has as many groups as there are parts; with fewer, all are
    trained on.

    Args:
        utterances: With durations.
        sizes: Of each part but ``train``, of every language; see `read_size`.
        group_of: Speaker of a row.
        seed: Of the choice among groups that would do as well.

    Raises:
        InputError: If parts are as long as all that there is of a language.
    """
    seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for utterance in utterances:
        seconds[group_of(utterance)][utterance.language] += utterance.seconds
    totals: dict[str, float] = defaultdict(float)
    for by_language in seconds.values():
        for language, value in by_language.items():
            totals[language] += value
    parts = [TRAIN, *(name for name, (_, value) in sizes.items() if value > 0)]
    wanted = {language: _wanted(language, total, parts, sizes) for language, total in totals.items()}
    found: dict[str, str] = {}
    for number, languages in enumerate(_connected(seconds)):
        groups = sorted(name for name, own in seconds.items() if languages & own.keys())
        order = sorted(languages)
        matrix = np.array([[seconds[name].get(language, 0.0) for language in order] for name in groups])
        target = np.array([wanted[language] for language in order]).T
        rng = np.random.default_rng((seed, number))
        found |= {name: parts[part] for name, part in zip(groups, _assign(matrix, target, rng), strict=True)}
    return [found[group_of(utterance)] for utterance in utterances]


def _wanted(language: str, total: float, parts: Sequence[str], sizes: Mapping[str, tuple[str, float]]) -> list[float]:
    """Seconds of each part of a language."""
    held = [value * total if unit == "share" else value * 60 for unit, value in (sizes[name] for name in parts[1:])]
    if held and sum(held) >= total > 0:
        named = ", ".join(f"{seconds / 60:.1f} min for {part}" for seconds, part in zip(held, parts[1:], strict=True))
        raise InputError(
            f"{language or 'no language'}: {named} would leave none of {total / 60:.1f} min to train on; "
            "give shares, such as 10%, or fewer minutes."
        )
    return [total - sum(held), *held]


def _connected(seconds: Mapping[str, Mapping[str, float]]) -> list[set[str]]:
    """Languages that share a group, together; sorted."""
    sets: list[set[str]] = []
    for own in seconds.values():
        joined = set(own)
        for other in [other for other in sets if other & joined]:
            joined |= other
            sets.remove(other)
        sets.append(joined)
    return sorted(sets, key=min)


def _assign(matrix: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Parts (G,) of groups by their seconds (G, L), so that each part has about its target (P, L)."""
    if len(matrix) < len(target):
        return np.zeros(len(matrix), int)
    scale = target.sum(axis=0).clip(min=1e-9)
    best, least = np.zeros(len(matrix), int), np.inf
    for _ in range(max(1, min(_TRIALS, _MOVES // len(matrix)))):
        order = np.argsort(-matrix.sum(axis=1) * rng.uniform(0.5, 1.5, len(matrix)))
        parts = np.full(len(matrix), -1)
        missing = target.copy()
        for group in order:
            # what a part lacks of the languages of the group, as a share of what it is to have
            lacks = ((missing / target.clip(min=1e-9)) * (matrix[group] > 0)).sum(axis=1)
            parts[group] = int(np.argmax(lacks))
            missing[parts[group]] -= matrix[group]
        _fill_empty(parts, matrix, missing)
        _improve(parts, matrix, missing, scale)
        if (error := (np.abs(missing) / scale).sum()) < least - 1e-9:
            best, least = parts, error
    return best


def _fill_empty(parts: np.ndarray, matrix: np.ndarray, missing: np.ndarray) -> None:
    """Gives a part without groups the smallest of another that has several; changes its arguments."""
    for part in range(len(missing)):
        if not (parts == part).any():
            counts = np.bincount(parts, minlength=len(missing))
            movable = np.flatnonzero(counts[parts] > 1)
            group = movable[np.argmin(matrix[movable].sum(axis=1))]
            missing[parts[group]] += matrix[group]
            missing[part] -= matrix[group]
            parts[group] = part


def _improve(parts: np.ndarray, matrix: np.ndarray, missing: np.ndarray, scale: np.ndarray) -> None:
    """Moves groups as long as that brings parts nearer to what they are to have; changes its arguments."""
    counts = np.bincount(parts, minlength=len(missing))
    moved = True
    while moved:
        moved = False
        for group, row in enumerate(matrix):
            here = parts[group]
            if counts[here] < 2:
                continue
            away = (np.abs(missing[here] + row) - np.abs(missing[here])) / scale
            there = (np.abs(missing - row) - np.abs(missing)) / scale
            gain = away.sum() + there.sum(axis=1)
            gain[here] = 0
            to = int(np.argmin(gain))
            if gain[to] < -1e-9:
                missing[here] += row
                missing[to] -= row
                counts[here] -= 1
                counts[to] += 1
                parts[group] = to
                moved = True
