"""What transcripts of a comparison are like, and what their errors do."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from speechxl.classification.regimes import shown
from speechxl.evaluation.class_comparison import judged, mean_intervals, means
from speechxl.evaluation.metrics import count_errors
from speechxl.evaluation.predictions import Predictions, numbers_of
from speechxl.evaluation.transcript_errors import transcript_effect
from speechxl.verbs.compare_cells import Cell, Cells, Place
from speechxl.verbs.systems import System

_FEWEST_LANGUAGES = 4
"""For a correlation over languages."""


def transcripts(cells: Cells, systems: Mapping[str, System]) -> list[dict[str, Any]]:
    """Error rates of the transcripts of each system that has some, and their relation to what is found.

    Rates are those of the form that is classified, references in the same form: of characters, or of phones.

    Args:
        cells: What was predicted.
        systems: By name.
    """
    found = []
    for name, system in systems.items():
        unit = "word" if system.reads() == "phoneme" else "char"
        texts = _texts(cells, name)
        if system.oracle() is None or not texts:
            continue
        whole = count_errors(*_columns(texts.values()), unit)
        each = {language: count_errors(*own, unit) for language, own in texts.items()}
        rates = {language: errors.rate for language, errors in each.items()}
        places = [place for place in cells.places if cells.of(name, place)]
        named = [{"regime": regime, "shots": shots} for regime, shots in places]
        found.append(
            {
                "system": name,
                "unit": "phone" if unit == "word" else "character",
                "rate": whole.rate,
                "interval": whole.interval(),
                "empty": sum(not text for _, heard in texts.values() for text in heard) / len(whole.lengths),
                "per_language": {
                    shown(language): {
                        "rate": errors.rate, "interval": errors.interval(), "utterances": len(errors.lengths),
                    }
                    for language, errors in each.items()
                },
                "effect": [own | _effect(cells.of(name, place), unit) for own, place in zip(named, places, strict=True)],
                "languages": [
                    own | _over_languages(cells, name, place, rates) for own, place in zip(named, places, strict=True)
                ],
            }
        )  # fmt: skip
    return found


def _texts(cells: Cells, system: str) -> dict[str, tuple[list[str], list[str]]]:
    """References and transcripts of the test rows in each language; they do not depend on training."""
    found: dict[str, tuple[list[str], list[str]]] = {}
    for cell in cells.found:
        if cell.system == system and cell.spoken is not None and cell.heard is not None:
            found.setdefault(cell.test, (cell.spoken, cell.heard))
    return dict(sorted(found.items()))


def _columns(texts: Any) -> tuple[list[str], list[str]]:
    pairs = [pair for spoken, heard in texts for pair in zip(spoken, heard, strict=True)]
    return [spoken for spoken, _ in pairs], [heard for _, heard in pairs]


def _effect(cells: list[Cell], unit: str) -> dict[str, Any]:
    """Relation of transcript error and correctness over utterances, of the first training of each language."""
    rates, right = [], []
    for test in sorted({cell.test for cell in cells}):
        cell = next(cell for cell in cells if cell.test == test)
        errors = count_errors(cell.spoken or [], cell.heard or [], unit)
        rates.append(np.where(errors.lengths > 0, errors.total / np.maximum(errors.lengths, 1), np.nan))
        right.append(cell.predictions.numbers == numbers_of(cell.references, cell.predictions.labels))
    return transcript_effect(np.concatenate(rates), np.concatenate(right))


def _over_languages(cells: Cells, system: str, place: Place, rates: Mapping[str, float | None]) -> dict[str, Any]:
    """Error rate and macro-F1 of each language, and their rank correlation where there are enough."""
    points = {}
    for language in cells.tests(place):
        own = cells.of(system, place, language)
        if own and rates.get(language) is not None:
            points[shown(language)] = {
                "rate": rates[language],
                "macro_f1": means([cell.judged for cell in own])["macro_f1"],
            }
    columns = [[point[name] for point in points.values()] for name in ("rate", "macro_f1")]
    if len(points) < _FEWEST_LANGUAGES or any(len(set(column)) < 2 for column in columns):
        return {"points": points, "spearman": None, "p_value": None}
    from scipy.stats import spearmanr  # which takes a second to import

    found = spearmanr(*columns)
    return {"points": points, "spearman": float(found.statistic), "p_value": float(found.pvalue)}


def noise_curves(cells: Cells, *, draws: int) -> list[dict[str, Any]]:
    """Macro-F1 of classifiers of references as these get errors: means over languages, with intervals.

    Args:
        cells: What was predicted.
        draws: Of the bootstrap.
    """
    found = []
    for system in cells.systems:
        for place in cells.places:
            own = [cell for cell in cells.of(system, place) if cell.noise]
            keys = sorted({(point["kind"], point["asked"]) for cell in own for point in cell.noise})
            for kind in dict.fromkeys(kind for kind, _ in keys):
                points = [_point(cells, own, kind, asked, draws) for other, asked in keys if other == kind]
                found.append({"system": system, "regime": place[0], "kind": kind, "points": points})
    return found


def _point(cells: Cells, own: list[Cell], kind: str, asked: float, draws: int) -> dict[str, Any]:
    judgements, rates = [], []
    for cell in own:
        parts = [point for point in cell.noise if (point["kind"], point["asked"]) == (kind, asked)]
        known = {id: row for point in parts for id, row in zip(point["ids"], point["probabilities"], strict=True)}
        said = Predictions(
            cell.predictions.ids, cell.predictions.labels, np.array([known[id] for id in cell.predictions.ids])
        )
        judgements.append(judged(cell.test, cell.references, said, cells.material.groups(cell.test, cells.by)))
        rates += [point["cer"] for point in parts if point["cer"] is not None]
    return {
        "asked": asked,
        "cer": float(np.mean(rates)) if rates else None,
        **means(judgements),
        "intervals": mean_intervals(judgements, draws=draws),
    }
