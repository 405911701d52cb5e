"""When what happens in a run; learning rates and temperatures as functions of the optimizer step."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """When what happens in a run, in optimizer steps."""

    max_steps: int
    eval_every: int
    save_every: int
    log_every: int
    accumulate: int = 1


def linear_decay(step: int, total: int, warmup: int) -> float:
    """Rises over ``warmup`` steps, then falls to 0 at ``total`` (fairseq's `polynomial_decay` with power 1).

    Returns:
        Factor of the highest learning rate.
    """
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (total - step) / max(1, total - warmup))


def tri_stage(step: int, total: int, rise: float, hold: float = 0.4, start: float = 0.01, end: float = 0.05) -> float:
    """Rises linearly, holds, then falls exponentially (Park et al. 2019; fairseq's `tri_stage`).

    Args:
        step: Optimizer step.
        total: Steps of the run.
        rise: Share of the steps of the first stage.
        hold: Share of the second.
        start: Factor at the first step.
        end: Factor at the last step.

    Returns:
        Factor of the highest learning rate.
    """
    rising, holding = rise * total, hold * total
    if step < rising:
        return start + (1 - start) * step / rising
    if step <= rising + holding:
        return 1.0
    return end ** min(1.0, (step - rising - holding) / (total - rising - holding))


def gumbel_temperature(step: int, start: float, floor: float, decay: float) -> float:
    """Temperature of the Gumbel softmax (Baevski et al. 2020, section 4.2): nothing to store, nothing to restore."""
    return max(start * decay**step, floor)
