"""The part of a comparison's page that is about transcripts."""

from collections.abc import Iterator, Mapping
from typing import Any

from speechxl.evaluation.class_figures import scatter, value_curves
from speechxl.evaluation.page import Section
from speechxl.verbs.compare_table import title


def transcript_sections(document: Mapping[str, Any]) -> Iterator[Section]:
    """Error rates, and what they do to classes.

    Args:
        document: Of `classify compare`.
    """
    if not document["transcripts"]:
        return
    table: list[list[object]] = [["system", "unit", "error rate", "of each language", "without text"]]
    effects: list[list[object]] = [["system", "regime", "Spearman", "p", "error rate: accuracy (utterances)"]]
    points = {}
    for own in document["transcripts"]:
        bounds = own["interval"]
        rate = _optional(own["rate"]) + (f" [{bounds[0]:.3f}, {bounds[1]:.3f}]" if bounds else "")
        each = ", ".join(f"{name} {_optional(one['rate'])}" for name, one in own["per_language"].items())
        table.append([own["system"], own["unit"], rate, each, f"{own['empty']:.0%}"])
        for effect in own["effect"]:
            bins = [one for one in effect["bins"] if one["accuracy"] is not None]
            shown = ", ".join(f"{_range(one)}: {one['accuracy']:.2f} ({one['utterances']})" for one in bins)
            place = title(effect["regime"], effect["shots"])
            effects.append(
                [own["system"], place, _optional(effect["spearman"]), _optional(effect["p_value"], ".4f"), shown]
            )
        for over in own["languages"]:
            if over["shots"] is None and len(over["points"]) > 1:
                found = {name: (point["rate"], point["macro_f1"]) for name, point in over["points"].items()}
                points[f"{own['system']}, {over['regime']}"] = found
    yield Section("Transcripts", "Errors in the form of text that is classified, references in the same form.", table)
    text = (
        "Rank correlation of error rate and correctness over utterances (below 0: the more errors, the less is found), and "
        "accuracy by error rate."
    )
    figures = [scatter(points, xlabel="error rate of a language", ylabel="macro-F1")] if points else []
    yield Section("Transcript error and class found", text, effects, figures)


def noise_sections(document: Mapping[str, Any]) -> Iterator[Section]:
    """Curves over errors that were made.

    Args:
        document: Of `classify compare`.
    """
    text = (
        "Classifiers of references, on references with errors; transcribers that were measured stand beside the curves."
    )
    for regime in dict.fromkeys(curve["regime"] for curve in document["noise"]):
        series = {
            f"{curve['system']}, {curve['kind']} errors": [
                (point["cer"], point["macro_f1"], point["intervals"]["macro_f1"])
                for point in curve["points"]
                if point["cer"] is not None
            ]
            for curve in document["noise"]
            if curve["regime"] == regime
        }
        found = {
            row["system"]: row["macro_f1"]
            for row in document["results"]
            if (row["regime"], row["shots"], row["test"]) == (regime, None, None)
        }  # fmt: skip
        measured = [own for own in document["transcripts"] if own["unit"] == "character" and own["rate"] is not None]
        points = {own["system"]: (own["rate"], found[own["system"]]) for own in measured if own["system"] in found}
        figure = value_curves(series, xlabel="character error rate", ylabel="macro-F1", points=points)
        yield Section(f"Worse transcripts: {regime}", text, figures=[figure])


def _range(one: Mapping[str, Any]) -> str:
    if one["low"] is None:
        return "0"
    return f"above {one['low']:g}" if one["high"] is None else f"to {one['high']:g}"


def _optional(value: float | None, form: str = ".3f") -> str:
    return "" if value is None else format(value, form)
