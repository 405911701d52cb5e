"""Divisions of utterances: folds, languages, few examples. No torch."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, TypeAlias

import numpy as np

from speechxl.classification.labels import Labelled
from speechxl.classification.leaks import groups
from speechxl.classification.regimes import Job, shown
from speechxl.classification.selection import few
from speechxl.errors import InputError

By: TypeAlias = Literal["group", "speaker", "sentence", "utterance"]
_HELD_OUT, _LEAST = 10, 3
"""One of so many utterances of each class is held out, where there are at least so many."""


@dataclass(frozen=True)
class Fold:
    """A division of the utterances of all languages."""

    train: Labelled
    dev: Labelled | None
    """To choose models by, and to calibrate on."""
    test: Labelled


def chosen(fold: Fold, job: Job) -> Fold:
    """What a training has of a division.

    Few examples are few for choosing and calibrating a model as well: of dev rows there are as many at most.

    Raises:
        InputError: If there are fewer examples than asked for.
    """
    train = in_languages(fold.train, job.train)
    dev = None if fold.dev is None else in_languages(fold.dev, job.train)
    if job.shots is not None:
        train = train.select(few([row.id for row in train.rows], _strata(train), job.shots, job.seed))
        dev = None if dev is None else dev.select(_at_most(dev, job.shots, job.seed))
    return Fold(train, dev if dev is not None and len(dev) else None, in_languages(fold.test, job.test))


def in_languages(labelled: Labelled, languages: Sequence[str]) -> Labelled:
    """Utterances in some languages."""
    return labelled.select([place for place, row in enumerate(labelled.rows) if row.language in languages])


def shared_classes(parts: Sequence[Labelled]) -> list[str]:
    """Labels that occur in every language of training rows.

    Args:
        parts: Training rows of each language.

    Raises:
        InputError: If there are not two.
    """
    found = set.intersection(*(set(part.values) for part in parts))
    if len(found) < 2:
        each = "; ".join(f"{shown(part.rows[0].language)} has {', '.join(sorted(part.counts))}" for part in parts)
        raise InputError(
            f"--classes shared: {len(found)} labels of the kind {parts[0].kind} occur in all languages, and two are needed: "
            f"{each}. Choose the languages with --language, or give labels that mean the same the same name."
        )
    return sorted(found)


def hold_out(train: Labelled) -> tuple[Labelled, Labelled | None]:
    """Sets a tenth of each class in each language aside, by name, so that the choice stays when rows are added."""
    strata: dict[str, list[int]] = {}
    for place, stratum in enumerate(_strata(train)):
        strata.setdefault(stratum, []).append(place)
    held: set[int] = set()
    for own in strata.values():
        if len(own) >= _LEAST:
            ranked = sorted(own, key=lambda place: sha256(train.rows[place].id.encode()).digest())
            held |= {*ranked[: max(1, round(len(own) / _HELD_OUT))]}
    if not held:
        return train, None
    return train.select([p for p in range(len(train)) if p not in held]), train.select(sorted(held))


def divide(labelled: Labelled, folds: int, by: By, seed: int = 0) -> list[Fold]:
    """Folds in which every utterance is tested once, by models that had nothing of its speaker, sentence or group.

    A tenth of the training rows of each fold is held out to choose and calibrate models.

    Args:
        labelled: Utterances of all languages.
        folds: Number of folds, at least 2.
        by: What stays together.
        seed: Of the division.

    Raises:
        InputError: If there are fewer such groups in a language.
    """
    if folds < 2:
        raise InputError(f"--folds must be at least 2, got {folds}; leave it out for the splits of the manifests.")
    names = groups(labelled.rows, by)
    for language in sorted({row.language for row in labelled.rows}):
        there = {name for name, row in zip(names, labelled.rows, strict=True) if row.language == language}
        if len(there) < folds:
            what = {"utterance": "utterances", "sentence": "sentences"}.get(by, f"{by}s")
            raise InputError(
                f"--folds {folds}: {shown(language)} has {len(there)} {what}; ask for at most as many folds, or divide by "
                "something else with --fold_by."
            )
    from sklearn.model_selection import StratifiedGroupKFold  # which takes a second to import

    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of classes that some folds lack
        parts = [held for _, held in splitter.split(np.zeros(len(labelled)), _strata(labelled), names)]
    found = []
    for held in parts:
        tested = {*held.tolist()}
        train, dev = hold_out(labelled.select([place for place in range(len(labelled)) if place not in tested]))
        found.append(Fold(train, dev, labelled.select(sorted(tested))))
    return found


def _strata(labelled: Labelled) -> list[str]:
    """N pairs of label and language."""
    return [
        f"{labelled.kind}:{value} in {shown(row.language)}"
        for row, value in zip(labelled.rows, labelled.values, strict=True)
    ]


def _at_most(labelled: Labelled, count: int, seed: int) -> list[int]:
    strata = _strata(labelled)
    kept: list[int] = []
    for stratum in sorted(set(strata)):
        own = [place for place, name in enumerate(strata) if name == stratum]
        ids = [labelled.rows[place].id for place in own]
        kept += [own[place] for place in few(ids, [stratum] * len(own), min(count, len(own)), seed)]
    return sorted(kept)
