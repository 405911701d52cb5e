"""Figures of classifiers, as SVG and HTML that stand in a page."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from speechxl.evaluation.curves import new_figure, svg

_DARK = 0.6
"""Share of the highest value above which numbers are white."""
Point = tuple[float, float, Sequence[float] | None]
"""Place, value, and low and high."""


def value_map(
    rows: Sequence[str],
    columns: Sequence[str],
    values: Sequence[Sequence[float | None]],
    *,
    title: str,
    meaning: str = "",
    form: str = ".2f",
    highest: float = 1.0,
) -> str:
    """A heat map as a table with coloured cells; those without a value are empty.

    Args:
        rows: R names.
        columns: C names.
        values: (R, C).
        title: Above it.
        meaning: What rows and columns are.
        form: Of the numbers.
        highest: Value of the darkest cell.
    """
    caption = Markup("<figcaption>{}{}</figcaption>").format(
        title, Markup("<br><small>{}</small>").format(meaning) if meaning else ""
    )
    upright = "upright" if max(map(len, columns)) > 4 else ""
    head = Markup("").join(Markup('<th class="{}"><span>{}</span></th>').format(upright, name) for name in columns)
    lines = [
        Markup("<tr><th>{}</th>{}</tr>").format(name, Markup("").join(_cell(value, form, highest) for value in own))
        for name, own in zip(rows, values, strict=True)
    ]
    body = Markup("").join(lines)
    return str(
        Markup('<figure>{}<table class="map"><tr><th></th>{}</tr>{}</table></figure>').format(caption, head, body)
    )


def _cell(value: float | None, form: str, highest: float) -> Markup:
    if value is None:
        return Markup("<td></td>")
    share = min(1.0, max(0.0, value / highest))
    colour = "#fff" if share > _DARK else "#1c2733"
    style = f"background: rgba(8, 81, 156, {share:.2f}); color: {colour}"
    return Markup('<td style="{}">{}</td>').format(style, format(value, form))


def value_curves(
    series: Mapping[str, Sequence[Point]],
    *,
    xlabel: str,
    ylabel: str,
    points: Mapping[str, tuple[float, float]] | None = None,
    ticks: Sequence[str] = (),
) -> str:
    """Lines with their intervals as bands.

    Args:
        series: Points of each name, in order.
        xlabel: What the places are.
        ylabel: What the values are.
        points: Single ones that are named beside the lines.
        ticks: Names of the places 0, 1, ...; empty where they are numbers.
    """
    figure, axes = new_figure(7.0, 4.0)
    for name, own in series.items():
        x, y = [place for place, _, _ in own], [value for _, value, _ in own]
        (line,) = axes.plot(x, y, marker="o", markersize=3, linewidth=1.4, label=name)
        if all(bounds is not None for _, _, bounds in own):
            low, high = zip(*(bounds for _, _, bounds in own if bounds is not None), strict=True)
            axes.fill_between(x, low, high, color=line.get_color(), alpha=0.12, linewidth=0)
    for name, (x_of, y_of) in (points or {}).items():
        axes.plot([x_of], [y_of], marker="D", linestyle="none", label=name)
    if ticks:
        axes.set_xticks(range(len(ticks)), ticks)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return svg(figure)


def scatter(series: Mapping[str, Mapping[str, tuple[float, float]]], *, xlabel: str, ylabel: str) -> str:
    """Named points, one colour for each series.

    Args:
        series: Points by name, of each series.
        xlabel: What the first number is.
        ylabel: What the second number is.
    """
    figure, axes = new_figure(7.0, 4.0)
    for name, points in series.items():
        axes.plot(*zip(*points.values(), strict=True), marker="o", linestyle="none", markersize=4, label=name)
        for label, place in points.items():
            axes.annotate(label, place, (4, 3), textcoords="offset points", fontsize=7)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    axes.set_ylim(-0.02, 1.02)
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right upper", frameon=False, fontsize=8)
    return svg(figure)
