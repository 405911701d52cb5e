"""`speechxl export` of a manifest: a corpus in the forms of other tools."""

from dataclasses import replace
from importlib import import_module
from pathlib import Path

from speechxl.data.audio import AudioError
from speechxl.data.manifest import Fault
from speechxl.data.recordings import Recordings
from speechxl.data.sources import is_manifest, read_corpora
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.verbs.outcome import NOTHING, PARTIAL, Outcome
from speechxl.verbs.report_left_out import report_left_out


def export_manifest(
    kind: str, source: Path, out: Path, *, split: str | None, column: str | None, overwrite: bool
) -> Outcome:
    """Writes the files; the settings are those of `export`.

    Raises:
        InputError: If the manifest is wrong, or something stands there already.
    """
    single = kind == "nemo" and is_manifest(out)
    if not single and out.is_file():
        raise InputError(f"{out}: is a file, a folder was expected.")
    if not overwrite and (out.is_file() or (out.is_dir() and any(out.iterdir()))):
        raise InputError(f"{out}: stands there already; replace what is in it with --overwrite, or name another.")
    recordings = Recordings()
    rows: list[Utterance] = []
    faults: list[Fault] = []
    for row in read_corpora([source], split):
        try:
            rows.append(_within(row, recordings))
        except AudioError as error:
            faults.append(Fault(str(row), str(error)))
    options = {"column": column} if column else {}
    files, wrong = import_module(f"speechxl.data.exports.{kind}").write(rows, out, **options) if rows else ([], [])
    faults += wrong
    report_left_out(faults, (out.parent if single else out) / f"{out.stem if single else kind}.dropped.tsv")
    done = len(rows) - len(wrong)
    document = {
        "schema": 1,
        "kind": kind,
        "out": str(out),
        "files": [str(file) for file in files],
        "utterances": done,
        "hours": sum(row.seconds for row in rows) / 3600,
        "dropped": len(faults),
    }
    text = f"{out}: {done} utterances, {document['hours']:.2f} h in {len(files)} files; {len(faults)} left out"
    if not done:
        return Outcome(document, "", NOTHING)
    return Outcome(document, text, PARTIAL if faults else 0)


def _within(row: Utterance, recordings: Recordings) -> Utterance:
    """The same with its duration, which is looked up where the manifest does not say it.

    Raises:
        AudioError: If the stretch is not in the recording, or that cannot be read.
    """
    end = None if row.duration is None else row.start + row.duration
    start, duration = recordings.stretch(row.path, row.start, end)
    return replace(row, start=start, duration=duration)
