"""Training on several processes: every one with the whole model (DDP), or with a share of it (FSDP2)."""

import copy
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import torch
from lightning.pytorch.strategies import DDPStrategy, ModelParallelStrategy, Strategy
from torch import Tensor, nn
from torch.distributed import DistError
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, Replicate, distribute_tensor

FSDP_FROM = 10**9
"""Parameters from which on several GPUs share a model: with AdamW in float32 each takes 16 bytes."""

_LOST = re.compile(r"\bgloo\b|\bNCCL\b|Timed out waiting \d+ms for (recv|send) operation")
"""What errors of the backends that have no type of their own say."""


def choose_strategy(
    name: str, device: str, world: int, model: nn.Module, *, timeout: float, unused: bool
) -> Strategy | str:
    """Lightning's strategy.

    Args:
        name: ``"ddp"``, ``"fsdp"``, or ``"auto"`` for FSDP from a billion parameters on where there are several GPUs,
            else DDP. One process needs neither.
        device: ``"cpu"`` or ``"cuda"``.
        world: Processes.
        model: That is trained.
        timeout: Minutes that a process waits for another one.
        unused: Whether there are steps in which some parameters get no gradient.
    """
    if world == 1:
        return "auto"
    limit = timedelta(minutes=timeout)
    large = sum(parameter.numel() for parameter in model.parameters()) >= FSDP_FROM
    if name == "fsdp" or (name == "auto" and device == "cuda" and large):
        return Sharded(
            data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False, timeout=limit
        )
    return DDPStrategy(find_unused_parameters=unused, timeout=limit)


class Sharded(ModelParallelStrategy):
    """FSDP2 whose checkpoints are those of one process, so that a run goes on with any number of them."""

    @property
    def lightning_restore_optimizer(self) -> bool:
        """Lightning restores it, after the task has had a look at the checkpoint."""
        return True

    def lightning_module_state_dict(self) -> dict[str, Any]:
        """Whole weights, on the first process."""
        return whole(self._module().state_dict(keep_vars=True), keep=self.is_global_zero)

    def optimizer_state(self, optimizer: Any) -> dict[str, Any]:
        """Whole moments, on the first process."""
        state = getattr(optimizer, "_optimizer", optimizer).state_dict()
        moments = {number: whole(values, keep=self.is_global_zero) for number, values in state["state"].items()}
        return {"state": moments, "param_groups": state["param_groups"]}

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Reads it; weights and moments follow."""
        return self.checkpoint_io.load_checkpoint(checkpoint_path, weights_only=weights_only)

    def load_model_state_dict(self, checkpoint: Mapping[str, Any], strict: bool = True) -> None:
        """Takes this process's share of the weights."""
        here = self._module().state_dict()
        shares = {name: share(value, here.get(name)) for name, value in checkpoint["state_dict"].items()}
        self._module().load_state_dict(shares, strict=strict)

    def load_optimizer_state_dict(self, checkpoint: Mapping[str, Any]) -> None:
        """Takes this process's share of the moments."""
        for optimizer, state in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            moments = {
                number: {
                    name: share(value, parameters[number]).clone() if value.shape == parameters[number].shape else value
                    for name, value in values.items()
                }
                for number, values in state["state"].items()
            }
            optimizer.load_state_dict({"state": moments, "param_groups": state["param_groups"]})

    def teardown(self) -> None:
        """Leaves the weights where they are; `gather` brings them together."""
        super().teardown()
        self.checkpoint_io.teardown()

    def _module(self) -> nn.Module:
        if self.model is None:
            raise RuntimeError("The strategy has no model yet.")
        return self.model


def shard(task: nn.Module, layers: nn.ModuleList, mesh: DeviceMesh) -> None:
    """Splits a task's parameters over processes, once; each layer is gathered when it is needed."""
    if not isinstance(task, FSDPModule):
        for layer in layers:
            fully_shard(layer, mesh=mesh)
        fully_shard(task, mesh=mesh)
        register_fsdp_forward_method(task, "with_weights")


def at_rest(task: nn.Module) -> None:
    """Puts every parameter back to this process's share of it; an evaluation leaves some of them whole."""
    for module in task.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def skeleton(model: nn.Module) -> nn.Module:
    """A copy without memory, to `fill` when the model is split."""
    memo = {
        id(parameter): nn.Parameter(torch.empty_like(parameter, device="meta"), requires_grad=parameter.requires_grad)
        for parameter in model.parameters()
    }
    return copy.deepcopy(model, memo)


def gather(strategy: Sharded, bare: nn.Module) -> nn.Module:
    """The trained model in one piece on the first process; all have to call it.

    Args:
        strategy: With the parts.
        bare: `skeleton` of the model.
    """
    state = strategy.lightning_module_state_dict()
    if strategy.is_global_zero:
        names = {name.removeprefix("model."): value for name, value in state.items() if name.startswith("model.")}
        bare.load_state_dict(names, assign=True)
    return bare


def whole(state: Mapping[str, Any], *, keep: bool) -> dict[str, Any]:
    """Tensors as one process would have them, on the CPU; all processes have to call it.

    Args:
        state: Tensors by name.
        keep: Whether this process wants them.
    """
    seen: dict[int, Any] = {}  # a module that has two names
    for value in state.values():
        if id(value) not in seen:
            full = value.full_tensor() if isinstance(value, DTensor) else value
            seen[id(value)] = (full.detach().cpu() if isinstance(full, Tensor) else full) if keep else None
    return {name: seen[id(value)] for name, value in state.items()} if keep else {}


def share(value: Tensor, like: Tensor | None) -> Tensor:
    """This process's share of a whole tensor, split as ``like`` is."""
    if not isinstance(like, DTensor) or isinstance(value, DTensor):
        return value
    return distribute_tensor(value.to(like.device), like.device_mesh, like.placements, src_data_rank=None)


def local(tensors: Iterable[Tensor]) -> list[Tensor]:
    """What this process holds of tensors, to work on in place."""
    return [value.to_local() if isinstance(value, DTensor) else value for value in tensors]


def gradient_norm(gradients: list[Tensor]) -> Tensor:
    """Norm of all gradients, over all processes where they are split."""
    norm = nn.utils.get_total_norm(gradients)
    return norm.full_tensor() if isinstance(norm, DTensor) else norm


def as_gradients(value: Tensor, gradients: list[Tensor]) -> Tensor:
    """A number that all processes have, in the form in which an operation on the gradients takes it."""
    for gradient in gradients:
        if isinstance(gradient, DTensor):
            mesh = gradient.device_mesh
            return DTensor.from_local(value, mesh, [Replicate()] * mesh.ndim, run_check=False)
    return value


def is_lost_process(error: BaseException) -> bool:
    """Whether an error says that another process does not answer."""
    return isinstance(error, DistError) or (isinstance(error, RuntimeError) and bool(_LOST.search(str(error))))


def in_short(error: BaseException) -> str:
    """What a distributed error says, without the place in its source and advice on reporting it."""
    line = re.sub(r"^\[\S+:\d+\] ", "", str(error).strip().partition("\n")[0])
    return line.partition(". This is ")[0] or type(error).__name__
