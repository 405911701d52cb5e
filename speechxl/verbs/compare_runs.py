"""The trainings of a comparison, each with a file of its own that appears when it is done. No torch."""

import json
import logging
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from speechxl.classification.labels import Labelled, check_known, class_names
from speechxl.classification.protocol import Fold, chosen
from speechxl.classification.regimes import Job, shown
from speechxl.errors import InputError
from speechxl.evaluation.predictions import Predictions
from speechxl.files import write_text
from speechxl.verbs.compare_rows import Material
from speechxl.verbs.systems import Answers, Noise, System, Task, decisive, settings_of

log = logging.getLogger(__name__)
_DIGITS = 6
"""Of probabilities in files."""


@dataclass(frozen=True, eq=False)
class Run:
    """A training of a system that is done."""

    system: str
    job: Job
    labels: list[str]
    answers: Answers


def check_jobs(material: Material, jobs: Sequence[Job]) -> None:
    """Looks whether every training can be done, before the first is.

    Raises:
        InputError: If a class lacks examples, or a test label was never seen in training.
    """
    classes: dict[Job, list[str]] = {}
    for job in jobs:
        part = chosen(material.folds[job.fold], job)
        try:
            names = class_names(part.train)
            check_known(part.test, names)
            if part.dev is not None:
                check_known(part.dev, names, "dev")
        except InputError as error:
            hint = "" if len(job.train) > 1 else " Languages with other classes are compared with --classes shared."
            raise InputError(
                f"{', '.join(map(shown, job.train))} to {', '.join(map(shown, job.test))}: {error}{hint}"
            ) from None
        if classes.setdefault(replace(job, fold=0), names) != names:
            raise InputError(
                f"{', '.join(map(shown, job.train))}: training rows of fold {job.fold + 1} have the classes {', '.join(names)}, "
                f"those of another {', '.join(classes[replace(job, fold=0)])}; ask for fewer folds."
            )


def runs_of(
    material: Material,
    systems: Mapping[str, System],
    jobs: Sequence[Job],
    out: Path,
    *,
    noise: Noise | None,
    keep_models: bool,
) -> Iterator[Run]:
    """Trains what is not trained yet.

    Args:
        material: Utterances.
        systems: By name.
        jobs: Trainings.
        out: Folder; results are below ``runs``, what is under way below ``work``.
        noise: Curve of cascades with references; None for none.
        keep_models: Whether trained models stay in ``work``.
    """
    todo = [(name, system, job) for name, system in systems.items() for job in jobs if needed(system, job, jobs)]
    told: set[str] = set()
    for number, (name, system, job) in enumerate(todo, 1):
        curve = noise if system.takes_noise() and job.shots is None and job.seed == jobs[0].seed else None
        task = _task(material.folds[job.fold], job, curve)
        key = _key(name, system, task)
        digest = sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[:12]
        stem = f"{_slug(name)}/{_slug(job.name)}"
        path, folder = out / "runs" / f"{stem}-{digest}.json", out / "work" / f"{stem}-{digest}"
        if not path.exists():
            _tell_changes(path, key, name, told)
            log.info("%d of %d: %s, %s", number, len(todo), name, job.name)
            _run(path, key, name, system, replace(task, folder=folder, keep=keep_models))
        if not keep_models:
            shutil.rmtree(folder, ignore_errors=True)
        yield _read(path, name, job)


def needed(system: System, job: Job, jobs: Sequence[Job]) -> bool:
    """Whether a seed can change anything; where it cannot, the first is enough."""
    return system.drawn() or job.shots is not None or job.seed == jobs[0].seed


def _task(fold: Fold, job: Job, noise: Noise | None) -> Task:
    part = chosen(fold, job)
    held = fold.dev.rows if fold.dev is not None else []
    return Task(part.train, part.dev, part.test, class_names(part.train), job.seed, noise, held)


def _key(name: str, system: System, task: Task) -> dict[str, Any]:
    """All that decides on a result."""
    data = {part: _data(getattr(task, part)) for part in ("train", "dev", "test")}
    if system.chooses():
        data["choosing"] = _data(Labelled(task.choosing, [""] * len(task.choosing), task.train.kind))
    return {
        "system": name,
        "settings": decisive(settings_of(system)),
        "data": data,
        "seed": task.seed if system.drawn() else None,
        "noise": asdict(task.noise) if task.noise is not None else None,
    }


def _data(part: Labelled | None) -> str:
    """Hash of utterances, their labels and texts; of recordings the size."""
    digest = sha256()
    for row, value in zip(part.rows, part.values, strict=True) if part is not None else ():
        size = row.path.stat().st_size
        cells = [
            row.id,
            size,
            row.start,
            row.duration,
            row.language,
            value,
            row.text,
            row.phonemes,
            sorted(row.extra.items()),
        ]
        digest.update(json.dumps(cells).encode())
    return digest.hexdigest()


def _run(path: Path, key: Mapping[str, Any], name: str, system: System, task: Task) -> None:
    began = time.monotonic()
    try:
        answers = system.answer(task)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None
    ids = [row.id for row in task.test.rows]
    if answers.predictions.ids != ids or answers.predictions.labels != task.labels:
        raise InputError(f"{name}: answers are not those of the {len(ids)} test rows and {len(task.labels)} classes.")
    document = {
        "schema": 1,
        "key": key,
        "labels": task.labels,
        "train": [row.id for row in task.train.rows],
        "dev": [row.id for row in task.dev.rows] if task.dev is not None else [],
        "test": ids,
        "probabilities": np.round(answers.predictions.probabilities, _DIGITS).tolist(),
        "heard": answers.heard,
        "spoken": answers.spoken,
        "noise": answers.noise,
        "seconds": round(time.monotonic() - began, 2),
    }
    write_text(path, json.dumps(document, ensure_ascii=False) + "\n")


def _read(path: Path, name: str, job: Job) -> Run:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        found = Predictions(document["test"], document["labels"], np.array(document["probabilities"], dtype=float))
        answers = Answers(found, document["heard"], document["spoken"], document["noise"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: is damaged ({error}); delete it, and it is made anew.") from None
    return Run(name, job, found.labels, answers)


def _tell_changes(path: Path, key: Mapping[str, Any], name: str, told: set[str]) -> None:
    """Says once for each system what is different from results that stand there."""
    before = sorted(path.parent.glob(f"{path.stem[:-13]}-{'?' * 12}.json"), key=lambda other: other.stat().st_mtime)
    if not before or name in told:
        return
    told.add(name)
    try:
        old = json.loads(before[-1].read_text(encoding="utf-8"))["key"]
    except (ValueError, KeyError):
        return
    changed = _differences(old, json.loads(json.dumps(key, default=str)))
    log.warning(
        "%s: settings are others than those of earlier results in %s (%s); it is done again, and the earlier results stay",
        name, path.parent, ", ".join(changed),
    )  # fmt: skip


def _differences(old: Any, new: Any, place: str = "") -> list[str]:
    """Names of settings that differ, with both values where these are short."""
    if isinstance(old, dict) and isinstance(new, dict):
        names = [*new, *(name for name in old if name not in new)]
        parts = [(name, f"{place}.{name}" if place and name != "init_args" else place or name) for name in names]
        return [text for name, own in parts for text in _differences(old.get(name), new.get(name), own)]
    if old == new:
        return []
    what = place.removeprefix("settings.")
    return [f"{what}: {old} before, {new} now" if len(f"{old}{new}") < 60 else what]


def _slug(name: str) -> str:
    return re.sub(r"[^\w+-]+", "-", name).strip("-") or "-"
