"""Lhotse's cuts, or its recordings and supervisions, as JSON lines, packed or not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError
from speechxl.data.corpora.nemo import extra, number
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import json_object, read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_REASONS = {
    "MixedCut": "is a mixture of several recordings, which no stretch of one is; write it out with save_audio first",
    "PaddingCut": "is padding",
}
_TAKEN = frozenset(
    ["id", "recording_id", "start", "duration", "channel", "text", "language", "speaker", "alignment", "custom"]
)


@dataclass(frozen=True)
class _Files:
    source: Path
    """From which paths begin."""
    recordings: Recordings


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Supervisions, each with its stretch of the recording; cuts without any become rows without text.

    Args:
        source: File of cuts (``.jsonl``, ``.jsonl.gz``), or a folder with ``*cuts*``, or ``*recordings*`` and
            ``*supervisions*``.
        audio_root: Folder below which recordings are that are not where they are said to be.

    Raises:
        InputError: If there is no such file.
    """
    recordings = Recordings(audio_root)
    if not source.is_dir():
        yield from _cuts(source, recordings)
        return
    cuts, lists, supervisions = (_named(source, word) for word in ("cuts", "recordings", "supervisions"))
    if not cuts and not (lists and supervisions):
        raise InputError(f"{source}: neither *cuts*.jsonl.gz in it, nor *recordings* and *supervisions*.")
    for file in cuts:
        yield from _cuts(file, recordings)
    if not cuts:
        yield from _supervised(lists, supervisions, recordings)


def _named(folder: Path, word: str) -> list[Path]:
    return sorted(path for path in folder.iterdir() if word in path.name and ".jsonl" in path.suffixes[-2:])


def _lines(file: Path) -> Iterator[tuple[str, dict[str, Any] | Fault]]:
    for line_number, line in enumerate(read_plain(file, "manifest of Lhotse", utf16=False).split("\n"), start=1):
        if line.strip():
            place = f"{file}:{line_number}"
            try:
                yield place, json_object(line)
            except InputError as error:
                yield place, Fault(place, str(error))


def _cuts(file: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    files = _Files(file, recordings)
    for place, cut in _lines(file):
        if isinstance(cut, Fault):
            yield cut
            continue
        kind = str(cut.get("type") or "MonoCut")
        if kind not in ("MonoCut", "MultiCut"):
            yield Fault(place, f"{_text(cut, 'id')!r} {_REASONS.get(kind, f'is a {kind[:40]}, MonoCut was expected')}.")
            continue
        try:
            recording = _recording(cut.get("recording"), cut.get("channel", 0), files)
            begin = number(cut, "start") or 0.0
            length = number(cut, "duration")
        except InputError as error:
            yield Fault(place, str(error))
            continue
        supervisions = cut.get("supervisions") or [{}]
        supervisions = supervisions if isinstance(supervisions, list) else [supervisions]
        for supervision in supervisions:
            try:
                yield _utterance(
                    supervision, recording, begin, length, place, files, _text(cut, "id"), len(supervisions)
                )
            except InputError as error:
                yield Fault(place, str(error))


def _supervised(lists: list[Path], supervisions: list[Path], recordings: Recordings) -> Iterator[Utterance | Fault]:
    found: dict[str, tuple[dict[str, Any], Path]] = {}
    for file in lists:
        for _, row in _lines(file):
            if isinstance(row, Fault):
                yield row
            else:
                found[_text(row, "id")] = (row, file)
    used = set()
    for file in supervisions:
        for place, row in _lines(file):
            if isinstance(row, Fault):
                yield row
                continue
            name = _text(row, "recording_id")
            if name not in found:
                yield Fault(place, f"the recording {name!r} is not among {', '.join(path.name for path in lists)}.")
                continue
            used.add(name)
            recording, origin = found[name]
            try:
                files = _Files(origin, recordings)
                path = _recording(recording, row.get("channel", 0), files)
                yield _utterance(row, path, 0.0, None, place, files, "", 1)
            except InputError as error:
                yield Fault(place, str(error))
    yield from (Fault(str(lists[0]), f"the recording {name!r} has no supervision") for name in found.keys() - used)


def _recording(recording: Any, channel: Any, files: _Files) -> Path:
    """File of a recording.

    Raises:
        InputError: If it is not one file of one channel that is on this machine.
    """
    if not isinstance(recording, dict):
        raise AudioError("has no recording; features alone are not read.")
    name = _text(recording, "id")
    if recording.get("transforms"):
        raise AudioError(
            f"the recording {name!r} is changed while it is read (transforms); write it out with save_audio first."
        )
    sources = recording.get("sources")
    if not isinstance(sources, list) or len(sources) != 1 or not isinstance(sources[0], dict):
        raise AudioError(f"the recording {name!r} is not one file.")
    if sources[0].get("type") != "file":
        raise AudioError(f"the recording {name!r} is a {str(sources[0].get('type'))[:20]}, a file was expected.")
    channels = sources[0].get("channels")
    if isinstance(channels, list) and len(channels) > 1 and channel != channels:
        raise AudioError(f"is channel {channel} of {len(channels)} in one file; write each to a file of its own first.")
    return files.recordings.locate(_text(sources[0], "source"), [files.source.absolute().parent, Path.cwd()])


def _utterance(
    row: Any, path: Path, begin: float, length: float | None, place: str, files: _Files, cut: str, parts: int
) -> Utterance:
    """A supervision; its times count from the beginning of the cut.

    Raises:
        InputError: If it is not in the recording.
    """
    if not isinstance(row, dict):
        raise AudioError(f"the supervision {str(row)[:40]!r} is not an object.")
    start, seconds = number(row, "start") or 0.0, number(row, "duration")
    end = (
        None
        if seconds is None and length is None
        else begin + (start + seconds if seconds is not None else length or 0)
    )
    if length is not None and end is not None:  # a supervision may reach beyond its cut
        start, end = max(start, 0.0), min(end, begin + length)
    start, duration = files.recordings.stretch(path, begin + start, end)
    id = _text(row, "id") or cut
    custom = row.get("custom")
    others = extra(row, _TAKEN) | (extra(custom, _TAKEN) if isinstance(custom, dict) else {})
    return Utterance(
        path, f"{cut}/{id}" if parts > 1 and cut not in ("", id) else id, start, duration, as_iso(_text(row, "language")),
        _text(row, "speaker"), others.pop("split", ""), _text(row, "text"), others.pop("phonemes", ""),
        others.pop("label", ""), others, place,
    )  # fmt: skip


def _text(row: dict[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None else normalise(str(value))
