"""Curves, codebooks and settings of a run, as parts of its report."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.errors import InputError
from speechxl.evaluation.curves import curves, heat_map, read_measures
from speechxl.evaluation.page import Section
from speechxl.tasks.watching import LANGUAGES, METRICS
from speechxl.verbs.contrastive import CODEBOOK
from speechxl.verbs.reported import settings_of

_FIGURES: dict[str, Sequence[str]] = {
    "contrastive loss (nats)": ("contrastive", "dev_contrastive"),
    "contrastive accuracy": ("accuracy", "dev_accuracy"),
    "code perplexity": ("code_perplexity", "code_perplexity_1", "code_perplexity_2", "probability_perplexity"),
    "CTC loss per symbol (nats)": ("loss_per_symbol", "intermediate_loss_per_symbol"),
    "error rate on dev": ("dev_per", "dev_cer", "dev_wer", "dev_empty"),
    "blanks": ("blank_share", "blank_posterior"),
    "loss on dev": ("dev_loss",),
    "loss": ("loss",),
    "learning rate": ("lr", "head_lr"),
    "gradient norm": ("gradient_norm",),
}
"""Measures that stand in one figure."""
_PREFIXES = {"macro-F1 on dev": "dev_macro_f1_", "accuracy on dev": "dev_accuracy_", "share of layers": "layer_"}
"""The same of measures whose names go on."""
_MOST_LINES = 12
_OF_LANGUAGES = ("dev_per", "dev_cer", "loss", "dev_loss", "accuracy", "dev_accuracy")
"""Measures of languages that are drawn."""

Points = Sequence[tuple[int, float]]


def last_values(run: Path) -> dict[str, float]:
    """The last value of each measure."""
    return {name: points[-1][1] for name, points in _measures(run).items()}


def curve_sections(run: Path) -> Iterator[Section]:
    """Curves of all measures, those of languages, and codebooks."""
    measures, languages = _measures(run), _languages(run)
    if measures:
        steps = max(points[-1][0] for points in measures.values())
        figures = [curves(own, xlabel="step", ylabel=name) for name, own in _grouped(measures)]
        yield Section("Learning curves", f"{steps} steps.", figures=figures)
    if languages:
        yield _language_section(languages)
    if (run / CODEBOOK).exists():
        yield code_section(json.loads((run / CODEBOOK).read_text(encoding="utf-8")))


def code_section(usage: Mapping[str, Any]) -> Section:
    """How languages use the codes.

    Args:
        usage: ``codebook.json``.
    """
    table: list[list[object]] = [["language", "frames", "perplexity of each codebook", "codes that occur"]]
    for language, row in usage["languages"].items():
        table.append(
            [language, row["frames"], " · ".join(map(str, row["perplexity"])), " · ".join(map(str, row["used"]))]
        )
    figures = [
        heat_map(
            {language: row["shares"][book] for language, row in usage["languages"].items()},
            xlabel=f"code of codebook {book + 1}",
            caption="share of frames",
        )
        for book in range(usage["codebooks"])
    ]
    text = (
        f"All languages share {usage['codebooks']} codebooks of {usage['codes']} codes. Perplexity is the number of codes in "
        "effective use."
    )
    return Section("Code usage per language", text, table, figures)


def settings_section(run: Path) -> Iterator[Section]:
    """``config.yaml`` as a table."""
    settings = settings_of(run)
    if settings:
        yield Section("Settings", table=[["setting", "value"], *([name, value] for name, value in _flat(settings, ""))])


def _flat(settings: Mapping[str, Any], group: str) -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{group}{name}.")
        else:
            yield f"{group}{name}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _grouped(measures: Mapping[str, Points]) -> Iterator[tuple[str, dict[str, Points]]]:
    """Figures: names and lines; what belongs to none has its own."""
    left = dict(measures)
    for figure, names in _FIGURES.items():
        if own := {name: left.pop(name) for name in names if name in left}:
            yield figure, own
    for figure, prefix in _PREFIXES.items():
        if own := {
            name.removeprefix(prefix): left.pop(name) for name in measures if name in left and name.startswith(prefix)
        }:
            yield figure, own
    for name, points in left.items():
        yield name.replace("_", " "), {name: points}


def _measures(run: Path) -> dict[str, list[tuple[int, float]]]:
    path = run / METRICS
    try:
        return read_measures(path) if path.exists() else {}
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: is not a table of step, measure and value ({error}).") from None


def _languages(run: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Points of each measure of each language."""
    path = run / LANGUAGES
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                try:
                    point = int(row["step"]), float(row["value"])
                    found.setdefault(row["measure"], {}).setdefault(row["language"], []).append(point)
                except (KeyError, TypeError, ValueError) as error:
                    raise InputError(
                        f"{path}: is not a table of step, language, measure and value ({error})."
                    ) from None
    return found


def _language_section(measures: Mapping[str, Mapping[str, Points]]) -> Section:
    """Curves of the languages with the highest last values, and the last values of all."""
    names = sorted({language for own in measures.values() for language in own})
    table: list[list[object]] = [["language", *(name.replace("_", " ") for name in measures)]]
    for language in names:
        cells = [f"{own[language][-1][1]:.4g}" if language in own else "" for own in measures.values()]
        table.append([language, *cells])
    figures = []
    for name in _OF_LANGUAGES:
        own = measures.get(name, {})
        shown = sorted(own, key=lambda language: -own[language][-1][1])[:_MOST_LINES]
        if shown and len(names) > 1:
            figures.append(
                curves(
                    {language: own[language] for language in sorted(shown)},
                    xlabel="step",
                    ylabel=name.replace("_", " "),
                )
            )
    note = (
        f"Curves are of the {_MOST_LINES} languages with the highest last values." if len(names) > _MOST_LINES else ""
    )
    return Section("Languages during training", "The last values.", table, figures, note)
