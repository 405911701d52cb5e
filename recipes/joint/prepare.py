"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/joint/<corpus>.tsv``, training and dev rows of every corpus below ``CORPORA`` whose text is written in an alphabet,
with the text in lower case and without punctuation. The recordings stay where they are.
"""

import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.text import normalise

CORPORA = (
    "arabic", "bengali", "english-digits", "german", "griko", "mboshi", "pidgin", "polish", "quechua", "swahili", "turkish",
    "yoruba",
)  # fmt: skip
"""Not Korean and Mandarin, whose syllables and characters are some hundred symbols in three minutes each, and not the
phones of tusom and voxangeles."""


def plain(text: str) -> str:
    """Lower case, without punctuation and symbols; apostrophes and marks of tone stay."""
    kept = (c if c in "'’" or unicodedata.category(c)[0] in "LMN" else " " for c in text.lower())
    return normalise("".join(kept))


def main(corpora: Path, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    there = [name for name in CORPORA if (corpora / name / "manifest.tsv").exists()]
    if not there:
        sys.exit(f"{corpora}: none of {', '.join(CORPORA)} with its manifest.tsv is below this folder.")
    for name in there:
        rows = [replace(row, text=plain(row.text)) for row in read_manifest(corpora / name / "manifest.tsv")]
        rows = [row for row in rows if row.text and row.split in ("train", "dev")]
        write_manifest(out / "joint" / f"{name}.tsv", rows)
        train, dev = ([row for row in rows if row.split == split] for split in ("train", "dev"))
        known = len({row.text for row in dev} & {row.text for row in train})
        minutes = sum(row.seconds for row in train) / 60
        print(f"{out / 'joint' / name}.tsv: {minutes:.1f} min to train on, {len(dev)} in dev, {known} texts in both")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
