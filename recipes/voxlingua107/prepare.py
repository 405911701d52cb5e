"""Manifests of the recipe: ``prepare.py VOXLINGUA107 OUT [--hours H] [--languages CODE ...]``.

``VOXLINGUA107`` holds the unpacked archives: ``CODE/*.wav``, or ``train/CODE/*.wav``, to train on, and ``dev/CODE/*.wav``, which
is tested on here. A twentieth of the videos of each language, at least one, becomes dev. Writes ``OUT/lid.tsv``, in which the
language is a column, for ``classify train --task lid``, and ``OUT/compare.tsv``, in which it is the label, for
``classify compare``.
"""

import argparse
import hashlib
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from speechxl.data.audio import AudioError, probe
from speechxl.data.languages import to_iso
from speechxl.data.manifest import write_manifest
from speechxl.shapes import Utterance

WITHDRAWN = {"iw": "he", "jw": "jv"}
"""Codes of the corpus that are no longer in use."""


def read(folder: Path, code: str, split: str) -> list[Utterance]:
    """Segments of a language; those of a video (``VIDEO__U__S1---0001.000-0009.000.wav``) are a group."""
    language, rows = to_iso(WITHDRAWN.get(code, code)), []
    for path in sorted((folder / code).glob("*.wav")):
        try:
            seconds = probe(path).duration
        except AudioError as error:
            print(error, file=sys.stderr)
            continue
        extra = {"group": f"{code}/{path.name.partition('__U__')[0]}"}
        id = f"{split}/{code}/{path.name}"
        rows.append(Utterance(path.absolute(), id, duration=seconds, language=language, split=split, extra=extra))
    return rows


def by_video(rows: Sequence[Utterance]) -> dict[str, list[Utterance]]:
    """Segments of each video, the videos in an order that looks random and stays when others are added."""
    found: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        found[row.extra["group"]].append(row)
    return {name: found[name] for name in sorted(found, key=lambda name: hashlib.sha256(name.encode()).digest())}


def train_and_dev(rows: Sequence[Utterance], tested: set[str], hours: float) -> list[Utterance]:
    """Segments of so many hours, without those of videos that are tested on."""
    videos = {name: own for name, own in by_video(rows).items() if name not in tested}
    passed = accumulate(sum(row.seconds for row in own) for own in videos.values())
    kept = [own for own, seconds in zip(videos.values(), passed, strict=True) if seconds <= 3600 * hours]
    held = max(1, len(kept) // 20) if len(kept) > 1 else 0
    return [replace(row, split="dev" if place < held else "train") for place, own in enumerate(kept) for row in own]


def main() -> None:
    """Writes the manifests and prints what is in them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hours", type=float, default=10.0, help="of each language")
    parser.add_argument("--languages", nargs="+", metavar="CODE", help="as the folders are called; by default all")
    arguments = parser.parse_args()
    source = arguments.source
    folder = source / "train" if (source / "train").is_dir() else source
    there = sorted(own.name for own in folder.iterdir() if own.name != "dev" and any(own.glob("*.wav")))
    if absent := [code for code in arguments.languages or () if code not in there]:
        sys.exit(f"{folder}: no recordings of {', '.join(absent)}; there are {', '.join(there)}.")
    rows: list[Utterance] = []
    for code in arguments.languages or there:
        tested = read(source / "dev", code, "test") if (source / "dev" / code).is_dir() else []
        rows += train_and_dev(read(folder, code, "train"), {row.extra["group"] for row in tested}, arguments.hours)
        rows += tested
    if not {"train", "test"} <= {row.split for row in rows}:
        sys.exit(
            f"{source}: CODE/*.wav (or train/CODE/*.wav) and dev/CODE/*.wav were expected; unpack the archives there."
        )
    write_manifest(arguments.out / "lid.tsv", rows)
    labelled = [replace(row, language="", label=f"language:{row.language}") for row in rows]
    write_manifest(arguments.out / "compare.tsv", labelled)
    for split, count in Counter(row.split for row in rows).items():
        own = [row for row in rows if row.split == split]
        hours = sum(row.seconds for row in own) / 3600
        print(f"{split}: {count} segments, {hours:.2f} h, {len({row.language for row in own})} languages")


if __name__ == "__main__":
    main()
