"""Long recordings, each with a table of start, end and text beside it: Audacity's labels, whisper's tables, others."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.data.tiers import annotation_files, name_of
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_START, _END = ("start", "start_s", "begin", "onset", "offset"), ("end", "end_s", "stop")
_TEXT, _SPEAKER = ("text", "label", "transcript", "sentence"), ("speaker", "who", "participant")


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Lines of tables; recordings that have none are reported.

    A table has columns start, end and text (and speaker), separated by tabs or commas, with a header line or without.
    Whole numbers of which half are beyond the recording's seconds are milliseconds, as whisper writes them.

    Args:
        source: Table, or a folder below which they are.
        audio_root: Folder below which recordings are that do not stand beside their table.
    """
    recordings = Recordings(audio_root)
    used: set[Path] = set()
    for file in annotation_files(source, (".tsv", ".txt", ".csv")):
        recording = recordings.find([], file)
        try:
            if recording is None:
                raise InputError(f"{file}: there is no recording with its name; name its folder: --audio_root.")
            used.add(recording)
            yield from _table(file, name_of(file, source), recording, recordings)
        except InputError as error:
            if file == source:
                raise
            yield Fault.of(file, error)
    for path in sorted(source.rglob("*")) if source.is_dir() else []:
        if path.suffix.lower() in SUFFIXES and path.absolute() not in used:
            yield Fault(str(path), "no table of start, end and text has its name")


def _table(file: Path, name: str, recording: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    lines = read_plain(file, "table").split("\n")
    separator = "\t" if any("\t" in line for line in lines[:5]) else ","
    columns = _columns(lines[0].lower().split(separator))
    first = 0 if columns is None else 1
    start, end, text, speaker = columns or (0, 1, 2, -1)
    rows: list[tuple[int, list[str], float, float]] = []
    for number, line in enumerate(lines[first:], start=first + 1):
        if not line.strip() or line.startswith("\\"):  # Audacity's line of frequencies
            continue
        cells = line.split(separator, max(start, end, text) if text > speaker else -1)
        try:
            rows.append((number, cells, float(cells[start]), float(cells[end])))
        except (ValueError, IndexError):
            yield Fault(f"{file}:{number}", f"{line[:60]!r} has no start and end in seconds.")
    total = recordings.seconds(recording)
    whole = all(
        begin == int(begin) and stop == int(stop) for _, _, begin, stop in rows if abs(begin) + abs(stop) < 1e12
    )
    scale = 1000.0 if rows and whole and sorted(stop for *_, stop in rows)[len(rows) // 2] > total + 1 else 1.0
    for number, cells, begin, stop in rows:
        place = f"{file}:{number}"
        words = normalise(cells[text]) if len(cells) > text else ""
        if not words:
            yield Fault(place, "empty text")
            continue
        try:
            at, duration = recordings.stretch(recording, begin / scale, stop / scale)
        except AudioError as error:
            yield Fault(place, str(error))
            continue
        who = normalise(cells[speaker]) if 0 <= speaker < len(cells) else ""
        yield Utterance(recording, f"{name}@{number}", at, duration, speaker=who, text=words, origin=place)


def _columns(header: Sequence[str]) -> tuple[int, int, int, int] | None:
    """Places of start, end, text and speaker, -1 for none; nothing if it is no header."""
    cells = [cell.strip() for cell in header]
    places = [
        next((cells.index(name) for name in names if name in cells), -1) for names in (_START, _END, _TEXT, _SPEAKER)
    ]
    return (places[0], places[1], places[2], places[3]) if min(places[:3]) >= 0 else None
