"""Choosing rows of corpora, and their texts. No torch."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from speechxl.data.manifest import read_cells
from speechxl.data.sources import read_corpora
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Corpora:
    """What stands in manifests or folders, read once."""

    paths: Sequence[Path]
    rows: list[list[Utterance]]
    """Of each path."""

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "Corpora":
        """Reads all of them."""
        return cls(paths, [read_corpora([path]) for path in paths])

    def __str__(self) -> str:
        return ", ".join(map(str, self.paths))

    def choose(self, split: str | None, usual: str) -> list[Utterance]:
        """Rows with one split, their ids unique.

        Args:
            split: Rows to keep; ``"all"`` for every row; None for ``usual``, or every row where a corpus has no splits.
            usual: See above.

        Raises:
            NothingMatched: If there is none.
        """
        chosen: list[Utterance] = []
        found: set[str] = set()
        for corpus in self.rows:
            splits = {utterance.split for utterance in corpus}
            found |= splits
            wanted = split or (usual if splits != {""} else "all")
            chosen += [utterance for utterance in corpus if wanted in ("all", utterance.split)]
        if not chosen:
            there = ", ".join(sorted(name or "(none)" for name in found))
            raise NothingMatched(f"{self}: no row with split {split or usual!r}; there are {there}.")
        return unique_ids(chosen)


def target(utterance: Utterance, column: str) -> str:
    """Text of a manifest column, normalised."""
    value = getattr(utterance, column) if column in ("text", "phonemes") else utterance.extra.get(column, "")
    return normalise(value)


def with_target(rows: Sequence[Utterance], column: str, corpora: Corpora) -> list[Utterance]:
    """Rows whose column is not empty.

    Raises:
        InputError: If there is none.
    """
    named = [row for row in rows if target(row, column)]
    if not named:
        others = sorted({name for row in rows for name, value in row.extra.items() if value})
        hint = f" (there are also {', '.join(others)})" if others else ""
        raise InputError(
            f"{corpora}: column {column!r} is empty or absent in all {len(rows)} rows; "
            f"name another with --column{hint}, or add the transcripts."
        )
    if len(named) < len(rows):
        log.warning("%d of %d utterances left out: column %r is empty", len(rows) - len(named), len(rows), column)
    return named


def dev_rows(train: Corpora, dev: Sequence[Path] | None, split: str | None, column: str) -> list[Utterance]:
    """Rows with text to choose a model by: those of ``dev``, or the dev rows of ``train``; none if there are none."""
    try:
        rows = Corpora.read(dev).choose(None, "dev") if dev else train.choose("dev", "dev") if split != "all" else []
    except NothingMatched:
        if dev:
            raise
        return []
    named = [row for row in rows if target(row, column)]
    if dev and not named:
        raise InputError(f"{', '.join(map(str, dev))}: column {column!r} is empty in all dev rows.")
    return named


def raw_cells(paths: Iterable[Path], column: str) -> dict[str, str]:
    """A column as it stands in manifests, before it is normalised, by place (``manifest:line``).

    Args:
        paths: Manifests, or folders with ``manifest.tsv``; of other folders there is nothing.
        column: Its name.
    """
    manifests = [path / "manifest.tsv" if path.is_dir() else path for path in paths]
    return {place: cell for path in manifests if path.exists() for place, cell in read_cells(path, column)}


def unique_ids(utterances: Iterable[Utterance]) -> list[Utterance]:
    """Utterances whose ids are unique over several corpora as well."""
    seen: dict[str, int] = {}
    result = []
    for utterance in utterances:
        count = seen[utterance.id] = seen.get(utterance.id, 0) + 1
        result.append(utterance if count == 1 else replace(utterance, id=f"{utterance.id}#{count}"))
    return result
