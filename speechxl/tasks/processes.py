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
    devices, machines = places(device)
    return devices * machines


def rank() -> int:
    """Number of this process among all that train together; the first one writes and speaks for all."""
    if "RANK" in os.environ:
        return int(os.environ["RANK"])
    if _by_srun():
        return int(os.environ["SLURM_PROCID"])
    return int(os.environ.get("LOCAL_RANK", 0))  # of those that Lightning has started


def places(device: str) -> tuple[int, int]:
    """Processes on this machine, and machines.

    Raises:
        InputError: If machines have different numbers of processes, or processes have no GPU of their own.
    """
    if _by_torchrun():
        return _even("WORLD_SIZE", int(os.environ["WORLD_SIZE"]), "LOCAL_WORLD_SIZE", device)
    if _by_srun():
        return _even("SLURM_NTASKS", int(os.environ["SLURM_NTASKS"]), "SLURM_NTASKS_PER_NODE", device)
    return max(1, _gpus(device)), 1


def environment() -> Any:
    """Lightning's view of who has started the processes."""
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment, TorchElasticEnvironment

    if _by_torchrun():
        return TorchElasticEnvironment()
    if _by_srun():
        devices, _ = places("cpu")
        os.environ.setdefault("SLURM_NTASKS_PER_NODE", str(devices))  # Lightning insists on it
        return SLURMEnvironment(auto_requeue=False)
    return LightningEnvironment()


def _even(all_name: str, world: int, local_name: str, device: str) -> tuple[int, int]:
    """Processes of each machine and machines; all machines have equally many."""
    machines = int(os.environ.get("SLURM_NNODES", 1)) if _by_srun() and not _by_torchrun() else 0
    local = int(os.environ.get(local_name, world // max(1, machines)))
    if local < 1 or world % local or (machines and local * machines != world):
        raise InputError(
            f"{all_name}={world}, {local_name}={local}: every machine needs the same number of processes; "
            "see --nproc_per_node of torchrun, --ntasks-per-node of srun."
        )
    if (gpus := _gpus(device)) and gpus < local:
        raise InputError(
            f"There are {local} processes on this machine and each sees {gpus} GPU{'s' * (gpus > 1)}; let each of them see "
            f"all {local} (with SLURM --gpus-per-node={local} and not --gpus-per-task), or start fewer."
        )
    return local, world // local


def _by_torchrun() -> bool:
    return "RANK" in os.environ and "WORLD_SIZE" in os.environ


def _by_srun() -> bool:
    """Whether srun has started several; one task is as good as no SLURM."""
    return int(os.environ.get("SLURM_NTASKS", 1)) > 1 and "SLURM_PROCID" in os.environ


def _gpus(device: str) -> int:
    """GPUs that a run on ``device`` may use."""
    if device == "cpu":
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0
