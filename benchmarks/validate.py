"""Time and memory of `speechxl validate` on a synthetic corpus of many utterances, each a file of its own."""

import argparse
import json
import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from speechxl.data.manifest import write_manifest
from speechxl.shapes import SAMPLE_RATE, Utterance

BYTES = 2


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="for the corpus, by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        print(json.dumps(measure(Path(name), options.utterances, options.threads)))


def measure(folder: Path, utterances: int, threads: int) -> dict[str, object]:
    """Makes a corpus and validates it twice, the second time with what was measured before."""
    from speechxl.data.checks import cache
    from speechxl.verbs.validate import validate

    cache.cache_file = lambda: folder / "cache.sqlite"  # type: ignore[assignment]
    begun = time.perf_counter()
    hours = make(folder, utterances)
    made, before = time.perf_counter() - begun, peak()
    seconds, documents = [], []
    for _ in range(2):
        begun = time.perf_counter()
        documents.append(validate([folder / "manifest.tsv"], threads=threads).document)
        seconds.append(round(time.perf_counter() - begun, 2))
    if documents[0] != documents[1] or documents[0]["errors"] != {"too_short": 1, "missing": 1}:
        sys.exit(f"wrong findings: {documents[0]['errors']}, {documents[1]['errors']}")
    return {
        "schema": 1,
        "benchmark": "validate",
        "utterances": utterances,
        "hours": round(hours),
        "threads": threads,
        "making_s": round(made, 2),
        "seconds": seconds[0],
        "cached_s": seconds[1],
        "mib_before": round(before),
        "peak_mib": round(peak()),
    }


def make(folder: Path, utterances: int) -> float:
    """Writes headers of wav files whose samples take no disk, a manifest with two faults, and gives the hours."""
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("abdeiklmnostu"), rng.integers(2, 8))) for _ in range(20_000)]
    rows = []
    for number in range(utterances):
        text = " ".join(words[word] for word in rng.integers(len(words), size=rng.integers(2, 16)))
        samples = int(SAMPLE_RATE * (0.5 + 0.07 * len(text) * rng.uniform(0.8, 1.25)))
        path = folder / f"{number // 1000:04d}" / f"{number:07d}.wav"
        path.parent.mkdir(exist_ok=True)
        with path.open("wb") as file:
            size = BYTES * samples
            form = struct.pack("<IHHIIHH", 16, 1, 1, SAMPLE_RATE, BYTES * SAMPLE_RATE, BYTES, 8 * BYTES)
            file.write(b"RIFF" + struct.pack("<I", size + 36) + b"WAVEfmt " + form + b"data" + struct.pack("<I", size))
            file.truncate(44 + size)
        speaker = number % 500
        rows.append(
            Utterance(
                path, str(path.relative_to(folder)), duration=samples / SAMPLE_RATE, speaker=f"s{speaker}", text=text,
                split="train" if speaker < 450 else "dev", language="swh" if speaker % 2 else "quy",
            )
        )  # fmt: skip
    rows[3].path.unlink()
    rows[5] = Utterance(**vars(rows[5]) | {"text": rows[5].text * 40})
    write_manifest(folder / "manifest.tsv", rows)
    return sum(row.seconds for row in rows) / 3600


def peak() -> float:
    """MiB of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 2**20)


if __name__ == "__main__":
    main()
