"""Figures of languages: which use codes alike."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from scipy.cluster.hierarchy import dendrogram

from speechxl.evaluation.curves import new_figure, svg

_MARKERS = "osD^vP*X<>"
_TEXT = 7.0
"""Points."""


def family_styles(families: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Colour and marker of each family, the commonest first; no two share both."""
    names = sorted(set(families), key=lambda name: (-families.count(name), name))
    colours = colormaps["tab10"](range(10))
    return {
        name: (to_hex(colours[place % 10]), _MARKERS[(place // 10) % len(_MARKERS)]) for place, name in enumerate(names)
    }


def similarity_map(
    languages: Sequence[str], families: Sequence[str], similarity: np.ndarray, close: np.ndarray, links: np.ndarray
) -> str:
    """Similarities of all pairs, in the order of a tree that is drawn beside them; labels have their families' colours.

    Args:
        languages: L names.
        families: L names.
        similarity: (L, L), from 0 to 1.
        close: (L, L) True where a pair cannot be told apart; such cells have a dot.
        links: `tree` of the languages.
    """
    size = len(languages)
    drawn = dendrogram(links, no_plot=True)
    order = drawn["leaves"]
    side = min(11.0, max(3.2, 0.19 * size + 1.5))
    figure, (left, right) = new_figure(
        side + 2.2, side, ncols=2, gridspec_kw={"width_ratios": [min(1.2, 0.3 * side), side]}
    )
    for steps, heights in zip(drawn["icoord"], drawn["dcoord"], strict=True):
        left.plot(heights, np.array(steps) / 10 - 0.5, color="#55636f", linewidth=0.8)  # SciPy puts leaves at 5, 15, 25
    left.set_ylim(size - 0.5, -0.5)
    left.invert_xaxis()
    left.set_yticks([])
    left.set_xlabel("distance", fontsize=_TEXT)
    left.spines[["left", "top", "right"]].set_visible(False)
    shown = similarity[np.ix_(order, order)]
    others = shown[~np.eye(size, dtype=bool)]
    image = right.imshow(shown, cmap="viridis", vmin=min(others.min(), 0.99), vmax=1.0, aspect="auto")
    rows, columns = np.nonzero(close[np.ix_(order, order)] & ~np.eye(size, dtype=bool))
    right.plot(columns, rows, ".", color="black", markersize=max(2.0, min(6.0, 120 / size)), markeredgewidth=0)
    text = max(4.5, min(9.0, 55 * side / size / 1.6))
    names = [languages[place] for place in order]
    right.set_yticks(range(size), names, fontsize=text)
    right.set_xticks(range(size), names, fontsize=text, rotation=90)
    styles = family_styles(families)
    for axis in (right.get_xticklabels(), right.get_yticklabels()):
        for label, place in zip(axis, order, strict=True):
            label.set_color(styles[families[place]][0])
    figure.colorbar(image, label="similarity", fraction=0.04, pad=0.02)
    return svg(figure)


def language_plane(languages: Sequence[str], families: Sequence[str], points: np.ndarray) -> str:
    """Languages as points coloured by family.

    Args:
        languages: L names.
        families: L names.
        points: (L, 2).
    """
    styles = family_styles(families)
    figure, axes = new_figure(9.4, 6.2)
    for family, (colour, marker) in styles.items():
        own = [place for place, name in enumerate(families) if name == family]
        axes.plot(*points[own].T, linestyle="none", marker=marker, color=colour, markersize=6, alpha=0.9)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.grid(alpha=0.25)
    figure.draw_without_rendering()
    for language, family, (x, y), (right, up) in zip(
        languages,
        families,
        points,
        label_places(axes.transData.transform(points) * 72 / figure.dpi, languages),
        strict=True,
    ):
        axes.annotate(
            language, (x, y), (right, up), textcoords="offset points", fontsize=_TEXT, color=styles[family][0],
            ha="center", va="center",
        )  # fmt: skip
    handles = [
        Line2D([], [], linestyle="none", marker=marker, color=colour, label=family)
        for family, (colour, marker) in styles.items()
    ]
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=8)
    return svg(figure)


def label_places(points: np.ndarray, labels: Sequence[str]) -> list[tuple[float, float]]:
    """Where labels cover few points and few other labels: the best of several places around each point, in turn.

    Args:
        points: (N, 2), in points (1/72 inch).
        labels: N texts.

    Returns:
        Offset of the middle of each label from its point, in points.
    """
    boxes = [(x - 3, y - 3, x + 3, y + 3) for x, y in points]
    places = []
    for (x, y), label in zip(points, labels, strict=True):
        width, height = 0.65 * _TEXT * len(label), 1.1 * _TEXT
        options = []
        for reach in (1.0, 1.8, 2.6):
            for angle in np.arange(8) * np.pi / 4:
                right, up = np.cos(angle) * (width / 2 + 5 * reach), np.sin(angle) * (height / 2 + 5 * reach)
                box = (x + right - width / 2, y + up - height / 2, x + right + width / 2, y + up + height / 2)
                options.append((sum(_overlap(box, other) for other in boxes) + reach, right, up, box))
        _, right, up, box = min(options)
        boxes.append(box)
        places.append((float(right), float(up)))
    return places


def intervals(rows: Mapping[str, tuple[float, Sequence[float] | None]], *, xlabel: str) -> str:
    """A value with its interval, where it has one, for each name, the first at the top.

    Args:
        rows: Value, and low and high.
        xlabel: What it is.
    """
    value, low, high = np.array([(value, *(bounds or (value, value))) for value, bounds in rows.values()]).T
    places = np.arange(len(rows))
    figure, axes = new_figure(7.0, 0.8 + 0.17 * len(rows))
    axes.hlines(places, low, high, color="#7f8fa3", linewidth=1.6)
    axes.plot(value, places, "o", color="#1f77b4", markersize=4)
    axes.set_yticks(places, list(rows), fontsize=_TEXT)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(xlabel)
    axes.grid(axis="x", alpha=0.3)
    return svg(figure)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """Area that two boxes share."""
    wide, high = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    return max(wide, 0) * max(high, 0)
