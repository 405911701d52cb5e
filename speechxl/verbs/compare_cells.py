"""Predictions of a comparison by system, regime and test language, the folds put together. No torch."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from speechxl.classification.protocol import By, chosen
from speechxl.classification.regimes import REGIMES, Job, Regime, regime_of
from speechxl.evaluation.class_comparison import Judged, Pair, judged
from speechxl.evaluation.predictions import Predictions
from speechxl.verbs.compare_rows import Material
from speechxl.verbs.compare_runs import Run

MAJORITY, CHANCE = "majority", "chance"
"""Names of the lines that every system has to be above."""
Place = tuple[Regime, int | None]
"""Regime, and examples of each class."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What one training of a system says of the test rows of a language."""

    system: str
    train: tuple[str, ...]
    """Languages."""
    test: str
    """Language."""
    regime: Regime
    shots: int | None
    seed: int
    references: list[str]
    """N labels."""
    predictions: Predictions
    judged: Judged
    heard: list[str] | None
    """N texts, in the form that was classified."""
    spoken: list[str] | None
    """N references in the same form."""
    noise: list[dict[str, Any]]

    @property
    def place(self) -> Place:
        """What it is compared with."""
        return self.regime, self.shots


@dataclass(frozen=True, eq=False)
class Cells:
    """All of them."""

    material: Material
    systems: list[str]
    """In order; `MAJORITY` is the last."""
    by: By
    found: list[Cell]

    @property
    def places(self) -> list[Place]:
        """In order."""
        there = {cell.place for cell in self.found}
        return sorted(there, key=lambda place: (REGIMES.index(place[0]), place[1] is None, place[1] or 0))

    def of(self, system: str, place: Place, test: str | None = None) -> list[Cell]:
        """Cells of a system.

        Args:
            system: Its name.
            place: Regime and examples.
            test: Language; None for all.
        """
        return [cell for cell in self._index.get((system, place), ()) if test in (None, cell.test)]

    @cached_property
    def _index(self) -> dict[tuple[str, Place], list[Cell]]:
        found: dict[tuple[str, Place], list[Cell]] = defaultdict(list)
        for cell in self.found:
            found[cell.system, cell.place].append(cell)
        return found

    def tests(self, place: Place) -> list[str]:
        """Test languages of a regime."""
        return sorted({cell.test for cell in self.found if cell.place == place})

    def pairs(self, first: str, second: str, place: Place, test: str | None = None) -> list[Pair]:
        """What two systems say of the same test rows after learning from the same rows, seed by seed.

        Args:
            first: Name of a system; where it does not depend on the seed, it stands beside every seed of the other.
            second: Likewise.
            place: Regime and examples.
            test: Language; None for all.
        """
        sides: list[dict[tuple[str, tuple[str, ...]], dict[int, Cell]]] = []
        for name in (first, second):
            own: dict[tuple[str, tuple[str, ...]], dict[int, Cell]] = defaultdict(dict)
            for cell in self.of(name, place, test):
                own[cell.test, cell.train][cell.seed] = cell
            sides.append(own)
        found = []
        for key, one in sides[0].items():
            two = sides[1][key]
            for seed in sorted({*one, *two}):
                found.append(tuple(own.get(seed, own[min(own)]).judged for own in (one, two)))
        return found  # type: ignore[return-value]


def gather(material: Material, jobs: Sequence[Job], runs: Sequence[Run], systems: Sequence[str], by: By) -> Cells:
    """Puts the folds of each training together, and adds what the commonest label gives.

    Args:
        material: Utterances.
        jobs: Trainings.
        runs: Done.
        systems: Their names, in order.
        by: What the bootstrap draws together.
    """
    majority = [_majority(material, job) for job in jobs if job.shots is not None or job.seed == jobs[0].seed]
    parts: dict[tuple[str, tuple[str, ...], int | None, int], list[Run]] = defaultdict(list)
    for run in [*runs, *majority]:
        parts[run.system, run.job.train, run.job.shots, run.job.seed].append(run)
    tests = {language: material.tests(language) for language in material.test_languages}
    groups = {language: material.groups(language, by) for language in tests}
    languages = {row.id: language for language, own in tests.items() for row in own.rows}
    found = []
    for (system, train, shots, seed), own in parts.items():
        own = sorted(own, key=lambda run: run.job.fold)
        for test in own[0].job.test:
            rows = [[p for p, id in enumerate(run.answers.predictions.ids) if languages[id] == test] for run in own]
            said = [run.answers.predictions.select(places) for run, places in zip(own, rows, strict=True)]
            whole = Predictions(
                [id for one in said for id in one.ids],
                said[0].labels,
                np.concatenate([one.probabilities for one in said]),
            )
            if whole.ids != [row.id for row in tests[test].rows] or any(one.labels != whole.labels for one in said):
                raise ValueError(
                    f"{system}: the test rows in {test} are not those of the manifest, or folds have other classes."
                )
            values = tests[test].values
            found.append(
                Cell(
                    system, train, test, regime_of(train, test, material.train_languages), shots, seed, values, whole,
                    judged(test, values, whole, groups[test]),
                    _texts([run.answers.heard for run in own], rows), _texts([run.answers.spoken for run in own], rows),
                    [point for run in own for point in run.answers.noise if point["language"] == test],
                )
            )  # fmt: skip
    return Cells(material, [*systems, MAJORITY], by, found)


def _texts(texts: Sequence[list[str] | None], rows: Sequence[Sequence[int]]) -> list[str] | None:
    found: list[str] = []
    for own, places in zip(texts, rows, strict=True):
        if own is None:
            return None
        found += [own[place] for place in places]
    return found


def _majority(material: Material, job: Job) -> Run:
    """What always answering the commonest training label says."""
    from speechxl.verbs.systems import Answers

    part = chosen(material.folds[job.fold], job)
    counts: Counter[str] = part.train.counts
    labels = sorted(counts)
    best = min(counts, key=lambda name: (-counts[name], name))
    sure = np.tile([float(label == best) for label in labels], (len(part.test), 1))
    return Run(MAJORITY, job, labels, Answers(Predictions([row.id for row in part.test.rows], labels, sure)))
