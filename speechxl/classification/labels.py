"""Labels of utterances: what is read from manifests, and what cannot be learned from. No torch."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
_NAMED = 5


@dataclass(frozen=True)
class Labelled:
    """Utterances with a label of one kind."""

    rows: list[Utterance]
    values: list[str]
    """Label of each, without its kind."""
    kind: str
    """Such as ``topic``."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def counts(self) -> Counter[str]:
        """Utterances of each label."""
        return Counter(self.values)

    def select(self, places: Sequence[int]) -> "Labelled":
        """Some of them."""
        return Labelled([self.rows[place] for place in places], [self.values[place] for place in places], self.kind)


def split_label(row: Utterance) -> tuple[str, str]:
    """Kind and value of a row's label.

    Raises:
        InputError: If it has none, or it is of another form.
    """
    if not row.label:
        raise InputError(
            f"{row}: the label is empty; write one as kind:value, such as topic:animal, or leave the row out."
        )
    kind, colon, value = (part.strip() for part in row.label.partition(":"))
    if not (kind and colon and value):
        lacks = "value" if kind and colon else "kind" if colon else "colon"
        raise InputError(f"{row}: label {row.label!r} has no {lacks}; write it as kind:value, such as topic:animal.")
    return kind, value


def read_labels(rows: Sequence[Utterance], kind: str | None = None) -> Labelled:
    """Labels of one kind.

    Args:
        rows: Of manifests, each with a label.
        kind: Rows with labels of another kind are left out; None where all have the same.

    Raises:
        InputError: If a label is empty or not ``kind:value``, or labels of several kinds are mixed and none was chosen.
        NothingMatched: If there is no row, or none of the kind.
    """
    if not rows:
        raise NothingMatched("There are no rows to read labels from.")
    empty = [row for row in rows if not row.label]
    if empty:
        raise InputError(
            f"{empty[0]}: the label is empty ({len(empty)} such rows of {len(rows)}); write one as kind:value, such as "
            "topic:animal, or leave these rows out."
        )
    found = [split_label(row) for row in rows]
    kinds = Counter(own for own, _ in found)
    there = ", ".join(f"{own} ({count} rows)" for own, count in sorted(kinds.items()))
    if kind is None:
        if len(kinds) > 1:
            second = next(row for row, (own, _) in zip(rows, found, strict=True) if own != found[0][0])
            raise InputError(
                f"{second}: label {second.label!r} is of another kind than {rows[0].label!r} at {rows[0]}; there are {there}: "
                "choose one of them as the kind."
            )
        kind = found[0][0]
    chosen = [place for place, (own, _) in enumerate(found) if own == kind]
    if not chosen:
        raise NothingMatched(f"{rows[0]}: no label is of the kind {kind!r}; there are {there}.")
    if len(chosen) < len(rows):
        log.info(
            "%d of %d rows left out: their labels are of other kinds than %s", len(rows) - len(chosen), len(rows), kind
        )
    return Labelled([rows[place] for place in chosen], [found[place][1] for place in chosen], kind)


def class_names(train: Labelled, least: int = 2) -> list[str]:
    """Labels that are learned, sorted.

    Args:
        train: Utterances to learn from.
        least: Examples that each has to have.

    Raises:
        InputError: If there is one class only, or one with fewer examples.
    """
    counts = train.counts
    if len(counts) < 2:
        only = next(iter(counts), "")
        raise InputError(
            f"{train.rows[0]}: all {len(train)} training rows have the label {train.kind}:{only}; a classifier needs at "
            "least two classes."
        )
    few = sorted(label for label, count in counts.items() if count < least)
    if few:
        first = train.rows[train.values.index(few[0])]
        names = ", ".join(f"{train.kind}:{label} ({counts[label]})" for label in few[:_NAMED])
        more = f" and {len(few) - _NAMED} more" if len(few) > _NAMED else ""
        raise InputError(
            f"{first}: fewer than {least} training rows have the label {names}{more}; add examples, or leave the class out."
        )
    return sorted(counts)


def check_known(held: Labelled, labels: Sequence[str], what: str = "test") -> None:
    """Refuses labels that training never saw.

    Args:
        held: Utterances that are not trained on.
        labels: Those of training.
        what: Name of ``held`` for the message.

    Raises:
        InputError: If there is one.
    """
    unknown = sorted(set(held.values) - set(labels))
    if unknown:
        first = held.rows[held.values.index(unknown[0])]
        names = ", ".join(f"{held.kind}:{label}" for label in unknown[:_NAMED])
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        raise InputError(
            f"{first}: the label {names}{more} stands in {what} rows and in no training row; training has "
            f"{', '.join(labels)}. Add examples to training, or leave these rows out."
        )
