"""What the room says: ``background.py CORPORA OUT``.

Writes ``OUT/background.tsv``, the rows of ``CORPORA/tusom/manifest.tsv`` cut to the quietest 0.15 s of each recording, in which
next to nothing is said. What is told from them is told from how and when the words were recorded.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from speechxl.data.audio import read_audio
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import SAMPLE_RATE, Utterance

STRETCH_S = 0.15


def quietest(row: Utterance) -> Utterance:
    """A row with the stretch of least energy alone."""
    power = np.cumsum(np.square(read_audio(row.path, row.start, row.duration), dtype=np.float64))
    size = round(STRETCH_S * SAMPLE_RATE)
    start = int(np.argmin(power[size:] - power[:-size])) if len(power) > size else 0
    return replace(row, start=row.start + start / SAMPLE_RATE, duration=min(STRETCH_S, row.seconds))


def main(corpora: Path, out: Path) -> None:
    """Writes the manifest."""
    rows = [quietest(row) for row in read_manifest(corpora / "tusom" / "manifest.tsv")]
    write_manifest(out / "background.tsv", rows)
    print(f"{out / 'background.tsv'}: {len(rows)} rows of {STRETCH_S} s")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
