"""NeMo's manifest, which speechxl reads and writes as one of its own."""

from collections.abc import Sequence
from pathlib import Path

from speechxl.data.manifest import Fault, write_manifest
from speechxl.data.sources import is_manifest
from speechxl.shapes import Utterance


def write(rows: Sequence[Utterance], out: Path) -> tuple[list[Path], list[Fault]]:
    """Writes JSON lines, with ids that NeMo ignores.

    Args:
        rows: With durations.
        out: File (``.json``, ``.jsonl``), or a folder for ``manifest.json``.

    Returns:
        The file, and no faults.
    """
    file = out if is_manifest(out) else out / "manifest.json"
    write_manifest(file, rows)
    return [file], []
