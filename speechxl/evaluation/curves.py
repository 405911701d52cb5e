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
    figure, axes = new_figure(4.6, 2.8)
    for name, points in series.items():
        axes.plot(*zip(*points, strict=True), label=name, linewidth=1.4)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.grid(alpha=0.3)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8)
    return svg(figure)


def heat_map(rows: Mapping[str, Sequence[float]], *, xlabel: str, caption: str) -> str:
    """One line of cells for each name, darker for more."""
    figure, axes = new_figure(9.4, 0.6 + (0.32 if len(rows) <= 12 else 0.15) * len(rows))
    image = axes.imshow(list(rows.values()), aspect="auto", cmap="Blues", interpolation="nearest")
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8 if len(rows) <= 12 else 7)
    axes.set_xlabel(xlabel)
    figure.colorbar(image, label=caption, fraction=0.02, pad=0.01)
    return svg(figure)


def new_figure(width: float, height: float, **layout: Any) -> tuple[Figure, Any]:
    """A figure and its axes.

    Args:
        width: Inches.
        height: Inches.
        layout: Of several axes, as `Figure.subplots` takes it.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(**layout)
    for one in axes.flat if layout else [axes]:
        one.tick_params(labelsize=8)
    return figure, axes


def svg(figure: Figure) -> str:
    """A figure as text that stands in a page."""
    output = StringIO()
    figure.savefig(output, format="svg")
    text = output.getvalue()
    return text[text.index("<svg") :]
