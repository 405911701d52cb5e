"""Phone errors of ways to decode, as Markdown: ``phone_table.py OUT MANIFEST SPLIT[,SPLIT...] START...``.

Reads what `evaluate --transcripts` wrote to ``OUT/<start>.<way>-<split>-<seed>.tsv`` of rows of MANIFEST, the ways beside each
other: ``raw`` without an inventory, or a strategy of `--phones.strategy`. Prints means over languages: of the phone error rate
(PER), of each seed; of its form in which a substitution costs the share of features that differ (PFER), over the seeds; and
differences over the seeds that both have, of the last way to each other, and of each start to the first. Intervals are 95 %
bootstrap intervals over the utterances of each language, those of differences paired: the same utterances are drawn for both
(Bisani and Ney 2004). They say nothing on how much another seed would change.
"""

import sys
from collections.abc import Collection, Iterable, Sequence
from functools import cache
from pathlib import Path

import numpy as np

from speechxl.data.manifest import read_manifest
from speechxl.evaluation.metrics import drawn_ratios, interval_of
from speechxl.evaluation.phone_rates import phone_errors
from speechxl.evaluation.phone_texts import read_texts
from speechxl.phonology.distance import Metric, new_metric
from speechxl.phonology.phoible import open_phoible

WAYS = ("raw", "exact", "nearest", "tr2tgt", "pinned", "assign", "compose", "blend", "soft")
"""In the order of the table; the others are compared to the last."""
Key = tuple[str, str, str]
"""Start, way and seed."""


@cache
def metric() -> Metric:
    """PHOIBLE's features where they are there, without weights; else those of panphon."""
    phoible = open_phoible()
    return new_metric("panphon") if phoible is None else new_metric("phoible", phoible=phoible.table, weights="uniform")


class Runs:
    """What was recognised in one split.

    Args:
        out: Folder of the transcripts.
        split: In their names.
        starts: In the order of the table.
        languages: Of each utterance, by its id.
    """

    def __init__(self, out: Path, split: str, starts: Sequence[str], languages: dict[str, str]) -> None:
        self.out, self.split, self.starts, self.languages = out, split, starts, languages
        self.ids: list[str] = []
        paths = {
            (start, way, path.stem.rpartition("-")[2]): path
            for start in starts
            for way in WAYS
            for path in sorted(out.glob(f"{start}.{way}-{split}-*.tsv"), key=lambda path: path.stem.zfill(99))
        }
        edits = {key: self._edits(path) for key, path in paths.items()}
        spoken = np.array([languages[id] for id in self.ids])
        places = [np.flatnonzero(spoken == language) for language in sorted(set(spoken.tolist()))]
        self.rates: dict[str, dict[Key, float]] = {}
        self.drawn: dict[str, dict[Key, np.ndarray]] = {}
        """(draws,) of PER and PFER of each run."""
        for place, name in enumerate(("PER", "PFER")):
            each = {key: [(own[place][rows], own[2][rows]) for rows in places] for key, own in edits.items()}
            self.rates[name] = {
                key: float(np.mean([total.sum() / count.sum() for total, count in own])) for key, own in each.items()
            }
            draws = [
                drawn_ratios([own[number] for own in each.values()], seed=number) for number in range(len(places))
            ]  # languages, then runs
            self.drawn[name] = {key: np.mean([own[at] for own in draws], axis=0) for at, key in enumerate(each)}

    def _edits(self, path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Edits, cost in features, and phones of each utterance."""
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]
        ids = [id for id, _, _ in rows]
        self.ids = self.ids or ids
        if ids != self.ids or not set(ids) <= self.languages.keys():
            sys.exit(f"{path}: holds other utterances than the runs before it, or than the manifest; evaluate again.")
        errors = phone_errors(read_texts([row[1] for row in rows], [row[2] for row in rows]), metric())
        return errors.errors.total, errors.feature_edits, errors.texts.lengths()

    def ways(self, start: str) -> list[str]:
        """That there are of a start."""
        return [way for way in WAYS if self.seeds(start, way)]

    def seeds(self, *starts_and_way: str) -> list[str]:
        """That all these starts have, in this way to decode."""
        *starts, way = starts_and_way
        found = [[seed for start, other, seed in self.rates["PER"] if (start, other) == (own, way)] for own in starts]
        return [seed for seed in found[0] if all(seed in own for own in found)]

    def cell(self, name: str, start: str, way: str, seeds: Collection[str]) -> str:
        """A rate, the mean over seeds, and its interval."""
        rates, drawn = ([x[name][start, way, seed] for seed in seeds] for x in (self.rates, self.drawn))
        return written(np.mean(rates), np.mean(drawn, axis=0), ".3f") if seeds else ""

    def difference(self, name: str, one: tuple[str, str], other: tuple[str, str]) -> str:
        """Of two starts and ways, and its interval."""
        seeds = [seed for seed in self.seeds(*one) if seed in self.seeds(*other)]
        rates, drawn = (
            [x[name][(*one, seed)] - x[name][(*other, seed)] for seed in seeds] for x in (self.rates, self.drawn)
        )
        return written(np.mean(rates), np.mean(drawn, axis=0), "+.3f") if seeds else ""


def written(rate: float, drawn: np.ndarray, form: str) -> str:
    """A rate and its interval."""
    low, high = interval_of(drawn) or (rate, rate)
    return f"{rate:{form}} [{low:{form}}, {high:{form}}]"


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A Markdown table, if it has rows with anything in them."""
    kept = [row for row in rows if any(row[len(header) - len(WAYS) :])]
    if kept:
        used = [at for at in range(len(header)) if any(row[at] for row in kept)]
        print(f"{title}:\n")
        for row in (header, ["---"] * len(header), *kept):
            print(f"| {' | '.join(row[at] for at in used)} |")
        print()


def main(out: Path, manifest: Path, splits: list[str], starts: list[str]) -> None:
    """Prints the tables."""
    languages = {row.id: row.language for row in read_manifest(manifest)}
    found = [Runs(out, split, starts, languages) for split in splits]
    if not any(runs.ids for runs in found):
        sys.exit(f"{out}: no START.WAY-SPLIT-SEED.tsv with a start among {', '.join(starts)}.")
    both = [(runs, start) for runs in found for start in starts if runs.ways(start)]
    print_table("PER", ["split", "start", "seed", *WAYS], (
        [runs.split, start, seed, *(runs.cell("PER", start, way, {seed} & {*runs.seeds(start, way)}) for way in WAYS)]
        for runs, start in both for seed in runs.seeds(start, runs.ways(start)[0])
    ))  # fmt: skip
    print_table("PFER", ["split", "start", *WAYS], (
        [runs.split, start, *(runs.cell("PFER", start, way, runs.seeds(start, way)) for way in WAYS)] for runs, start in both
    ))  # fmt: skip
    print_table("PER of the last way minus that of each other", ["split", "start", *WAYS], (
        [runs.split, start, *(runs.difference("PER", (start, runs.ways(start)[-1]), (start, way))
                              if way != runs.ways(start)[-1] else "" for way in WAYS)]
        for runs, start in both
    ))  # fmt: skip
    for name in ("PER", "PFER"):
        print_table(f"{name} of each start minus that of {starts[0]}", ["split", "start", *WAYS], (
            [runs.split, start, *(runs.difference(name, (start, way), (starts[0], way)) for way in WAYS)]
            for runs, start in both if start != starts[0]
        ))  # fmt: skip


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(f"usage: {sys.argv[0]} OUT MANIFEST SPLIT[,SPLIT...] START...")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3].split(","), sys.argv[4:])
