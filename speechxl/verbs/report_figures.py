"""Figures of a report that are tables and texts: confusions and aligned transcripts."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from speechxl.evaluation.confusions import Pairs

_DARK = 0.6
"""Share above which numbers are white."""
_SPACE = "␣"


def confusion_map(classes: Mapping[str, Sequence[str]], counts: Mapping[tuple[str, str], int]) -> str:
    """Shares of what each symbol was recognised as, as an HTML table with coloured cells.

    Args:
        classes: Symbols in their order, by class.
        counts: How often the first symbol of a pair was recognised as the second, "" for nothing; all of them, also with
            symbols that are not shown.
    """
    order = [symbol for own in classes.values() for symbol in own]
    said: dict[str, int] = {}
    for (first, _), count in counts.items():
        said[first] = said.get(first, 0) + count
    head = _join(Markup("<th>{}</th>").format(_shown(symbol)) for symbol in order)
    lines = [Markup("<tr><th></th><th></th>{}<th>nothing</th></tr>").format(head)]
    for name, own in classes.items():
        for place, symbol in enumerate(own):
            label = Markup('<th class="class" rowspan="{}">{}</th>').format(len(own), name) if place == 0 else ""
            cells = _join(_cell(symbol, other, counts, said) for other in [*order, ""])
            lines.append(Markup("<tr>{}<th>{}</th>{}</tr>").format(label, _shown(symbol), cells))
    inserted = _join(Markup("<td>{}</td>").format(counts.get(("", symbol)) or "") for symbol in order)
    lines.append(Markup('<tr><th class="class"></th><th>put in</th>{}<td></td></tr>').format(inserted))
    return str(Markup('<figure><table class="map">{}</table></figure>').format(_join(lines)))


def aligned_texts(pairs: Pairs) -> Markup:
    """A reference above its hypothesis, with colours where they differ."""
    spans = []
    for said, heard in pairs:
        kind = "" if said == heard else "inserted" if not said else "deleted" if not heard else "substituted"
        spans.append(
            Markup('<span class="{}"><b>{}</b><i>{}</i></span>').format(kind, _symbol(said, kind), _symbol(heard, kind))
        )
    return Markup('<div class="aligned" dir="auto">{}</div>').format(_join(spans))


def _cell(symbol: str, other: str, counts: Mapping[tuple[str, str], int], said: Mapping[str, int]) -> Markup:
    count = counts.get((symbol, other), 0)
    if not count:
        return Markup("<td></td>")
    share = count / said[symbol]
    if symbol == other:
        return Markup('<td class="right" title="{}">{}</td>').format(f"{count} right", _percent(share))
    colour = "#fff" if share > _DARK else "#1c2733"
    style = f"background: rgba(203, 68, 46, {max(0.08, share):.2f}); color: {colour}"
    title = f"{count} of {said[symbol]}: {_shown(symbol)} as {_shown(other) or 'nothing'}"
    return Markup('<td style="{}" title="{}">{}</td>').format(style, title, _percent(share))


def _percent(share: float) -> str:
    return f"{100 * share:.0f}" if share >= 0.01 else "<1"


def _symbol(symbol: str, kind: str) -> str:
    """What can be seen of a symbol: a space only where it is wrong."""
    if not symbol:
        return "\u00a0"
    return (_SPACE if kind else "\u00a0") if symbol.isspace() else symbol


def _shown(symbol: str) -> str:
    return _SPACE if symbol.isspace() else symbol


def _join(parts: object) -> Markup:
    return Markup("").join(parts)  # type: ignore[arg-type]
