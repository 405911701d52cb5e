"""Runs a task under Lightning."""

import logging
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from speechxl.config import Guard
from speechxl.data.datamodule import EndlessData
from speechxl.errors import InputError, Interrupted, RunFailed
from speechxl.heap import keep_heap
from speechxl.models.compiling import compiled_layers
from speechxl.models.device import choose_device
from speechxl.tasks.average import Average
from speechxl.tasks.base import Task
from speechxl.tasks.checkpoints import CHECKPOINT, EARLIER, AtomicCheckpointIO, Checkpoints, checkpoint_step
from speechxl.tasks.collapse import Collapsed, CollapseGuard
from speechxl.tasks.processes import environment, places, rank, world_size
from speechxl.tasks.schedule import Schedule
from speechxl.tasks.strategies import (
    Sharded,
    choose_strategy,
    gather,
    is_lost_process,
    skeleton,
)
from speechxl.tasks.watching import Measures

log = logging.getLogger(__name__)


def fit(
    task: Task,
    data: EndlessData,
    out: Path,
    schedule: Schedule,
    *,
    precision: str,
    device: str = "auto",
    strategy: str = "auto",
    timeout: float = 10.0,
    compile: bool = False,
    keep: Callable[[bool], None] | None = None,
    ema: float | None = None,
    guard: Guard | None = None,
    probe: Callback | None = None,
) -> None:
    """Trains, continuing from ``out/checkpoint.ckpt`` if it is there.

    Args:
        task: With its model.
        data: Its batches.
        out: Where checkpoint and measures go.
        schedule: Steps.
        precision: ``"32"`` or ``"bf16"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        strategy: Of several processes, ``"ddp"``, ``"fsdp"`` or ``"auto"``.
        timeout: Minutes that a process waits for the others.
        compile: Whether the transformer layers are compiled.
        keep: Called after each evaluation, with whether dev error (`Task.score`) is lower than ever.
        ema: Decay of a moving average of the weights, which are evaluated and in the end left in the model.
        guard: What to do when the codebook collapses; None where there is none.
        probe: Called with the other callbacks.

    Raises:
        Interrupted: After SIGINT or SIGTERM, when the checkpoint is written.
        InputError: If the codebook collapses, or step after step has no finite gradients.
        RunFailed: If another process has ended, or does not answer.
    """
    _quieten_lightning()
    keep_heap()
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and (step := checkpoint_step(checkpoint)) >= schedule.max_steps:
        log.info("%s stands at step %d of %d, there is nothing left to do", checkpoint, step, schedule.max_steps)
        saved = AtomicCheckpointIO().load_checkpoint(checkpoint)
        average = saved["callbacks"].get(Average.__qualname__, {}).get("weights", {})
        task.load_state_dict(saved["state_dict"] | average, strict=task.strict_loading)
        return
    device = choose_device(device)
    acts = guard is not None and guard.collapse != "warn"
    run = partial(_run, task, data, out, schedule, precision, device, strategy, timeout)
    while True:
        watch = CollapseGuard(task.codes, guard.patience if acts else sys.maxsize) if guard is not None else None
        callbacks: list[Callback] = [
            *([] if keep is None else [_Best(keep)]),
            Measures(out, schedule, data, watch, precision),
            *([] if probe is None else [probe]),
            Checkpoints(checkpoint, schedule, watch if acts else None),
            *([] if ema is None else [Average(ema)]),
        ]
        try:
            with compiled_layers(task.model.wav2vec2, device) if compile else nullcontext():
                run(callbacks)
            return
        except Collapsed as sign:
            _set_back(task, checkpoint, guard or Guard(), sign, world_size(device))


def _set_back(task: Task, checkpoint: Path, guard: Guard, sign: Collapsed, world: int) -> None:
    """Prepares for going on from the last good checkpoint.

    Raises:
        InputError: If that is not wanted, or was done often enough.
    """
    advice = (
        f"{sign} {checkpoint} is from before. Batches that are too small are the usual cause (--optim.target_batch_hours 1.6 is "
        f"what published runs take), then too high a learning rate (--optim.lr, it is {task.highest_lr:g}). Change them and "
        "continue with --resume, or begin anew."
    )
    if guard.collapse == "stop" or world > 1:
        raise InputError(advice)
    if task.setbacks >= guard.retries:
        raise InputError(f"{advice} Going back with half the learning rate was tried {task.setbacks} times.")
    earlier = checkpoint.with_name(EARLIER)
    if task.set_back_to == checkpoint_step(checkpoint) and earlier.exists():
        earlier.replace(checkpoint)
    task.setbacks += 1
    task.set_back_to = checkpoint_step(checkpoint)
    log.warning("%s Going back to step %d with a learning rate of %g", sign, task.set_back_to, task.highest_lr)


def _run(
    task: Task,
    data: EndlessData,
    out: Path,
    schedule: Schedule,
    precision: str,
    device: str,
    strategy: str,
    timeout: float,
    callbacks: list[Callback],
) -> None:
    """One trainer's run, from the checkpoint where there is one."""
    checkpoint = out / CHECKPOINT
    devices, machines = places(device)
    chosen = choose_strategy(
        strategy, device, devices * machines, task.model, timeout=timeout, unused=task.skips_parameters
    )
    bare = skeleton(task.model) if isinstance(chosen, Sharded) else None
    trainer = lightning.Trainer(
        accelerator=device,
        devices=devices,
        num_nodes=machines,
        max_steps=schedule.max_steps,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        accumulate_grad_batches=schedule.accumulate,
        val_check_interval=schedule.eval_every * schedule.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=TensorBoardLogger(out, name="tensorboard", version="") if find_spec("tensorboard") else False,
        plugins=[AtomicCheckpointIO(), environment(device)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        strategy=chosen,
    )
    # Lightning would ask all processes before each batch whether to end, which makes a GPU wait; `Checkpoints` asks
    trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]
    try:
        trainer.fit(task, data, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=True)
        if isinstance(chosen, Sharded) and bare is not None:
            task.model = gather(chosen, bare)
    except (SIGTERMException, SystemExit):  # before the first step, or asked for twice: Lightning's own way out
        raise Interrupted("ended at once, without saving; continue from the last checkpoint with --resume") from None
    except RuntimeError as error:
        if devices * machines == 1 or not is_lost_process(error):
            raise
        raise RunFailed(
            f"process {rank()} of {devices * machines} has to end: another one has ended, or did not answer for {timeout:g} "
            f"minutes; its own messages say why. {_where_to_go_on(checkpoint)}"
        ) from error


def _where_to_go_on(checkpoint: Path) -> str:
    if not checkpoint.exists():
        return "There is no checkpoint yet; start again."
    return f"The last checkpoint is of step {checkpoint_step(checkpoint)}; continue with --resume."


class _Best(Callback):
    """Calls ``keep`` after each evaluation, and says whether dev error is lower than ever."""

    def __init__(self, keep: Callable[[bool], None]) -> None:
        self.keep = keep
        self.best = float("inf")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        score = pl_module.score
        if score is not None:
            better, self.best = score < self.best, min(score, self.best)
            if trainer.is_global_zero:
                self.keep(better)

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


def _quieten_lightning() -> None:
    """Leaves Lightning its warnings, and takes its advertisements and its notes on devices away."""
    for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for pattern in (
        ".*does not have many workers.*",
        ".*`IterableDataset`.*",
        ".*log_every_n_steps.*",
        ".*in eval mode.*",
        ".*LeafSpec.*",
    ):
        warnings.filterwarnings("ignore", pattern)
