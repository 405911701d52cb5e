"""What `validate` reads and gives back."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.data.checks.classes import ERRORS, WARNINGS, Finding
from speechxl.data.manifest import scan_manifest, write_manifest
from speechxl.data.sources import read_corpora
from speechxl.errors import InputError, NothingMatched
from speechxl.files import write_text
from speechxl.shapes import Utterance

_EXAMPLES, _CLASSES, _WIDTH = 3, 8, 120
"""Examples of a class; classes from which on there is one of each, so that all fits a screen; characters of its message."""


@dataclass(frozen=True)
class Dropped:
    """What a mended manifest lacks."""

    rows: int
    """Of those that could be read."""
    lines: int
    """Lines that could not."""
    classes: dict[str, int]
    """How many were left out for each class of error; some rows for several."""
    report: str
    """File with all of them; empty if there is none."""


def read_rows(paths: Sequence[Path], split: str | None) -> tuple[list[Utterance], list[Finding]]:
    """Rows of manifests and folders, and what is wrong with the manifests themselves.

    Raises:
        InputError: If a manifest does not exist.
        NothingMatched: If there is no row, and no fault either.
    """
    utterances: list[Utterance] = []
    found: list[Finding] = []
    splits: set[str] = set()
    for given in paths:
        path = given / "manifest.tsv" if (given / "manifest.tsv").exists() else given
        try:
            rows, faults = (read_corpora([path]), []) if path.is_dir() else scan_manifest(path)
        except InputError as error:
            if path.is_dir() or not path.exists():
                raise
            found.append(_whole(path, str(error)))
            continue
        splits |= {row.split for row in rows}
        utterances += [row for row in rows if split is None or row.split == split]
        found += [Finding(fault.kind, fault.place, "", fault.message) for fault in faults]
    if not utterances and not found:
        there = f"; there are {', '.join(sorted(name or '(none)' for name in splits))}" if splits else ""
        wanted = f" with split {split!r}" if splits else ""
        raise NothingMatched(f"{', '.join(map(str, paths))}: no row{wanted}{there}.")
    return utterances, found


def _whole(path: Path, message: str) -> Finding:
    """A fault for which nothing of a manifest can be read, at its line where the message names one."""
    line = re.match(rf"{re.escape(str(path))}(:\d+)?:? (.*)", message, re.DOTALL)
    return Finding("manifest", f"{path}{line[1] or ''}" if line else str(path), "", line[2] if line else message)


def write_fixed(path: Path, utterances: Sequence[Utterance], found: Mapping[str, Sequence[Finding]]) -> Dropped:
    """Writes the rows without errors, and beside them a list of what was left out and why.

    Raises:
        InputError: If rows of several manifests have the same id.
    """
    errors = [item for kind, items in found.items() if kind in ERRORS for item in items]
    wrong = {item.place for item in errors}
    kept = [row for row in utterances if str(row) not in wrong]
    ids = Counter(row.id for row in kept if row.id not in (str(row.path), row.path.name))
    if twice := [id for id, count in ids.items() if count > 1 and len({row.path for row in kept if row.id == id}) > 1]:
        raise InputError(f"--fix {path}: id {twice[0]!r} stands in several manifests; mend them one by one.")
    write_manifest(path, kept)
    report = path.with_name(f"{path.name.partition('.')[0]}.dropped.tsv")
    if errors:
        table = "".join(f"{item.place}\t{item.id}\t{item.kind}\t{item.message}\n" for item in errors)
        write_text(report, "place\tid\tclass\tmessage\n" + table)
    classes = Counter(item.kind for item in errors)
    rows = len(utterances) - len(kept)
    lines = len(wrong - {str(row) for row in utterances})
    return Dropped(rows, lines, dict(classes), str(report) if errors else "")


def summary(
    document: Mapping[str, Any],
    found: Mapping[str, Sequence[Finding]],
    out: Path | None,
    dropped: Dropped | None,
    *,
    failed: bool,
) -> str:
    """For the terminal: classes with their counts and first examples."""
    how = "all audio decoded" if document["decoded"] else "headers only; --decode also looks into the audio"
    lines = [f"{document['utterances']} utterances, {document['hours']:.2f} h, {how}"]
    shown = _EXAMPLES if len(found) <= _CLASSES else 1
    for kind, items in found.items():
        severity = "error" if kind in ERRORS else "warning"
        lines.append(f"{severity:7s}  {kind}: {len(items)} ({(ERRORS | WARNINGS)[kind]})")
        for item in items[:shown]:
            folder = f"{Path(item.place).absolute().parent}/"
            message = item.message.replace(folder, "")
            lines.append(f"           {item.place}: {message if len(message) <= _WIDTH else message[:_WIDTH] + '...'}")
    if dropped is not None:
        kept = document["utterances"] - dropped.rows
        why = ", ".join(f"{count} {kind}" for kind, count in dropped.classes.items())
        more = f" and {dropped.lines} lines that cannot be read" if dropped.lines else ""
        reason = f"; dropped {dropped.rows} rows{more}: {why}; see {dropped.report}" if dropped.classes else ""
        lines.append(f"{document['fixed']['manifest']}: {kept} of {document['utterances']} utterances kept{reason}")
    if out is not None and found:
        lines.append(f"all of them: {out}/*.tsv")
    lines.append("there are errors" if any(kind in ERRORS for kind in found) else _verdict(failed=failed))
    return "\n".join(lines)


def _verdict(*, failed: bool) -> str:
    return "there are warnings, which --strict takes for errors" if failed else "no errors"
