"""`speechxl classify predict`: the labels of recordings."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import PARTIAL, Outcome


def classify_predict(
    model: str,
    audio: list[str],
    *,
    out: Path | None = None,
    split: str | None = None,
    batch_seconds: float | None = None,
    window_seconds: float = 30.0,
    precision: Literal["auto", "32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Outcome:
    """Say which label recordings have, with the probability of each.

    Args:
        model: Folder of a classifier or of a cascade, or name on the hub such as facebook/mms-lid-126.
        audio: Recordings, folders, patterns or manifests, in any mixture.
        out: File for the results: .json, .jsonl or .tsv; by default the labels are printed.
        split: Rows of manifests to use; by default all.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: Longer recordings are cut into windows of one length, whose scores are averaged.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
    """
    from speechxl.data.sources import find_audio
    from speechxl.verbs.predicting import open_classifier
    from speechxl.verbs.prediction_files import check_name, document, failure, lines, write
    from speechxl.verbs.progress import watched

    if out is not None:
        check_name(out)
    utterances = find_audio(audio, split)
    judge, classes = open_classifier(
        model, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds
    )
    items = list(watched(judge(utterances), utterances))
    results = [document(item, classes) for item in items if item.probabilities is not None]
    failures = [failure(item) for item in items if item.probabilities is None]
    if out is not None:
        write(out, results, failures, classes)
    return Outcome(
        {"schema": 1, "model": model, "labels": classes, "results": results, "failures": failures},
        lines(results) if out is None else str(out),
        PARTIAL if failures else 0,
    )
