"""Manifest of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/voxangeles.tsv`` with the phones in their own column and these splits. The corpus's training languages give
``train``, ``dev`` (to choose the model by) and ``words`` (to report), a word of a language being in one of them only; its
other languages are ``languages`` (to report). Words with a phone that train lacks cannot be aligned as they are; they
are ``unheard`` in the place of ``words`` and ``languages``. The recordings stay where they are.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance

SPLITS = ("dev", "words", "words", *["train"] * 7)
"""Of ten words of a training language."""
REPORTED = ("words", "languages")


def split(row: Utterance) -> str:
    """By the language and the word, so that a word recorded twice is in one split."""
    if row.split == "dev":
        return "languages"
    return SPLITS[hashlib.sha256(f"{row.language} {row.text}".encode()).digest()[0] % len(SPLITS)]


def main(corpora: Path, out: Path) -> None:
    """Writes the manifest and prints what is in it."""
    path = corpora / "voxangeles" / "manifest.tsv"
    if not path.exists():
        sys.exit(f"{corpora}: no voxangeles/manifest.tsv below this folder.")
    rows = [replace(row, split=split(row), phonemes=row.text, text="") for row in read_manifest(path)]
    heard = {phone for row in rows if row.split == "train" for phone in row.phonemes.split()}
    rows = [
        replace(row, split="unheard") if row.split in REPORTED and not heard >= set(row.phonemes.split()) else row
        for row in rows
    ]
    write_manifest(out / "voxangeles.tsv", rows)
    for name in ("train", "dev", *REPORTED, "unheard"):
        chosen = [row for row in rows if row.split == name]
        minutes, languages = sum(row.seconds for row in chosen) / 60, len({row.language for row in chosen})
        print(
            f"{out / 'voxangeles.tsv'}: {name:9s} {len(chosen):3d} words, {minutes:4.1f} min, {languages:2d} languages"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
