"""Manifest of the recipe: ``prepare.py MANIFEST OUT MINUTES``.

``MANIFEST`` is that of a language, from ``speechxl prepare fleurs``. So many minutes of train are drawn by name, the same
each time; dev and test stay whole. The smaller part belongs to the larger.
"""

import hashlib
import sys
from itertools import accumulate
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest


def main(manifest: Path, out: Path, minutes: float) -> None:
    """Writes the manifest and prints what is in it."""
    rows = read_manifest(manifest)
    train = sorted(
        (row for row in rows if row.split == "train"), key=lambda row: hashlib.sha256(row.id.encode()).digest()
    )
    passed = accumulate(row.seconds for row in train)
    chosen = [row for row, seconds in zip(train, passed, strict=True) if seconds <= 60 * minutes]
    if not chosen:
        sys.exit(f"{manifest}: no recordings to train on within {minutes:g} minutes.")
    write_manifest(out, [*chosen, *(row for row in rows if row.split != "train")])
    for split in ("train", "dev", "test"):
        part = chosen if split == "train" else [row for row in rows if row.split == split]
        print(f"{out}: {split}: {len(part)} recordings, {sum(row.seconds for row in part) / 60:.1f} min")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(f"usage: {sys.argv[0]} MANIFEST OUT MINUTES")
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
