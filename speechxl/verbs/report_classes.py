"""What a classifier gets wrong, as a document and as parts of its report."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.evaluation.class_figures import value_map
from speechxl.evaluation.maps import intervals
from speechxl.evaluation.page import Section
from speechxl.shapes import Utterance
from speechxl.verbs.class_rates import truths
from speechxl.verbs.classify_evaluate import classify_evaluate
from speechxl.verbs.players import Players
from speechxl.verbs.reported import DEV, dev_rows


def classes_document(
    run: Path, manifest: Sequence[Path] | None, worst: int, *, device: str
) -> tuple[dict[str, Any], list[str]]:
    """Measures of all kinds of labels and the surest mistakes; and what is to be said of them.

    Args:
        run: Folder of a classifier.
        manifest: Rows; None for ``dev.tsv``.
        worst: Mistakes that are named, of each kind.
        device: Where to compute.
    """
    if not (run / "config.json").exists():
        return {}, ["The run has not kept a model yet; there are its curves only."]
    rows, why = dev_rows(run, manifest)
    if why:
        return {}, [why]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "predictions.json"
        outcome = classify_evaluate(str(run), list(manifest or [run / DEV]), predictions=file, device=device)  # type: ignore[arg-type]
        results = json.loads(file.read_text(encoding="utf-8"))["results"]
    found = outcome.document
    notes = []
    if found["failures"]:
        notes.append(
            f"{len(found['failures'])} recordings could not be used; the first: {found['failures'][0]['reason']}"
        )
    if not manifest:
        notes.append(
            f"The utterances are those of {DEV}, by which the model was chosen: on others, expect more errors."
        )
    classes = {kind: own["confusion"]["labels"] for kind, own in found["kinds"].items() if own}
    right = truths(rows, classes, None)
    mistakes = _worst(results, right, worst)
    return {"kinds": {kind: found["kinds"][kind] for kind in classes}, "mistakes": mistakes}, notes


def class_sections(found: Mapping[str, Any], players: Players, rows: Sequence[Utterance]) -> list[Section]:
    """Parts of the page.

    Args:
        found: `classes_document`.
        players: For the mistakes.
        rows: Of the manifests.
    """
    known = {row.id: row for row in rows}
    sections = []
    for kind, own in found["kinds"].items():
        sections += [_rates(kind, own), _confusions(kind, own)]
        mistakes = [each for each in found["mistakes"] if each["kind"] == kind]
        if mistakes:
            table: list[list[object]] = [["", "utterance", "is", "taken for", "probability"]]
            for each in mistakes:
                player = players(known.get(each["id"]))
                table.append([player, each["id"], each["label"], each["found"], f"{each['probability']:.2f}"])
            sections.append(Section(f"Surest mistakes: {kind}", table=table))
    return sections


def _worst(
    results: Sequence[Mapping[str, Any]], right: Mapping[str, Mapping[str, str]], count: int
) -> list[dict[str, Any]]:
    """The mistakes that have the highest probabilities."""
    found = []
    for kind, truth in right.items():
        wrong = []
        for each in results:
            id, own = each["audio"], each["labels"][kind]
            if id in truth and own["label"] != truth[id]:
                mistake = {"kind": kind, "id": id, "label": truth[id], "found": own["label"]}
                wrong.append(mistake | {"probability": own["probability"]})
        found += sorted(wrong, key=lambda each: (-each["probability"], each["id"]))[:count]
    return found


def _rates(kind: str, own: Mapping[str, Any]) -> Section:
    table: list[list[object]] = [["", "utterances", "macro-F1 (95 %)", "accuracy (95 %)", "calibration error"]]
    languages = own["per_language"] if len(own["per_language"]) > 1 else {}
    for name, rates in {"all": own, **languages}.items():
        cells = [_rate(rates, "macro_f1"), _rate(rates, "accuracy")]
        table.append([name, rates["utterances"], *cells, f"{rates['ece']:.3f}"])
    figures = []
    if languages:
        points = {name: (rates["macro_f1"], rates["intervals"]["macro_f1"]) for name, rates in languages.items()}
        figures.append(intervals(points, xlabel="macro-F1"))
    return Section(
        f"{kind}: how often it is right", table=table, figures=figures, note="With 95 % bootstrap intervals."
    )


def _confusions(kind: str, own: Mapping[str, Any]) -> Section:
    labels, counts = own["confusion"]["labels"], own["confusion"]["counts"]
    shares = [[count / sum(row) if sum(row) and count else None for count in row] for row in counts]
    named = [f"{label} ({sum(row)})" for label, row in zip(labels, counts, strict=True)]
    figure = value_map(
        named, labels, shares, title="confusions", meaning="rows: the label; columns: what it is taken for"
    )
    table: list[list[object]] = [["class", "utterances", "precision", "recall", "F1"]]
    for label, row in own["per_class"].items():
        table.append([label, row["support"], *(f"{row[name]:.3f}" for name in ("precision", "recall", "f1"))])
    return Section(f"{kind}: classes", table=table, figures=[figure], note="Shares of each row.")


def _rate(rates: Mapping[str, Any], name: str) -> str:
    bounds = rates["intervals"][name]
    return f"{rates[name]:.3f}" + ("" if bounds is None else f" ({bounds[0]:.3f} to {bounds[1]:.3f})")
