"""A folder in the manner of `datasets`: recordings by split, each with ``metadata.csv``."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from speechxl.data.audio import AudioError
from speechxl.data.clips import cells_of, clip, folder_name, hub_split
from speechxl.data.embedded import save_audio
from speechxl.data.manifest import Fault
from speechxl.files import write_text
from speechxl.shapes import Utterance


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Copies recordings, writes stretches as FLAC at 16 kHz, and the tables.

    Args:
        rows: With durations.
        out: Folder.

    Returns:
        The tables, and rows whose audio cannot be read.
    """
    faults: list[Fault] = []
    tables: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        split = folder_name(hub_split(row.split))
        try:
            data, suffix = clip(row)
        except AudioError as error:
            faults.append(Fault(str(row), str(error)))
            continue
        path = save_audio(out / split, f"{row.id}{suffix}", data)
        tables.setdefault(split, []).append({"file_name": path.name, **cells_of(row)})
    files = []
    for split, lines in tables.items():
        columns = [
            c for c in dict.fromkeys(key for line in lines for key in line) if any(line.get(c) for line in lines)
        ]
        buffer = io.StringIO()
        writer = csv.DictWriter(buffer, columns, restval="", extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
        files.append(out / split / "metadata.csv")
        write_text(files[-1], buffer.getvalue())
    return files, faults
