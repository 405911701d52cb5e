"""Rows of a manifest that are divided, and what comes of it."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from speechxl.data.checks.recordings import timed
from speechxl.data.splitting import TRAIN, divide
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.inventory_table import columns

log = logging.getLogger(__name__)


class Division:
    """Rows, those of them that are divided, and the groups that stay together.

    Args:
        rows: All.
        by: ``speaker``, ``recording`` or a column.
        split: Of the rows that are divided; None for all.
        source: For messages.

    Raises:
        InputError: If there is no such column, or a recording whose duration is needed cannot be read.
        NothingMatched: If there is no row with the split.
    """

    def __init__(self, rows: Sequence[Utterance], by: str, split: str | None, source: Path) -> None:
        self.rows, self.by = rows, by
        if by not in ("speaker", "recording") and not any(row.extra.get(by) for row in rows):
            known = ["speaker", "recording", *sorted({name for row in rows for name in row.extra})]
            raise InputError(f"--by {by}: there is no such column; there are {', '.join(known)}.")
        self.places = [place for place, row in enumerate(rows) if split is None or row.split == split]
        if not self.places:
            there = ", ".join(sorted({row.split or "(none)" for row in rows}))
            raise NothingMatched(f"{source}: no row with split {split!r}; there are {there}.")
        self.chosen = timed([rows[place] for place in self.places])
        if unread := [row for row in self.chosen if row.duration is None]:
            raise InputError(
                f"{unread[0]}: its duration is not known, and the recording cannot be read; see speechxl validate."
            )
        self.unnamed = sum(not self._name(row) for row in self.chosen)
        if self.unnamed:
            log.warning("%d of %d rows name no %s; they are divided by recording", self.unnamed, len(self.chosen), by)
        self.replaced = sum(bool(row.split) for row in self.chosen) if split is None else 0
        if self.replaced:
            log.warning("%d rows had a split, which is replaced", self.replaced)

    def divided(self, sizes: Mapping[str, tuple[str, float]], seed: int) -> list[Utterance]:
        """All rows, the chosen ones with their new splits; see `divide`."""
        result = list(self.rows)
        parts = divide(self.chosen, sizes, self.group_of, seed)
        for place, part in zip(self.places, parts, strict=True):
            result[place] = replace(result[place], split=part)
        new = {self.group_of(result[place]): result[place].split for place in self.places}
        others = set(range(len(result))) - set(self.places)
        shared = {
            name
            for row in (result[place] for place in others)
            if new.get(name := self.group_of(row), row.split) != row.split
        }
        if shared:
            names = ", ".join(sorted(shared)[:5])
            log.warning("%d are also in splits that stay as they are: %s", len(shared), names)
        return result

    def group_of(self, row: Utterance) -> str:
        """What a row belongs to."""
        name = self._name(row)
        return f"{self.by} {name}" if name else f"recording {row.path}"

    def _name(self, row: Utterance) -> str:
        if self.by == "recording":
            return str(row.path)
        return row.speaker if self.by == "speaker" else row.extra.get(self.by, "")

    def document(self, result: Sequence[Utterance], names: Sequence[str]) -> dict[str, Any]:
        """What each language has in each split."""
        languages: dict[str, dict[str, Any]] = {}
        for language in sorted({row.language for row in self.chosen}):
            parts: dict[str, list[Utterance]] = {name: [] for name in names}
            for place, row in zip(self.places, self.chosen, strict=True):
                if row.language == language:
                    parts[result[place].split].append(row)
            languages[language] = {
                name: {
                    "utterances": len(rows),
                    "minutes": sum(row.seconds for row in rows) / 60,
                    "groups": len({self.group_of(row) for row in rows}),
                }
                for name, rows in parts.items()
            }
            if empty := [name for name, rows in parts.items() if not rows]:
                log.warning(
                    "%s: nothing in %s, as there are only %d %ss; with one split less (--test 0), or --by recording, it can "
                    "be divided", language or "no language", " and ".join(empty), languages[language][TRAIN]["groups"], self.by,
                )  # fmt: skip
        return {
            "utterances": len(self.chosen),
            "kept": len(self.rows) - len(self.chosen),
            "replaced": self.replaced,
            "unnamed": self.unnamed,
            "languages": languages,
        }


def table(languages: Mapping[str, Any], names: Sequence[str], by: str) -> str:
    """Languages for people."""
    lines = [["language", *(f"{name} min" for name in names), *(f"{name} {by}s" for name in names)]]
    for language, parts in languages.items():
        minutes = [f"{parts[name]['minutes']:.1f}" for name in names]
        lines.append([language or "-", *minutes, *(str(parts[name]["groups"]) for name in names)])
    return columns(lines)
