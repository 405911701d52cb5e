"""Settings of a comparison: checked, and written down. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from speechxl.errors import InputError
from speechxl.verbs.compare_cells import CHANCE, MAJORITY
from speechxl.verbs.systems import System, settings_of


def chosen_systems(systems: Mapping[str, System], only: Sequence[str] | None) -> dict[str, System]:
    """All systems, each of those that stand for several taken apart.

    Args:
        systems: By name.
        only: Names of those to keep; None for all.

    Raises:
        InputError: If there is none, or a name is taken or unknown.
    """
    if not systems:
        raise InputError(
            "systems: name at least one, with class_path EndToEnd, TextCascade or MeanMFCC, and its init_args."
        )
    unknown = [name for name in only or () if name not in systems]
    if unknown:
        raise InputError(f"--only {unknown[0]}: there is no such system; there are {', '.join(systems)}.")
    found: dict[str, System] = {}
    for name, system in systems.items():
        if only is not None and name not in only:
            continue
        for own, variant in system.variants(name).items():
            if own in found or own in (MAJORITY, CHANCE) or not own.strip():
                what = (
                    "is a line that is always there" if own in (MAJORITY, CHANCE) else "stands there twice or is empty"
                )
                raise InputError(f"systems: the name {own!r} {what}; choose another.")
            found[own] = variant
    return found


def counts(shots: Sequence[int | Literal["all"]] | None) -> list[int | None]:
    """Examples of each class in each language, rising; None for all.

    Raises:
        InputError: If there are fewer than two.
    """
    found = {None if count == "all" else count for count in shots or ["all"]}
    few = sorted(count for count in found if count is not None and count < 2)
    if few:
        raise InputError(f"--shots {few[0]}: a class needs at least two examples.")
    return sorted(found, key=lambda count: (count is None, count or 0))


def one_process(systems: Mapping[str, System]) -> None:
    """Refuses several processes, which would all write the same results.

    Raises:
        InputError: If there are several.
    """
    from speechxl.tasks.processes import world_size

    for name, system in systems.items():
        device = getattr(system, "device", "cpu")
        if (size := world_size(device)) > 1:
            raise InputError(
                f"{name}: training would take {size} processes, and a comparison runs in one; let it see one GPU "
                "(CUDA_VISIBLE_DEVICES=0)."
            )


def settings_file(systems: Mapping[str, System], **values: Any) -> str:
    """All settings as YAML, which `classify compare` takes again.

    Args:
        systems: By name.
        values: The others.
    """
    document = {"systems": {name: settings_of(system) for name, system in systems.items()}}
    document |= {name: _plain(value) for name, value in values.items()}
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(own) for name, own in asdict(value).items()}
    if isinstance(value, list | tuple):
        return [_plain(own) for own in value]
    return str(value) if isinstance(value, Path) else value
