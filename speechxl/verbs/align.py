"""`speechxl align`: where in a recording the words or phones of its text are."""

import logging
from pathlib import Path
from typing import Any, Literal

from speechxl.verbs.outcome import PARTIAL, Outcome

log = logging.getLogger(__name__)


def align(
    model: str,
    audio: list[Path],
    *,
    out: Path | None = None,
    format: str = "tsv",
    column: str | None = None,
    split: str | None = None,
    model_language: str | None = None,
    unknown: Literal["error", "skip", "star"] = "error",
    star: bool = False,
    reference: Path | None = None,
    overwrite: bool = False,
    batch_seconds: float | None = None,
    window_seconds: float = 30.0,
    precision: Literal["auto", "32", "bf16"] = "auto",
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Outcome:
    """Find the times of words and characters, or of phones, in recordings whose text is known.

    Args:
        model: Model folder, checkpoint of fairseq (.pt, with its dict.ltr.txt beside it), or name on the hub.
        audio: Manifests, folders of recordings with their texts, or recordings with their texts beside them. The word *
            in a text stands for any speech that is not written down.
        out: Folder for the files; by default a table is printed.
        format: Files to write to --out, separated by commas: tsv is a table of all, json and TextGrid one for each recording.
        column: Manifest column of the texts; by default the one the model was trained on.
        split: Rows of manifests to use; by default all.
        model_language: Language whose vocabulary is used, where MODEL has one for each; by default that of each row. Where there
            is an adapter for each as well, as in facebook/mms-1b-all, it has to be named.
        unknown: What to do with symbols that the model does not know: give up the utterance, pass them over, or take
            them for any speech.
        star: Allow for any speech before and after each text.
        reference: Alignment with known times (path, start_s, end_s, phone) to measure the error of the boundaries by.
        overwrite: Replace files that stand in --out already.
        batch_seconds: Audio of a batch, padding included; by default 16 on a CPU, 120 on an accelerator.
        window_seconds: The model hears longer recordings in windows of this length; they are aligned as a whole.
        precision: By default "bf16" where the processor is faster in it.
        device: Where to compute.
    """
    from speechxl.data.sources import read_corpora
    from speechxl.decoding import aligned
    from speechxl.errors import InputError
    from speechxl.evaluation.boundaries import boundary_table
    from speechxl.verbs.aligning import align_all, compare, doubt, read_reference, read_scripts
    from speechxl.verbs.corpora import target
    from speechxl.verbs.recognise import load_recogniser

    formats = aligned.read_formats(format)
    rows = read_corpora(audio, split)
    recognisers, card = load_recogniser(
        model, rows, device=device, precision=precision, batch_seconds=batch_seconds, window_seconds=window_seconds,
        model_language=model_language,
    )  # fmt: skip
    units = recognisers.vocabulary.units
    column = column or card.column or ("text" if units == "char" else "phonemes")
    named = [row for row in rows if target(row, column)]
    if not named:
        raise InputError(
            f"{', '.join(map(str, audio))}: column {column!r} is empty in all rows; name another with --column, "
            "or put texts beside the recordings (a.txt for a.wav)."
        )
    if len(named) < len(rows):
        log.warning("%d of %d utterances left out: column %r is empty", len(rows) - len(named), len(rows), column)
    known = read_reference(reference, named) if reference else None
    files = aligned.targets(out, named, formats, overwrite=overwrite) if out else None
    scripts = read_scripts(named, column, recognisers.vocabulary, unknown, star=star)
    results, failures, done = [], [], []
    for number, (seconds, placement) in enumerate(align_all(recognisers, named, scripts)):
        row = named[number]
        script = scripts[number]
        if isinstance(placement, str) or isinstance(script, str):
            log.warning("%s", placement)
            failures.append({"audio": row.id, "reason": placement})
            continue
        results.append(aligned.document(row, seconds, target(row, column), placement, units, script.unknown))
        done.append(number)
        if files:
            aligned.write(files[number], results[-1], row.start, formats)
    for place in doubt(results):
        if files:
            aligned.write(files[done[place]], results[place], named[done[place]].start, formats)
    aligned_rows = [named[number] for number in done]
    if out and "tsv" in formats:
        aligned.write_tables(out, aligned_rows, results)
    document: dict[str, Any] = {
        "schema": 1,
        "results": results,
        "failures": failures,
        "left_out": len(rows) - len(named),
    }
    text = "\n".join(aligned.lines(results)) if out is None else str(out)
    if known is not None:
        document["boundaries"] = compare(aligned_rows, results, known)
        text = f"{text}\n{boundary_table(document['boundaries'])}" if out else boundary_table(document["boundaries"])
    return Outcome(document, text, PARTIAL if failures else 0)
