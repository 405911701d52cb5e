"""Manifests of the recipe: ``prepare.py CORPORA OUT``.

Writes ``OUT/ben.tsv``, ``OUT/eng.tsv``, ``OUT/arb.tsv`` (digits of Bengali, English and Arabic) and ``OUT/commands.tsv``
(Arabic). The corpora's dev rows are the test rows here. To choose models by, about a tenth of
the training rows becomes dev: whole speakers where there are ten at least, else a tenth of each label. The recordings stay
where they are.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance

CORPORA = {"ben": "bengali", "eng": "english-digits", "arb": "arabic"}
SPEAKERS = 10
"""From which on dev has speakers of its own."""


def by_name(names: Iterable[str]) -> list[str]:
    """Names in an order that looks random and stays when others are added."""
    return sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())


def held_out(rows: Sequence[Utterance]) -> set[str]:
    """Ids of about a tenth of the rows."""
    speakers: dict[str, list[str]] = defaultdict(list)
    labels: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        speakers[row.speaker].append(row.id)
        labels[row.label].append(row.id)
    if len(speakers) < SPEAKERS:
        return {id for own in labels.values() for id in by_name(own)[: max(1, round(len(own) / 10))]}
    held: set[str] = set()
    for name in by_name(speakers):
        if len(held) + len(speakers[name]) <= len(rows) / 8:
            held |= set(speakers[name])
    return held


def split(rows: Sequence[Utterance]) -> list[Utterance]:
    """Rows with splits train, dev and test."""
    held = held_out([row for row in rows if row.split == "train"])
    return [replace(row, split="test" if row.split == "dev" else "dev" if row.id in held else "train") for row in rows]


def main(corpora: Path, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    tables: dict[str, list[Utterance]] = {}
    for name, folder in CORPORA.items():
        path = corpora / folder / "manifest.tsv"
        if not path.exists():
            sys.exit(f"{corpora}: no {folder}/manifest.tsv below this folder.")
        rows = split(read_manifest(path))
        tables[name] = [replace(row, id=f"{name}/{row.id}") for row in rows if row.label.startswith("digit:")]
        if name == "arb":
            tables["commands"] = [row for row in rows if row.label.startswith("command:")]
    for name, rows in tables.items():
        write_manifest(out / f"{name}.tsv", rows)
        counts = {part: sum(row.split == part for row in rows) for part in ("train", "dev", "test")}
        labels = len({row.label for row in rows})
        print(f"{out / name}.tsv: {labels} labels, " + ", ".join(f"{count} {part}" for part, count in counts.items()))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} CORPORA OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
