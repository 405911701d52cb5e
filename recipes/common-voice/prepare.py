"""Manifest of the recipe: ``prepare.py MANIFEST OUT [--lists TRAIN DEV TEST] [--phones TABLE]``.

``MANIFEST`` is that of one language, from ``speechxl prepare common_voice``. Without lists, an hour is drawn by name from the
release's train, 20 minutes from dev and an hour from test. Lists hold the names of clips, one a line, such as those of
Rivière et al. 2020. A table of phones has the name of a clip and its phones, separated by spaces, on each line, with a
tab between them.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance
from speechxl.text import normalise

MINUTES = {"train": 60, "dev": 20, "test": 60}


def draw(rows: Iterable[Utterance], minutes: float) -> list[Utterance]:
    """Rows of at most so many minutes, chosen by name."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(row.id.encode()).digest())
    passed = accumulate(row.seconds for row in ranked)
    return [row for row, seconds in zip(ranked, passed, strict=True) if seconds <= 60 * minutes]


def pick(rows: Sequence[Utterance], lists: Sequence[Path]) -> list[Utterance]:
    """Rows that stand in the lists of train, dev and test; those of a release that has lost some clips are fewer."""
    named = {Path(row.id).stem: row for row in rows}
    chosen = []
    for split, path in zip(MINUTES, lists, strict=True):
        names = [Path(line.strip()).stem for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        there = [replace(named[name], split=split) for name in names if name in named]
        print(f"{path}: {len(there)} of {len(names)} clips are in the manifest")
        chosen += there
    return chosen


def with_phones(rows: Sequence[Utterance], table: Path) -> list[Utterance]:
    """Rows whose phones are known, with their phones."""
    lines = (line.partition("\t") for line in table.read_text(encoding="utf-8").splitlines() if line.strip())
    phones = {Path(name.strip()).stem: normalise(text) for name, _, text in lines}
    return [replace(row, phonemes=phones[stem]) for row in rows if phones.get(stem := Path(row.id).stem)]


def main() -> None:
    """Writes the manifest and prints what is in it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--lists", type=Path, nargs=3, metavar=("TRAIN", "DEV", "TEST"))
    parser.add_argument("--phones", type=Path, metavar="TABLE")
    arguments = parser.parse_args()
    rows = read_manifest(arguments.manifest)
    if arguments.phones:
        rows = with_phones(rows, arguments.phones)
    if arguments.lists:
        chosen = pick(rows, arguments.lists)
    else:
        chosen = [row for split in MINUTES for row in draw((r for r in rows if r.split == split), MINUTES[split])]
    splits = {split: [row for row in chosen if row.split == split] for split in MINUTES}
    if empty := [split for split, part in splits.items() if not part]:
        sys.exit(f"{arguments.manifest}: no clips for {' and '.join(empty)}.")
    write_manifest(arguments.out, chosen)
    for split, part in splits.items():
        minutes, speakers = sum(row.seconds for row in part) / 60, len({row.speaker for row in part})
        print(f"{arguments.out}: {split}: {len(part)} clips, {minutes:.1f} min, {speakers} speakers")


if __name__ == "__main__":
    main()
