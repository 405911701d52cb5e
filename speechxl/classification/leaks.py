"""What utterances share: test rows with training rows, and with one another. No torch."""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from speechxl.classification.forms import native
from speechxl.errors import InputError
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
KINDS = ("recording", "speaker", "group", "sentence")
"""What can be shared."""


@dataclass(frozen=True)
class Leak:
    """Something that test rows share with training rows."""

    kind: str
    """One of `KINDS`."""
    count: int
    """Test rows."""
    rows: int
    """All test rows."""
    example: str
    """What is shared."""
    train: str
    """Place of a training row that has it."""
    test: str
    """Place of a test row that has it."""

    def __str__(self) -> str:
        return (
            f"{self.count} of {self.rows} test rows have a {self.kind} of the training rows, such as {self.example!r} at "
            f"{self.test} and {self.train}"
        )


def find_leaks(train: Sequence[Utterance], test: Sequence[Utterance]) -> list[Leak]:
    """Recordings, speakers, groups and sentences that stand in both.

    Speakers and sentences are compared within a language, groups (column ``group``: the sentence of a parallel corpus)
    across languages. A row with a group is not compared by its text. What a row does not say is not compared.
    """
    leaks = []
    for kind in KINDS:
        places: dict[object, str] = {}
        for row in train:
            for key in _keys(row, kind):
                places.setdefault(key, str(row))
        shared = [(key, row) for row in test for key in _keys(row, kind) if key in places]
        if shared:
            key, row = shared[0]
            leaks.append(Leak(kind, len(shared), len(test), str(key[-1]), places[key], str(row)))
    return leaks


def refuse_leaks(train: Sequence[Utterance], test: Sequence[Utterance], shared: Collection[str] = ()) -> list[Leak]:
    """Leaks that are meant; they are logged.

    Args:
        train: Rows to learn from.
        test: Rows to measure on.
        shared: Kinds that train and test may share, such as the sentences of keywords.

    Raises:
        InputError: If there is another leak, or no such kind.
    """
    unknown = sorted(set(shared) - set(KINDS))
    if unknown:
        raise InputError(f"{unknown[0]!r} is nothing that train and test can share; there are {', '.join(KINDS)}.")
    leaks = find_leaks(train, test)
    for leak in leaks:
        if leak.kind not in shared:
            raise InputError(f"{leak}; split the rows anew, or say that it is meant by naming {leak.kind!r} as shared.")
        log.info("%s", leak)
    return leaks


def groups(rows: Sequence[Utterance], by: Literal["group", "speaker", "sentence", "utterance"] = "group") -> list[str]:
    """N names of what is not independent, and is drawn together by the intervals of `evaluation.significance`.

    Args:
        rows: N utterances.
        by: "group": column ``group``; "sentence": the same, else the text; an utterance that does not say is a group by itself.
    """
    named: list[str] = []
    for row in rows:
        keys = [] if by == "utterance" else _keys(row, by)
        if by == "sentence":
            keys = _keys(row, "group") + keys
        named.append("\0".join(map(str, keys[0])) if keys else f"\0{row.id}")
    return named


def _keys(row: Utterance, kind: str) -> list[tuple[object, ...]]:
    group = row.extra.get("group", "")
    if kind == "recording":
        return [(row.start, row.duration, str(row.path))]
    if kind == "speaker":
        return [(row.language, row.speaker)] if row.speaker else []
    if kind == "group":
        return [(group,)] if group else []
    text = "" if group else native(row.text)
    return [(row.language, text)] if text else []
