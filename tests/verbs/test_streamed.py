import json
from dataclasses import replace

import pytest
import torch
import yaml

from speechxl.config import Data, Guard, Optim, Probe, Sampling, Watch
from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.data.shards import read_index
from speechxl.errors import InputError, NothingMatched
from speechxl.models.folders import read_card
from speechxl.tasks.checkpoints import CHECKPOINT, AtomicCheckpointIO
from speechxl.verbs.adapt import adapt
from speechxl.verbs.prepare import prepare
from speechxl.verbs.pretrain import pretrain
from tests.conftest import SMALL
from tests.tasks.test_training import NOISY, Killed, assert_same, kill_at


@pytest.fixture
def shards(corpus, tmp_path):
    prepare("shards", corpus, tmp_path / "shards", shard_seconds=2.0)
    return tmp_path / "shards"


def run(shards, out, steps=7, **options):
    settings = {"optim": Optim(lr=1e-3, warmup=0.0), "watch": Watch(log_every=1, eval_every=3, save_every=2)} | options
    common = {"device": "cpu", "architecture": SMALL, "dropout": NOISY, "data": Data(min_seconds=0.1, workers=0)}
    common["guard"] = Guard("warn")  # a few steps of a few seconds are noisy
    return pretrain(train=[shards], out=out, preset="tiny", max_steps=steps, batch_seconds=2.0, **(common | settings))


def test_pretraining_and_adapting_take_shards(shards, corpus, tmp_path):
    outcome = run(shards, tmp_path / "m", steps=2)
    index = [shard for shard in read_index(shards) if shard.split == "train"]
    assert outcome.code == 0
    assert outcome.document["utterances"] == sum(shard.utterances for shard in index) == 10
    assert outcome.document["hours"] == pytest.approx(sum(shard.hours for shard in index))
    assert read_card(str(tmp_path / "m")).languages == ["quy", "swh"]
    assert json.loads((tmp_path / "m" / "codebook.json").read_text())["languages"].keys() == {"quy", "swh"}
    assert "dev_contrastive" in (tmp_path / "m" / "metrics.csv").read_text()
    common = {"max_steps": 1, "batch_seconds": 2.0, "device": "cpu", "data": Data(min_seconds=0.1)}
    adapt(str(tmp_path / "m"), train=[shards], out=tmp_path / "n", split="all", **common)
    assert yaml.safe_load((tmp_path / "n" / "config.yaml").read_text())["train"] == [str(shards)]


@pytest.mark.parametrize(("accumulate", "workers"), [(1, 0), (2, 0), (1, 2)])
def test_a_run_on_shards_that_is_killed_again_and_again_ends_as_an_uninterrupted_one(
    shards, tmp_path, monkeypatch, accumulate, workers
):
    options = {
        "optim": Optim(lr=1e-3, warmup=0.0, accumulate=accumulate),
        "data": Data(min_seconds=0.1, workers=workers),
    }
    run(shards, tmp_path / "whole", **options)
    for batch in (1, 4 * accumulate) if workers else (1, 4 * accumulate, 3, 2 * accumulate + 1):
        with monkeypatch.context() as patch:
            kill_at(patch, batch)
            with pytest.raises(Killed):
                run(shards, tmp_path / "killed", resume=True, **options)
    run(shards, tmp_path / "killed", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "killed")


def test_a_run_goes_on_with_the_workers_that_it_began_with(shards, tmp_path, caplog):
    options = {"data": Data(min_seconds=0.1, workers=2)}
    run(shards, tmp_path / "whole", steps=4, **options)
    run(shards, tmp_path / "killed", steps=2, **options)
    run(shards, tmp_path / "killed", steps=4, resume=True, data=Data(min_seconds=0.1, workers=0))
    assert "going on with --data.workers 2, as the run began" in caplog.text
    states = [
        AtomicCheckpointIO().load_checkpoint(tmp_path / name / CHECKPOINT)["StreamData"] for name in ("whole", "killed")
    ]
    assert states[0] == states[1]


def test_a_run_whose_shards_changed_begins_them_anew_and_says_so(shards, corpus, tmp_path, caplog):
    run(shards, tmp_path / "m", steps=2)
    prepare("shards", corpus, shards, corpus="more")
    run(shards, tmp_path / "m", steps=4, resume=True)
    assert "the shards are others: the corpora are begun anew, in another order" in caplog.text
    state = AtomicCheckpointIO().load_checkpoint(tmp_path / "m" / CHECKPOINT)["StreamData"]
    assert state["ranks"][0]["turn"] > 0


def test_damaged_rows_do_not_end_a_run_and_are_exit_code_4(corpus, tmp_path, monkeypatch, caplog):
    from speechxl.data import shards as module

    flac, calls = module.flac, []

    def every_third_is_cut(samples):
        calls.append(samples)
        return flac(samples)[: None if len(calls) % 3 else 4000]

    monkeypatch.setattr(module, "flac", every_third_is_cut)
    prepare("shards", corpus, tmp_path / "shards")
    outcome = run(tmp_path / "shards", tmp_path / "m", steps=4, data=Data(min_seconds=0.1, max_damaged=0.5))
    assert outcome.code == 4
    assert 0 < len(outcome.document["dropped"]["undecodable"]) <= 5
    assert "passed over" in caplog.text
    with pytest.raises(InputError, match=r"1 of 10 training utterances cannot be decoded .* --data.max_damaged 0"):
        run(tmp_path / "shards", tmp_path / "n", steps=4, data=Data(min_seconds=0.1, max_damaged=0.0))


def test_balance_crops_probe_and_replay_work_as_with_files(shards, corpus, tmp_path, pretrained_folder):
    prepare("shards", corpus, tmp_path / "earlier", corpus="earlier")
    rows = [replace(row, split="dev") for row in read_manifest(corpus / "manifest.tsv")]
    write_manifest(corpus / "dev.tsv", rows)
    prepare("shards", corpus / "dev.tsv", tmp_path / "dev")
    common = {"max_steps": 2, "batch_seconds": 2.0, "device": "cpu", "watch": Watch(log_every=1)}
    outcome = adapt(
        str(pretrained_folder), train=[shards], dev=[tmp_path / "dev"], replay=[tmp_path / "earlier"], replay_share=0.25,
        out=tmp_path / "m",
        sampling=Sampling(alpha=0.5, crop_to_shortest=True), probe=Probe(every=2, minutes=0.1, layer=1),
        data=Data(min_seconds=0.1), **common,
    )  # fmt: skip
    hours = {(shard.language, shard.corpus): 0.0 for shard in read_index(shards)}
    for shard in read_index(shards):
        hours[shard.language, shard.corpus] += shard.hours * (shard.split == "train")
    roots = {language: value**0.5 for (language, _), value in hours.items()}
    for language, row in outcome.document["languages"].items():
        assert row["share"] == pytest.approx(roots[language] / sum(roots.values()), abs=1e-3)
    assert outcome.document["utterances"] == 20
    assert "probe" in (tmp_path / "m" / "metrics.csv").read_text()
    prepare("shards", corpus, tmp_path / "same")
    with pytest.raises(InputError, match="--replay and --train both have shards of quy in corpus"):
        adapt(str(pretrained_folder), train=[shards], replay=[tmp_path / "same"], out=tmp_path / "n", **common)


def test_what_cannot_be_read_is_explained(shards, corpus, tmp_path):
    with pytest.raises(InputError, match=r"corpus is no folder of shards, and .*shards is one"):
        pretrain(train=[shards, corpus], out=tmp_path / "m", preset="tiny")
    with pytest.raises(NothingMatched, match="no shard with split 'test'; there are dev, train"):
        pretrain(train=[shards], out=tmp_path / "m", preset="tiny", split="test")
    assert not (tmp_path / "m").exists()


def _gathered(rank, folder, results):
    """What rank 0 and rank 1 of a run would save."""
    import torch.distributed

    from speechxl.data.datamodule import SpeechDataset
    from speechxl.data.streaming import SpeechStream, StreamData

    torch.distributed.init_process_group("gloo", f"file://{results}/meet", rank=rank, world_size=2)
    index = read_index(folder)
    shares = {("quy", "corpus"): 0.5, ("swh", "corpus"): 0.5}
    form = SpeechDataset([], ["quy", "swh"], normalise=True, seed=1)
    data = StreamData(SpeechStream(index, shares, form, 2.0, rank=rank, world=2), None, 0)
    for _, batch in zip(range(3), data.stream, strict=False):
        data.note(batch)
    torch.save((data.stream.state_dict(), data.state_dict()), results / f"{rank}.pt")
    torch.distributed.destroy_process_group()


def test_a_checkpoint_holds_where_every_process_stands(shards, tmp_path):
    torch.multiprocessing.start_processes(_gathered, (shards, tmp_path), nprocs=2, start_method="fork")
    own, gathered = zip(*(torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in range(2)), strict=True)
    assert own[0] != own[1]
    assert gathered[0]["ranks"] == gathered[1]["ranks"] == list(own)
