"""NeMo's manifests: one object of JSON on each line, with ``audio_filepath``."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import json_object, read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_TAKEN = frozenset(
    [
        "audio_filepath",
        "offset",
        "duration",
        "text",
        "lang",
        "language",
        "source_lang",
        "speaker",
        "split",
        "label",
        "id",
    ]
) | {"phonemes", "pred_text"}


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Lines of a manifest; what NeMo recognised (``pred_text``) is left, other keys are carried along.

    Args:
        source: Manifest; paths begin where it is.
        audio_root: Folder below which recordings are that are not there.
    """
    recordings = Recordings(audio_root)
    for number, line in enumerate(read_plain(source, "manifest of NeMo", utf16=False).split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{source}:{number}"
        try:
            yield _utterance(json_object(line), source, place, recordings)
        except InputError as error:
            yield Fault(place, str(error))


def number(row: dict[str, Any], key: str) -> float | None:
    """A number of seconds, or nothing.

    Raises:
        InputError: If there is anything else.
    """
    value = row.get(key)
    if value is None:
        return None
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > 1e9:
        raise InputError(f"{key} is {str(value)[:40]!r}, a number of seconds was expected.")
    return float(value)


def extra(row: dict[str, Any], taken: frozenset[str]) -> dict[str, str]:
    """Other keys, as text."""
    found = {}
    for key, value in row.items():
        if key not in taken and value is not None and normalise(key):
            found[normalise(key)] = normalise(
                value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            )
    return found


def _utterance(row: dict[str, Any], source: Path, place: str, recordings: Recordings) -> Utterance:
    name = row.get("audio_filepath")
    if not isinstance(name, str) or not name:
        raise AudioError("has no key 'audio_filepath' with the name of a recording.")
    path = recordings.locate(name, [source.absolute().parent, Path.cwd()])
    offset, seconds = number(row, "offset"), number(row, "duration")
    start, duration = recordings.stretch(path, offset or 0.0, None if seconds is None else (offset or 0.0) + seconds)
    said = {key: normalise(str(row.get(key) or "")) for key in ("speaker", "split", "text", "phonemes", "label", "id")}
    id = said.pop("id") or (name if offset is None else f"{name}@{offset:g}")
    language = as_iso(str(row.get("lang") or row.get("language") or row.get("source_lang") or ""))
    return Utterance(path, id, start, duration, language, **said, extra=extra(row, _TAKEN), origin=place)
