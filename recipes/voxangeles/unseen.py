"""Words of languages without training speech: ``unseen.py CORPORA OUT``.

Writes ``OUT/unseen.tsv`` with ``phonemes`` and the splits ``unseen``, all words of VoxAngeles' dev languages, and ``tusom``, all
words of East Tusom. The recordings stay where they are.
"""

import sys
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.phonology.ipa import segment


def main(corpora: Path, out: Path) -> None:
    """Writes the manifest and prints what is in it."""
    rows = []
    for name, split in (("voxangeles", "unseen"), ("tusom", "tusom")):
        path = corpora / name / "manifest.tsv"
        if not path.exists():
            sys.exit(f"{corpora}: no {name}/manifest.tsv below this folder.")
        for row in read_manifest(path):
            if name == "tusom" or row.split == "dev":
                phones = segment(row.text, row.origin).phones
                rows.append(replace(row, split=split, phonemes=" ".join(phones), text=""))
    write_manifest(out / "unseen.tsv", rows)
    for split in ("unseen", "tusom"):
        chosen = [row for row in rows if row.split == split]
        minutes, languages = sum(row.seconds for row in chosen) / 60, len({row.language for row in chosen})
        print(f"{out / 'unseen.tsv'}: {split:6s} {len(chosen):3d} words, {minutes:4.1f} min, {languages:2d} languages")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
