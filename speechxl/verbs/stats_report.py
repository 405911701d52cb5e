"""The page of `stats`."""

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechxl.evaluation.curves import new_figure, svg
from speechxl.evaluation.page import Section, write_page
from speechxl.shapes import Utterance
from speechxl.symbols import code_points, shown
from speechxl.verbs.stats_table import rows, time_unit

_BARS, _SYMBOLS, _BINS, _HISTOGRAMS = 60, 300, 50, 8


def write_report(path: Path, document: Mapping[str, Any], utterances: Sequence[Utterance]) -> None:
    """Writes the page.

    Args:
        path: Where.
        document: Of `stats`.
        utterances: What was counted.
    """
    whole, languages = document["all"], document["languages"]
    unit, per_hour = time_unit(document)
    speech = {name or "none": per_hour * row["hours"] for name, row in languages.items()}
    speakers = {name: 60 * value for name, value in whole["speaker_hours"].items()}
    unnamed = f" {whole['without_speaker']} rows name none." if whole["without_speaker"] else ""
    sections = [
        Section("Languages and splits", table=rows(document)),
        Section(f"{unit.capitalize()} of each language", figures=[bars(speech, unit)]) if len(speech) > 1 else None,
        Section("Durations", _durations(whole), figures=[histogram(utterances)]),
        Section(
            "Speakers",
            f"{whole['speakers']} speakers.{unnamed}",
            figures=[bars(speakers, "minutes")] if speakers else [],
        ),
        _symbols(languages),
    ]
    names = ", ".join(document["manifests"])
    summary = f"{names}: {whole['utterances']} utterances, {whole['hours']:.2f} h, {len(languages)} languages."
    write_page(path, "What the corpus holds", summary, [section for section in sections if section is not None])


def bars(values: Mapping[str, float], xlabel: str) -> str:
    """A bar for each name, the longest first; many names are counted only."""
    ranked = sorted(values.items(), key=lambda item: -item[1])
    if len(ranked) > _BARS:
        figure, axes = new_figure(7.0, 2.8)
        axes.bar(range(len(ranked)), [value for _, value in ranked], width=1.0)
        axes.set_xlabel("rank")
        axes.set_ylabel(xlabel)
        return svg(figure)
    figure, axes = new_figure(6.4, 0.7 + 0.2 * len(ranked))
    axes.barh(range(len(ranked)), [value for _, value in ranked])
    axes.set_yticks(range(len(ranked)), [_plain(name) for name, _ in ranked])
    axes.invert_yaxis()
    axes.set_xlabel(xlabel)
    axes.grid(alpha=0.3, axis="x")
    return svg(figure)


def histogram(utterances: Sequence[Utterance]) -> str:
    """Durations; of the languages that have most rows each for itself."""
    by_language: dict[str, list[float]] = {}
    for row in utterances:
        if row.duration:
            by_language.setdefault(row.language or "none", []).append(row.duration)
    figure, axes = new_figure(7.0, 2.8)
    seconds = [value for values in by_language.values() for value in values]
    if seconds:
        edges = np.linspace(0, max(np.quantile(seconds, 0.995), 0.1), _BINS + 1)
        ranked = sorted(by_language, key=lambda name: -len(by_language[name]))
        stacks = [by_language[name] for name in ranked[:_HISTOGRAMS]]
        labels = ranked[:_HISTOGRAMS]
        if rest := [value for name in ranked[_HISTOGRAMS:] for value in by_language[name]]:
            stacks.append(rest)
            labels.append(f"{len(ranked) - _HISTOGRAMS} others")
        axes.hist([np.minimum(values, edges[-1]) for values in stacks], bins=edges, stacked=True, label=labels)
        if len(labels) > 1:
            axes.legend(frameon=False, fontsize=8)
    axes.set_xlabel("seconds (the last bar holds all that are longer)")
    axes.set_ylabel("utterances")
    return svg(figure)


def _durations(whole: Mapping[str, Any]) -> str:
    if not whole["durations"]:
        return "No duration is known."
    least, most = (whole["durations"][name] for name in ("least", "most"))
    return f"From {least:.2f} s to {most:.2f} s, {whole['mean_duration']:.2f} s in the mean."


def _symbols(languages: Mapping[str, Any]) -> Section | None:
    counted = {name: row["symbol_counts"] for name, row in languages.items() if row["symbol_counts"]}
    if not counted:
        return None
    total: dict[str, int] = {}
    for counts in counted.values():
        for symbol, count in counts.items():
            total[symbol] = total.get(symbol, 0) + count
    ranked = sorted(total, key=lambda symbol: (-total[symbol], symbol))
    table: list[list[object]] = [["symbol", "count", "code point", "name", "languages"]]
    for symbol in ranked[:_SYMBOLS]:
        having = [name or "none" for name, counts in counted.items() if symbol in counts]
        named = ", ".join(having[:6]) + (f" and {len(having) - 6} more" if len(having) > 6 else "")
        table.append([shown(symbol), total[symbol], " ".join(code_points(symbol)), unicodedata.name(symbol, ""), named])
    figure, axes = new_figure(7.0, 2.8)
    for name, counts in list(counted.items())[:_HISTOGRAMS]:
        axes.plot(range(1, len(counts) + 1), list(counts.values()), marker=".", linewidth=1.0, label=name or "none")
    axes.set(yscale="log", xlabel="rank of the symbol", ylabel="occurrences")
    axes.grid(alpha=0.3)
    if len(counted) > 1:
        axes.legend(frameon=False, fontsize=8)
    more = f" The table has the first {_SYMBOLS}." if len(ranked) > _SYMBOLS else ""
    return Section("Symbols", f"{len(ranked)} characters, without spaces.{more}", table, [svg(figure)])


def _plain(name: str) -> str:
    """A name as the figure's font has it; other letters as their code points."""
    return "".join(
        x if x.isascii() or unicodedata.name(x, "").startswith("LATIN") else f"\\u{ord(x):04x}" for x in name
    ).replace("$", r"\$")
