"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/pol.tsv``, ``OUT/deu.tsv`` and ``OUT/tur.tsv``: emotions by the same names in all languages, without those that have
fewer than ten utterances in a language. The splits of the corpora are left out, as dev has one or two speakers and, in Turkish,
two of four emotions: the comparison tests all speakers in turn. The recordings stay where they are.
"""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest

CORPORA = {"pol": "polish", "deu": "german", "tur": "turkish"}
SAME = {"angry": "anger", "happy": "happiness", "sad": "sadness"}
FEWEST = 10


def main(corpora: Path, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    for name, folder in CORPORA.items():
        path = corpora / folder / "manifest.tsv"
        if not path.exists():
            sys.exit(f"{corpora}: no {folder}/manifest.tsv below this folder.")
        rows = []
        for row in read_manifest(path):
            kind, _, value = row.label.partition(":")
            label = f"{kind}:{SAME.get(value, value)}"
            rows.append(replace(row, id=f"{name}/{row.id}", split="", label=label))
        counts = Counter(row.label for row in rows)
        kept = [row for row in rows if counts[row.label] >= FEWEST]
        write_manifest(out / f"{name}.tsv", kept)
        speakers = len({row.speaker for row in kept})
        labels = ", ".join(f"{label} {count}" for label, count in sorted(Counter(row.label for row in kept).items()))
        print(f"{out / name}.tsv: {len(kept)} utterances of {speakers} speakers: {labels}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
