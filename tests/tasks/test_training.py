import csv
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from speechxl.config import Contrast, Data, Dropout, Optim, Watch
from speechxl.errors import InputError
from speechxl.tasks.base import Task
from speechxl.tasks.training import CHECKPOINT, METRICS, AtomicCheckpointIO
from speechxl.verbs.finetune import finetune
from speechxl.verbs.pretrain import pretrain
from tests.conftest import SMALL

OFTEN = Watch(log_every=1, eval_every=3, save_every=2, samples=1)
NOISY = Dropout(hidden=0.1, attention=0.1, activation=0.1, projection=0.1, layer=0.2)


def run_pretraining(corpus, out, **options):
    settings = {
        "preset": "tiny",
        "max_steps": 9,
        "batch_seconds": 2.0,
        "architecture": SMALL,
        "dropout": NOISY,
        "watch": OFTEN,
    }
    return pretrain(train=[corpus], out=out, device="cpu", **{**settings, **options})


def run_finetuning(corpus, out, **options):
    settings = {
        "preset": "tiny",
        "max_steps": 9,
        "batch_seconds": 2.0,
        "architecture": SMALL,
        "dropout": NOISY,
        "watch": OFTEN,
    }
    return finetune(train=[corpus], out=out, device="cpu", **{**settings, **options})


VERBS = {"pretrain": run_pretraining, "finetune": run_finetuning}


class Killed(BaseException):
    """What a SIGKILL looks like to the run: nothing is saved."""


def kill_at(monkeypatch, batch):
    """Ends the run without a word in its n-th training step."""
    step, seen = Task.training_step, []

    def training_step(self, *args):
        seen.append(1)
        if len(seen) == batch:
            raise Killed
        return step(self, *args)

    monkeypatch.setattr(Task, "training_step", training_step)


def weights(out):
    return AtomicCheckpointIO().load_checkpoint(out / CHECKPOINT)["state_dict"]


def measures(out):
    with (out / METRICS).open() as file:
        return {
            (row["step"], row["measure"]): row["value"]
            for row in csv.DictReader(file)
            if row["measure"] != "audio_seconds_per_second"
        }


def assert_same(one, other):
    for (name, first), (_, second) in zip(weights(one).items(), weights(other).items(), strict=True):
        assert torch.equal(first, second), name
    assert measures(one) == measures(other)
    assert (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_run_that_is_killed_again_and_again_ends_as_an_uninterrupted_one(
    verb, accumulate, corpus, tmp_path, monkeypatch
):
    options = {"optim": Optim(accumulate=accumulate), "max_steps": 7}
    VERBS[verb](corpus, tmp_path / "whole", **options)
    for batch in (1, 4 * accumulate, 3, 2 * accumulate + 1):
        with monkeypatch.context() as patch:
            kill_at(patch, batch)
            with pytest.raises(Killed):
                VERBS[verb](corpus, tmp_path / "killed", resume=True, **options)
    VERBS[verb](corpus, tmp_path / "killed", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "killed")


def test_a_kill_during_the_write_of_a_checkpoint_leaves_the_one_before(corpus, tmp_path, monkeypatch):
    run_pretraining(corpus, tmp_path / "whole")
    replace, writes = os.replace, []

    def third_is_fatal(source, target):
        if str(target).endswith(CHECKPOINT):
            writes.append(target)
            if len(writes) == 3:
                raise Killed
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", third_is_fatal)
        with pytest.raises(Killed):
            run_pretraining(corpus, tmp_path / "killed")
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "killed" / CHECKPOINT)["global_step"] == 4
    run_pretraining(corpus, tmp_path / "killed", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "killed")


def test_a_finished_run_can_be_continued_to_more_steps(corpus, tmp_path):
    constant = {"optim": Optim(lr=1e-3, warmup=0.0)}
    run_pretraining(corpus, tmp_path / "run", max_steps=4, **constant)
    before = weights(tmp_path / "run")
    run_pretraining(corpus, tmp_path / "run", max_steps=4, resume=True, **constant)
    assert all(
        torch.equal(first, second)
        for first, second in zip(before.values(), weights(tmp_path / "run").values(), strict=True)
    )
    run_pretraining(corpus, tmp_path / "run", max_steps=6, resume=True, **constant)
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"] == 6


def test_a_run_goes_on_with_the_learning_rate_that_it_is_given_now(corpus, tmp_path, monkeypatch):
    run_pretraining(corpus, tmp_path / "run", max_steps=4, optim=Optim(lr=1e-3, warmup=0.0))
    run_pretraining(corpus, tmp_path / "run", max_steps=8, resume=True, optim=Optim(lr=1e-5, warmup=0.0))
    rates = {int(step): float(value) for (step, name), value in measures(tmp_path / "run").items() if name == "lr"}
    assert rates[2] > 1e-4
    assert 0 < max(rates[step] for step in range(5, 9)) <= 1e-5


def test_a_device_that_is_not_there_is_named(corpus, tmp_path):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(InputError, match="--device cuda: torch finds no CUDA device"):
        pretrain(train=[corpus], out=tmp_path / "run", preset="tiny", device="cuda", max_steps=1)


COMMAND = [
    "--preset", "tiny", "--max_steps", "400", "--batch_seconds", "2", "--device", "cpu", "--architecture.conv_channels", "16",
    "--architecture.layers", "2", "--architecture.width", "32", "--architecture.ffn", "64", "--architecture.heads", "2",
    "--watch.log_every", "1", "--watch.save_every", "7", "--watch.eval_every", "100", "--resume",
]  # fmt: skip


def start(corpus, out, steps):
    """Runs the command line until a number of steps is logged."""
    command = [sys.executable, "-m", "speechxl", "pretrain", "--train", str(corpus), "--out", str(out), *COMMAND]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        logged = (out / METRICS).read_text() if (out / METRICS).exists() else ""
        if f"\n{steps}," in logged:
            return process
        time.sleep(0.02)
    raise AssertionError(process.communicate()[1])


def test_sigterm_saves_first_and_sigkill_loses_at_most_what_came_after_the_last_checkpoint(corpus, tmp_path):
    process = start(corpus, tmp_path / "run", 11)
    process.send_signal(signal.SIGTERM)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    saved = AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"]
    assert saved >= 11
    assert f"saved at step {saved} of 400; continue with --resume" in message
    process = start(corpus, tmp_path / "run", saved + 15)
    process.kill()
    process.wait()
    later = AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"]
    assert later >= saved + 7


def test_gradients_are_those_of_the_mean_over_all_accumulated_batches(corpus, tmp_path):
    """One batch of everything, and several accumulated, make the same first step."""
    sure = {
        "dropout": Dropout(0.0, 0.0, 0.0, 0.0, 0.0),
        "contrast": Contrast(diversity=0.0, code_spread=0.0),
        "max_steps": 1,
    }
    seconds = sum(path.stat().st_size for path in corpus.glob("*.wav")) / 32_000
    run_pretraining(corpus, tmp_path / "one", batch_seconds=10 * seconds, **sure)
    import numpy as np

    from speechxl.data.batching import EpochBatches
    from speechxl.data.manifest import read_manifest

    durations = np.array([row.duration for row in read_manifest(corpus / "manifest.tsv") if row.split == "train"])
    batches = len(EpochBatches(durations, 2.0, 1).epoch(0))
    assert batches > 2
    run_pretraining(corpus, tmp_path / "many", batch_seconds=2.0, optim=Optim(accumulate=batches), **sure)
    one, many = (AtomicCheckpointIO().load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("one", "many"))
    moments = [state["optimizer_states"][0]["state"] for state in (one, many)]
    for number in moments[0]:
        first, second = (moment[number]["exp_avg"] for moment in moments)
        torch.testing.assert_close(first, second, atol=1e-5 * float(first.abs().max() + 1e-3), rtol=1e-4)


def test_a_loss_that_is_not_finite_stops_with_advice(corpus, tmp_path, monkeypatch):
    loss = Task.training_step
    monkeypatch.setattr(Task, "training_step", lambda self, *args: loss(self, *args) * float("nan"))
    monkeypatch.setattr("speechxl.tasks.base.Meter.read", lambda self: {"loss": float("nan")})
    with pytest.raises(InputError, match=r"The loss is nan at step 1; lower --optim.lr"):
        run_pretraining(corpus, tmp_path / "run")


def test_a_damaged_checkpoint_is_named(corpus, tmp_path):
    run_pretraining(corpus, tmp_path / "run", max_steps=2)
    (tmp_path / "run" / CHECKPOINT).write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match=r"checkpoint.ckpt: is not a checkpoint of a run"):
        run_pretraining(corpus, tmp_path / "run", max_steps=4, resume=True)


def test_an_output_folder_that_exists_is_not_touched(corpus, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"full: the folder holds files already"):
        run_pretraining(corpus, tmp_path / "full")
    with pytest.raises(InputError, match="there is no run to continue"):
        run_pretraining(corpus, tmp_path / "full", resume=True)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["notes.txt"]
    run_pretraining(corpus, tmp_path / "run", max_steps=1)
    with pytest.raises(InputError, match="the folder holds a run already; continue it with --resume"):
        run_pretraining(corpus, tmp_path / "run", max_steps=1)


def test_one_batch_can_be_learned_by_heart(corpus, tmp_path):
    outcome = run_finetuning(
        corpus,
        tmp_path / "run",
        max_steps=250,
        batch_seconds=100.0,
        dropout=Dropout(0.0, 0.0, 0.0, 0.0, 0.0),
        dev=[corpus],
        optim=Optim(lr=5e-3),
        data=Data(),
        watch=Watch(log_every=50, eval_every=125, save_every=250),
    )
    values = measures(tmp_path / "run")
    assert float(values["250", "loss"]) < 0.25 * float(values["50", "loss"])
    assert outcome.document["best"]["step"] in (125, 250)
