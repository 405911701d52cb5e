"""`transcribe --ray`: recordings are recognised by workers of a Ray cluster, and come back in order."""

import logging
import os
import pickle
import signal
import socket
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from speechxl.decoding.recognisers import Recognisers
from speechxl.errors import InputError, RunFailed
from speechxl.models.device import choose_device
from speechxl.models.fairseq import is_checkpoint
from speechxl.models.folders import read_card
from speechxl.shapes import Utterance
from speechxl.verbs.recognise import GROUP_SECONDS, Engine, Recognised, load_recogniser, recognise_groups, reported

log = logging.getLogger(__name__)
_PART_SECONDS = 1800
"""Audio that a worker is given at once, where there is enough for all."""
_BYTES_PER_SECOND = 32_000
"""For a guess at lengths that no manifest says; compressed recordings are longer."""
_CORES = 4
"""Cores of a worker that has no GPU."""
_RETRIES = 3
"""Times that a part is tried again after its worker was lost."""
_PATIENCE_S = 60
"""Time in which a worker should have loaded the model."""
_ANSWER_S = 10
"""Time in which the head of a cluster should answer."""
_STORE_BYTES = 100 * 2**20
"""Shared memory of a Ray that is started here; nothing but names and transcripts goes through it."""


@contextmanager
def cluster(
    address: str, workers: int | None, model: str, utterances: Sequence[Utterance], **settings: Any
) -> Iterator[Engine]:
    """Workers of a Ray cluster, each with the model; this process does without.

    Args:
        address: ``"local"`` starts Ray on this machine, ``"auto"`` finds the cluster that this machine or RAY_ADDRESS belongs
            to, host:port names one.
        workers: How many; None for one on each GPU, or on every four cores where there are no GPUs.
        model: As for `load_recogniser`.
        utterances: To be recognised.
        **settings: All others of `load_recogniser`.

    Raises:
        InputError: If there is no such cluster, or its workers cannot use the model.
        RunFailed: If the cluster is lost.
    """
    if find_spec("ray") is None:
        raise InputError("--ray needs Ray: pip install 'speechxl[scale]'.")
    if address == "local":
        choose_device(settings["device"])
    if not is_checkpoint(model):
        read_card(model)
    with _connected(address), ExitStack() as running:
        import ray

        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        settings["device"], workers, share = _plan(settings["device"], workers, nodes)
        settings = {"model": model, **settings}
        for name in ("model", "lm", "lexicon"):  # workers have other working folders
            if settings[name] and Path(settings[name]).exists():
                settings[name] = type(settings[name])(Path(settings[name]).absolute())
        spoken = list({utterance.language: utterance for utterance in utterances}.values())
        trying = ray.remote(_try).options(**share).remote(settings, spoken)
        if not ray.wait([trying], timeout=_PATIENCE_S)[0]:
            log.info("no worker is ready yet; the cluster is busy, or has nothing that fits (%s for each)", share)
        tried = ray.get(trying)
        if isinstance(tried, InputError):
            raise tried
        settings["precision"], units = tried

        def recognise(utterances: Sequence[Utterance]) -> Iterator[Recognised]:
            groups = _groups(utterances, workers, share, settings)
            running.callback(groups.close)
            return reported(groups)

        yield Engine(recognise, settings["precision"], units)


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Ray without its messages, until the end of the block."""
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray
    import ray.data

    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":  # the other one writes to a file of Ray
            handler.setLevel(logging.CRITICAL + 1)
    if address.startswith("ray://"):
        raise InputError(
            f"--ray {address}: name the cluster as auto or host:port, on one of its machines or by ray job submit."
        )
    if ":" in address:
        _call(address)
    local: dict[str, Any] = (
        {"include_dashboard": False, "object_store_memory": _STORE_BYTES} if address == "local" else {}
    )
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with _silent_stderr():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, **local)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"--ray {address}: {str(error).splitlines()[0].rstrip('.')} (if it wants a token: RAY_AUTH_MODE=token); --ray local "
            "starts Ray on this machine."
        ) from None
    try:
        if in_main:
            signal.signal(signal.SIGTERM, signal.default_int_handler)
        yield
    except ray.exceptions.RayTaskError:  # a fault of this package, with its traceback
        raise
    except ray.exceptions.RayError as error:
        raise RunFailed(f"Ray gave up: {str(error).splitlines()[0]} With --out, the same command goes on.") from error
    finally:
        ray.shutdown()
        if in_main:
            signal.signal(signal.SIGTERM, before)


def _call(address: str) -> None:
    """Ray itself would wait for minutes, and then end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise InputError(f"--ray {address}: nothing answers there ({error}); ray status says host:port.") from None


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Nothing is said by libraries in C; Ray says which RAY_BACKEND_LOG_LEVEL it was asked for."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _plan(device: str, workers: int | None, nodes: Sequence[dict[str, float]]) -> tuple[str, int, dict[str, Any]]:
    """Device, number of workers, and what each takes of the cluster.

    Args:
        device: What was asked for.
        workers: As well.
        nodes: What each machine of the cluster has.
    """
    gpus = sum(int(node.get("GPU", 0)) for node in nodes)
    if device == "cuda" or (device == "auto" and gpus):
        return "cuda", workers or gpus or 1, {"num_gpus": 1}
    cores = [int(node.get("CPU", 0)) for node in nodes]
    workers = workers or max(1, sum(each // _CORES for each in cores))
    shares = range(max(cores), 0, -1)
    return "cpu", workers, {"num_cpus": next((n for n in shares if sum(each // n for each in cores) >= workers), 1)}


def _load(settings: dict[str, Any], utterances: Sequence[Utterance] = ()) -> Recognisers | InputError:
    """The recognisers, or what is wrong: Ray would wrap an error that is raised."""
    try:
        return load_recogniser(**settings, utterances=utterances)[0]
    except (InputError, OSError) as error:
        return InputError(f"{error} (on {socket.gethostname()})")


def _try(settings: dict[str, Any], utterances: Sequence[Utterance]) -> tuple[str, str] | InputError:
    """Precision that suits a worker's processor, and the model's units, after a worker has tried the model."""
    loaded = _load(settings, utterances)
    return loaded if isinstance(loaded, InputError) else (loaded.precision, loaded.vocabulary.units)


class _Worker:
    """One process of the cluster.

    Args:
        settings: Of `load_recogniser`.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        self.recognisers = _load(settings)

    def __call__(self, rows: dict[str, Any]) -> Iterator[dict[str, list[bytes]]]:
        """Recognises parts, and gives results as soon as a group is done."""
        if isinstance(self.recognisers, InputError):
            yield {"group": [pickle.dumps(self.recognisers)]}
            return
        for part in rows["part"]:
            for group in recognise_groups(self.recognisers, pickle.loads(part)):
                yield {"group": [pickle.dumps(group)]}


def _groups(
    utterances: Sequence[Utterance], workers: int, share: dict[str, Any], settings: dict[str, Any]
) -> Generator[list[Recognised]]:
    """What became of recordings, in their order."""
    import ray

    parts = [{"part": pickle.dumps(part)} for part in _parts(utterances, workers)]
    if not parts:
        return
    data: Any = ray.data.from_items(parts, override_num_blocks=len(parts))
    data.context.enable_progress_bars = data.context.print_on_execution_start = False
    data.context.execution_options.preserve_order = True
    data.context.target_max_block_size = 1  # a group is passed on at once
    with catch_warnings():
        simplefilter("ignore")  # max_task_retries will be named otherwise
        data = data.map_batches(
            _Worker, fn_constructor_args=[settings], batch_size=1, max_task_retries=_RETRIES, **share,
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(parts))),
        )  # fmt: skip
    for row in data.iter_rows():
        group = pickle.loads(row["group"])
        if isinstance(group, InputError):
            raise group
        yield group


def _parts(utterances: Sequence[Utterance], workers: int) -> Iterator[list[Utterance]]:
    """Recordings that a worker gets together: enough to be sorted by length, and several parts for each worker."""
    lengths = [utterance.duration or _guess(utterance) for utterance in utterances]
    wanted = min(max(GROUP_SECONDS, sum(lengths) / (4 * workers)), _PART_SECONDS)
    part: list[Utterance] = []
    size = 0.0
    for utterance, length in zip(utterances, lengths, strict=True):
        part.append(utterance)
        size += length
        if size >= wanted:
            yield part
            part, size = [], 0.0
    if part:
        yield part


def _guess(utterance: Utterance) -> float:
    """Seconds of a recording by the size of its file."""
    try:
        return os.path.getsize(utterance.path) / _BYTES_PER_SECOND
    except OSError:
        return 0.0
