"""Labels of recordings as documents, lines and files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.verbs.predicting import Predicted

SUFFIXES = (".json", ".jsonl", ".tsv")


def check_name(path: Path) -> None:
    """Checks that a file's name says how it is written.

    Raises:
        InputError: If not.
    """
    if path.suffix not in SUFFIXES:
        raise InputError(f"--out {path}: the name of the file ends in {', '.join(SUFFIXES)}.")


def document(item: Predicted, classes: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """What was found in a recording.

    Args:
        item: With probabilities.
        classes: Values of each kind of label.
    """
    labels = {}
    for kind, values in classes.items():
        own = (item.probabilities or {})[kind]
        best = int(own.argmax())
        labels[kind] = {
            "label": values[best],
            "probability": round(float(own[best]), 6),
            "probabilities": {value: round(float(p), 6) for value, p in zip(values, own, strict=True)},
        }
    row = item.utterance
    return {
        "audio": row.id, "start": row.start, "duration": round(item.seconds, 3), "language": row.language or None,
        "labels": labels,
    }  # fmt: skip


def failure(item: Predicted) -> dict[str, str]:
    """What is wrong with a recording."""
    return {"audio": item.utterance.id, "reason": item.reason}


def lines(results: Sequence[Mapping[str, Any]]) -> str:
    """For people: recording, label and probability of each kind, separated by tabs."""
    rows = []
    for result in results:
        found = [f"{kind}:{own['label']}\t{own['probability']:.3f}" for kind, own in result["labels"].items()]
        rows.append("\t".join([result["audio"], *found]))
    return "\n".join(rows)


def write(
    path: Path,
    results: Sequence[Mapping[str, Any]],
    failures: Sequence[Mapping[str, str]],
    classes: Mapping[str, Sequence[str]],
) -> None:
    """Writes results in the form that the file's name asks for; those that failed are in the first two forms only.

    Args:
        path: The file.
        results: As `document` gives them.
        failures: As `failure` gives them.
        classes: Values of each kind of label.
    """
    if path.suffix == ".json":
        write_text(path, _json({"schema": 1, "results": results, "failures": failures}) + "\n")
    elif path.suffix == ".jsonl":
        write_text(path, "".join(f"{_json(row)}\n" for row in [*results, *failures]))
    else:
        header = ["audio", "start", "duration"]
        for kind, values in classes.items():
            header += [kind, f"{kind}:probability", *(f"{kind}:{value}" for value in values)]
        rows = [header, *(_cells(result) for result in results)]
        write_text(path, "".join("\t".join(row) + "\n" for row in rows))


def _cells(result: Mapping[str, Any]) -> list[str]:
    cells = [result["audio"], f"{result['start']:g}", f"{result['duration']:g}"]
    for own in result["labels"].values():
        cells += [own["label"], *(f"{p:.6f}" for p in (own["probability"], *own["probabilities"].values()))]
    return cells


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
