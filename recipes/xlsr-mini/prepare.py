"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/speech/<corpus>.tsv``, the training rows of each corpus below ``CORPORA`` (for `pretrain`, which balances
corpora and languages), and ``OUT/<corpus>.tsv``, training and dev rows of the three that are recognised (for `finetune`
and `evaluate`). The recordings stay where they are.
"""

import sys
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest

RECOGNISED = ("mboshi", "griko", "quechua")
"""Corpora of sentences with different texts in train and dev."""


def main(corpora: Path, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    manifests = {path.parent.name: path for path in sorted(corpora.glob("*/manifest.tsv"))}
    if absent := [name for name in RECOGNISED if name not in manifests]:
        sys.exit(f"{corpora}: no {', '.join(f'{name}/manifest.tsv' for name in absent)} below this folder.")
    for name, path in manifests.items():
        rows = read_manifest(path)
        tables = {out / "speech" / f"{name}.tsv": ("train",)}
        if name in RECOGNISED:
            tables[out / f"{name}.tsv"] = ("train", "dev")
        for table, splits in tables.items():
            chosen = [row for row in rows if row.split in splits]
            write_manifest(table, chosen)
            minutes = sum(row.seconds for row in chosen) / 60
            languages = len({row.language for row in chosen})
            print(f"{table}: {len(chosen)} utterances, {minutes:.1f} min, {languages} languages")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
