"""Manifests: what is recorded where, in which language, with which text.

A manifest is UTF-8, tab-separated, with one header line; `NeMo`'s JSON lines are read and written as well. Paths are
relative to the manifest.
"""

import json
import logging
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from speechxl.data.plain import json_object, read_plain
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.shapes import Utterance

log = logging.getLogger(__name__)
COLUMNS = ("path", "duration_s", "language", "speaker", "split", "text", "label")
"""Columns that are always written."""
OPTIONAL = ("id", "start_s", "phonemes")
"""Columns that are written where they hold something."""
_NEMO: dict[str, str] = {
    "audio_filepath": "path", "duration": "duration_s", "offset": "start_s", "lang": "language",
}  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """Something wrong in a manifest."""

    place: str
    """``manifest:line``."""
    message: str
    kind: str = "manifest"
    """``"duplicate_id"`` where that is what is wrong."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"

    @classmethod
    def of(cls, path: Path, error: InputError) -> "Fault":
        """What is wrong with a file, from a message that begins with its name, and perhaps a line."""
        text = str(error)
        if not text.startswith(str(path)):
            return cls(str(path), text)
        line, message = re.fullmatch(r"(:\d+)?:? ?(.*)", text.removeprefix(str(path)), re.DOTALL).groups()  # type: ignore[union-attr]
        return cls(f"{path}{line or ''}", message)


def read_manifest(path: Path) -> list[Utterance]:
    """Reads a manifest.

    Raises:
        InputError: If there is any fault, with the place of the first ten.
    """
    utterances, faults = scan_manifest(path)
    if faults:
        more = f"\n... and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise InputError("\n".join(map(str, faults[:10])) + more)
    return utterances


def scan_manifest(path: Path) -> tuple[list[Utterance], list[Fault]]:
    """Reads what can be read of a manifest, and says what is wrong with the rest.

    Raises:
        InputError: If there is no such file, or it is not text.
    """
    rows = _read_json_lines if _is_json(path) else _read_table
    utterances: list[Utterance] = []
    faults: list[Fault] = []
    seen: dict[str, str] = {}
    for place, row in rows(path, read_plain(path, "manifest", utf16=False)):
        utterance = row if isinstance(row, Fault) else _utterance(row, path.parent.absolute(), place)
        if isinstance(utterance, Fault):
            faults.append(utterance)
        elif utterance.id in seen:
            message = f"id {utterance.id!r} stands already at {seen[utterance.id]}; ids are unique."
            faults.append(Fault(place, message, "duplicate_id"))
        else:
            seen[utterance.id] = place
            utterances.append(utterance)
    return utterances, faults


def read_cells(path: Path, column: str) -> Iterator[tuple[str, str]]:
    """Place (``manifest:line``) and content of a column as it stands in the file, before NFC."""
    rows = _read_json_lines if _is_json(path) else _read_table
    for place, row in rows(path, read_plain(path, "manifest", utf16=False)):
        if not isinstance(row, Fault):
            yield place, row.get(column, "")


def write_manifest(path: Path, utterances: Iterable[Utterance]) -> None:
    """Writes a manifest, as JSON lines if its name ends in ``.json``, ``.jsonl`` (or with ``.gz``), else tab-separated."""
    utterances = list(utterances)
    folder = path.parent.absolute()
    rows = [_row(utterance, folder) for utterance in utterances]
    if _is_json(path):
        back = {column: key for key, column in _NEMO.items()}
        lines = [
            json.dumps(
                {back.get(k, k): float(v) if k in ("duration_s", "start_s") else v for k, v in row.items() if v},
                ensure_ascii=False,
            )
            for row in rows
        ]
        write_text(path, "".join(f"{line}\n" for line in lines))
        return
    optional = [column for column in OPTIONAL if any(row.get(column) for row in rows)]
    columns = list(dict.fromkeys([*COLUMNS, *optional, *(key for row in rows for key in row if key not in OPTIONAL)]))
    write_text(
        path,
        "".join("\t".join(cells) + "\n" for cells in [columns, *([row.get(c, "") for c in columns] for row in rows)]),
    )


def _is_json(path: Path) -> bool:
    return bool({".json", ".jsonl", ".ndjson"} & set(path.suffixes[-2:]))


def _read_table(path: Path, text: str) -> Iterator[tuple[str, dict[str, str] | Fault]]:
    lines = text.split("\n")
    header = [name.strip() for name in lines[0].split("\t")]
    known = [*COLUMNS, *OPTIONAL]
    absent = [name for name in known if name not in header]
    near = [
        f"column {name!r} may be meant to be {match[0]!r}"
        for name in header
        if name not in known and (match := get_close_matches(name, absent, 1))
    ]
    if "path" not in header:
        hint = f"The columns are {', '.join(COLUMNS)}, separated by tabs; only path is required."
        if "," in lines[0] or ";" in lines[0]:
            hint = "Fields are separated by tabs; other tables become a manifest with speechxl prepare csv."
        elif len(header) > 1 and any(name in header for name in known) and near:
            hint = f"{'; '.join(near)}."
        raise InputError(f"{path}:1: no column 'path' in the header line {lines[0][:80]!r}. {hint}")
    for guess in near:
        log.warning("%s:1: %s; it is carried along unread", path, guess)
    if len(set(header)) < len(header):
        raise InputError(f"{path}:1: a column stands twice in the header: {', '.join(header)}.")
    for number, line in enumerate(lines[1:], start=2):
        if line.strip():
            place = f"{path}:{number}"
            cells = line.split("\t")
            if len(cells) > len(header):
                yield place, Fault(place, f"{len(cells)} fields, but the header has {len(header)} columns.")
            else:
                yield place, dict(zip(header, cells, strict=False))


def _read_json_lines(path: Path, text: str) -> Iterator[tuple[str, dict[str, str] | Fault]]:
    for number, line in enumerate(text.split("\n"), start=1):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            row = json_object(line)
        except InputError as error:
            yield place, Fault(place, str(error))
            continue
        if not ({"audio_filepath", "path"} & row.keys()):
            yield place, Fault(place, "not an object with the key 'audio_filepath'.")
            continue
        named = {_NEMO.get(str(key), str(key)): value for key, value in row.items() if key != "pred_text"}
        wrong = [key for key in (*COLUMNS, *OPTIONAL) if isinstance(named.get(key), (list, dict, bool))]
        if not isinstance(named["path"], str):
            yield place, Fault(place, f"audio_filepath is {named['path']!r}, a string was expected.")
        elif wrong:
            yield place, Fault(place, f"{wrong[0]} is {named[wrong[0]]!r}, a string or number was expected.")
        else:
            yield place, {key: "" if value is None else str(value) for key, value in named.items()}


def _utterance(row: dict[str, str], folder: Path, place: str) -> Utterance | Fault:
    row = {key: unicodedata.normalize("NFC", value.strip()) if key != "path" else value for key, value in row.items()}
    name = row.pop("path")
    if not name:
        return Fault(place, "column 'path' is empty.")
    seconds: dict[str, float] = {}
    for column in ("duration_s", "start_s"):
        if value := row.pop(column, ""):
            try:
                seconds[column] = float(value)
            except ValueError:
                return Fault(place, f"{column} is {value!r}, a number of seconds was expected.")
            if not 0 <= seconds[column] < 1e7:
                return Fault(place, f"{column} is {value}, a number of seconds of at least 0 was expected.")
    start, duration = seconds.get("start_s", 0.0), seconds.get("duration_s")
    if duration == 0:
        return Fault(place, "duration_s is 0, an utterance takes some time.")
    id = row.pop("id", "") or (f"{name}@{start:g}" if "start_s" in seconds else name)
    known = {column: row.pop(column, "") for column in ("language", "speaker", "split", "text", "phonemes", "label")}
    return Utterance(folder / name, id, start, duration, **known, extra=row, origin=place)


def name_fault(path: Path) -> str | None:
    """Why a manifest cannot hold the name of a file; None if it can."""
    name = str(path)
    if {"\t", "\n", "\r"} & set(name):
        return f"{name!r} has a tab or line break in its name, which a manifest cannot hold; rename the file."
    if any("\ud800" <= letter <= "\udfff" for letter in name):
        return f"{name!a} is not UTF-8, which a manifest is written in; rename the file."
    return None


def _row(utterance: Utterance, folder: Path) -> dict[str, str]:
    if fault := name_fault(utterance.path):
        raise InputError(fault)
    name = os.path.relpath(utterance.path, folder)
    whole = utterance.id in (name, str(utterance.path))
    row = {
        "path": name,
        "duration_s": "" if utterance.duration is None else f"{utterance.duration:.4f}",
        "language": utterance.language,
        "speaker": utterance.speaker,
        "split": utterance.split,
        "text": utterance.text,
        "label": utterance.label,
        "id": "" if whole else utterance.id,
        "start_s": f"{utterance.start:.4f}" if utterance.start else "",
        "phonemes": utterance.phonemes,
    }
    for key, value in utterance.extra.items():
        key = " ".join(key.split())
        row[f"source_{key}" if key in row or key in COLUMNS else key] = value
    return {key: " ".join(value.split()) if key != "path" else value for key, value in row.items()}
