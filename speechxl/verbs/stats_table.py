"""Statistics of corpora in columns."""

from collections.abc import Mapping
from typing import Any

from speechxl.symbols import shown
from speechxl.verbs.inventory_table import columns

_COUNTS = [
    "rows",
    "with text",
    "speakers",
    "seconds: 5 %",
    "median",
    "95 %",
    "words",
    "different",
    "symbols",
    "a second",
]
_SHOWN = 60


def table(document: Mapping[str, Any]) -> str:
    """For the terminal."""
    parts = [columns(rows(document))]
    whole = document["all"]
    for what, kind in (("symbols", "symbol_counts"), ("phones", "phone_counts"), ("labels", "labels")):
        if counts := whole[kind]:
            first = "  ".join(f"{shown(symbol)} {count}" for symbol, count in list(counts.items())[:_SHOWN])
            more = f", the first {_SHOWN}" if len(counts) > _SHOWN else ""
            parts.append(f"{len(counts)} {what}{more}: {first}")
    if whole["unknown_durations"]:
        parts.append(
            f"{whole['unknown_durations']} recordings cannot be read and are not in the hours; see speechxl validate"
        )
    return "\n\n".join(parts)


def rows(document: Mapping[str, Any]) -> list[list[str]]:
    """Heads of the columns, languages, splits where there are several, and all."""
    unit, per_hour = time_unit(document)
    lines = [_row(name or "no language", row, per_hour) for name, row in document["languages"].items()]
    if len(document["splits"]) > 1:
        lines += [_row(f"split {name or '(none)'}", row, per_hour) for name, row in document["splits"].items()]
    if len(lines) > 1:
        lines.append(_row("all", document["all"], per_hour))
    return [["", unit, *_COUNTS], *lines]


def time_unit(document: Mapping[str, Any]) -> tuple[str, float]:
    """In which speech is counted here, and how many of them are an hour: minutes where a language has few."""
    few = min((row["hours"] for row in document["languages"].values()), default=0.0) < 0.1
    return ("minutes", 60.0) if few else ("hours", 1.0)


def _row(name: str, row: Mapping[str, Any], per_hour: float) -> list[str]:
    durations = row["durations"] or {}
    seconds = [f"{durations[at]:.1f}" if durations else "-" for at in ("5%", "median", "95%")]
    rate = "-" if row["symbols_per_second"] is None else f"{row['symbols_per_second']:.1f}"
    counts = [row[key] for key in ("words", "different_words", "symbols")]
    return [
        name, f"{per_hour * row['hours']:.2f}", *(str(row[key]) for key in ("utterances", "with_text", "speakers")), *seconds,
        *(str(count or "-") for count in counts), rate,
    ]  # fmt: skip
