import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FIELDS = {"dtype", "peer_s", "speechxl_s", "speedup", "peer_mib", "speechxl_mib", "memory_ratio"}
SCRIPTS = ["encoder", "pretrain_step", "finetune_step"]


def test_every_benchmark_is_tried():
    helpers, others = {"compare", "models"}, {"planning"}
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
