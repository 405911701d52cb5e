"""How many processes train together, and which of them this is. No torch at import.

torchrun and srun start the processes and say in the environment who is who; the variables of torchrun may also be set by
hand. Without them there is one process on a CPU, and one for each GPU of the machine, which Lightning starts.
"""

import os
from typing import Any

from speechxl.errors import InputError


def world_size(device: str) -> int:
    """Processes that a run on ``device`` has, over all machines.

    Args:
        device: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """
    here, machines = places(device)
    return here * machines


def rank() -> int:
    """Number of this process among all that train together; the first one writes and speaks for all."""
    if _by_torchrun():
        return int(os.environ["RANK"])
    if _by_srun():
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("LOCAL_RANK", 0))  # of those that Lightning has started


def places(device: str) -> tuple[int, int]:
    """Processes on this machine, and machines.

    Raises:
        InputError: If machines have different numbers of processes, or a process has no GPU of its own.
    """
    gpus = _gpus(device)
    if _by_torchrun():
        world = int(os.environ["WORLD_SIZE"])
        here = int(os.environ.get("LOCAL_WORLD_SIZE", world))
    elif _by_srun():
        world = int(os.environ["SLURM_STEP_NUM_TASKS"])
        here = world // int(os.environ.get("SLURM_STEP_NUM_NODES", 1))
    else:
        return max(1, gpus), 1
    if not 0 < here <= world or world % here:
        raise InputError(
            f"{world} processes, {here} of them on this machine: every machine needs the same number; see --nproc_per_node "
            "of torchrun, --ntasks-per-node of srun."
        )
    if gpus and gpus < here:
        raise InputError(
            f"There are {here} processes on this machine, and the GPUs that each of them sees are {gpus}; let every process "
            f"see all GPUs (with SLURM --gpus-per-node={here} and not --gpus-per-task), or start {gpus}."
        )
    return here, world // here


def environment(device: str) -> Any:
    """Lightning's view of who has started the processes."""
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment

    if _by_torchrun():
        return TorchElasticEnvironment()
    if _by_srun():
        here, machines = places(device)
        values = {"SLURM_NTASKS": here * machines, "SLURM_NTASKS_PER_NODE": here, "SLURM_NNODES": machines}
        os.environ.update({name: str(value) for name, value in values.items()})  # of the step, where Lightning looks
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def _by_torchrun() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def _by_srun() -> bool:
    """Whether srun has started several; one task is as good as no SLURM."""
    return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1


def _gpus(device: str) -> int:
    """GPUs that a run on ``device`` may use."""
    if device == "cpu":
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
