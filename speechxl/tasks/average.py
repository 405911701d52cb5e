"""A moving average of the weights."""

from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback

from speechxl.tasks.processes import rank
from speechxl.tasks.strategies import at_rest, local, share, whole


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
