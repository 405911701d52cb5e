"""`speechxl validate`: everything in a corpus that training would trip over."""

from pathlib import Path

from speechxl.verbs.outcome import INVALID, Outcome


def validate(
    manifest: list[Path],
    *,
    split: str | None = None,
    decode: bool = False,
    strict: bool = False,
    model: str | None = None,
    model_language: str | None = None,
    inventory: str | None = None,
    column: str | None = None,
    phoible: Path | None = None,
    out: Path | None = None,
    fix: Path | None = None,
    threads: int | None = None,
    cache: bool = True,
) -> Outcome:
    """Check manifests: audio, texts, languages, speakers and splits. Exit code 3 if there are errors.

    Args:
        manifest: Manifests, or folders of recordings with their texts; several are checked as one corpus.
        split: Rows to check; by default all.
        decode: Decode all audio, which finds silence, copies, clipping and the like; else only headers are read.
        strict: Treat warnings as errors.
        model: Model folder, or name on the hub, for which texts, lengths and languages are to be right.
        model_language: Language whose vocabulary that is, where --model has one for each and is told which.
        inventory: Phones that the column of phones may hold: "phoible" for those of each row's language, or what map's
            --inventory takes.
        column: Manifest column that is checked against them; by default that of --model, "phonemes" for --inventory.
        phoible: Folder of PHOIBLE, in the place of the installed one.
        out: Folder for a file for each class of fault.
        fix: Manifest to write, without the rows that have errors, and a list of those beside it.
        threads: That read recordings; by default as many as there are processors.
        cache: Keep what is measured of recordings, and read only those again that have changed.
    """
    import logging
    import os
    from collections import defaultdict

    from speechxl.data.checks.cache import cache_file
    from speechxl.data.checks.classes import ERRORS, WARNINGS, Finding
    from speechxl.data.checks.corpus import check
    from speechxl.data.checks.texts import target
    from speechxl.errors import InputError
    from speechxl.files import write_text
    from speechxl.models.frames import FrameGeometry, frames_needed
    from speechxl.verbs.validate_result import read_rows, summary, write_fixed
    from speechxl.verbs.validate_symbols import allowed

    utterances, faults = read_rows(manifest, split)
    symbols, languages = allowed(model, model_language, inventory, column, phoible)
    if symbols and utterances and not any(target(row, symbols.column) for row in utterances):
        raise InputError(
            f"{', '.join(map(str, manifest))}: column {symbols.column!r}, which is checked against {symbols.source}, is empty in "
            "all rows; name another with --column."
        )
    hours = sum(row.seconds for row in utterances) / 3600
    logging.getLogger(__name__).info(
        "%d utterances, %.2f h, %s", len(utterances), hours, "decoding all audio" if decode else "reading headers only"
    )
    found: dict[str, list[Finding]] = defaultdict(list)
    for item in faults:
        found[item.kind].append(item)
    for item in check(
        utterances, decode=decode, frames=FrameGeometry().num_frames, frames_needed=frames_needed, symbols=symbols,
        languages=languages, threads=threads or os.cpu_count() or 1, cache=cache_file() if cache else None,
    ):  # fmt: skip
        found[item.kind].append(item)
    found = {kind: found[kind] for kind in (*ERRORS, *WARNINGS) if kind in found}
    for kind, items in found.items():
        if out is not None:
            table = "".join(f"{item.place}\t{item.id}\t{item.message}\n" for item in items)
            write_text(out / f"{kind}.tsv", "place\tid\tmessage\n" + table)
    dropped = write_fixed(fix, utterances, found) if fix is not None else None
    counts = {kind: len(items) for kind, items in found.items()}
    errors = {kind: count for kind, count in counts.items() if kind in ERRORS}
    failed = bool(errors) or (strict and bool(counts))
    document = {
        "schema": 1,
        "utterances": len(utterances),
        "hours": hours,
        "decoded": decode,
        "errors": errors,
        "warnings": {kind: count for kind, count in counts.items() if kind in WARNINGS},
        "findings": [vars(item) for items in found.values() for item in items],
    }
    if dropped is not None:
        document["fixed"] = {"manifest": str(fix), "utterances": len(utterances) - dropped.rows, **vars(dropped)}
    text = summary(document, found, out, dropped, failed=failed)
    return Outcome(document, text, INVALID if failed else 0)
