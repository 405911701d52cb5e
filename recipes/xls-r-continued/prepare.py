"""Manifests of the recipe: ``prepare.py RAW LABELLED LANGUAGE OUT``.

``RAW`` and ``LABELLED`` are manifests, or folders of recordings; ``LANGUAGE`` is for rows that name none. Writes

- ``OUT/labelled.tsv``: the transcribed rows with their splits; where there are none, a tenth of the audio is made dev, whole
  speakers if there are at least five, else whole recordings;
- ``OUT/raw.tsv``: the audio for continued pretraining, that of the transcribed train rows included, in stretches of at most
  20 s; without what is in dev or test, and without speakers of dev and test who are not in train;
- ``OUT/measured.tsv``: the rows to report errors on: test, or dev where there is no test.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path

from speechxl.data.audio import AudioError, probe
from speechxl.data.languages import language_fault
from speechxl.data.manifest import write_manifest
from speechxl.data.sources import read_corpora
from speechxl.shapes import Utterance

LONGEST_S, SHORTEST_S = 20.0, 1.0
"""Of a stretch of raw audio. Pretraining crops what is longer, so that most of a long recording would never be heard."""
HELD_OUT = 0.1
MANY_SPEAKERS = 5


def timed(rows: Iterable[Utterance], language: str) -> list[Utterance]:
    """Rows whose audio can be read, with language and duration."""
    kept = []
    for row in rows:
        try:
            rest = probe(row.path).duration - row.start
        except AudioError as error:
            print(f"left out: {error}", file=sys.stderr)
        else:
            kept.append(replace(row, language=row.language or language, duration=min(row.duration or rest, rest)))
    return kept


def with_splits(rows: Sequence[Utterance]) -> list[Utterance]:
    """Rows with the splits they have, or with a tenth of their audio as dev."""
    if any(row.split for row in rows):
        return list(rows)
    speakers = {row.speaker for row in rows}
    groups: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        groups[row.speaker if len(speakers) >= MANY_SPEAKERS and "" not in speakers else str(row.path)].append(row)
    ranked = sorted(groups.values(), key=lambda group: hashlib.sha256(group[0].id.encode()).digest())
    left = HELD_OUT * sum(row.seconds for row in rows)
    split = []
    for group in ranked:
        split += [replace(row, split="dev" if left > 0 else "train") for row in group]
        left -= sum(row.seconds for row in group)
    return split


def by_name(rows: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Rows under the name of their recording, whatever its folder and format."""
    named: dict[str, list[Utterance]] = defaultdict(list)
    for row in rows:
        named[row.path.stem].append(row)
    return named


def of_same_recording(row: Utterance, others: Mapping[str, list[Utterance]]) -> list[Utterance]:
    """Rows of a recording of the same name, unless both say who speaks and it is not the same."""
    return [
        other
        for other in others.get(row.path.stem, [])
        if not (row.speaker and other.speaker) or row.speaker == other.speaker
    ]


def without(row: Utterance, others: Iterable[Utterance]) -> list[Utterance]:
    """Parts of a row between others of the same recording."""
    parts, start, end = [], row.start, row.start + row.seconds
    taken = sorted((other.start, other.start + other.seconds) for other in others)
    for low, high in [*taken, (end, end)]:
        if min(low, end) - start >= SHORTEST_S:
            parts.append(replace(row, start=start, duration=min(low, end) - start))
        start = max(start, high)
    return parts


def stretches(row: Utterance) -> list[Utterance]:
    """Equal parts of a row, none longer than `LONGEST_S`."""
    count = ceil(row.seconds / LONGEST_S)
    length = row.seconds / count
    return [replace(row, start=row.start + part * length, duration=length) for part in range(count)]


def main(raw: Path, labelled: Path, language: str, out: Path) -> None:
    """Writes the manifests and prints what is in them."""
    if wrong := language_fault(language):
        sys.exit(f"LANGUAGE: {wrong}.")
    rows = with_splits([row for row in timed(read_corpora([labelled]), language) if row.text])
    train = [row for row in rows if row.split == "train"]
    tested = [row for row in rows if row.split in ("dev", "test")]
    if not train or not tested:
        sys.exit(f"{labelled}: {len(train)} transcribed rows to train on and {len(tested)} to test on are too few.")
    unheard = {row.speaker for row in tested} - {row.speaker for row in train} - {""}
    recordings = timed(read_corpora([raw]), language)
    spoken, known = by_name(tested), by_name(recordings)
    more = [row for row in train if not of_same_recording(row, known)]
    speech = [*(row for row in recordings if row.speaker not in unheard), *more]
    parts = [
        part for row in speech for rest in without(row, of_same_recording(row, spoken)) for part in stretches(rest)
    ]
    parts = [replace(row, id=str(n), split="train", text="", phonemes="") for n, row in enumerate(parts)]
    measured = [row for row in rows if row.split == "test"] or tested
    for name, chosen in {"labelled": rows, "raw": parts, "measured": measured}.items():
        write_manifest(out / f"{name}.tsv", chosen)
        print(f"{out / name}.tsv: {len(chosen)} rows, {sum(row.seconds for row in chosen) / 3600:.2f} h")
    if not parts:
        sys.exit(f"{raw}: nothing is left of it without the recordings and speakers of dev and test.")
    lost = sum(row.seconds for row in [*recordings, *more]) - sum(row.seconds for row in parts)
    print(f"kept out of {out / 'raw.tsv'}: {lost / 3600:.2f} h, in dev or test or of speakers who are there only")


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(f"usage: {sys.argv[0]} RAW LABELLED LANGUAGE OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
