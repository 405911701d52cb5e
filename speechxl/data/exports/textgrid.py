"""Praat's TextGrids, one for each recording."""

from collections.abc import Sequence
from pathlib import Path

from praatio.data_classes.interval_tier import IntervalTier
from praatio.data_classes.textgrid import Textgrid

from speechxl.data.audio import probe
from speechxl.data.exports.tiers import by_recording, milliseconds
from speechxl.data.manifest import Fault
from speechxl.files import replace_file
from speechxl.shapes import Utterance


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Writes a tier for each speaker, and one with phonemes where there are any.

    Args:
        rows: With durations.
        out: Folder.

    Returns:
        Files, and rows with neither text nor phonemes, which would be silence.
    """
    files = []
    faults = [
        Fault(str(row), "no text, which in a TextGrid is silence") for row in rows if not row.text and not row.phonemes
    ]
    for recording, file, lanes in by_recording([row for row in rows if row.text or row.phonemes], out, ".TextGrid"):
        end = probe(recording).duration
        grid = Textgrid(0, end)
        for lane in lanes:
            columns = {lane.name: "text", f"phonemes {lane.name}": "phonemes"}
            for name, column in columns.items():
                said = [(milliseconds(row), getattr(row, column)) for row in lane.rows if getattr(row, column)]
                entries = [(start / 1000, min(stop / 1000, end), label) for (start, stop), label in said]
                if entries:
                    grid.addTier(IntervalTier(name, entries, 0, end))
        replace_file(file, lambda part, grid=grid: _save(grid, part))  # type: ignore[misc]
        files.append(file)
    return files, faults


def _save(grid: Textgrid, path: Path) -> None:
    grid.save(str(path), "long_textgrid", includeBlankSpaces=True, reportingMode="error")
