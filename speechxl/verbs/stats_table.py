"""Statistics of corpora in columns."""

from collections.abc import Mapping
from typing import Any

from speechxl.symbols import shown
from speechxl.verbs.inventory_table import columns

HEADER = [
    "",
    "hours",
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
    parts = [columns([HEADER, *rows(document)])]
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
    """Languages, splits where there are several, and all."""
    lines = [_row(name or "no language", row) for name, row in document["languages"].items()]
    if len(document["splits"]) > 1:
        lines += [_row(f"split {name or '(none)'}", row) for name, row in document["splits"].items()]
    return lines if len(lines) == 1 else [*lines, _row("all", document["all"])]


def _row(name: str, row: Mapping[str, Any]) -> list[str]:
    durations = row["durations"] or {}
    seconds = [f"{durations[at]:.1f}" if durations else "-" for at in ("5%", "median", "95%")]
    rate = "-" if row["symbols_per_second"] is None else f"{row['symbols_per_second']:.1f}"
    counts = [row[key] for key in ("words", "different_words", "symbols")]
    return [
        name, f"{row['hours']:.2f}", *(str(row[key]) for key in ("utterances", "with_text", "speakers")), *seconds,
        *(str(count or "-") for count in counts), rate,
    ]  # fmt: skip
