"""The utterances of a comparison, the same for all systems. No torch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from speechxl.classification.labels import Labelled, check_known, class_names, read_labels
from speechxl.classification.leaks import Leak, groups, refuse_leaks
from speechxl.classification.protocol import By, Fold, divide, hold_out, in_languages, shared_classes
from speechxl.classification.regimes import shown
from speechxl.data.languages import languages_meant, named_language
from speechxl.data.manifest import Fault
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.corpora import Corpora, unique_ids

log = logging.getLogger(__name__)
_SHORTEST = 0.1
"""Seconds; training leaves shorter utterances out."""


@dataclass(frozen=True)
class Material:
    """Utterances in folds, and what is known of them."""

    kind: str
    folds: list[Fold]
    faults: list[Fault]
    """Rows that no system sees, as their audio cannot be used."""
    leaks: list[Leak]
    """What train and test share, and may."""

    @property
    def train_languages(self) -> list[str]:
        """With training rows, sorted."""
        return sorted({row.language for fold in self.folds for row in fold.train.rows})

    @property
    def test_languages(self) -> list[str]:
        """With test rows, sorted."""
        return sorted({row.language for fold in self.folds for row in fold.test.rows})

    def tests(self, language: str) -> Labelled:
        """Test rows of all folds in a language."""
        parts = [in_languages(fold.test, [language]) for fold in self.folds]
        rows = [row for part in parts for row in part.rows]
        return Labelled(rows, [value for part in parts for value in part.values], self.kind)

    def groups(self, language: str, by: By) -> list[str]:
        """What the bootstrap draws together, of the test rows in a language."""
        return groups(self.tests(language).rows, by)

    def document(self, by: By) -> dict[str, Any]:
        """How many there are, by language.

        Args:
            by: What the bootstrap draws together.
        """
        found = {}
        for language in sorted({*self.train_languages, *self.test_languages}):
            train = [in_languages(fold.train, [language]) for fold in self.folds]
            dev = [in_languages(fold.dev, [language]) for fold in self.folds if fold.dev is not None]
            test = self.tests(language)
            names = {row.speaker for part in (*train, *dev, test) for row in part.rows}
            found[shown(language)] = {
                "train": sum(map(len, train)) / len(self.folds),
                "dev": sum(map(len, dev)) / len(self.folds),
                "test": len(test),
                "test_groups": len(set(self.groups(language, by))),
                "speakers": len(names - {""}),
                "classes": sorted({value for part in (*train, test) for value in part.values}),
            }
        return found


def read_material(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    test: Sequence[Path] | None,
    *,
    test_split: str,
    kind: str | None,
    languages: Sequence[str] | None,
    classes: Literal["all", "shared"],
    folds: int | None,
    fold_by: By,
    shared: Sequence[str],
) -> Material:
    """Reads corpora, and divides them once for all systems.

    Args:
        train: Manifests whose rows say by their split what they are for.
        dev: More of them, all of whose rows are for dev.
        test: Likewise for test.
        test_split: Rows of ``train`` to test on.
        kind: Of the labels; None where there is only one.
        languages: To keep; None for all.
        classes: "shared" leaves out rows whose label does not occur in the training rows of every language.
        folds: Divisions of all rows, in the place of the splits; None for the splits.
        fold_by: What stays together in folds.
        shared: What train and test may share, see `leaks.refuse_leaks`.

    Raises:
        InputError: If the labels, the splits or what they share are not as they should be.
        NothingMatched: If a part has no rows.
    """
    rows = _read(train, dev, test, folds, test_split)
    there = sorted({row.language for row in rows})
    if languages:
        absent = [name for name in languages if not {name, named_language(name)} & {*there}]
        if absent:
            raise InputError(f"--language {absent[0]}: no row is in it; there are {', '.join(map(shown, there))}.")
        meant = languages_meant(languages)
        rows = [row for row in rows if row.language in meant]
    labelled = read_labels(rows, kind)
    good, faults = _audible(labelled)
    if folds is not None:
        good = _common(good, [good], classes)
        found = divide(good, folds, fold_by)
    else:
        parts = {name: good.select([p for p, row in enumerate(good.rows) if row.split == name]) for name in _SPLITS}
        for name in ("train", "test"):
            if not len(parts[name]):
                raise NothingMatched(
                    f"{', '.join(map(str, [*train, *(test or [])]))}: no row for {name} has a label of the kind {good.kind}; see "
                    "--test_split, --test and --folds."
                )
        parts = {name: _common(part, [parts["train"]], classes) for name, part in parts.items()}
        learned, held = (parts["train"], parts["dev"]) if len(parts["dev"]) else hold_out(parts["train"])
        found = [Fold(learned, held, parts["test"])]
    for fold in found:
        names = class_names(fold.train)
        check_known(fold.test, names)
        if fold.dev is not None:
            check_known(fold.dev, names, "dev")
    leaks = [leak for fold in found for leak in refuse_leaks(_learned(fold), fold.test.rows, shared)]
    return Material(good.kind, found, faults, _summed(leaks))


_SPLITS = ("train", "dev", "test")


def _learned(fold: Fold) -> list[Utterance]:
    return [*fold.train.rows, *(fold.dev.rows if fold.dev is not None else [])]


def _read(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    test: Sequence[Path] | None,
    folds: int | None,
    test_split: str,
) -> list[Utterance]:
    """All rows, their splits those of the comparison, their ids unique."""
    if folds is not None and (dev or test):
        raise InputError("--folds divides all rows of --train; leave out --dev and --test, or name them in --train.")
    if test and test_split != "test":
        raise InputError(
            f"--test_split {test_split}: says which rows of --train are tested; leave it out, or leave out --test."
        )
    rows: list[Utterance] = []
    for role, paths in (("", train), ("dev", dev or ()), ("test", test or ())):
        for corpus in Corpora.read(list(paths)).rows:
            splits = {row.split for row in corpus}
            if role or folds is not None:
                rows += [replace(row, split=role) for row in corpus]
            elif splits == {""} and test:
                rows += [replace(row, split="train") for row in corpus]
            else:
                rows += [
                    replace(row, split=_role(row.split, test_split))
                    for row in corpus
                    if not (test and row.split == "test")
                ]
    used = [row for row in rows if folds is not None or row.split in _SPLITS]
    if not used:
        raise NothingMatched(
            f"{', '.join(map(str, train))}: no row with the split train, dev or {test_split}; name the splits in the manifests, "
            "or divide all rows with --folds."
        )
    return unique_ids(used)


def _role(split: str, test_split: str) -> str:
    """What rows of a split are for; those of another one are not used."""
    if split == test_split:
        return "test"
    return split if split in ("train", "dev") else ""


def _audible(labelled: Labelled) -> tuple[Labelled, list[Fault]]:
    """Rows whose audio can be used, with their durations."""
    from speechxl.verbs.training import usable  # which needs torch

    known = {row.id: value for row, value in zip(labelled.rows, labelled.values, strict=True)}
    rows, faults = usable(labelled.rows)
    short = [row for row in rows if row.seconds < _SHORTEST]
    if short:
        log.warning("%d rows are shorter than %s s and left out, for example %s", len(short), _SHORTEST, short[0])
    faults += [
        Fault(str(row), f"{row.seconds:.3f} s are too short; at least {_SHORTEST} s are needed.") for row in short
    ]
    kept = [row for row in rows if row.seconds >= _SHORTEST]
    return Labelled(kept, [known[row.id] for row in kept], labelled.kind), faults


def _common(part: Labelled, train: Sequence[Labelled], classes: Literal["all", "shared"]) -> Labelled:
    """Rows with a label that all training languages have, where that was asked for."""
    if classes == "all":
        return part
    own = train[0]
    names = shared_classes([in_languages(own, [language]) for language in sorted({row.language for row in own.rows})])
    kept = part.select([place for place, value in enumerate(part.values) if value in names])
    if len(kept) < len(part):
        log.info("%d of %d rows left out: their labels do not occur in all languages", len(part) - len(kept), len(part))
    return kept


def _summed(leaks: Sequence[Leak]) -> list[Leak]:
    """One of each kind, over all folds."""
    found: dict[str, Leak] = {}
    for leak in leaks:
        before = found.get(leak.kind)
        found[leak.kind] = (
            leak if before is None else replace(before, count=before.count + leak.count, rows=before.rows + leak.rows)
        )
    return list(found.values())
