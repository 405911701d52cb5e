"""Results of a recipe as Markdown: ``table.py OUT START START...``, the starts in the order of the table.

Reads what `evaluate --transcripts` wrote to ``OUT/<start>-<data>-<seed>.tsv``, and ``metrics.csv`` in the folder of that
name. Prints error rates with their 95 % bootstrap intervals over utterances, and for each pair of starts the difference
over the seeds that both have, with its paired interval: the same utterances are drawn for both (Bisani and Ney 2004).
That interval says nothing on how much another seed would change; the differences of single seeds beside it do.
"""

import csv
import re
import sys
from collections.abc import Sequence
from functools import reduce
from itertools import combinations
from operator import add
from pathlib import Path

from speechxl.evaluation.metrics import Errors, count_errors, interval_of_difference

UNITS = {"CER": "char", "WER": "word"}
Run = tuple[str, str, str]
"""Data, start and seed."""


def read_transcripts(path: Path) -> tuple[list[str], list[str], list[str]]:
    """Ids, references and hypotheses."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").split("\n")[1:-1]]
    return [id for id, _, _ in rows], [reference for _, reference, _ in rows], [text for _, _, text in rows]


def find_runs(out: Path, starts: list[str]) -> dict[Run, Path]:
    """Transcripts in the order of the table."""
    named = {path: re.fullmatch(r"([^-]+)-(.+)-([^-]+)", path.stem) for path in out.glob("*-*-*.tsv")}
    runs = {(n[2], n[1], n[3]): path for path, n in named.items() if n and n[1] in starts}
    if not runs:
        sys.exit(f"{out}: no START-DATA-SEED.tsv with a start among {', '.join(starts)}.")
    return dict(
        sorted(runs.items(), key=lambda item: (item[0][0].zfill(3), starts.index(item[0][1]), item[0][2].zfill(3)))
    )


def halfway(folder: Path) -> str:
    """Character error rate on dev at the evaluation nearest to the middle of the run."""
    if not (folder / "metrics.csv").exists():
        return ""
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rates = {int(row["step"]): float(row["value"]) for row in csv.DictReader(file) if row["measure"] == "dev_cer"}
    return f"{rates[min(rates, key=lambda step: abs(step - max(rates) / 2))]:.3f}" if rates else ""


def cell(rate: float | None, interval: tuple[float, float] | None, form: str) -> str:
    """A rate and its interval."""
    return "" if rate is None or interval is None else f"{rate:{form}} [{interval[0]:{form}}, {interval[1]:{form}}]"


def difference(errors: Sequence[Errors], others: Sequence[Errors]) -> str:
    """Of two starts over their seeds, with its interval."""
    one, other = reduce(add, errors), reduce(add, others)
    return cell((one.rate or 0) - (other.rate or 0), interval_of_difference(one, other), "+.3f")


def print_row(cells: Sequence[str]) -> None:
    """One line of a Markdown table."""
    print(f"| {' | '.join(cells)} |")


def main(out: Path, starts: list[str]) -> None:
    """Prints both tables."""
    runs: dict[Run, dict[str, Errors]] = {}
    ids: dict[str, list[str]] = {}
    print_row(["data", "start", "seed", "utterances", *UNITS, "empty outputs", "CER halfway"])
    print_row(["---"] * 8)
    for (data, start, seed), path in find_runs(out, starts).items():
        own, references, hypotheses = read_transcripts(path)
        if ids.setdefault(data, own) != own:
            sys.exit(f"{path}: holds other utterances than the runs before it; delete it and evaluate again.")
        rates = {name: count_errors(references, hypotheses, unit) for name, unit in UNITS.items()}
        runs[data, start, seed] = rates
        empty = sum(not text for text in hypotheses) / max(1, len(hypotheses))
        measures = [cell(errors.rate, errors.interval(), ".3f") for errors in rates.values()]
        print_row([data, start, seed, str(len(own)), *measures, f"{empty:.3f}", halfway(path.with_suffix(""))])
    print()
    print_row(["data", "difference", *UNITS, "CER of each seed"])
    print_row(["---"] * 5)
    for data in ids:
        for before, after in combinations(starts, 2):
            seeds = [seed for d, s, seed in runs if (d, s) == (data, after) and (data, before, seed) in runs]
            if seeds:
                pairs = [(runs[data, after, seed], runs[data, before, seed]) for seed in seeds]
                measures = [difference([a[name] for a, _ in pairs], [b[name] for _, b in pairs]) for name in UNITS]
                single = ", ".join(f"{(a['CER'].rate or 0) - (b['CER'].rate or 0):+.3f}" for a, b in pairs)
                print_row([data, f"{after} - {before}", *measures, single])


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} OUT START...")
    main(Path(sys.argv[1]), sys.argv[2:])
