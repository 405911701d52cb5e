"""Which learning rate to take: a short run in which it rises (Smith 2017, section 3.3)."""

import csv
import math
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from speechxl.data.datamodule import EndlessData
from speechxl.errors import InputError
from speechxl.tasks.recognition import Recognition
from speechxl.tasks.schedule import Schedule
from speechxl.tasks.watching import METRICS

LOWEST, HIGHEST, STEPS = 1e-6, 1e-1, 200
_SMOOTH = 0.9


def try_rates(task: Recognition, data: EndlessData, accumulate: int, run: Callable[..., None]) -> dict[str, Any]:
    """Trains with a rate that rises at each step.

    Args:
        task: With its model, which is spoilt by it.
        data: To train on; dev is not looked at.
        accumulate: Batches of an update.
        run: `fit` with what it needs besides.

    Returns:
        ``lr`` to take, a tenth of that at which the loss was lowest; ``rates``, pairs of rate and smoothed loss; ``table`` for
        people.
    """
    task.lr, task.schedule = LOWEST, lambda step: (HIGHEST / LOWEST) ** (step / STEPS)
    task.freeze_encoder = 0
    data.dev = None
    with TemporaryDirectory() as name:
        try:
            run(task, data, Path(name), Schedule(STEPS, STEPS, STEPS, 1, accumulate))
        except InputError:  # the rate was so high that there was no finite gradient any more
            if not (Path(name) / METRICS).exists():
                raise
        with (Path(name) / METRICS).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    losses = [float(row["value"]) for row in rows if row["measure"] == "loss_per_symbol"]
    return suggest([LOWEST * (HIGHEST / LOWEST) ** (step / STEPS) for step in range(len(losses))], losses)


def suggest(rates: list[float], losses: list[float]) -> dict[str, Any]:
    """A rate from the losses at rising ones."""
    curve, mean = [], 0.0
    for step, (rate, loss) in enumerate(zip(rates, losses, strict=True), 1):
        if not math.isfinite(loss):
            break
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        curve.append((rate, mean / (1 - _SMOOTH**step)))
    best = min(curve, key=lambda point: point[1])[0]
    shown = curve[:: max(1, len(curve) // 12)]
    table = "\n".join(["     rate   loss per symbol", *(f"{rate:9.1e}   {loss:.3f}" for rate, loss in shown)])
    return {"lr": best / 10, "rates": curve, "table": table}
