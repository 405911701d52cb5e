"""Checkpoints that survive anything: written whole or not at all, when it is time and when a signal comes."""

import logging
import shutil
import signal
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from lightning.pytorch.callbacks import Callback

from speechxl.errors import InputError, Interrupted
from speechxl.files import replace_file
from speechxl.shapes import Batch
from speechxl.tasks.collapse import CollapseGuard
from speechxl.tasks.schedule import Schedule
from speechxl.tasks.strategies import in_short, is_lost_process

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.ckpt"
EARLIER = "earlier.ckpt"
"""The one before, while a run lasts that may go back: the last one may be from when the collapse had begun already."""


def checkpoint_step(checkpoint: Path) -> int:
    """Optimizer steps that a checkpoint has seen."""
    return int(AtomicCheckpointIO().load_checkpoint(checkpoint)["global_step"])


def other_shape(checkpoint: Path, model: torch.nn.Module) -> str:
    """First parameter that a checkpoint's model has otherwise than ``model``; empty if they fit. It may lack frozen ones."""
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    there = {
        name.removeprefix("model."): tuple(value.shape) for name, value in state.items() if name.startswith("model.")
    }
    here = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    for name in sorted(there.keys() | (here.keys() - frozen)):
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


class Checkpoints(Callback):
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
