import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FIELDS = {"dtype", "peer_s", "speechxl_s", "speedup", "peer_mib", "speechxl_mib", "memory_ratio"}
SCRIPTS = ["encoder", "pretrain_step", "finetune_step"]


def test_every_benchmark_is_tried():
    helpers, others = {"compare", "models"}, {"planning", "streaming"}
    assert {path.stem for path in BENCHMARKS.glob("*.py")} - helpers == {*SCRIPTS, *others}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_prints_one_document(name):
    flags = ["--preset", "tiny", "--batch", "1", "--seconds", "1", "--repeats", "1", "--dtypes", "float32"]
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *flags]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    document = json.loads(result.stdout)
    assert document.keys() == {"schema", "benchmark", "preset", "device", "threads", "batch", "results"}
    assert (document["schema"], document["benchmark"], document["preset"]) == (1, name, "tiny")
    for row in document["results"]:
        assert row.keys() >= FIELDS
        assert row["speedup"] > 0


def test_planning_prints_one_document():
    command = [sys.executable, str(BENCHMARKS / "planning.py"), "--utterances", "20000", "--languages", "9"]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert document["utterances"] == 20_000
    assert 0.7 < document["fill"] <= 1
    assert document["batches"] * document["fill"] * 75 / 3600 == pytest.approx(document["hours"], rel=0.05)


def test_memory_of_streaming_does_not_grow_with_the_corpus():
    flags = ["--minutes", "4", "--shard_minutes", "1", "--languages", "2", "--batch_seconds", "10"]
    command = [sys.executable, str(BENCHMARKS / "streaming.py"), *flags]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (document["schema"], document["benchmark"]) == (1, "streaming")
    small, large = document["results"]
    assert large["shards"] > 3 * small["shards"] > 6
    assert large["utterances"] > 3 * small["utterances"] > 60
    assert large["mib"] < small["mib"] + 25  # the corpus grows by 12 minutes, 22 MiB of FLAC and 44 of float32
