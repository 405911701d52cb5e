"""`speechxl prepare shards`: a manifest's corpus to Parquet shards."""

import logging
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import Fault
from speechxl.data.shards import INDEX, SHARD_SECONDS, write_shards
from speechxl.data.sources import read_corpora
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.verbs.outcome import NOTHING, PARTIAL, Outcome

log = logging.getLogger(__name__)


def prepare_shards(
    source: Path,
    out: Path,
    *,
    language: str | None,
    split: str | None,
    corpus: str | None,
    shard_seconds: float | None,
    threads: int,
    overwrite: bool,
) -> Outcome:
    """Writes the shards and ``shards.dropped.tsv``; the settings are those of `prepare`.

    Raises:
        InputError: If the manifest or a setting is wrong, or the corpus is there already.
    """
    if shard_seconds is not None and shard_seconds <= 0:
        raise InputError(f"--shard_seconds must be a positive number of seconds, got {shard_seconds:g}.")
    if threads < 1:
        raise InputError(f"--threads must be at least 1, got {threads}.")
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is a file, a folder for the shards was expected.")
    rows = [
        replace(row, language=row.language or language or "", split=row.split or split or "")
        for row in read_corpora([source])
    ]
    written = write_shards(
        rows,
        out,
        corpus=corpus or _name(source),
        shard_seconds=shard_seconds or SHARD_SECONDS,
        threads=threads,
        overwrite=overwrite,
    )
    _report(written.faults, out / "shards.dropped.tsv")
    utterances, hours = sum(shard.utterances for shard in written.shards), sum(shard.hours for shard in written.shards)
    document = {
        "schema": 1,
        "shards": str(out / INDEX),
        "files": len(written.shards),
        "utterances": utterances,
        "hours": hours,
        "dropped": len(written.faults),
    }
    text = (
        f"{out}: {len(written.shards)} shards, {utterances} utterances, {hours:.2f} h; {len(written.faults)} left out"
    )
    if not written.shards:
        return Outcome(document, "", NOTHING)
    return Outcome(document, text, PARTIAL if written.faults else 0)


def _name(source: Path) -> str:
    """A corpus is called as the folder that holds it."""
    folder = source.absolute() if source.is_dir() else source.absolute().parent
    return re.sub(r"[^\w.+-]+", "_", folder.name).lstrip(".+-") or "corpus"


def _report(faults: Sequence[Fault], report: Path) -> None:
    for fault in faults[:10]:
        log.warning("left out: %s", fault)
    if faults:
        write_text(report, "place\treason\n" + "".join(f"{fault.place}\t{fault.message}\n" for fault in faults))
        log.warning("%d left out in all, see %s", len(faults), report)
    else:
        report.unlink(missing_ok=True)
