"""Licences of corpora: a column of the manifest, or what stands beside it or beside the recordings."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from speechxl.shapes import Utterance

COLUMNS = ("license", "licence")
"""Of manifests, in any case."""
_FILES = tuple(
    f"{name}{suffix}"
    for name in ("LICENSE", "LICENCE", "License", "license", "COPYING", "README", "Readme", "readme")
    for suffix in ("", ".md", ".txt")
)
_READ_BYTES, _LONGEST = 1 << 16, 300


@dataclass(frozen=True)
class Licence:
    """What is said of the licence of a corpus, or a part of it."""

    corpus: str
    """Name of a folder or a manifest; no path, which would tell of the machine."""
    stated: str
    """In the words of its source; empty where nothing is said."""
    source: str
    """``column`` and its name, or a folder and a file in it."""
    hours: float


def find_licences(rows: Iterable[Utterance]) -> list[Licence]:
    """What is said of utterances, most hours first."""
    hours: dict[tuple[str, str, str], float] = {}
    for row in rows:
        key = _of_row(row)
        hours[key] = hours.get(key, 0.0) + row.seconds / 3600
    return [Licence(*key, total) for key, total in sorted(hours.items(), key=lambda item: (-item[1], item[0]))]


def licence_of_folder(folder: Path) -> tuple[str, str] | None:
    """What the files in a folder say, and where; None where they say nothing."""
    return _of_folder(folder.absolute())


def _of_row(row: Utterance) -> tuple[str, str, str]:
    """Corpus, what is stated, and where."""
    manifest = Path(row.origin.rpartition(":")[0]) if row.origin else None
    beside = row.path.parent if manifest is None else manifest.parent
    stem = "" if manifest is None or manifest.stem == "manifest" else manifest.stem
    name = row.extra.get("corpus") or stem or beside.absolute().name
    for column, value in row.extra.items():
        if column.lower() in COLUMNS and value:
            return name, value[:_LONGEST], f"column {column}"
    for folder in (beside, row.path.parent, row.path.parent.parent):
        if found := licence_of_folder(folder):
            return folder.absolute().name, *found
    return name, "", ""


@lru_cache(maxsize=65536)
def _of_folder(folder: Path) -> tuple[str, str] | None:
    for name in _FILES:
        path = folder / name
        if not path.is_file():
            continue
        with path.open("rb") as file:
            lines = file.read(_READ_BYTES).decode("utf-8", "replace").splitlines()
        stated = _in_readme(lines) if name.lower().startswith("readme") else _title(lines)
        if stated:
            return stated[:_LONGEST], f"{folder.name}/{name}"
    return None


def _title(lines: list[str]) -> str:
    """Name of a licence and who gives it: the first two lines of its text."""
    return ", ".join([line.strip() for line in lines if line.strip()][:2])


def _in_readme(lines: list[str]) -> str:
    """What follows ``Licence:``, else what stands under such a heading, else the first line that speaks of one."""
    texts = [re.sub(r"^[\s#>*|-]+|[\s*|]+$", "", line) for line in lines]
    for text in texts:
        if re.search(r"\blicen[cs]e\b[^:.]{0,40}:[\s*]*\w", text, re.IGNORECASE):
            return text
    for place, text in enumerate(texts):
        if re.fullmatch(r"licen[cs](e|es|ing)\W*", text, re.IGNORECASE):
            return next((f"{text.rstrip(':')}: {rest}" for rest in texts[place + 1 :] if re.search(r"\w", rest)), "")
    return next((text for text in texts if re.search(r"\blicen[cs]e", text, re.IGNORECASE)), "")
