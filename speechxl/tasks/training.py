"""Runs a task under Lightning: checkpoints that survive anything, measures in a file, progress in audio time."""

import logging
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.exceptions import SIGTERMException

from speechxl.config import Guard
from speechxl.data.datamodule import EndlessData
from speechxl.errors import InputError, Interrupted, RunFailed
from speechxl.files import replace_file
from speechxl.heap import keep_heap
from speechxl.models.compiling import compiled_layers
from speechxl.models.device import choose_device
from speechxl.shapes import Batch
from speechxl.tasks.base import Task
from speechxl.tasks.collapse import Collapsed, CollapseGuard
from speechxl.tasks.processes import environment, places, rank, world_size
from speechxl.tasks.schedule import Schedule
from speechxl.tasks.strategies import (
    Sharded,
    at_rest,
    choose_strategy,
    gather,
    in_short,
    is_lost_process,
    local,
    share,
    skeleton,
    whole,
)
from speechxl.tasks.watching import Measures

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.ckpt"
EARLIER = "earlier.ckpt"
"""The one before, while a run lasts that may go back: the last one may be from when the collapse had begun already."""


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
    keep: Callable[[], None] | None = None,
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
        keep: Called whenever dev error (`Task.score`) is lower than ever.
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
        task.load_state_dict(saved["state_dict"] | saved["callbacks"].get(Average.__qualname__, {}).get("weights", {}))
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
            _Checkpoints(checkpoint, schedule, watch if acts else None),
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
    # Lightning would ask all processes before each batch whether to end, which makes a GPU wait; `_Checkpoints` asks
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


def checkpoint_step(checkpoint: Path) -> int:
    """Optimizer steps that a checkpoint has seen."""
    return int(AtomicCheckpointIO().load_checkpoint(checkpoint)["global_step"])


def other_shape(checkpoint: Path, model: torch.nn.Module) -> str:
    """First parameter that a checkpoint's model has otherwise than ``model``; empty if they fit."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    there = {
        name.removeprefix("model."): tuple(value.shape) for name, value in state.items() if name.startswith("model.")
    }
    here = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    for name in sorted(there.keys() | here.keys()):
        if there.get(name) != here.get(name):
            return f"{name} is {there.get(name, 'absent')} there and {here.get(name, 'absent')} now"
    return ""


def _same_file(path: Path, other: Path) -> None:
    """A second name of a file, or a copy where there are none."""
    other.unlink(missing_ok=True)
    try:
        other.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, other)


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint is there whole or not at all; nothing in it is executed when it is read."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes under a temporary name and renames.

        Raises:
            InputError: If it cannot be written, as when the disk is full; the one from before is still there.
        """
        del storage_options
        try:
            replace_file(Path(path), lambda part: torch.save(checkpoint, part))
        except (OSError, RuntimeError) as error:  # torch's writer wraps what the system says
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
            raise InputError(
                f"{path}: cannot be written ({reason}); the checkpoint from before, if there is one, is untouched. Make room and "
                "continue with --resume."
            ) from error

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Reads tensors and plain values only."""
        del weights_only
        try:
            return torch.load(path, map_location=map_location, weights_only=True, mmap=True)
        except Exception as error:
            raise InputError(f"{path}: is not a checkpoint of a run ({error}).") from error


class _Checkpoints(Callback):
    """Saves between two optimizer steps: regularly, at the end, and when a signal comes.

    Args:
        path: Of the checkpoint.
        schedule: When.
        guard: While it suspects a collapse, the checkpoint from before is kept, to which the run may go back. Then one is
            also written before the first step.
    """

    def __init__(self, path: Path, schedule: Schedule, guard: CollapseGuard | None) -> None:
        self.path, self.schedule, self.guard = path, schedule, guard
        self.signal: int | None = None
        self.saved = 0
        self.handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        self.saved = trainer.global_step
        if self.guard is not None and not self.path.exists():
            self._save(trainer)
        for number in (signal.SIGTERM, signal.SIGINT):
            self.handlers[number] = signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        log.warning("%s: ending after this step, the run will be saved", signal.Signals(number).name)

    def on_train_batch_start(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, batch: object, batch_idx: int
    ) -> None:
        del pl_module, batch
        if batch_idx % self.schedule.accumulate:
            return
        if self._is_asked(trainer):
            if not self._doubtful:
                self._save(trainer)
            raise Interrupted(f"saved at step {self.saved} of {self.schedule.max_steps}; continue with --resume")
        if (
            trainer.global_step % self.schedule.save_every == 0
            and trainer.global_step > self.saved
            and not self._doubtful
        ):
            self._save(trainer)

    @property
    def _doubtful(self) -> bool:
        """Whether the codebook may be collapsing."""
        return self.guard is not None and self.guard.suspicious

    def _is_asked(self, trainer: lightning.Trainer) -> bool:
        """Whether to end; several processes agree on it, at the steps at which they log."""
        if trainer.world_size == 1:
            return self.signal is not None
        if trainer.global_step % self.schedule.log_every:
            return False
        return trainer.strategy.reduce_boolean_decision(self.signal is not None, all=False)

    def on_train_batch_end(
        self, trainer: Any, pl_module: object, outputs: object, batch: Batch, batch_idx: int
    ) -> None:
        """Ends with an evaluation, whatever the rhythm of evaluations is."""
        del pl_module, outputs, batch_idx
        trainer.datamodule.note(batch)
        trainer.should_stop = trainer.global_step >= self.schedule.max_steps

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        if trainer.global_step > self.saved and not self._doubtful:
            self._save(trainer)
        if self.guard is not None and trainer.is_global_zero and not self._doubtful:
            self.path.with_name(EARLIER).unlink(missing_ok=True)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        del trainer, pl_module, stage
        self._restore()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        del pl_module
        if is_lost_process(exception):  # at once, as a launcher may end this process, too
            log.warning(
                "process %d of %d lost touch with another one after step %d: %s",
                trainer.global_rank, trainer.world_size, trainer.global_step, in_short(exception),
            )  # fmt: skip
        self._restore()

    def _restore(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)

    def on_save_checkpoint(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The batch that is fetched but not trained on counts as not seen."""
        del trainer, pl_module
        progress = checkpoint["loops"]["fit_loop"]["epoch_loop.batch_progress"]
        for counts in (progress["total"], progress["current"]):
            counts["ready"] = counts["completed"]

    def _save(self, trainer: lightning.Trainer) -> None:
        if self.guard is not None and trainer.is_global_zero and trainer.world_size == 1 and self.path.exists():
            replace_file(self.path.with_name(EARLIER), partial(_same_file, self.path))
        trainer.save_checkpoint(self.path)
        self.saved = trainer.global_step


class _Best(Callback):
    """Calls ``keep`` when dev error is lower than ever."""

    def __init__(self, keep: Callable[[], None]) -> None:
        self.keep = keep
        self.best = float("inf")

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        score = pl_module.score
        if score is not None and score < self.best:
            self.best = score
            if trainer.is_global_zero:
                self.keep()

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.best = state_dict["best"]


class Average(Callback):
    """Exponential moving average of the weights, which takes their place in evaluations and at the end.

    Args:
        decay: Share of the average that stays at each step; less in the first steps, (1 + step) / (10 + step).
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self.step = 0
        self.weights: dict[str, torch.Tensor] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del trainer
        at_rest(pl_module)
        self.weights = {
            name: share(self.weights.get(name, value).detach(), value).to(value.device, copy=True)
            for name, value in pl_module.named_parameters()
            if value.requires_grad
        }

    def on_train_batch_end(
        self,
        trainer: lightning.Trainer,
        pl_module: lightning.LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        del outputs, batch, batch_idx
        if trainer.global_step > self.step:
            self.step = trainer.global_step
            share = 1 - min(self.decay, (1 + self.step) / (10 + self.step))
            torch._foreach_lerp_(local(self.weights.values()), self._current(pl_module), share)

    def on_validation_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del trainer
        self._swap(pl_module)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del trainer
        self._swap(pl_module)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del trainer
        self._swap(pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {"step": self.step, "weights": whole(self.weights, keep=rank() == 0)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.step, self.weights = state_dict["step"], state_dict["weights"]

    def _current(self, module: lightning.LightningModule) -> list[torch.Tensor]:
        at_rest(module)
        parameters = dict(module.named_parameters())
        return local(parameters[name].detach() for name in self.weights)

    def _swap(self, module: lightning.LightningModule) -> None:
        current = self._current(module)
        before = [value.clone() for value in current]
        torch._foreach_copy_(current, local(self.weights.values()))
        torch._foreach_copy_(local(self.weights.values()), before)


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
