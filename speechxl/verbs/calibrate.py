"""`speechxl calibrate`: how a model's phones are best mapped to those of languages that it has not heard."""

from pathlib import Path
from typing import Literal

from speechxl.verbs.outcome import PARTIAL, Outcome


def calibrate(
    model: str,
    manifest: list[Path],
    *,
    split: str | None = None,
    column: str | None = None,
    distance: Literal["phoible", "hamming", "panphon"] | None = None,
    weights: Literal["fitted", "uniform"] = "fitted",
    phoible: Path | None = None,
    batch_seconds: float | None = None,
    precision: Literal["auto", "32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
    dry_run: bool = False,
) -> Outcome:
    """Find the best tau of "soft", and penalty and weight of "compose" and "blend", by leaving out training languages in turn.

    What only one language taught the model is taken from it, and that language is recognised as one that it has not heard; the
    setting with the lowest mean error over languages is written into the model's folder, where `transcribe`, `evaluate` and
    `map` find it. The languages to be recognised in the end must not have a part in this, and are refused. For "compose" and
    "blend", a head is fitted without the language, to the training rows of MANIFEST, or to the rows used where there are none;
    the encoder has heard it all the same, so that a lower penalty than the usual one is shown, but never chosen.

    Args:
        model: Folder of a model that writes phones of two or more languages.
        manifest: Manifests, or folders of recordings with their phones, in languages of the training.
        split: Rows to use; by default "dev", or all rows where there are none; dev.tsv of a run has its own.
        column: Manifest column of the phones; by default the one the model was trained on.
        distance: Between phones, as in map; what is found holds for this one.
        weights: Of "phoible".
        phoible: Folder with PHOIBLE, in the place of the installed one.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
        dry_run: Show the errors, and write nothing.
    """
    from dataclasses import asdict
    from functools import partial

    from speechxl.config import Phones
    from speechxl.verbs import calibration, calibration_curve
    from speechxl.verbs.calibrated import features_of_heads
    from speechxl.verbs.corpora import Corpora
    from speechxl.verbs.mapping import metric_of

    note, usual = calibration.read_note_of(model, write=not dry_run)
    column, corpora = column or usual or "phonemes", Corpora.read(manifest)
    rows, languages = calibration.choose(corpora, split, column, note)
    metric, _ = metric_of(Phones(distance=distance, weights=weights, phoible=phoible))
    table = features_of_heads(Phones(strategy="compose", phoible=phoible), note) if note.heads else None
    hear = partial(
        calibration.listen, model, column=column, batch_seconds=batch_seconds, precision=precision, device=device
    )
    utterances, faults = hear(rows)
    training = calibration.fitting_rows(corpora, column, note) if table is not None else []
    fitted, more = hear(training) if training else (utterances, [])
    faults += more
    models = calibration.leave_out(model, utterances, note, metric, table, fitted)
    curve, best = calibration_curve.search(utterances, models, heads=table is not None)
    found = calibration.calibration_of(best, metric.name, utterances, heads=table is not None)
    document = {
        "schema": 1,
        "model": model,
        "manifest": [str(path) for path in manifest],
        "distance": metric.name,
        "languages": {
            name: {
                "utterances": len(own),
                "phones": len(models[name].inventory),
                "left_out": sorted(models[name].removed),
            }
            for name, own in utterances.items()
        },
        "curve": [point.document for point in curve],
        "best": {name: value for name, value in asdict(found).items() if name in ("tau", "penalty", "weight")},
        "written": not dry_run,
        "failures": faults,
    }
    if not dry_run:
        calibration.write(Path(model), found)
    return Outcome(document, calibration_curve.table(curve, best, languages), PARTIAL if faults else 0)
