"""Two processes on the CPU, with gloo; most of what they do is in two_processes.py, started once for several tests."""

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import Wav2Vec2ForPreTraining

from speechxl.config import Optim
from speechxl.errors import InputError
from speechxl.models.making import new_pretraining_model
from speechxl.tasks.checkpoints import CHECKPOINT, AtomicCheckpointIO
from speechxl.tasks.processes import environment, places, rank, world_size
from speechxl.tasks.strategies import Sharded, choose_strategy
from speechxl.tasks.watching import LANGUAGES, METRICS
from tests.conftest import make_corpus, small_preset
from tests.tasks import two_processes

ROOT = Path(__file__).parent.parent.parent
LAUNCHERS = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID")
COMMAND = [
    "-m", "speechxl", "pretrain", "--preset", "tiny", "--batch_seconds", "2", "--device", "cpu", "--architecture.conv_channels",
    "16", "--architecture.layers", "2", "--architecture.width", "32", "--architecture.ffn", "64", "--architecture.heads", "2",
    "--watch.log_every", "1", "--watch.save_every", "7",
]  # fmt: skip


def surroundings():
    """Environment of a process that no launcher has started."""
    kept = {name: value for name, value in os.environ.items() if name not in LAUNCHERS}
    return kept | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}


def start_two(arguments):
    """Two processes that find each other by what stands in the environment, as torchrun would set it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    names = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    return [
        subprocess.Popen(
            [sys.executable, *arguments], env=surroundings() | names | {"RANK": str(number), "LOCAL_RANK": str(number)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )
        for number in (0, 1)
    ]  # fmt: skip


def wait_for(processes, seconds):
    """What they said, and never a process that stays behind."""
    try:
        return [process.communicate(timeout=seconds) for process in processes]
    finally:
        for process in processes:
            process.kill()


def wait_for_step(out, step, process):
    """Waits until a run has logged a step."""
    deadline = time.monotonic() + 120
    while f"\n{step}," not in ((out / METRICS).read_text() if (out / METRICS).exists() else ""):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Folder with what the two processes have done."""
    out = tmp_path_factory.mktemp("two")
    make_corpus(out / "corpus", dev=6)
    processes = start_two(["-m", "tests.tasks.two_processes", str(out / "corpus"), str(out)])
    said = wait_for(processes, 300)
    assert [process.returncode for process in processes] == [0, 0], said
    return out


def weights(folder):
    return load_file(folder / "model.safetensors")


def assert_same(one, other, limit=0.0):
    """Same weights and, where nothing may differ, the same measures."""
    saved = [AtomicCheckpointIO().load_checkpoint(folder / CHECKPOINT) for folder in (one, other)]
    pairs = [(weights(one), weights(other)), tuple(state["state_dict"] for state in saved)]
    pairs.append(tuple(state["callbacks"]["Average"]["weights"] for state in saved))
    for first, second in pairs:
        assert first.keys() == second.keys()
        assert max(float((first[name] - second[name]).abs().max()) for name in first) <= limit
    if not limit:
        assert measures(one) == measures(other)
        assert (one / LANGUAGES).read_text() == (other / LANGUAGES).read_text()


def measures(out):
    with (out / METRICS).open() as file:
        return [tuple(row) for row in csv.reader(file) if row[1] not in ("audio_seconds_per_second", "data_wait")]


def test_processes_that_leave_out_layers_do_not_wait_for_ever_and_end_alike(done):
    first, second = (torch.load(done / f"ddp{number}.pt", weights_only=True) for number in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert AtomicCheckpointIO().load_checkpoint(done / "ddp" / CHECKPOINT)["global_step"] == two_processes.STEPS
    assert {row[0] for row in measures(done / "ddp")} == {"step", *map(str, range(two_processes.STEPS + 1))}


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "streamed"])
def test_two_processes_that_are_killed_end_as_two_that_were_not(done, strategy):
    assert_same(done / strategy, done / f"{strategy}_killed")


def test_gradients_are_those_of_the_mean_over_all_processes_and_accumulated_batches(done, tmp_path):
    """One batch of everything, n accumulated, and two processes with n / 2 each make the same first step."""
    corpus = done / "corpus"
    seconds, count = two_processes.even_batches(corpus)
    sure = two_processes.SURE
    two_processes.run(corpus, tmp_path / "one", batch_seconds=1000.0, optim=Optim(lr=1e-3), **sure)
    two_processes.run(corpus, tmp_path / "many", batch_seconds=seconds, optim=Optim(lr=1e-3, accumulate=count), **sure)
    folders = (tmp_path / "one", tmp_path / "many", done / "sum")
    one, *others = (
        AtomicCheckpointIO().load_checkpoint(folder / CHECKPOINT)["optimizer_states"][0]["state"] for folder in folders
    )
    for other in others:
        assert other.keys() == one.keys()
        for number, moments in one.items():
            gradient, same = moments["exp_avg"] * 10, other[number]["exp_avg"] * 10
            torch.testing.assert_close(same, gradient, atol=1e-5 * float(gradient.abs().max() + 1e-3), rtol=1e-4)


def test_two_that_share_the_weights_learn_as_two_that_have_them_all(done):
    results = json.loads((done / "results1.json").read_text())
    assert results["share"][0] * 2 == results["whole"][0]
    assert_same(done / "ddp", done / "fsdp", limit=1e-5)
    Wav2Vec2ForPreTraining.from_pretrained(done / "fsdp")


def test_activations_that_are_computed_again_change_nothing(done):
    assert_same(done / "ddp", done / "fsdp_checkpointed", limit=1e-5)


def test_a_checkpoint_of_shared_weights_fits_processes_that_have_them_all(done, tmp_path):
    assert_same(done / "ddp", done / "fsdp_to_ddp", limit=1e-5)
    shutil.copytree(done / "fsdp_to_one", tmp_path / "one")
    two_processes.run(done / "corpus", tmp_path / "one", resume=True)
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "one" / CHECKPOINT)["global_step"] == two_processes.STEPS


def test_weights_that_are_frozen_stay_as_they_are_with_either_strategy(done):
    assert_same(done / "frozen_ddp", done / "frozen_fsdp", limit=1e-5)
    torch.manual_seed(1)
    before = new_pretraining_model(small_preset()).state_dict()
    after = weights(done / "frozen_fsdp")
    same = {name for name in after if torch.equal(before[name], after[name])}
    frozen = {name for name in after if name.startswith("wav2vec2.feature_extractor.")}
    assert frozen
    assert frozen <= same
    assert any(name.startswith("wav2vec2.encoder.layers.") for name in after.keys() - same)
    states = [
        AtomicCheckpointIO().load_checkpoint(done / f"frozen_{name}" / CHECKPOINT)["optimizer_states"][0]["state"]
        for name in ("ddp", "fsdp")
    ]
    assert states[0].keys() == states[1].keys()


def test_the_distribution_of_codes_over_two_processes_is_that_of_one_batch_of_both(done):
    results = [json.loads((done / f"results{number}.json").read_text()) for number in (0, 1)]
    for result in results:
        assert result["all_reduce True"]["loss"] < 1e-5
        assert result["all_reduce True"]["gradient"] < 1e-5
        assert result["all_reduce False"]["gradient"] > 1e-2


def test_a_process_whose_partner_dies_ends_and_says_so(corpus, tmp_path):
    """The first one dies, which the others have met at."""
    out = tmp_path / "run"
    processes = start_two([*COMMAND, "--max_steps", "4000", "--train", str(corpus), "--out", str(out)])
    try:
        wait_for_step(out, 9, processes[0])
        processes[0].kill()
    finally:
        (_, _), (_, said) = wait_for(processes, 60)
    assert processes[1].returncode == 1
    assert "process 1 of 2 lost touch with another one after step" in said
    assert "process 1 of 2 has to end: another one has ended, or did not answer for 10 minutes" in said
    assert re.search(r"The last checkpoint is of step (7|14); continue with --resume\.", said)
    assert "Traceback" not in said


def test_torchrun_ends_what_is_left_and_a_signal_to_it_saves_the_run(corpus, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", *COMMAND]
    command += ["--max_steps", "4000", "--train", str(corpus), "--out", str(out), "--resume", "--json"]

    def start(step):
        process = subprocess.Popen(
            command, env=surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        wait_for_step(out, step, process)
        return process

    process = start(9)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(workers[1]), signal.SIGKILL)
    ((_, said),) = wait_for([process], 60)
    assert process.returncode != 0
    assert "SIGKILL" in said
    process = start(12)
    process.send_signal(signal.SIGTERM)
    ((printed, said),) = wait_for([process], 60)
    saved = AtomicCheckpointIO().load_checkpoint(out / CHECKPOINT)["global_step"]
    assert saved >= 12
    assert said.count(f"saved at step {saved} of 4000; continue with --resume") == 1
    assert not printed


@pytest.fixture
def launched(monkeypatch):
    """Sets the environment as a launcher does."""
    for name in LAUNCHERS:
        monkeypatch.delenv(name, raising=False)

    def launch(**names):
        for name, value in names.items():
            monkeypatch.setenv(name, str(value))

    return launch


def test_the_number_of_processes_is_known_before_the_run(launched, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert (world_size("cpu"), world_size("auto"), rank()) == (1, 1, 0)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 8)
    assert (world_size("cpu"), world_size("auto"), world_size("cuda")) == (1, 8, 8)
    launched(RANK=11, WORLD_SIZE=16, LOCAL_RANK=3, LOCAL_WORLD_SIZE=8)
    assert (world_size("cuda"), places("cuda"), rank()) == (16, (8, 2), 11)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    with pytest.raises(
        InputError, match=r"There are 8 processes .* GPUs that each of them sees are 1; .*--gpus-per-node=8"
    ):
        places("cuda")


def test_srun_says_how_many_processes_there_are_and_one_task_needs_no_others(launched, monkeypatch):
    launched(SLURM_NTASKS=8, SLURM_JOB_NAME="train", SLURM_PROCID=0)  # in the batch script, without srun
    assert (world_size("cpu"), rank()) == (1, 0)
    assert type(environment("cpu")).__name__ == "LightningEnvironment"
    launched(SLURM_STEP_NUM_TASKS=4, SLURM_STEP_NUM_NODES=2, SLURM_PROCID=3, SLURM_LOCALID=1, SLURM_NODEID=1)
    assert (places("cpu"), rank()) == ((2, 2), 3)
    for name in ("SLURM_NTASKS", "SLURM_NTASKS_PER_NODE", "SLURM_NNODES"):
        monkeypatch.setenv(name, "0")  # undone after the test
    cluster = environment("cpu")
    cluster.validate_settings(num_devices=2, num_nodes=2)
    assert (cluster.world_size(), cluster.global_rank(), cluster.local_rank(), cluster.node_rank()) == (4, 3, 1, 1)
    launched(SLURM_STEP_NUM_TASKS=5)
    with pytest.raises(InputError, match="5 processes, 2 of them on this machine: every machine needs the same number"):
        places("cpu")


def test_large_models_are_shared_by_several_gpus_unless_something_else_is_asked_for():
    with torch.device("meta"):
        small, large = torch.nn.Linear(10, 10), torch.nn.Linear(40_000, 40_000)

    def kind(name, device, world, model):
        return type(choose_strategy(name, device, world, model, timeout=1.0, unused=False)).__name__

    assert kind("auto", "cuda", 8, large) == kind("fsdp", "cpu", 2, small) == Sharded.__name__
    assert (
        kind("auto", "cuda", 8, small)
        == kind("auto", "cpu", 2, large)
        == kind("ddp", "cuda", 8, large)
        == "DDPStrategy"
    )
    assert choose_strategy("fsdp", "cuda", 1, large, timeout=1.0, unused=False) == "auto"
