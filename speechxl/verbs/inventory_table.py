"""Inventories for people: lists, charts, differences."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from speechxl.errors import NothingMatched
from speechxl.files import write_text
from speechxl.phonology.chart import Grid, chart
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import Inventory, difference
from speechxl.phonology.phoible import Phoible
from speechxl.phonology.report import in_words
from speechxl.symbols import shown as visible
from speechxl.verbs.outcome import Outcome
from speechxl.verbs.vocab_table import width


def listed(phoible: Phoible, names: Sequence[str]) -> Outcome:
    """Inventories of PHOIBLE whose codes or names hold all words."""
    rows = []
    for doculect in phoible.doculects.values():
        known = phoible.names.get(doculect.glottocode, "")
        cells = [doculect.iso, doculect.glottocode, doculect.name, doculect.dialect, doculect.source, str(doculect.id)]
        words = " ".join([*cells, known]).casefold()
        if all(name.casefold() in words for name in names):
            rows.append((doculect, [*cells, str(len(phoible.rows(doculect.id)))]))
    if not rows:
        raise NothingMatched(
            f"PHOIBLE ({phoible.version}) has no language with {' '.join(names)!r} in its names or codes."
        )
    rows.sort(key=lambda row: (row[0].iso or "~", row[0].glottocode, row[0].id))
    header = ["language", "glottocode", "name", "dialect", "source", "inventory", "phonemes"]
    text = columns([header, *(cells for _, cells in rows)])
    entries = [
        dict(zip(header, cells, strict=True)) | {"inventory": d.id, "phonemes": int(cells[-1])} for d, cells in rows
    ]
    return Outcome({"schema": 1, "phoible": phoible.version, "inventories": entries}, text)


def shown(inventory: Inventory, html: Path | None, out: Path | None, version: str) -> Outcome:
    """One inventory as a chart, on a page and as a file where that is asked for."""
    grids = chart(inventory.symbols)
    notes = _notes(inventory, version)
    text = "\n\n".join([inventory.title, *map(_drawn, grids), "\n".join(notes)]).rstrip()
    if html is not None:
        from speechxl.evaluation.page import Section, write_page

        write_page(html, inventory.title, " ".join(notes), [Section(grid.title, table=_table(grid)) for grid in grids])
    if out is not None:
        write_text(out, f"# {inventory.title}\n" + "".join(f"{symbol}\n" for symbol in inventory.symbols))
    return Outcome({"schema": 1, **described(inventory)}, text)


def described(inventory: Inventory) -> dict[str, Any]:
    """For the JSON document."""
    return {
        "language": inventory.language,
        "name": inventory.name,
        "source": inventory.source,
        "inventories": [{"id": d.id, "source": d.source, "dialect": d.dialect} for d in inventory.doculects],
        "phones": list(inventory.symbols),
        "counts": dict(inventory.counts),
        "allophones": {symbol: list(found) for symbol, found in inventory.allophones.items()},
        "spelling": dict(inventory.spelling),
        "tones": dict(inventory.tones),
    }


def compared(first: Inventory, second: Inventory, phoible: Phoible | None) -> Outcome:
    """What two inventories share, and for what one lacks, the nearest that it has."""
    apart = difference(first, second)
    metric = new_metric(phoible=None if phoible is None else phoible.table)
    rows: list[list[str]] = []
    entries: dict[str, list[dict[str, Any]]] = {"first": [], "second": []}
    for side, only, own, other in (("first", apart.first, first, second), ("second", apart.second, second, first)):
        if not only:
            continue
        distances, ranked = metric.ranked(only, other.symbols)
        rows.append([f"only in {own.title}", "nearest", "distance", "differs"])
        for row, symbol in enumerate(only):
            near = other.symbols[ranked[row, 0]]
            distance = float(distances[row, ranked[row, 0]])
            differs = in_words(metric.table.differences(near, symbol))
            entries[side].append(
                {"phone": symbol, "nearest": near, "distance": round(distance, 3), "features": differs}
            )
            rows.append([visible(symbol), visible(near), f"{distance:.2f}", ", ".join(differs)])
    share = len(apart.both) / len({*first.symbols, *second.symbols})
    head = f"{first.title}: {len(first)}; {second.title}: {len(second)}; both: {len(apart.both)} ({share:.0%} of all)"
    text = "\n".join([head, f"both: {' '.join(apart.both)}", *([columns(rows)] if rows else [])])
    document = {"schema": 1, "first": described(first), "second": described(second), "both": list(apart.both)}
    return Outcome(document | {"distance": metric.name, "only": entries}, text)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Cells under each other."""
    widths = [max(map(width, cells)) for cells in zip(*rows, strict=True)]
    lines = []
    for cells in rows:
        padded = [cell + " " * (most - width(cell)) for cell, most in zip(cells, widths, strict=True)]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _notes(inventory: Inventory, version: str) -> list[str]:
    notes = [f"{len(inventory)} phones."]
    if inventory.doculects:
        notes.append(f"PHOIBLE {version}, inventories {', '.join(map(str, inventory.doculects))}.")
    if inventory.spelling:
        notes.append("Spelled in the source: " + ", ".join(f"{x} for {y}" for y, x in inventory.spelling.items()) + ".")
    if inventory.tones:
        notes.append(f"Tones, which are left out: {' '.join(inventory.tones)}.")
    return notes


def _table(grid: Grid) -> list[list[str]]:
    head = [["", *grid.columns]] if grid.columns else [["", ""]]
    return [*head, *([name, *(" ".join(map(visible, cell)) for cell in cells)] for name, cells in grid.rows)]


def _drawn(grid: Grid) -> str:
    if not grid.columns:
        return f"{grid.title}: {' '.join(map(visible, grid.rows[0][1][0]))}"
    head, *rows = _table(grid)
    return columns([[grid.title, *head[1:]], *rows])
