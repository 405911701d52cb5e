"""The page of a comparison."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from speechxl.evaluation.class_figures import value_curves, value_map
from speechxl.evaluation.maps import intervals
from speechxl.evaluation.page import Section, write_page
from speechxl.verbs.compare_cells import CHANCE, MAJORITY
from speechxl.verbs.compare_table import cell, title
from speechxl.verbs.compare_text_page import noise_sections, transcript_sections

_SIDES = (
    "The speech side hears the recording: it has the voice, the pauses and the words at once, and needs recordings with labels. "
    "The text side has a transcript and nothing else: what the transcriber gets wrong is lost, and so is how something was said; "
    "but whatever was said in another language, or was never recorded, can teach it as long as it can be written."
)
_REGIMES = {
    "monolingual": "Each language by itself: trained on its own rows.",
    "family": "One training on the rows of all languages of a family; languages without relatives here are left out.",
    "multilingual": "One training on the rows of all languages.",
    "zero-shot": "Trained on one language and tested on others, of which training had nothing; mean over training languages.",
    "leave-one-out": "Trained on all languages but the one that is tested.",
}
_QUESTIONS = {
    "sides": ("Speech less text", "What the speech side has more than the text side, on the same test rows."),
    "transcription": (
        "What transcription costs", "The same text classifier: with references less with transcripts.",
    ),
    "bound": ("References less speech", "What perfect transcripts give more than the speech side."),
    "systems": ("Systems of the same side", "Differences of systems of one side."),
}  # fmt: skip
_MOST_MAPS, _MOST_COLUMNS = 24, 8
Rows = Mapping[tuple[str, str | None], Mapping[str, Any]]
"""Measures by system and test language, None for all."""


def write_comparison(path: Path, document: Mapping[str, Any]) -> None:
    """Writes ``compare.html``.

    Args:
        path: Where.
        document: Of `classify compare`.
    """
    places = list(dict.fromkeys((row["regime"], row["shots"]) for row in document["results"]))
    sections = [
        Section("What this says", _SIDES, points=document["conclusions"]),
        _material(document),
        *(_results(rows_of(document, *place), *place) for place in places),
        *_shots(document),
        *_matrices(document),
        *_differences(document),
        *transcript_sections(document),
        *noise_sections(document),
        _calibration(document),
        *_confusions(document),
        _systems(document),
    ]
    count = len(document["languages"])
    write_page(
        path, f"Speech against its transcripts: {document['kind']}",
        f"{len(document['systems'])} systems, {count} language{'s' * (count > 1)}, regimes: {', '.join(document['regimes'])}.",
        sections,
    )  # fmt: skip


def rows_of(document: Mapping[str, Any], regime: str, shots: int | None) -> Rows:
    """Measures of a regime with a number of examples.

    Args:
        document: Of `classify compare`.
        regime: Its name.
        shots: None for all examples.
    """
    own = [row for row in document["results"] if (row["regime"], row["shots"]) == (regime, shots)]
    return {(row["system"], row["test"]): row for row in own}


def _material(document: Mapping[str, Any]) -> Section:
    table: list[list[object]] = [["language", "train", "dev", "test", "independent in test", "speakers", "classes"]]
    for name, own in document["languages"].items():
        numbers = [f"{own['train']:g}", f"{own['dev']:g}", own["test"], own["test_groups"]]
        table.append([name, *numbers, own["speakers"] or "not named", ", ".join(own["classes"])])
    text = (
        "All systems learn from the same rows, choose and calibrate on the same rows, and are tested on the same rows."
    )
    if document["folds"]:
        by = document["fold_by"]
        text += (
            f" Every row is tested once, in {document['folds']} parts, by models that had nothing of its {by}; train and dev are "
            "means over the parts."
        )
    left = len(document["left_out"])
    note = f"{left} rows were left out for all systems, as their audio cannot be used." if left else ""
    return Section("Utterances", text, table, note=note)


def _results(rows: Rows, regime: str, shots: int | None) -> Section:
    tests = list(dict.fromkeys(test for _, test in rows if test is not None))
    names = list(dict.fromkeys(name for name, _ in rows))
    columns = tests if 1 < len(tests) <= _MOST_COLUMNS else []
    spread = {name: rows[name, None].get("sd", {}).get("macro_f1") for name in names}
    seeds = any(value is not None for value in spread.values())
    table: list[list[object]] = [
        ["system", "mean" if len(tests) > 1 else tests[0], *columns, "accuracy", *["sd over seeds"] * seeds]
    ]
    for name in names:
        row, sd = rows[name, None], spread[name]
        cells = [cell(row), *(cell(rows[name, test]) for test in columns), cell(row, "accuracy")]
        table.append([name, *cells, *["" if sd is None else f"{sd:.3f}"] * seeds])
    points = {name: (rows[name, None]["macro_f1"], rows[name, None]["intervals"]["macro_f1"]) for name in names}
    figures = [intervals(points, xlabel="macro-F1")]
    if len(tests) > 1:
        values = [[rows[name, test]["macro_f1"] for test in tests] for name in names]
        figures.append(value_map(names, tests, values, title="macro-F1", meaning="columns: test language"))
    note = "Macro-F1 with 95 % bootstrap intervals; majority: always the commonest training label; chance: guessing."
    sizes = [row["utterances"] for row in rows.values() if row["accuracy"] == 1]
    if sizes:
        note += (
            f" An interval from 1 to 1 says that no utterance was wrong, not that none would be: where {min(sizes)} are all "
            f"right, up to {min(1.0, 3 / min(sizes)):.0%} wrong ones among others are possible (the rule of three)."
        )
    return Section(f"Results: {title(regime, shots)}", _REGIMES[regime], table, figures, note)


def _shots(document: Mapping[str, Any]) -> Iterator[Section]:
    if len(document["shots"]) < 2:
        return
    ticks = ["all" if shots is None else str(shots) for shots in document["shots"]]
    for regime in document["regimes"]:
        series = {}
        for name in [*document["systems"], MAJORITY, CHANCE]:
            own = [rows_of(document, regime, shots)[name, None] for shots in document["shots"]]
            series[name] = [(float(p), row["macro_f1"], row["intervals"]["macro_f1"]) for p, row in enumerate(own)]
        figure = value_curves(series, xlabel="examples of each class in each language", ylabel="macro-F1", ticks=ticks)
        text = "Of dev rows, by which models are chosen and calibrated, there are as many at most."
        yield Section(f"Few examples: {regime}", text, figures=[figure])


def _matrices(document: Mapping[str, Any]) -> Iterator[Section]:
    figures = []
    for own in document["matrices"]:
        name = own["system"] + ("" if own["shots"] is None else f", {own['shots']} examples of each class")
        meaning = "rows: training language; columns: test language"
        figures.append(value_map(own["train"], own["test"], own["macro_f1"], title=name, meaning=meaning))
    if figures:
        text = "Macro-F1, trained on the language of the row, tested on that of the column; on the diagonal both are the same."
        yield Section("From language to language", text, figures=figures)


def _differences(document: Mapping[str, Any]) -> Iterator[Section]:
    note = (
        "Macro-F1. Paired: intervals by a bootstrap with the same draws for both, p by approximate randomisation of groups. "
        "Holm's correction is over the pairs of this table for all languages of a regime together, over languages for each pair."
    )
    for what, (name, text) in _QUESTIONS.items():
        table: list[list[object]] = [["regime", "test", "first - second", "difference", "p", "p (Holm)"]]
        for test in document["tests"]:
            if test["what"] == what:
                place = [title(test["regime"], test["shots"]), test["test"] or "all"]
                chances = [f"{test[kind]['macro_f1']:.4f}" for kind in ("p_value", "holm")]
                table.append([*place, f"{test['first']} - {test['second']}", _difference(test), *chances])
        if len(table) > 1:
            yield Section(name, text, table, note=note)


def _difference(test: Mapping[str, Any]) -> str:
    bounds = test["intervals"]["macro_f1"]
    return f"{test['difference']['macro_f1']:+.3f}" + (f" [{bounds[0]:+.3f}, {bounds[1]:+.3f}]" if bounds else "")


def _calibration(document: Mapping[str, Any]) -> Section:
    table: list[list[object]] = [["regime", "system", "calibration error", "negative log-likelihood", "Brier score"]]
    for row in document["results"]:
        if row["test"] is None and row["system"] not in (MAJORITY, CHANCE):
            measures = [f"{row[name]:.3f}" for name in ("ece", "nll", "brier")]
            table.append([title(row["regime"], row["shots"]), row["system"], *measures])
    text = "Whether probabilities can be believed: mean distance of confidence and accuracy (15 bins), 0 where they are the same."
    return Section("Calibration", text, table)


def _confusions(document: Mapping[str, Any]) -> Iterator[Section]:
    own = [
        row
        for row in document["results"]
        if row["test"] is not None
        and row["shots"] == document["shots"][-1]
        and row["system"] not in (MAJORITY, CHANCE)
        and row["regime"] not in ("zero-shot", "leave-one-out")
    ]
    figures = []
    for row in own[:_MOST_MAPS]:
        labels, counts = row["confusion"]["labels"], row["confusion"]["counts"]
        shares = [[count / max(1, sum(line)) for count in line] for line in counts]
        name = f"{row['system']}, {row['regime']}, {row['test']}"
        figures.append(value_map(labels, labels, shares, title=name, meaning="rows: label; columns: found"))
    if figures:
        rest = f" The other {len(own) - len(figures)} are in the JSON." if len(own) > len(figures) else ""
        text = f"Share of the utterances of each label that were taken for each.{rest}"
        yield Section("Confusions", text, figures=figures)


def _systems(document: Mapping[str, Any]) -> Section:
    table: list[list[object]] = [["system", "side", "class", "trainings", "settings"]]
    for name, own in document["systems"].items():
        kind = own["class_path"].rpartition(".")[2]
        table.append([name, own["side"], kind, own["trainings"], _settings(own["init_args"])])
    return Section("Systems", "Groups of settings of end-to-end systems stand in config.yaml.", table)


def _settings(settings: Mapping[str, Any]) -> str:
    """Plain ones, and the classes of others."""
    parts = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            if "class_path" in value:
                inner = _settings(value["init_args"])
                parts.append(f"{name}: {value['class_path'].rpartition('.')[2]}" + (f" ({inner})" if inner else ""))
        elif value is not None and value != []:
            parts.append(f"{name} {', '.join(map(str, value)) if isinstance(value, list) else value}")
    return "; ".join(parts)
