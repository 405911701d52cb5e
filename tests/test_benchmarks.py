import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.phonology.conftest import write_release

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
FIELDS = {"dtype", "peer_s", "speechxl_s", "speedup", "peer_mib", "speechxl_mib", "memory_ratio"}
SCRIPTS = ["encoder", "pretrain_step", "finetune_step", "articulation_step", "classify_step"]


def test_every_benchmark_is_tried():
    helpers, others = (
        {"compare", "models"},
        {
            "planning",
            "streaming",
            "pretrain_profile",
            "transcribe",
            "long_recording",
            "allophones",
            "phone_errors",
            "phone_mapping",
            "validate",
        },
    )
    assert {path.stem for path in BENCHMARKS.glob("*.py")} - helpers == {*SCRIPTS, *others}


def document_of(name, *flags):
    flags = ["--preset", "tiny", "--batch", "1", "--seconds", "1", "--repeats", "1", *flags]
    command = [sys.executable, str(BENCHMARKS / f"{name}.py"), *flags]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(result.stdout), result.stderr


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_prints_one_document(name):
    document, _ = document_of(name, "--dtypes", "float32")
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


def test_distances_are_tried_on_allophones(tmp_path):
    command = [sys.executable, str(BENCHMARKS / "allophones.py"), "--phoible", str(write_release(tmp_path / "release"))]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (document["schema"], document["benchmark"], document["cases"]) == (1, "allophones", 1)
    assert document["results"]["uniform"] == {"accuracy": 1.0, "ties": 0.0, "ties resolved": 1.0}


def test_transcribing_gives_the_peer_s_text():
    document, _ = document_of("transcribe", "--files", "3", "--peer_batches", "1")
    peer, own, _ = document["results"]
    assert (peer["side"], own["side"], own["how"]) == ("peer", "speechxl", "32")
    assert peer["different_characters"] == own["different_characters"] == 0
    assert own["speedup"] > 0


def test_memory_of_transcribing_does_not_grow_with_the_recording():
    document, _ = document_of("long_recording", "--minutes", "6", "18")
    short, long = document["results"]
    assert long["words"] > 2 * short["words"] > 100
    assert document["memory_ratio"] < 1.1


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_profile_says_where_all_of_the_time_goes(dtype):
    document, table = document_of("pretrain_profile", "--dtype", dtype)
    assert (document["schema"], document["benchmark"], document["dtype"]) == (1, "pretrain_profile", dtype)
    rows = {row["group"]: row["share"] for row in document["results"]}
    assert sum(rows.values()) == pytest.approx(1, abs=0.01)
    assert rows.keys() >= {"matrix products", "attention", "normalisation", "GELU", "copies and casts", "rest"}
    assert all(name in table for name in rows)
    assert 0 < document["extractor_share"] < 1
    assert document["counted_gflop"] == pytest.approx(document["gflop"], rel=0.1)
    rate = document["product_gflop_per_s"]
    assert document["utilisation"] == pytest.approx(document["gflop"] / document["step_s"] / rate, rel=0.05)


def test_phone_errors_prints_one_document():
    command = [
        sys.executable,
        str(BENCHMARKS / "phone_errors.py"),
        "--pairs",
        "40",
        "--phones",
        "8",
        "--peer_pairs",
        "20",
    ]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert document["difference"] < 1e-9
    assert document["pfer_s"] > 0


def test_the_cost_of_an_inventory_is_measured(tmp_path):
    folder = str(write_release(tmp_path / "release"))
    flags = ["--phoible", folder, "--language", "quy", "--sources", "4", "--targets", "4"]
    document, _ = document_of("phone_mapping", *flags)
    assert (document["benchmark"], document["sources"], document["targets"]) == ("phone_mapping", 4, 4)
    assert document["ratio"] == pytest.approx(document["mapped_s"] / document["own_s"], rel=0.01)
    assert document["map_s"] > 0
    assert document["inventory_s"] > 0


def test_validate_prints_one_document():
    command = [sys.executable, str(BENCHMARKS / "validate.py"), "--utterances", "200"]
    document = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert (document["schema"], document["benchmark"], document["utterances"]) == (1, "validate", 200)
    assert document["seconds"] > 0
    assert document["peak_mib"] >= document["mib_before"] > 0
