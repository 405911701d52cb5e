"""A comparison as a table for people, and its predictions as a file. No torch."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speechxl.classification.regimes import shown
from speechxl.files import replace_file, write_text
from speechxl.verbs.compare_cells import MAJORITY, Cells

_COLUMNS = (
    "system", "train", "language", "shots", "seed", "id", "label", "predicted", "right", "probability", "heard", "spoken",
)  # fmt: skip
_MOST_LANGUAGES = 8
"""Columns of the table on standard output."""


def table(document: Mapping[str, Any]) -> str:
    """Macro-F1 with its interval, of all test languages and of each."""
    lines: list[str] = []
    places = dict.fromkeys((row["regime"], row["shots"]) for row in document["results"])
    for regime, shots in places:
        own = [row for row in document["results"] if (row["regime"], row["shots"]) == (regime, shots)]
        tests = list(dict.fromkeys(row["test"] for row in own if row["test"] is not None))
        columns = [None, *(tests if 1 < len(tests) <= _MOST_LANGUAGES else [])]
        names = list(dict.fromkeys(row["system"] for row in own))
        width = max(map(len, names))
        found = {(row["system"], row["test"]): row for row in own}
        heads = [f"{'mean' if len(tests) > 1 else tests[0]} (95 %)", *(f"{test} (95 %)" for test in columns[1:])]
        lines += [
            "",
            f"{title(regime, shots)}: macro-F1 (test: {', '.join(tests)})",
            f"{'':{width}s}  " + "  ".join(f"{h:20s}" for h in heads),
        ]
        lines += [
            f"{name:{width}s}  " + "  ".join(f"{cell(found[name, test]):20s}" for test in columns) for name in names
        ]
    return "\n".join(line.rstrip() for line in lines).lstrip("\n")


def title(regime: str, shots: int | None) -> str:
    """A regime with its number of examples."""
    return f"{regime}, " + ("all examples" if shots is None else f"{shots} examples of each class")


def cell(row: Mapping[str, Any], name: str = "macro_f1") -> str:
    """A measure with its interval."""
    bounds = row["intervals"][name]
    return f"{row[name]:.3f}" + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")


def predictions_file(path: Path, cells: Cells) -> None:
    """Writes what every training of every system says of every test row.

    Args:
        path: ``.tsv`` or ``.parquet``.
        cells: What was predicted.
    """
    rows = list(_rows(cells))
    if path.suffix == ".tsv":
        shown_rows = ({**row, "shots": row["shots"] or "all"} for row in rows)
        lines = ["\t".join(_COLUMNS), *("\t".join(_cell(row[name]) for name in _COLUMNS) for row in shown_rows)]
        write_text(path, "\n".join(lines) + "\n")
        return
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {"shots": pa.int64(), "seed": pa.int64(), "right": pa.bool_(), "probability": pa.float64()}
    schema = pa.schema([(name, kinds.get(name, pa.string())) for name in _COLUMNS])
    content = pa.Table.from_pylist(rows, schema=schema)
    replace_file(path, lambda part: parquet.write_table(content, part))


def _rows(cells: Cells) -> Iterator[dict[str, Any]]:
    for one in cells.found:
        if one.system == MAJORITY:
            continue
        known = one.predictions.probabilities.max(axis=1)
        for place, (id, label, said) in enumerate(
            zip(one.predictions.ids, one.references, one.predictions.best, strict=True)
        ):
            yield {
                "system": one.system, "train": "+".join(map(shown, one.train)), "language": shown(one.test),
                "shots": one.shots, "seed": one.seed, "id": id, "label": label, "predicted": said, "right": label == said,
                "probability": round(float(known[place]), 6), "heard": one.heard[place] if one.heard is not None else None,
                "spoken": one.spoken[place] if one.spoken is not None else None,
            }  # fmt: skip


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, bool) else " ".join(str(value).split())
