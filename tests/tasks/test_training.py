import csv
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from speechxl.config import Data, Dropout, Guard, Optim, Watch
from speechxl.errors import InputError
from speechxl.tasks.base import Task
from speechxl.tasks.checkpoints import CHECKPOINT, EARLIER, AtomicCheckpointIO
from speechxl.tasks.pretraining import Pretraining
from speechxl.tasks.watching import LANGUAGES, METRICS
from speechxl.verbs.finetune import finetune
from speechxl.verbs.pretrain import pretrain
from tests.conftest import NO_DROPOUT, SMALL
from tests.tasks.two_processes import SURE, number_of_batches

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
            if row["measure"] not in ("audio_seconds_per_second", "data_wait")
        }


def assert_same(one, other):
    for (name, first), (_, second) in zip(weights(one).items(), weights(other).items(), strict=True):
        assert torch.equal(first, second), name
    assert measures(one) == measures(other)
    if (one / LANGUAGES).exists():
        assert (one / LANGUAGES).read_text() == (other / LANGUAGES).read_text()
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


KILLED_WHILE_WRITING = """
import os, signal, sys
from pathlib import Path
import torch
from tests.tasks.test_training import run_pretraining
save, writes = torch.save, []
def fatal(checkpoint, path):
    save(checkpoint, path)
    writes.append(path)
    if len(writes) == 4:  # the checkpoints of steps 0, 2 and 4 are there
        with open(path, "r+b") as file:
            file.truncate(path.stat().st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)
torch.save = fatal
run_pretraining(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_sigkill_during_the_write_of_a_checkpoint_leaves_the_one_before(corpus, tmp_path):
    run_pretraining(corpus, tmp_path / "whole")
    command = [sys.executable, "-c", KILLED_WHILE_WRITING, str(corpus), str(tmp_path / "killed")]
    assert subprocess.run(command, stderr=subprocess.DEVNULL).returncode == -signal.SIGKILL
    assert list((tmp_path / "killed").glob(".*.part"))
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "killed" / CHECKPOINT)["global_step"] == 4
    run_pretraining(corpus, tmp_path / "killed", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "killed")
    assert not list((tmp_path / "killed").glob(".*.part"))


def test_a_full_disk_leaves_the_checkpoint_before(corpus, tmp_path, monkeypatch):
    run_pretraining(corpus, tmp_path / "whole")
    save, writes = torch.save, []

    def full(checkpoint, path):
        save(checkpoint, path)
        writes.append(path)
        if len(writes) == 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr("torch.save", full)
        with pytest.raises(
            InputError, match=r"checkpoint.ckpt: cannot be written \(No space left on device\); .* --resume"
        ):
            run_pretraining(corpus, tmp_path / "full")
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "full" / CHECKPOINT)["global_step"] == 4
    assert not list((tmp_path / "full").glob(".*.part"))
    run_pretraining(corpus, tmp_path / "full", resume=True)
    assert_same(tmp_path / "whole", tmp_path / "full")


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


def test_a_run_goes_on_where_it_stood_in_its_data_with_another_accumulation(corpus, tmp_path):
    def heard():
        place = AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["SpeechData"]
        return place["before"] + place["batches"]

    run_pretraining(corpus, tmp_path / "run", max_steps=4)
    assert heard() == 4
    run_pretraining(corpus, tmp_path / "run", max_steps=6, resume=True, optim=Optim(accumulate=3))
    assert heard() == 4 + 2 + 3  # the first of the two steps ends where the batches so far can be divided by three


def test_a_run_goes_on_with_the_learning_rate_that_it_is_given_now(corpus, tmp_path, caplog):
    run_pretraining(corpus, tmp_path / "run", max_steps=4, optim=Optim(lr=1e-3, warmup=0.0))
    run_pretraining(corpus, tmp_path / "run", max_steps=8, resume=True, optim=Optim(lr=1e-5, warmup=0.0))
    assert "continuing with other settings than before: optim.lr" in caplog.messages
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
    run_pretraining(corpus, tmp_path / "one", batch_seconds=1000.0, **SURE)
    batches = number_of_batches(corpus, 2.0)
    assert batches > 2
    run_pretraining(corpus, tmp_path / "many", batch_seconds=2.0, optim=Optim(accumulate=batches), **SURE)
    one, many = (AtomicCheckpointIO().load_checkpoint(tmp_path / name / CHECKPOINT) for name in ("one", "many"))
    moments = [state["optimizer_states"][0]["state"] for state in (one, many)]
    for number in moments[0]:
        first, second = (moment[number]["exp_avg"] for moment in moments)
        torch.testing.assert_close(first, second, atol=1e-5 * float(first.abs().max() + 1e-3), rtol=1e-4)


def spoil(monkeypatch, names):
    """Makes the loss of some utterances NaN."""
    loss = Pretraining.loss

    def spoilt(self, batch):
        result = loss(self, batch)
        bad = torch.tensor([id in names for id in batch.ids])
        factor = torch.where(bad, torch.nan, 1.0)
        result.utterances = result.utterances * factor
        result.total = result.total * factor.sum() / len(factor)
        return result

    monkeypatch.setattr(Pretraining, "loss", spoilt)


def test_a_step_without_finite_loss_is_skipped_and_its_utterance_named(corpus, tmp_path, monkeypatch, caplog):
    spoil(monkeypatch, {"u03.wav"})
    run_pretraining(corpus, tmp_path / "run", max_steps=8, dropout=NO_DROPOUT)
    rows = measures(tmp_path / "run")
    skipped = [int(step) for (step, name), value in rows.items() if name == "skipped_steps" and float(value)]
    assert 0 < len(skipped) < 8
    assert "no finite loss for u03.wav; the steps with them were skipped" in caplog.text
    assert all(value.isfinite().all() for value in weights(tmp_path / "run").values())
    state = AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["optimizer_states"][0]["state"]
    assert {int(entry["step"]) for entry in state.values()} == {8 - len(skipped)}


def test_step_after_step_without_finite_loss_ends_the_run_with_advice(corpus, tmp_path, monkeypatch):
    spoil(monkeypatch, {f"u{number:02d}.wav" for number in range(14)})
    with pytest.raises(
        InputError, match=r"The last 5 steps up to 5 were skipped.*u\d\d.wav.*lower --optim.lr \(it is 0.001\)"
    ):
        run_pretraining(corpus, tmp_path / "run", max_steps=20)


def collapse_while(monkeypatch, holds):
    """Lets the rows of the log for which ``holds`` show a collapse."""
    monkeypatch.setattr(
        "speechxl.tasks.collapse.collapse_sign", lambda values, codes: "few codes" if holds(values) else ""
    )


def test_a_run_goes_back_to_the_checkpoint_from_before_the_collapse(corpus, tmp_path, monkeypatch, caplog):
    collapse_while(monkeypatch, lambda values: values["gumbel_temperature"] < 2 * 0.999**4 and values["lr"] > 4e-4)
    run_pretraining(corpus, tmp_path / "run", max_steps=60, guard=Guard(patience=3), optim=Optim(lr=6e-4, warmup=0.0))
    assert "Going back to step 4 with a learning rate of 0.0003" in caplog.text
    rates = {int(step): float(value) for (step, name), value in measures(tmp_path / "run").items() if name == "lr"}
    assert sorted(rates) == list(range(1, 61))
    assert rates[4] > 5e-4
    assert rates[5] < 3e-4


@pytest.mark.parametrize(
    ("guard", "message"), [(Guard("stop", 2), "few codes"), (Guard("rollback", 2, 1), "tried 1 times")]
)
def test_a_collapse_that_stays_ends_the_run_with_the_reason(corpus, tmp_path, monkeypatch, guard, message):
    collapse_while(monkeypatch, lambda values: values["gumbel_temperature"] < 2 * 0.999**4)
    with pytest.raises(InputError, match=f"The codebook has collapsed at step .*{message}"):
        run_pretraining(corpus, tmp_path / "run", guard=guard)
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"] == 4


def test_a_collapse_that_begins_before_the_last_checkpoint_is_left_by_the_one_before(
    corpus, tmp_path, monkeypatch, caplog
):
    collapse_while(monkeypatch, lambda values: values["gumbel_temperature"] < 2 * 0.999**4 and values["lr"] > 2e-4)
    run_pretraining(corpus, tmp_path / "run", max_steps=60, guard=Guard(patience=3), optim=Optim(lr=6e-4, warmup=0.0))
    assert "Going back to step 4 with a learning rate of 0.0003" in caplog.text
    assert "Going back to step 2 with a learning rate of 0.00015" in caplog.text
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"] == 60
    assert not (tmp_path / "run" / EARLIER).exists()


def test_a_run_that_ends_in_doubt_says_so_and_keeps_the_checkpoint_from_before(corpus, tmp_path, monkeypatch, caplog):
    collapse_while(monkeypatch, lambda values: values["gumbel_temperature"] < 2 * 0.999**4)
    run_pretraining(corpus, tmp_path / "run", guard=Guard(patience=100))
    assert "the run ends with a codebook that seems to have collapsed" in caplog.text
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"] == 4


def test_a_collapse_is_only_told_where_that_is_wanted(corpus, tmp_path, monkeypatch, caplog):
    collapse_while(monkeypatch, lambda values: True)
    run_pretraining(corpus, tmp_path / "run", guard=Guard("warn", 2))
    assert caplog.text.count("may be collapsing") == 1
    assert AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)["global_step"] == 9


def damage(corpus, *numbers):
    for number in numbers:
        path = corpus / f"u{number:02d}.wav"
        samples, rate = soundfile.read(path)
        samples[100] = np.nan  # no header tells
        soundfile.write(path, samples, rate, subtype="FLOAT")


def test_damaged_recordings_are_passed_over_and_too_many_end_the_run(corpus, tmp_path, caplog):
    damage(corpus, 1, 4)
    options = {"watch": OFTEN, "max_steps": 12}
    outcome = run_pretraining(corpus, tmp_path / "run", data=Data(min_seconds=0.0, max_damaged=0.3), **options)
    assert outcome.document["dropped"]["undecodable"] == ["u01.wav", "u04.wav"]
    assert outcome.code == 4
    with pytest.raises(
        InputError, match=r"1 of 10 training utterances cannot be decoded \(u0\d.wav\).* --data.max_damaged 0.05"
    ):
        run_pretraining(corpus, tmp_path / "strict", data=Data(min_seconds=0.0, max_damaged=0.05), **options)


def test_damaged_recordings_of_dev_are_named_and_do_not_end_the_run(corpus, tmp_path):
    damage(corpus, 11, 12)
    outcome = run_pretraining(corpus, tmp_path / "run", data=Data(min_seconds=0.0, max_damaged=0.1))
    assert outcome.document["dropped"]["undecodable"] == ["u11.wav", "u12.wav"]


def test_a_moving_average_is_what_is_kept(corpus, tmp_path):
    optim = Optim(lr=1e-2, warmup=0.0, ema=0.5)
    run_pretraining(corpus, tmp_path / "run", max_steps=6, optim=optim)
    saved = AtomicCheckpointIO().load_checkpoint(tmp_path / "run" / CHECKPOINT)
    kept = load_file(tmp_path / "run" / "model.safetensors")
    for name, value in saved["callbacks"]["Average"]["weights"].items():
        assert torch.equal(value, kept[name.removeprefix("model.")])
    assert any(not torch.equal(saved["state_dict"][f"model.{name}"], value) for name, value in kept.items())
    run_pretraining(corpus, tmp_path / "again", max_steps=3, optim=optim)


def test_a_moving_average_survives_a_kill(corpus, tmp_path, monkeypatch):
    options = {"max_steps": 7, "optim": Optim(ema=0.9)}
    run_pretraining(corpus, tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        kill_at(patch, 6)
        with pytest.raises(Killed):
            run_pretraining(corpus, tmp_path / "killed", **options)
    run_pretraining(corpus, tmp_path / "killed", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "killed")


def test_workers_change_nothing_in_a_run_that_is_killed(corpus, tmp_path, monkeypatch):
    run_pretraining(corpus, tmp_path / "whole", max_steps=7)
    options = {"max_steps": 7, "data": Data(workers=2)}
    with monkeypatch.context() as patch:
        kill_at(patch, 6)
        with pytest.raises(Killed):
            run_pretraining(corpus, tmp_path / "killed", **options)
    run_pretraining(corpus, tmp_path / "killed", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "killed")


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
        dropout=NO_DROPOUT,
        dev=[corpus],
        optim=Optim(lr=5e-3),
        data=Data(),
        watch=Watch(log_every=50, eval_every=125, save_every=250),
    )
    values = measures(tmp_path / "run")
    assert float(values["250", "loss"]) < 0.25 * float(values["50", "loss"])
    assert outcome.document["best"]["step"] in (125, 250)
