"""What a run has left, for its report."""

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from speechxl.data.manifest import read_manifest
from speechxl.data.sources import read_corpora
from speechxl.errors import InputError
from speechxl.models.classifiers import LABELS
from speechxl.models.folders import read_json
from speechxl.models.vocabularies import read_vocabularies
from speechxl.shapes import Utterance
from speechxl.verbs.evaluate import evaluate
from speechxl.verbs.judged import Judged, judge, read_transcripts
from speechxl.verbs.material import Task
from speechxl.verbs.phone_report import phone_metric
from speechxl.verbs.training import SETTINGS

log = logging.getLogger(__name__)
DEV = "dev.tsv"
_ENDINGS: dict[str, Task] = {
    "ForCTC": "recognition",
    "ForPreTraining": "pretraining",
    "Classification": "classification",
}
"""Of the names of `transformers`' models."""


def kind_of_run(run: Path) -> Task:
    """What a folder is a run of.

    Raises:
        InputError: If it is none.
    """
    if not run.is_dir():
        raise InputError(f"{run}: there is no such folder; report is on what a run has left in its --out.")
    if (run / LABELS).exists():
        return "classification"
    if (run / "config.json").exists():
        for name in read_json(run / "config.json").get("architectures") or []:
            for ending, kind in _ENDINGS.items():
                if name.endswith(ending):
                    return kind
    settings = settings_of(run)
    for setting, kind in (("units", "recognition"), ("contrast", "pretraining"), ("label_smoothing", "classification")):
        if setting in settings:
            return kind
    raise InputError(f"{run}: neither a model nor a run of speechxl is there (no config.json, no {SETTINGS}).")


def settings_of(run: Path) -> dict[str, Any]:
    """Of ``config.yaml``; nothing where there is none."""
    path = run / SETTINGS
    if not path.exists():
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is not YAML ({str(error).splitlines()[0]}).") from None
    if not isinstance(found, dict):
        raise InputError(f"{path}: a mapping of settings was expected.")
    return found


def dev_rows(run: Path, manifest: Sequence[Path] | None) -> tuple[list[Utterance], str]:
    """Rows of manifests, by default of ``dev.tsv``, whose recordings are there; and why there are none, else empty."""
    if manifest:
        return read_corpora(manifest), ""
    if not (run / DEV).exists():
        return [], f"{DEV} is not in the folder: name transcripts with --transcripts, or recordings with --manifest."
    rows = [row for row in read_manifest(run / DEV) if row.path.exists()]
    lost = f"None of the recordings of {DEV} is where it was: name others with --manifest, or transcripts with --transcripts."
    return rows, "" if rows else lost


def transcripts_of(
    run: Path, transcripts: Path | None, manifest: list[Path] | None, *, model_language: str | None, device: str
) -> tuple[Judged | None, list[str]]:
    """Transcripts with their errors, given or made now; and what is to be said of them.

    Args:
        run: Folder of a recogniser.
        transcripts: What `evaluate` wrote; None to recognise the rows.
        manifest: Rows; None for ``dev.tsv``.
        model_language: As for `evaluate`.
        device: Likewise.

    Raises:
        InputError: If the transcripts cannot be read.
    """
    notes: list[str] = []
    symbols: list[str] = []
    if not (run / "config.json").exists():
        if transcripts is None:
            return None, ["The run has not kept a model yet; there are its curves only."]
        units = str(settings_of(run)["units"])
    else:
        vocabulary = read_vocabularies(str(run), model_language)
        units, symbols = vocabulary.units, list(vocabulary.symbols)
    if transcripts is not None:
        spoken = read_transcripts(transcripts)
        rows = read_corpora(manifest) if manifest else read_manifest(run / DEV) if (run / DEV).exists() else []
        known = {row.id for row in rows}
        if unknown := sum(id not in known for id, _, _ in spoken):
            notes.append(
                f"{unknown} of {len(spoken)} ids are in no manifest that is known: without languages, speakers and "
                "recordings; name their manifest with --manifest."
            )
    else:
        rows, why = dev_rows(run, manifest)
        if why:
            return None, [why]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "transcripts.tsv"
            outcome = evaluate(
                str(run),
                manifest or [run / DEV],
                model_language=model_language,
                transcripts=file,
                device=device,  # type: ignore[arg-type]
            )
            if failures := outcome.document["failures"]:
                notes.append(f"{len(failures)} recordings could not be used; the first: {failures[0]['reason']}")
            if not outcome.document["utterances"]:
                return None, notes
            spoken = read_transcripts(file)
        if not manifest:
            notes.append(
                f"The utterances are those of {DEV}, by which the model was chosen: on others, expect more errors."
            )
    metric = phone_metric()[0] if units == "phoneme" else None
    return judge(spoken, rows, units, symbols=symbols, metric=metric), notes
