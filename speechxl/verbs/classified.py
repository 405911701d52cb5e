"""Corpora with labels: which rows, which classes, what is wrong with them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from speechxl.classification.labels import Labelled, check_known, class_names, read_labels
from speechxl.classification.leaks import find_leaks
from speechxl.classification.selection import class_weights
from speechxl.config import Data
from speechxl.data.datamodule import draw_key
from speechxl.data.manifest import Fault
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.corpora import Corpora
from speechxl.verbs.training import hours_by_language, seconds, usable, within, without

log = logging.getLogger(__name__)
LABEL = "label"
"""Column of the labels, ``kind:value``."""
_HELD_OUT = 10
"""One of so many utterances of each class."""
NO_LABEL = -1
"""Class of an utterance that has no label of a kind."""


@dataclass(frozen=True)
class Classified:
    """Utterances with labels of one kind or several."""

    train: list[Utterance]
    dev: list[Utterance]
    classes: dict[str, list[str]]
    """Values of each kind, sorted."""
    columns: list[str]
    """That the labels stand in."""
    counts: dict[str, dict[str, int]]
    """Training utterances of each class."""
    faults: list[Fault]
    """Rows that were left out, as their audio cannot be used."""

    @property
    def kinds(self) -> list[str] | None:
        """Of the column ``label``; None if none are."""
        return [kind for kind in self.classes if kind not in self.columns] or None

    @property
    def languages(self) -> list[str]:
        """Of train and dev."""
        return sorted({utterance.language for utterance in [*self.train, *self.dev]})

    @property
    def weights(self) -> list[np.ndarray]:
        """(C,) of each kind, with which all classes count alike."""
        return [
            class_weights([value for value, count in own.items() for _ in range(count)], self.classes[kind])
            for kind, own in self.counts.items()
        ]

    @property
    def document(self) -> dict[str, Any]:
        """What there is, for a report."""
        return {
            "languages": {
                name or "(unknown)": round(hours, 4) for name, hours in hours_by_language(self.train).items()
            },
            "utterances": len(self.train),
            "hours": seconds(self.train) / 3600,
            "dev_utterances": len(self.dev),
            "labels": self.counts,
            "dropped": {"unusable_audio": len(self.faults)},
        }

    def encode(self, utterance: Utterance) -> tuple[str, list[int]]:
        """Labels in words, and the number of the class of each kind."""
        own = labels_of(utterance, self.columns)
        numbers = [values.index(own[kind]) if kind in own else NO_LABEL for kind, values in self.classes.items()]
        return " ".join(f"{kind}:{value}" for kind, value in own.items()), numbers


def labels_of(row: Utterance, columns: Sequence[str]) -> dict[str, str]:
    """Value of each kind of label that a row has; a column other than ``label`` is a kind of its own."""
    found = {}
    for column in columns:
        text = cell(row, column)
        kind, _, value = text.partition(":") if column == LABEL else (column, "", text)
        if value.strip():
            found[kind.strip()] = value.strip()
    return found


def labelled(rows: Sequence[Utterance], columns: Sequence[str], kinds: Sequence[str] | None) -> dict[str, Labelled]:
    """Utterances of each kind of label.

    Args:
        rows: Of manifests.
        columns: Of the labels.
        kinds: Of those in the column ``label``; None where there is only one.

    Raises:
        InputError: If a label is empty or of another form, or kinds are mixed and none was chosen.
        NothingMatched: If there is nothing of a kind.
    """
    found: dict[str, Labelled] = {}
    for column in columns:
        if column == LABEL:
            own = [read_labels(rows, kind) for kind in kinds] if kinds else [read_labels(rows)]
            found |= {each.kind: each for each in own}
            continue
        if not any(cell(row, column) for row in rows):
            raise InputError(f"{rows[0]}: column {column!r} is empty or absent in all {len(rows)} rows; see --label.")
        found[column] = read_labels([replace(row, label=f"{column}:{cell(row, column)}") for row in rows], column)
    return found


def read(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    split: str | None,
    columns: Sequence[str],
    kinds: Sequence[str] | None,
    data: Data,
    seed: int,
) -> Classified:
    """Reads corpora, and finds the classes in the training rows.

    Args:
        train: Manifests or folders.
        dev: The same; None for the dev rows of ``train``, or a tenth of each class.
        split: Of the rows of ``train``.
        columns: Of the labels.
        kinds: Of labels; None where there is only one.
        data: Which utterances are used.
        seed: For what is held out.

    Raises:
        InputError: If there is nothing to learn: no label, one class, a class with one example, labels on dev that are not
            in training.
    """
    corpora = Corpora.read(train)
    rows, faults = usable(corpora.choose(split, "train"))
    rows = within(rows, data.min_seconds or 0, None)
    wanted = list(labelled(rows, columns, kinds))
    rows = _with_label(rows, columns, wanted)
    held, more = usable(_dev_rows(corpora, dev, split))
    if not held:
        rows, held = _hold_out(rows, columns, seed)
        log.info("no dev rows: %d utterances, a tenth of each class, are held out", len(held))
    elif not (held := without(held, rows)):
        raise InputError("Every dev row is a training row as well; name other recordings with --dev.")
    if not (judged := _with_label(held, columns, wanted)):
        raise InputError(f"{held[0]}: none of the {len(held)} dev rows has a label of the kind {' or '.join(wanted)}.")
    found = by_kind(rows, columns, wanted)
    classes = {kind: class_names(own) for kind, own in found.items()}
    for kind, own in by_kind(judged, columns, wanted).items():
        check_known(own, classes[kind], "dev")
    for leak in find_leaks(rows, judged):
        if leak.kind in ("speaker", "group"):
            log.warning(
                "%s; measures on dev are better than those on others", str(leak).replace("test rows", "dev rows")
            )
    counts = {kind: dict(sorted(own.counts.items())) for kind, own in found.items()}
    return Classified(rows, judged, classes, list(columns), counts, [*faults, *more])


def by_kind(rows: Sequence[Utterance], columns: Sequence[str], kinds: Sequence[str]) -> dict[str, Labelled]:
    """Rows with a label of each kind."""
    values = [labels_of(row, columns) for row in rows]
    found = {}
    for kind in kinds:
        own = [place for place, labels in enumerate(values) if kind in labels]
        found[kind] = Labelled([rows[place] for place in own], [values[place][kind] for place in own], kind)
    return found


def _with_label(rows: Sequence[Utterance], columns: Sequence[str], kinds: Sequence[str]) -> list[Utterance]:
    """Rows that have a label of one of the kinds."""
    return [row for row in rows if labels_of(row, columns).keys() & set(kinds)]


def _dev_rows(train: Corpora, dev: Sequence[Path] | None, split: str | None) -> list[Utterance]:
    """Those of ``dev``, or the dev rows of ``train``; none if there are none."""
    if dev:
        return Corpora.read(dev).choose(None, "dev")
    try:
        return train.choose("dev", "dev") if split != "all" else []
    except NothingMatched:
        return []


def _hold_out(rows: Sequence[Utterance], columns: Sequence[str], seed: int) -> tuple[list[Utterance], list[Utterance]]:
    """Sets a tenth of each class aside, chosen by name so that the choice stays when rows are added."""
    classes: dict[tuple[tuple[str, str], ...], list[Utterance]] = {}
    for row in rows:
        classes.setdefault(tuple(labels_of(row, columns).items()), []).append(row)
    held = set()
    for own in classes.values():
        ranked = sorted(own, key=lambda row: draw_key(seed, 0, row.id))
        held |= {row.id for row in ranked[: round(len(own) / _HELD_OUT)]}
    if not held:
        raise InputError(f"{len(rows)} utterances are too few to hold some of each class out; name others with --dev.")
    return [row for row in rows if row.id not in held], [row for row in rows if row.id in held]


def cell(row: Utterance, column: str) -> str:
    """What stands in a column; empty if there is none."""
    value = getattr(row, column) if column in (LABEL, "language", "speaker") else row.extra.get(column)
    return str(value or "").strip()
