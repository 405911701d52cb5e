"""What one gets without hearing anything: ``equal.py MANIFEST REFERENCE SPLIT``.

Prints the error of the boundaries if the phones of each word take equal parts of its recording. What `speechxl align
--reference` prints is to be compared with it.
"""

import sys
from os.path import normpath
from pathlib import Path

import numpy as np

from speechxl.data.alignments import Segment, read_alignment
from speechxl.data.sources import read_corpora
from speechxl.evaluation.boundaries import boundary_errors, boundary_rates, boundary_table


def main(manifest: Path, reference: Path, split: str) -> None:
    """Prints the table."""
    known = read_alignment(reference)
    rows = read_corpora([manifest], split)
    found = []
    for row in rows:
        phones = row.phonemes.split()
        times = np.linspace(0, row.seconds, len(phones) + 1)
        equal = [Segment(*place) for place in zip(times, times[1:], phones, strict=False)]
        found.append(boundary_errors(equal, known.get(normpath(row.path), [])))
    errors = [error for error in found if error is not None]
    print(boundary_table(boundary_rates(errors) | {"disagree": len(rows) - len(errors)}))


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} MANIFEST REFERENCE SPLIT")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
