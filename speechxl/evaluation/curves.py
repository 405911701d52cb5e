"""Figures for reports, as SVG text that stands in a page by itself."""

import csv
from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure


def read_measures(path: Path) -> dict[str, list[tuple[int, float]]]:
    """``metrics.csv`` of a run: points (step, value) of each measure."""
    measures: dict[str, list[tuple[int, float]]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            measures.setdefault(row["measure"], []).append((int(row["step"]), float(row["value"])))
    return measures


def curves(series: Mapping[str, Sequence[tuple[int, float]]], *, xlabel: str, ylabel: str) -> str:
    """Lines over steps, one for each name."""
    figure, axes = _figure(4.6, 2.8)
    for name, points in series.items():
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1.4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8)
    return _svg(figure)


def heat_map(rows: Mapping[str, Sequence[float]], *, xlabel: str, caption: str) -> str:
    """One line of cells for each name, darker for more."""
    figure, axes = _figure(9.4, 0.6 + 0.32 * len(rows))
    image = axes.imshow(list(rows.values()), aspect="auto", cmap="Blues", interpolation="nearest")
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlabel(xlabel)
    figure.colorbar(image, label=caption, fraction=0.02, pad=0.01)
    return _svg(figure)


def _figure(width: float, height: float) -> tuple[Figure, Any]:
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.tick_params(labelsize=8)
    return figure, axes


def _svg(figure: Figure) -> str:
    output = StringIO()
    figure.savefig(output, format="svg")
    text = output.getvalue()
    return text[text.index("<svg") :]
