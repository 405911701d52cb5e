"""What the training verbs share: choosing rows, the output folder, resolved settings."""

import logging
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass, replace
from os.path import normpath
from pathlib import Path
from typing import Any

import yaml

from speechxl.config import Optim, Watch
from speechxl.data.audio import AudioError, probe
from speechxl.data.datamodule import draw_key
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.shapes import Utterance
from speechxl.tasks.checkpoints import CHECKPOINT, other_shape
from speechxl.tasks.processes import rank
from speechxl.tasks.schedule import Schedule

log = logging.getLogger(__name__)
SETTINGS = "config.yaml"
_HELD_OUT = 0.1


def usable(utterances: Iterable[Utterance]) -> tuple[list[Utterance], list[Fault]]:
    """Utterances whose audio is there, with their durations, and what is wrong with the others; headers are read."""
    kept: list[Utterance] = []
    faults: list[Fault] = []
    for utterance in utterances:
        try:
            total = probe(utterance.path).duration
        except AudioError as error:
            faults.append(Fault(str(utterance), str(error)))
            continue
        seconds = total - utterance.start if utterance.duration is None else utterance.duration
        if seconds <= 0 or utterance.start + seconds > total + 0.1:
            faults.append(Fault(str(utterance), f"{utterance.path}: the stretch passes the end at {total:.2f} s."))
        else:
            kept.append(replace(utterance, duration=seconds))
    for fault in faults[:10]:
        log.warning("left out: %s", fault)
    if len(faults) > 10:
        log.warning("left out: %d more; speechxl validate lists them", len(faults) - 10)
    if faults and not kept:
        raise InputError(f"No recording can be used; the first: {faults[0]}")
    return kept, faults


def without(utterances: Iterable[Utterance], others: Iterable[Utterance]) -> list[Utterance]:
    """Utterances that are not stretches of audio that others are, too."""
    taken = {(normpath(other.path), other.start) for other in others}
    return [utterance for utterance in utterances if (normpath(utterance.path), utterance.start) not in taken]


def hold_out(utterances: Sequence[Utterance], seed: int) -> tuple[list[Utterance], list[Utterance]]:
    """Sets a tenth aside, chosen by name so that the choice stays when rows are added."""
    ranked = sorted(utterances, key=lambda utterance: draw_key(seed, 0, utterance.id))
    count = max(1, round(len(ranked) * _HELD_OUT))
    if count >= len(ranked):
        raise InputError(f"{len(ranked)} utterances are too few to hold some out; name others with --dev.")
    held = {utterance.id for utterance in ranked[:count]}
    return [u for u in utterances if u.id not in held], [u for u in utterances if u.id in held]


def within(utterances: Sequence[Utterance], shortest: float, longest: float | None) -> list[Utterance]:
    """Utterances of usable length, with a report of the others."""
    kept = [u for u in utterances if u.seconds >= shortest and (longest is None or u.seconds <= longest)]
    if len(kept) < len(utterances):
        limits = f"shorter than {shortest:g} s" + (f" or longer than {longest:g} s" if longest is not None else "")
        log.warning("%d of %d utterances left out: %s", len(utterances) - len(kept), len(utterances), limits)
    if not kept:
        raise InputError("No training utterance is left; see --data.min_seconds and --data.max_seconds.")
    return kept


def seconds(utterances: Iterable[Utterance]) -> float:
    """Audio of utterances."""
    return sum(utterance.seconds for utterance in utterances)


def hours_by_language(utterances: Iterable[Utterance]) -> dict[str, float]:
    """Hours of each language, most first."""
    hours: dict[str, float] = {}
    for utterance in utterances:
        hours[utterance.language] = hours.get(utterance.language, 0.0) + utterance.seconds / 3600
    return dict(sorted(hours.items(), key=lambda item: -item[1]))


def accumulation(optim: Optim, seconds_per_batch: float, world: int) -> int:
    """Batches of each process per optimizer step.

    Args:
        optim: With ``accumulate`` or ``target_batch_hours``, or neither.
        seconds_per_batch: Audio of a batch on average.
        world: Processes.
    """
    if optim.accumulate is not None or optim.target_batch_hours is None:
        return optim.accumulate or 1
    return max(1, math.ceil(optim.target_batch_hours * 3600 / (seconds_per_batch * world) - 0.01))


def schedule(watch: Watch, max_steps: int, accumulate: int) -> Schedule:
    """Fixed shares of the run where nothing else was asked for."""
    log_every = min(watch.log_every, max_steps)
    share = max(log_every, round(max_steps / 20 / log_every) * log_every)
    return Schedule(max_steps, watch.eval_every or share, watch.save_every or min(share, 1000), log_every, accumulate)


def open_run(out: Path, settings: str, model: Any, *, resume: bool) -> None:
    """Makes the output folder and writes the settings, or goes on in it.

    Args:
        out: The folder.
        settings: All settings, YAML.
        model: That is to be trained; a run of another one is not continued.
        resume: Whether a run may stand there.

    Raises:
        InputError: If something stands there and it is not to be continued.
    """
    if rank() > 0:
        return  # the first of several processes does it
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out}: is a file, a folder was expected.")
    if out.exists() and any(out.iterdir()):
        if not resume:
            what = "a run" if (out / SETTINGS).exists() else "files"
            raise InputError(
                f"--out {out}: the folder holds {what} already; continue it with --resume, or name another."
            )
        if not (out / SETTINGS).exists():
            raise InputError(f"--out {out}: there is no run to continue in this folder ({SETTINGS} is missing).")
        before, now = yaml.safe_load((out / SETTINGS).read_text(encoding="utf-8")), yaml.safe_load(settings)
        changed = _changed(before, now)
        if (out / CHECKPOINT).exists() and (other := other_shape(out / CHECKPOINT, model)):
            raise InputError(
                f"--out {out}: the run in this folder is of another model ({other}; other settings: "
                f"{', '.join(changed) or 'none'}); give the settings of {out / SETTINGS}, or begin in another folder."
            )
        if "freeze_extractor" in changed and (out / CHECKPOINT).exists():
            raise InputError(
                f"--freeze_extractor: the run in {out} began with {before['freeze_extractor']}, and its optimizer holds other "
                "weights; continue as it began, or adapt its model folder in another --out."
            )
        if changed and (out / CHECKPOINT).exists():
            log.warning("continuing with other settings than before: %s", ", ".join(changed))
        for rest in out.glob(".*.part"):  # of a write that was killed
            rest.unlink()
    elif resume:
        log.info("%s: there is nothing to continue, the run begins here", out)
    write_text(out / SETTINGS, settings)


def _changed(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names of the settings that differ, such as ``optim.lr``; how long a run is and how it is watched may."""
    names = []
    for key, value in now.items():
        old = before.get(key)
        if key in ("max_steps", "watch") or old == value:
            continue
        if isinstance(value, dict) and isinstance(old, dict):
            names += [f"{key}.{name}" for name in value if old.get(name) != value[name]]
        else:
            names.append(key)
    return names


def settings_yaml(**values: Any) -> str:
    """Settings of a verb as ``--config`` reads them."""
    return yaml.safe_dump({key: _plain(value) for key, value in values.items()}, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: _plain(field) for key, field in asdict(value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value
