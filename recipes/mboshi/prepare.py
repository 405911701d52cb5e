"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/mboshi.tsv`` (for `adapt`, `finetune` and `evaluate`), and ``OUT/mboshi-5.tsv`` and ``OUT/mboshi-15.tsv`` with
that many minutes to train on and the same dev rows. The smaller is part of the larger. The recordings stay where they are.
"""

import hashlib
import sys
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance

MINUTES = (5, 15)


def some(rows: Sequence[Utterance], minutes: float) -> list[Utterance]:
    """Training rows of about so many minutes, chosen by name, and all dev rows."""
    train = sorted(
        (row for row in rows if row.split == "train"), key=lambda row: hashlib.sha256(row.id.encode()).digest()
    )
    passed = accumulate(row.seconds for row in train)
    chosen = {row.id for row, seconds in zip(train, passed, strict=True) if seconds <= 60 * minutes}
    return [row for row in rows if row.split == "dev" or row.id in chosen]


def main(corpora: Path, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    path = corpora / "mboshi" / "manifest.tsv"
    if not path.exists():
        sys.exit(f"{corpora}: no mboshi/manifest.tsv below this folder.")
    mboshi = read_manifest(path)
    tables = {"mboshi": mboshi} | {f"mboshi-{minutes}": some(mboshi, minutes) for minutes in MINUTES}
    for name, chosen in tables.items():
        write_manifest(out / f"{name}.tsv", chosen)
        minutes = sum(row.seconds for row in chosen) / 60
        print(f"{out / name}.tsv: {len(chosen)} utterances, {minutes:.1f} min")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
