"""What a pretraining run will hear: of each language, and in an update."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from speechxl.config import Optim, Sampling
from speechxl.data.families import UNKNOWN
from speechxl.data.sampling import Group
from speechxl.verbs.training import accumulation

log = logging.getLogger(__name__)
FROM_SCRATCH_HOURS = 1.6
"""Audio of an update in published runs (wav2vec 2.0 base; large: 2.7 h); with less, users report collapse and poor models."""


@dataclass(frozen=True)
class Plan:
    """What will be heard."""

    shares: dict[Group, float]
    """Of each language and corpus in the audio."""
    accumulate: int
    """Batches of each process per optimizer step."""
    update_hours: float
    """Audio of an optimizer step, over all processes."""
    languages: dict[str, dict[str, float]]
    """Hours, share and epochs of each language, most hours first."""

    def table(self) -> str:
        """For people."""
        total = sum(row["hours"] for row in self.languages.values())
        lines = ["language      hours  of all   heard  epochs"]
        for language, row in self.languages.items():
            lines.append(
                f"{language:9s} {row['hours']:9.3f}  {row['hours'] / total:6.1%}  {row['share']:6.1%}  {row['epochs']:6.1f}"
            )
        return "\n".join(lines)


def make_plan(
    shares: dict[Group, float],
    hours: Mapping[Group, float],
    seconds_per_batch: float,
    optim: Optim,
    max_steps: int,
    world: int,
) -> Plan:
    """What a run of ``max_steps`` will hear of each language."""
    accumulate = accumulation(optim, seconds_per_batch, world)
    update_hours = accumulate * world * seconds_per_batch / 3600
    languages: dict[str, dict[str, float]] = {}
    for (language, _), value in hours.items():
        row = languages.setdefault(language or UNKNOWN, {"hours": 0.0, "share": 0.0})
        row["hours"] += value
    for (language, _), share in shares.items():
        languages[language or UNKNOWN]["share"] += share
    for row in languages.values():
        row["epochs"] = row["share"] * update_hours * max_steps / row["hours"]
    ordered = dict(sorted(languages.items(), key=lambda item: -item[1]["hours"]))
    return Plan(shares, accumulate, update_hours, ordered)


def warn(plan: Plan, sampling: Sampling, *, fresh: bool) -> None:
    """Says what is likely to go wrong."""
    if UNKNOWN in plan.languages and len(plan.languages) > 1:
        log.warning(
            "%.3g h name no language and are balanced and reported as one; fill in the column language if they are of several",
            plan.languages[UNKNOWN]["hours"],
        )
    often = {name: row["epochs"] for name, row in plan.languages.items() if row["epochs"] > sampling.warn_epochs}
    if often:
        names = sorted(often, key=lambda name: -often[name])
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        log.warning(
            "heard more than %g times: %s%s (%s %.0f times); a larger --sampling.alpha or fewer steps repeat them less",
            sampling.warn_epochs, ", ".join(names[:5]), more, names[0], often[names[0]],
        )  # fmt: skip
    if fresh and plan.update_hours < FROM_SCRATCH_HOURS:
        log.warning(
            "an update hears %.3g h of audio; from scratch, published runs take at least %g h, and small ones often collapse or "
            "learn little. --optim.target_batch_hours %g accumulates batches to that",
            plan.update_hours, FROM_SCRATCH_HOURS, FROM_SCRATCH_HOURS,
        )  # fmt: skip
