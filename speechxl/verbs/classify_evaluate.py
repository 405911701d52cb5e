"""`speechxl classify evaluate`: how often a classifier is right."""

from pathlib import Path
from typing import Any, Literal

from speechxl.verbs.outcome import PARTIAL, Outcome


def classify_evaluate(
    model: str,
    manifest: list[Path],
    *,
    split: str | None = None,
    language: list[str] | None = None,
    label: str | None = None,
    predictions: Path | None = None,
    batch_seconds: float | None = None,
    window_seconds: float = 30.0,
    precision: Literal["auto", "32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Outcome:
    """Measure macro-F1, accuracy and calibration of a classifier, per language and class, with 95 % bootstrap intervals.

    Args:
        model: Folder of a classifier or of a cascade, or name on the hub.
        manifest: Manifests, or folders with manifest.tsv.
        split: Rows to use; by default all.
        language: Languages to use; by default all.
        label: Manifest column of the labels, for a model with one kind of label; by default "label", and for kinds that are
            columns themselves, such as language, those.
        predictions: File for labels and probabilities (.json, .jsonl, .tsv).
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of one length, whose scores are averaged.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
    """
    from speechxl.data.languages import languages_meant
    from speechxl.errors import InputError, NothingMatched
    from speechxl.verbs.class_rates import measure, rates_table, truths
    from speechxl.verbs.corpora import Corpora
    from speechxl.verbs.predicting import open_classifier
    from speechxl.verbs.prediction_files import check_name, document, failure, write
    from speechxl.verbs.progress import watched

    if predictions is not None:
        check_name(predictions)
    rows = Corpora.read(manifest).choose(split or "all", "all")
    asked = languages_meant(language)
    rows = [row for row in rows if not asked or row.language in asked]
    names = ", ".join(map(str, manifest))
    if not rows:
        raise NothingMatched(f"{names}: no row in {', '.join(asked)}.")
    judge, classes = open_classifier(
        model, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds
    )
    if label is not None and len(classes) > 1:
        raise InputError(
            f"--label {label}: the model has several kinds of labels, {', '.join(classes)}, each in its own column."
        )
    known = truths(rows, classes, label)
    named = [row for row in rows if any(row.id in own for own in known.values())]
    if not named:
        raise InputError(
            f"{names}: no row has a label of the kind {' or '.join(classes)}; name their column with --label, or take another "
            "manifest."
        )
    items = list(watched(judge(named), named))
    failures = [failure(item) for item in items if item.probabilities is None]
    good = [item for item in items if item.probabilities is not None]
    found: dict[str, Any] = {
        "schema": 1,
        "model": model,
        "manifest": [str(path) for path in manifest],
        "utterances": len(good),
        "hours": sum(item.seconds for item in good) / 3600,
        "kinds": {kind: measure(good, kind, values, known[kind]) for kind, values in classes.items()},
        "left_out": len(rows) - len(named),
        "failures": failures,
    }
    if predictions is not None:
        write(predictions, [document(item, classes) for item in good], failures, classes)
    return Outcome(found, rates_table(found), PARTIAL if failures else 0)
