"""What is seen of a run: measures in files, progress in audio time, and what is wrong with it."""

import csv
import logging
import sys
import time
from pathlib import Path
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from speechxl.data.datamodule import EndlessData
from speechxl.errors import InputError
from speechxl.files import write_text
from speechxl.models.device import matmul_rate
from speechxl.shapes import SAMPLE_RATE
from speechxl.tasks.collapse import Collapsed, CollapseGuard
from speechxl.tasks.processes import rank
from speechxl.tasks.schedule import Schedule

log = logging.getLogger(__name__)
METRICS, LANGUAGES = "metrics.csv", "languages.csv"
SKIPS = 5
"""Optimizer steps in a row without finite gradients after which a run ends."""


class Measures(Callback):
    """Writes ``metrics.csv`` and ``languages.csv``, says how far the run is, and looks for what is wrong with it.

    Args:
        out: Folder of the run.
        schedule: When a row is due.
        data: For the time that was waited for it.
        guard: Looks for a collapse; None where there is no codebook.
        precision: ``"32"`` or ``"bf16"``, in which a GPU's rate is measured.
    """

    def __init__(
        self, out: Path, schedule: Schedule, data: EndlessData, guard: CollapseGuard | None, precision: str
    ) -> None:
        self.table = _Table(out / METRICS, ("step", "measure", "value"))
        self.languages = _Table(out / LANGUAGES, ("step", "language", "measure", "value"))
        self.schedule, self.data, self.guard, self.precision = schedule, data, guard, precision
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"), TimeRemainingColumn(),
            console=Console(stderr=True), disable=not sys.stderr.isatty() or rank() > 0, transient=True,
        )  # fmt: skip
        self.bar = self.progress.add_task("", total=schedule.max_steps)
        self.begun = self.spoken = self.logged = time.monotonic()
        self.samples = self.first = self.heard = 0
        self.flops = self.waited = self.peak = 0.0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        if trainer.is_global_zero:
            self.table.open(trainer.global_step)
            if hasattr(pl_module, "dev_languages"):
                self.languages.open(trainer.global_step)
        if pl_module.device.type == "cuda":
            self.peak = matmul_rate(pl_module.device, self.precision)
        self.begun = self.spoken = self.logged = time.monotonic()
        self.first, self.waited = trainer.global_step, self.data.waited
        self.heard = self.samples = pl_module.audio_samples
        self.flops = pl_module.flops
        self.progress.start()

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: Any, outputs: object, batch: object, batch_idx: int
    ) -> None:
        del outputs, batch
        step = trainer.global_step
        if (batch_idx + 1) % self.schedule.accumulate:
            return
        if step % self.schedule.log_every == 0:
            self._log(trainer, pl_module)
        if hasattr(pl_module, "languages") and (
            step % self.schedule.eval_every == 0 or step == self.schedule.max_steps
        ):
            self._write_languages(trainer, pl_module, pl_module.languages, "")

    def _log(self, trainer: lightning.Trainer, task: Any) -> None:
        task.meter.gather(task.sum_over_processes)
        now, step = time.monotonic(), trainer.global_step
        values = task.meter.read() | task.state_of_step()
        passed = now - self.logged
        world = trainer.world_size
        values["audio_seconds_per_second"] = (task.audio_samples - self.samples) * world / SAMPLE_RATE / passed
        values["data_wait"] = (self.data.waited - self.waited) / passed
        if self.peak:
            values["model_flop_utilisation"] = (task.flops - self.flops) / passed / self.peak
        heard = (task.audio_samples - self.heard) * world / SAMPLE_RATE
        self.logged, self.samples, self.waited, self.flops = now, task.audio_samples, self.data.waited, task.flops
        self.write(trainer, values)
        self._look_for_faults(step, task)
        self._look_for_collapse(step, values)
        rate = heard / (now - self.begun)
        text = f"loss {values.get('loss', float('nan')):.3f} · {heard / 3600:.2f} h of audio · {rate:.0f}x real time"
        self.progress.update(self.bar, completed=step, description=text)
        if self.progress.disable and now - self.spoken > 10:
            self.spoken = now
            left = (now - self.begun) / max(1, step - self.first) * (self.schedule.max_steps - step)
            log.info("step %d/%d · %s · %d:%02d left", step, self.schedule.max_steps, text, left // 60, left % 60)

    def _look_for_faults(self, step: int, task: Any) -> None:
        """Says which utterances have no finite loss, and ends a run that skips step after step."""
        bad, skipped = task.not_finite()
        named = ", ".join(dict.fromkeys(bad[:5])) + (", ..." if len(bad) > 5 else "")
        if bad:
            log.warning("up to step %d: no finite loss for %s; the steps with them were skipped", step, named)
        if skipped >= SKIPS:
            raise InputError(
                f"The last {skipped} steps up to {step} were skipped, their gradients are not finite"
                f"{f' (among others those of {named})' if bad else ''}; lower --optim.lr (it is {task.highest_lr:g}) or set "
                "--optim.clip 1, and continue from the last good checkpoint with --resume."
            )

    def _look_for_collapse(self, step: int, values: dict[str, float]) -> None:
        if self.guard is None:
            return
        before = self.guard.suspicious
        sign = self.guard.look(values)
        if sign and not before:
            log.warning("step %d: the codebook may be collapsing: %s", step, sign)
        if before and not sign:
            log.warning("step %d: the codebook has recovered", step)
        if self.guard.sure:
            raise Collapsed(f"The codebook has collapsed at step {step}: {sign}.")

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        if self.guard is not None and self.guard.suspicious:
            log.warning(
                "step %d: the run ends with a codebook that seems to have collapsed, its model is likely to be worthless",
                trainer.global_step,
            )  # fmt: skip

    def on_validation_end(self, trainer: lightning.Trainer, pl_module: Any) -> None:
        self.write(trainer, {f"dev_{name}": value for name, value in pl_module.dev_meter.read().items()})
        if hasattr(pl_module, "dev_languages"):
            self._write_languages(trainer, pl_module, pl_module.dev_languages, "dev_")

    def teardown(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, stage: str) -> None:
        del trainer, pl_module, stage
        self.progress.stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        del trainer, pl_module, exception
        self.progress.stop()

    def write(self, trainer: lightning.Trainer, values: dict[str, float]) -> None:
        """Adds measures of this step to ``metrics.csv`` and to TensorBoard."""
        if trainer.is_global_zero:
            self.table.add((trainer.global_step, name, f"{value:.7g}") for name, value in values.items())
        if trainer.logger is not None:
            trainer.logger.log_metrics(values, trainer.global_step)

    def _write_languages(self, trainer: lightning.Trainer, task: Any, meter: Any, prefix: str) -> None:
        """Rows of each language; on dev every process sees all utterances."""
        if not prefix:
            meter.gather(task.sum_over_processes, keep=trainer.is_global_zero)
        measures = {
            language: {
                prefix + name: value for name, value in row.items() if not prefix or name not in ("hours", "epochs")
            }
            for language, row in meter.read().items()
        }
        if trainer.is_global_zero:
            self.languages.add(
                (trainer.global_step, language, name, f"{value:.7g}")
                for language, row in measures.items()
                for name, value in row.items()
            )
        if trainer.logger is not None:
            flat = {f"{name}/{language}": value for language, row in measures.items() for name, value in row.items()}
            trainer.logger.log_metrics(flat, trainer.global_step)


class _Table:
    """A CSV file that grows by rows whose first column is the step."""

    def __init__(self, path: Path, header: tuple[str, ...]) -> None:
        self.path, self.header = path, header

    def open(self, step: int) -> None:
        """Begins it, or keeps the rows up to ``step``."""
        rows = []
        if self.path.exists() and step:
            with self.path.open(newline="", encoding="utf-8") as file:
                rows = [
                    row for row in list(csv.reader(file))[1:] if len(row) == len(self.header) and int(row[0]) <= step
                ]
        write_text(self.path, "".join(f"{','.join(row)}\n" for row in [self.header, *rows]))

    def add(self, rows: Any) -> None:
        """Appends rows."""
        with self.path.open("a", encoding="utf-8") as file:
            file.writelines(f"{','.join(map(str, row))}\n" for row in rows)
