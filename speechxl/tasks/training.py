"""Runs a task under Lightning: checkpoints that survive anything, measures in a file, progress in audio time."""

import csv
import logging
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
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
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from speechxl.data.datamodule import SpeechData
from speechxl.errors import InputError, Interrupted
from speechxl.files import replace_file, write_text
from speechxl.heap import keep_heap
from speechxl.models.compiling import compiled_layers
from speechxl.models.device import choose_device
from speechxl.shapes import SAMPLE_RATE
from speechxl.tasks.base import Task

log = logging.getLogger(__name__)
CHECKPOINT = "checkpoint.ckpt"
METRICS = "metrics.csv"


@dataclass(frozen=True)
class Schedule:
    """When what happens in a run, in optimizer steps."""

    max_steps: int
    eval_every: int
    save_every: int
    log_every: int
    accumulate: int = 1


def fit(
    task: Task,
    data: SpeechData,
    out: Path,
    schedule: Schedule,
    *,
    precision: str,
    device: str = "auto",
    compile: bool = False,
    keep: Callable[[], None] | None = None,
) -> None:
    """Trains, continuing from ``out/checkpoint.ckpt`` if it is there.

    Args:
        task: With its model.
        data: Its batches.
        out: Where checkpoint and measures go.
        schedule: Steps.
        precision: ``"32"`` or ``"bf16"``.
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
        compile: Whether the transformer layers are compiled.
        keep: Called whenever dev error (`Task.score`) is lower than ever.

    Raises:
        Interrupted: After SIGINT or SIGTERM, when the checkpoint is written.
    """
    _quieten_lightning()
    keep_heap()
    checkpoint = out / CHECKPOINT
    if checkpoint.exists() and (step := checkpoint_step(checkpoint)) >= schedule.max_steps:
        log.info("%s stands at step %d of %d, there is nothing left to do", checkpoint, step, schedule.max_steps)
        task.load_state_dict(AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"])
        return
    callbacks: list[Callback] = [_Measures(out / METRICS, schedule), _Checkpoints(checkpoint, schedule)]
    if keep is not None:
        callbacks.insert(0, _Best(keep))
    device = choose_device(device)
    several = device == "cuda" and torch.cuda.device_count() > 1
    trainer = lightning.Trainer(
        accelerator=device,
        max_steps=schedule.max_steps,
        precision="bf16-mixed" if precision == "bf16" else "32-true",
        accumulate_grad_batches=schedule.accumulate,
        val_check_interval=schedule.eval_every * schedule.accumulate,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        callbacks=callbacks,
        logger=TensorBoardLogger(out, name="tensorboard", version="") if find_spec("tensorboard") else False,
        plugins=[AtomicCheckpointIO()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        strategy="ddp_find_unused_parameters_true" if several and task.skips_parameters else "auto",
    )
    try:
        with compiled_layers(task.model.wav2vec2, device) if compile else nullcontext():
            trainer.fit(task, data, ckpt_path=checkpoint if checkpoint.exists() else None, weights_only=True)
    except (SIGTERMException, SystemExit):  # before the first step, or asked for twice: Lightning's own way out
        raise Interrupted("ended at once, without saving; continue from the last checkpoint with --resume") from None


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


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint is there whole or not at all; nothing in it is executed when it is read."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Writes under a temporary name and renames."""
        del storage_options
        replace_file(Path(path), lambda part: torch.save(checkpoint, part))

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        """Reads tensors and plain values only."""
        del weights_only
        try:
            return torch.load(path, map_location=map_location, weights_only=True, mmap=True)
        except Exception as error:
            raise InputError(f"{path}: is not a checkpoint of a run ({error}).") from error


class _Checkpoints(Callback):
    """Saves between two optimizer steps: regularly, at the end, and when a signal comes."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self.path, self.schedule = path, schedule
        self.signal: int | None = None
        self.saved = 0
        self.handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        self.saved = trainer.global_step
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
            self._save(trainer)
            raise Interrupted(
                f"saved at step {trainer.global_step} of {self.schedule.max_steps}; continue with --resume"
            )
        if trainer.global_step % self.schedule.save_every == 0 and trainer.global_step > self.saved:
            self._save(trainer)

    def _is_asked(self, trainer: lightning.Trainer) -> bool:
        """Whether to end; several processes agree on it, at the steps at which they log."""
        if trainer.world_size == 1:
            return self.signal is not None
        if trainer.global_step % self.schedule.log_every:
            return False
        return trainer.strategy.reduce_boolean_decision(self.signal is not None, all=False)

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: object, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Ends with an evaluation, whatever the rhythm of evaluations is."""
        del pl_module, outputs, batch, batch_idx
        trainer.should_stop = trainer.global_step >= self.schedule.max_steps

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        if trainer.global_step > self.saved:
            self._save(trainer)

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        del trainer, pl_module, stage
        self._restore()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        del trainer, pl_module, exception
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


class _Measures(Callback):
    """Writes ``step,measure,value`` rows, and says how far the run is in audio time."""

    def __init__(self, path: Path, schedule: Schedule) -> None:
        self.path, self.schedule = path, schedule
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True,
        )  # fmt: skip
        self.bar = self.progress.add_task("", total=schedule.max_steps)
        self.begun = self.spoken = self.logged = time.monotonic()
        self.samples = self.first = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        rows: list[tuple[str, ...]] = [("step", "measure", "value")]
        if self.path.exists() and trainer.global_step:
            with self.path.open(newline="", encoding="utf-8") as file:
                rows += [
                    tuple(row)
                    for row in list(csv.reader(file))[1:]
                    if len(row) == 3 and int(row[0]) <= trainer.global_step
                ]
        write_text(self.path, "".join(f"{','.join(row)}\n" for row in rows))
        self.begun = self.spoken = self.logged = time.monotonic()
        self.first = trainer.global_step
        self.progress.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: object, batch: object, batch_idx: int
    ) -> None:
        del outputs, batch
        if (batch_idx + 1) % self.schedule.accumulate or trainer.global_step % self.schedule.log_every:
            return
        now = time.monotonic()
        values = pl_module.meter.read()
        values["lr"] = pl_module.optimizers().param_groups[0]["lr"]
        values["audio_seconds_per_second"] = (
            (pl_module.audio_samples - self.samples) / SAMPLE_RATE / (now - self.logged)
        )
        self.samples, self.logged = pl_module.audio_samples, now
        self._write(trainer, values)
        if not torch.isfinite(torch.tensor(values["loss"])):
            raise InputError(
                f"The loss is {values['loss']} at step {trainer.global_step}; lower --optim.lr (it is {pl_module.lr:g}) "
                "or set --optim.clip 1, and start again from the last good checkpoint."
            )
        hours, rate = self.samples / SAMPLE_RATE / 3600, self.samples / SAMPLE_RATE / (now - self.begun)
        text = f"loss {values['loss']:.3f} · {hours:.2f} h of audio · {rate:.0f}x real time"
        self.progress.update(self.bar, completed=trainer.global_step, description=text)
        if self.progress.disable and now - self.spoken > 10:
            self.spoken = now
            step, last = trainer.global_step, self.schedule.max_steps
            left = (now - self.begun) / max(1, step - self.first) * (last - step)
            log.info("step %d/%d · %s · %d:%02d left", step, last, text, left // 60, left % 60)

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self._write(trainer, {f"dev_{name}": value for name, value in pl_module.dev_meter.read().items()})

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        del trainer, pl_module, stage
        self.progress.stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        del trainer, pl_module, exception
        self.progress.stop()

    def _write(self, trainer: lightning.Trainer, values: dict[str, float]) -> None:
        if trainer.is_global_zero:
            with self.path.open("a", encoding="utf-8") as file:
                file.writelines(f"{trainer.global_step},{name},{value:.7g}\n" for name, value in values.items())
        if trainer.logger is not None:
            trainer.logger.log_metrics(values, trainer.global_step)


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
