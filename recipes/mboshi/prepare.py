"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/speech.tsv``, the training rows of every corpus below ``CORPORA`` (for `pretrain`), and ``OUT/mboshi.tsv``,
Mboshi's own (for `adapt`, `finetune` and `evaluate`). The recordings stay where they are.
"""

import sys
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest


def main(corpora: Path, out: Path) -> None:
    """Writes both manifests and prints what is in them."""
    manifests = sorted(corpora.glob("*/manifest.tsv"))
    if corpora / "mboshi" / "manifest.tsv" not in manifests:
        sys.exit(f"{corpora}: no mboshi/manifest.tsv below this folder.")
    rows = [row for path in manifests for row in read_manifest(path) if row.split == "train"]
    rows = [replace(row, id=str(row.path)) for row in rows]  # names of recordings are unique within a corpus only
    mboshi = read_manifest(corpora / "mboshi" / "manifest.tsv")
    for name, chosen in {"speech.tsv": rows, "mboshi.tsv": mboshi}.items():
        write_manifest(out / name, chosen)
        minutes = sum(row.seconds for row in chosen) / 60
        print(
            f"{out / name}: {len(chosen)} utterances, {minutes:.1f} min, {len({r.language for r in chosen})} languages"
        )


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
