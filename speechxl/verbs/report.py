"""`speechxl report`: one page on a run."""

from pathlib import Path
from typing import Any, Literal

from speechxl.verbs.outcome import Outcome


def report(
    run: Path,
    *,
    out: Path | None = None,
    transcripts: Path | None = None,
    manifest: list[Path] | None = None,
    model_language: str | None = None,
    audio_mb: float = 5.0,
    worst: int = 20,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Outcome:
    """Write one HTML page on a run: learning curves, errors by language, speaker and duration, confusions, worst utterances.

    Of a pretraining run: curves, losses of each language and the use of the codebooks; of a classifier: which classes are
    taken for which. The page needs nothing but itself. It holds voices and texts of speakers.

    Args:
        run: Folder of a model or a run.
        out: The page; by default report.html in the folder.
        transcripts: What evaluate --transcripts wrote; by default dev.tsv of the folder is recognised now.
        manifest: Manifests with the ids of --transcripts, for languages, speakers and audio; by default dev.tsv of the folder.
        model_language: Language whose vocabulary and adapter are used, where the model has one for each.
        audio_mb: Megabytes of audio in the page at most, 0 for none.
        worst: Utterances that are shown, those with the highest error rates.
        device: Where to compute.
    """
    from speechxl.errors import InputError
    from speechxl.evaluation.page import is_page, write_page
    from speechxl.verbs import report_classes, report_errors
    from speechxl.verbs.players import Players
    from speechxl.verbs.report_curves import curve_sections, last_values, settings_section
    from speechxl.verbs.reported import dev_rows, kind_of_run, transcripts_of

    if audio_mb < 0:
        raise InputError(f"--audio_mb must be at least 0, got {audio_mb:g}.")
    if worst < 0:
        raise InputError(f"--worst must be at least 0, got {worst}.")
    out = out or run / "report.html"
    kind = kind_of_run(run)
    if out.is_dir() or (out.exists() and not is_page(out)):
        raise InputError(f"--out {out}: something stands there that speechxl has not written; name another file.")
    if transcripts is not None and kind != "recognition":
        raise InputError(f"--transcripts {transcripts}: are of a recogniser, and {run} holds a run of {kind}.")
    last, settings = last_values(run), [*settings_section(run)]
    players = Players(audio_mb)
    found: dict[str, Any] = {}
    sections = []
    notes: list[str] = []
    if kind == "recognition":
        judged, notes = transcripts_of(run, transcripts, manifest, model_language=model_language, device=device)
        if judged is not None:
            found = report_errors.errors_document(judged, worst)
            sections = report_errors.error_sections(judged, found, players)
    elif kind == "classification":
        found, notes = report_classes.classes_document(run, manifest, worst, device=device)
        sections = report_classes.class_sections(found, players, dev_rows(run, manifest)[0]) if found else []
    document = {
        "schema": 1,
        "run": str(run),
        "kind": kind,
        "page": str(out),
        "transcripts": None if transcripts is None else str(transcripts),
        "last": last,
        **found,
        "notes": notes,
    }
    write_page(
        out, f"{run.resolve().name}: {kind}", " ".join(notes), [*sections, *curve_sections(run), *settings]
    )  # fmt: skip
    return Outcome(document, "\n".join([*report_errors.lines(found), *notes, str(out)]))
