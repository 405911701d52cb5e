"""`speechxl validate`: everything in a corpus that training would trip over."""

from pathlib import Path

from speechxl.verbs.outcome import INVALID, Outcome

DECODED_HOURS = 10
"""Corpora up to this size are decoded unless told otherwise."""


def validate(
    manifest: list[Path],
    *,
    split: str | None = None,
    decode: bool | None = None,
    strict: bool = False,
    out: Path | None = None,
    fix: Path | None = None,
) -> Outcome:
    """Check manifests: audio, texts, languages, speakers and splits. Exit code 3 if there are errors.

    Args:
        manifest: Manifests, or folders of recordings with their texts.
        split: Rows to check; by default all.
        decode: Whether to decode all audio; by default up to 10 hours of it, else only headers are read.
        strict: Treat warnings as errors.
        out: Folder for a file for each class of fault.
        fix: Manifest to write, without the rows that have errors.
    """
    import logging
    from collections import defaultdict

    from speechxl.data.checks import ERRORS, WARNINGS, Finding, check
    from speechxl.data.manifest import scan_manifest, write_manifest
    from speechxl.data.sources import read_corpora
    from speechxl.files import write_text
    from speechxl.models.frames import FrameGeometry
    from speechxl.objectives.ctc import frames_needed
    from speechxl.shapes import Utterance
    from speechxl.verbs.training import seconds

    utterances: list[Utterance] = []
    found: dict[str, list[Finding]] = defaultdict(list)
    for path in manifest:
        path = path / "manifest.tsv" if (path / "manifest.tsv").exists() else path
        rows, faults = (read_corpora([path]), []) if path.is_dir() else scan_manifest(path)
        utterances += [row for row in rows if split is None or row.split == split]
        found["manifest"] += [Finding("manifest", fault.place, "", fault.message) for fault in faults]
    hours = seconds(utterances) / 3600
    decode = hours <= DECODED_HOURS if decode is None else decode
    logging.getLogger(__name__).info(
        "%d utterances, %.2f h, %s", len(utterances), hours, "decoding all audio" if decode else "reading headers only"
    )
    for finding in check(utterances, decode=decode, frames=FrameGeometry().num_frames, frames_needed=frames_needed):
        found[finding.kind].append(finding)
    lines = [f"{len(utterances)} utterances, {hours:.2f} h"]
    for kind, meaning in (ERRORS | WARNINGS).items():
        if items := found[kind]:
            lines.append(f"{'error' if kind in ERRORS else 'warning':7s}  {kind}: {len(items)} ({meaning})")
            lines += [f"           {item.place}: {item.message}" for item in items[:3]]
            if out is not None:
                table = "".join(f"{item.place}\t{item.id}\t{item.message}\n" for item in items)
                write_text(out / f"{kind}.tsv", "place\tid\tmessage\n" + table)
    wrong = {item.place for items in found.values() for item in items if item.is_error}
    if fix is not None:
        kept = [utterance for utterance in utterances if str(utterance) not in wrong]
        write_manifest(fix, kept)
        lines.append(f"{fix}: {len(kept)} of {len(utterances)} utterances kept")
    counts = {kind: len(items) for kind, items in found.items() if items}
    failed = bool(wrong) or (strict and bool(counts))
    lines.append("there are errors" if failed else "no errors")
    document = {
        "schema": 1,
        "utterances": len(utterances),
        "hours": hours,
        "decoded": decode,
        "errors": {kind: count for kind, count in counts.items() if kind in ERRORS},
        "warnings": {kind: count for kind, count in counts.items() if kind in WARNINGS},
        "findings": [vars(item) for items in found.values() for item in items],
    }
    return Outcome(document, "\n".join(lines), INVALID if failed else 0)
