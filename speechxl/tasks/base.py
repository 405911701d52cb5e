"""What all training has in common: exact normalisation, keyed draws, measures."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from speechxl.shapes import SAMPLE_RATE, Batch
from speechxl.tasks.strategies import as_gradients, gradient_norm, shard

Reduce = Callable[[Tensor], Tensor]
"""Adds a tensor up over all processes."""
Measures = dict[str, tuple[Tensor, Tensor | float]]
"""Sum and weight of what is logged."""


@dataclass
class LossSum:
    """Sums over a batch; means are taken over all ranks and accumulated batches."""

    total: Tensor
    """() loss, summed over ``count`` things."""
    count: Tensor
    """() masked frames, or utterances."""
    utterances: Tensor
    """(B,) loss of each utterance."""
    measures: Measures


pytree.register_dataclass(LossSum)  # FSDP looks for the tensors in what it has computed


class Meter:
    """Sums of measures that stay on the device until they are read; what is not finite is left out."""

    def __init__(self) -> None:
        self.sums: Measures = {}

    def add(self, name: str, total: Tensor, weight: Tensor | float = 1.0) -> None:
        """Adds to a mean of ``total / weight``."""
        before = self.sums.get(name, (0.0, 0.0))
        finite = total.detach().isfinite()
        self.sums[name] = (before[0] + total.detach().nan_to_num(0.0, 0.0, 0.0), before[1] + weight * finite)

    def gather(self, reduce: Reduce, *, keep: bool = True) -> None:
        """Adds up the sums of all processes, and forgets them in those that do not ``keep`` them."""
        if self.sums:
            flat = [torch.as_tensor(value).double() for pair in self.sums.values() for value in pair]
            device = next((value.device for value in flat if value.device.type != "cpu"), flat[0].device)
            pairs = reduce(torch.stack([value.to(device) for value in flat])).view(-1, 2) * keep
            self.sums = {name: (pair[0], pair[1]) for name, pair in zip(self.sums, pairs, strict=True)}

    def read(self) -> dict[str, float]:
        """Means since the last reading, which are then forgotten; none of what was never finite."""
        sums, self.sums = self.state_dict(), {}
        return {name: total / weight for name, (total, weight) in sums.items() if weight}

    def state_dict(self) -> dict[str, tuple[float, float]]:
        """The sums, for a checkpoint."""
        return {name: (float(total), float(weight)) for name, (total, weight) in self.sums.items()}

    def load_state_dict(self, state: dict[str, tuple[float, float]], *, keep: bool = True) -> None:
        """Goes on from these sums, or from nothing of the same names, which `gather` wants to be alike in all processes."""
        double = partial(torch.tensor, dtype=torch.float64)
        self.sums = {name: (double(pair[0] * keep), double(pair[1] * keep)) for name, pair in state.items()}


class Task(lightning.LightningModule):
    """A model in training.

    Gradients are those of the mean over everything that one optimizer step sees, on all ranks and in all accumulated
    batches. All draws of a batch follow from seed and position, so that a continued run equals an uninterrupted one.

    Args:
        model: Of `transformers`, with this package's encoder.
        seed: Of the run.
        lr: Highest learning rate.
        schedule: Factor of it at each optimizer step.
        weight_decay: Of AdamW.
        betas: Of AdamW.
        eps: Of AdamW.
        clip: Largest gradient norm; None for no limit.
        layer_drop: Probability that a transformer layer is left out of a step, alike on all ranks.
        layer_decay: Factor of the learning rate from each transformer layer to the one below it.
        cost: Of `flops_per_second`, to measure the device's utilisation.
    """

    codes = 0
    """Codes of each codebook; 0 where there is none."""

    def __init__(
        self,
        model: Any,
        *,
        seed: int,
        lr: float,
        schedule: Callable[[int], float],
        weight_decay: float,
        betas: tuple[float, float] = (0.9, 0.98),
        eps: float = 1e-6,
        clip: float | None = None,
        layer_drop: float = 0.0,
        layer_decay: float = 1.0,
        cost: tuple[float, float] = (0.0, 0.0),
    ) -> None:
        super().__init__()
        self.model: Any = model
        self.seed, self.lr, self.schedule, self.weight_decay = seed, lr, schedule, weight_decay
        self.betas, self.eps, self.clip, self.layer_drop = betas, eps, clip, layer_drop
        self.layer_decay, self.cost = layer_decay, cost
        self.meter, self.dev_meter = Meter(), Meter()
        self.audio_samples = 0
        """Samples of this process's batches, padding included."""
        self.flops = 0.0
        """Operations of this process's batches, three times those of the forward pass."""
        self.setbacks = 0
        """Times that the run went back to an earlier checkpoint; each halves the learning rate."""
        self.set_back_to: int | None = None
        """Step that this process went back to last."""
        self._seen: list[tuple[list[str], Tensor]] = []
        self._skipped: Tensor | float = 0.0
        self.score: float | None = None
        """Error on dev at the last evaluation; None where there is none."""
        self._count: Tensor | float = 0.0

    @property
    def skips_parameters(self) -> bool:
        """Whether there are steps in which some parameters get no gradient."""
        return self.layer_drop > 0

    def loss(self, batch: Batch) -> LossSum:
        """Loss of a batch."""
        raise TypeError(f"{type(self).__name__} has no loss.")

    def forward(self, batch: Batch) -> LossSum:
        """`loss`, around which FSDP gathers the parameters."""
        return self.loss(batch)

    def with_weights(self, function: Callable[[], Any]) -> Any:
        """Result of ``function``, which uses parts of the model by themselves; FSDP gathers the parameters around it."""
        return function()

    @property
    def layers(self) -> Any:
        """Transformer layers of the model."""
        return self.model.wav2vec2.encoder.layers

    def leave_out_frozen(self) -> None:
        """Has checkpoints hold only what is trained, where most weights are not, as beside an adapter."""
        trained = sum(parameter.numel() for parameter in self.model.parameters() if parameter.requires_grad)
        self.strict_loading = 2 * trained > sum(parameter.numel() for parameter in self.model.parameters())

    def configure_model(self) -> None:
        """Splits the parameters over processes where the strategy asks for it."""
        if self.device_mesh is not None:
            shard(self, self.layers, self.device_mesh["data_parallel"])

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch, times what Lightning will divide by; the true divisor follows in `on_before_optimizer_step`."""
        del batch_idx
        loss = self(batch)
        self.note(batch, loss)
        return loss.total * self.trainer.accumulate_grad_batches

    def note(self, batch: Batch, loss: LossSum) -> None:
        """Measures a training batch."""
        self._count = self._count + loss.count
        self._seen.append((batch.ids, loss.utterances.detach().isfinite()))
        self.meter.add("loss", loss.total, loss.count)
        for name, (total, weight) in loss.measures.items():
            self.meter.add(name, total, weight)
        rows, samples = batch.waveform.shape
        seconds = samples / SAMPLE_RATE
        self.audio_samples += rows * samples
        self.flops += 3 * rows * (self.cost[0] * seconds + self.cost[1] * seconds**2)

    def state_of_step(self) -> dict[str, float]:
        """What is logged beside the measures."""
        return {"lr": self.optimizers().param_groups[-1]["lr"]}  # type: ignore[union-attr]

    def not_finite(self) -> tuple[list[str], int]:
        """Utterances since the last call whose loss is not finite, and optimizer steps in a row that were skipped till now."""
        seen, self._seen = self._seen, []
        bad = [id for ids, finite in seen for id, good in zip(ids, finite.tolist(), strict=True) if not good]
        return bad, int(self._skipped)

    def sum_over_processes(self, values: Tensor) -> Tensor:
        """Of a tensor that every process has."""
        if self.trainer.world_size > 1:
            values = values.to(self.device)
            torch.distributed.all_reduce(values)
        return values

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seeds the draws of this batch."""
        del batch, batch_idx
        position = self.trainer.fit_loop.epoch_loop.batch_progress.current.ready
        torch.manual_seed(_number(self.seed, position, self.global_rank))

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Turns gradients of sums into gradients of the mean, then limits their norm.

        A step whose gradients are not finite is skipped by the optimizer on its device.
        """
        count = torch.as_tensor(self._count, device=self.device, dtype=torch.float32)
        if self.trainer.world_size > 1:
            count = torch.as_tensor(self.trainer.strategy.reduce(count, reduce_op="sum"))
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        torch._foreach_mul_(gradients, self.trainer.world_size / count.clamp(min=1))
        norm = gradient_norm(gradients)
        broken = (~norm.isfinite()).float()
        optimizer.grad_scale = None  # type: ignore[attr-defined]
        optimizer.found_inf = as_gradients(broken, gradients)  # type: ignore[attr-defined]  # read by fused optimizers
        self._skipped = (self._skipped + broken) * broken
        self.meter.add("gradient_norm", norm)
        self.meter.add("skipped_steps", broken)
        if self.clip is not None:
            torch._foreach_mul_(gradients, (self.clip / (norm + 1e-6)).clamp(max=1.0))
        self._count = 0.0

    def skipped_layers(self) -> frozenset[int]:
        """Transformer layers to leave out of this step, alike on all ranks."""
        if self.layer_drop == 0 or not self.training:
            return frozenset()
        layers = range(len(self.layers))
        draws = [_number(self.seed, self.global_step, layer) / 2**63 for layer in layers]
        return frozenset(layer for layer in layers if draws[layer] < self.layer_drop)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keeps what was measured since the last row of the log; leaves out frozen weights where that was asked for."""
        self.meter.gather(self.sum_over_processes, keep=self.global_rank == 0)
        checkpoint["speechxl"] = {"meter": self.meter.state_dict(), "setbacks": self.setbacks}
        if not self.strict_loading:
            trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
            checkpoint["state_dict"] = {n: value for n, value in checkpoint["state_dict"].items() if n in trained}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """A run goes on with the learning rate and weight decay that it is given now."""
        own = checkpoint.get("speechxl", {})
        self.meter = Meter()
        self.meter.load_state_dict(own.get("meter", {}), keep=self.global_rank == 0)
        self.setbacks = max(self.setbacks, own.get("setbacks", 0))
        self._skipped, self._count, self._seen = 0.0, 0.0, []
        highest = [group["lr"] for group in self._groups()]
        for state in checkpoint["optimizer_states"]:
            for group, rate in zip(state["param_groups"], highest, strict=True):
                now = rate * self.schedule(checkpoint["global_step"])
                group.update(lr=now, initial_lr=rate, weight_decay=self.weight_decay)
        for state in checkpoint["lr_schedulers"]:
            state["base_lrs"] = highest

    @property
    def highest_lr(self) -> float:
        """Learning rate after setbacks."""
        return self.lr * 0.5**self.setbacks

    def configure_optimizers(self) -> Any:
        """AdamW on what is trained."""
        optimizer = torch.optim.AdamW(
            self._groups(), betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=True
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.schedule)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        """What is trained, by depth where the learning rate depends on it; the output layer comes last."""
        layers = len(self.layers)
        groups: dict[int, list[torch.nn.Parameter]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                depth = _depth(name, layers) if self.layer_decay < 1 else layers + 1
                groups.setdefault(depth, []).append(parameter)
        return [
            {"params": groups[depth], "lr": self.highest_lr * self.layer_decay ** (layers + 1 - depth)}
            for depth in sorted(groups)
        ]


def _depth(name: str, layers: int) -> int:
    """0 for what is below the transformer layers, 1 for the first of them, ``layers`` + 1 for the output layer."""
    if not name.startswith("wav2vec2."):
        return layers + 1
    parts = name.split(".")
    if parts[1:3] == ["encoder", "layers"]:
        return int(parts[3]) + 1
    return layers if parts[1:3] == ["encoder", "layer_norm"] and layers else 0


def _number(*place: int) -> int:
    """63 bits that look random."""
    return int.from_bytes(hashlib.blake2b(repr(place).encode(), digest_size=8).digest(), "big") >> 1
