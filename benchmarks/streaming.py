"""Peak memory and speed of streaming a corpus, and one of several times its size, out of Parquet shards.

Each is streamed once, in a process of its own, into batches that nothing is done with. Prints one JSON document.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from compare import peak_rss

LANGUAGES = ["abc", "abd", "abe", "abf", "abg", "abh", "abi", "abj"]


def main() -> None:
    """Runs the benchmark, or one measurement of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60, help="Audio of the smaller corpus.")
    parser.add_argument("--times", type=int, default=4, help="Size of the larger corpus, in smaller ones.")
    parser.add_argument("--languages", type=int, default=4, choices=range(1, 1 + len(LANGUAGES)))
    parser.add_argument("--shard_minutes", type=float, default=5)
    parser.add_argument("--batch_seconds", type=float, default=80)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.batch_seconds)))
        return
    results = []
    with TemporaryDirectory() as folder:
        for times in (1, options.times):
            shards = Path(folder) / str(times)
            write(shards, options.minutes * times, options.languages, options.shard_minutes)
            command = [sys.executable, sys.argv[0], f"--measure={shards}", f"--batch_seconds={options.batch_seconds}"]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            results.append({"minutes": options.minutes * times, **json.loads(answer)})
            print(results[-1], file=sys.stderr)
    growth = results[1]["mib"] / results[0]["mib"]
    document = {
        "schema": 1,
        "benchmark": "streaming",
        "languages": options.languages,
        "batch_seconds": options.batch_seconds,
    }
    print(json.dumps(document | {"growth": round(growth, 3), "results": results}))


def write(folder: Path, minutes: float, languages: int, shard_minutes: float) -> None:
    """Shards of stretches of noise, of 2 to 15 s."""
    import numpy as np
    import soundfile

    from speechxl.data.shards import write_shards
    from speechxl.shapes import SAMPLE_RATE, Utterance

    rng = np.random.default_rng(0)
    noise = folder.with_suffix(".wav")
    soundfile.write(noise, rng.normal(scale=0.1, size=20 * SAMPLE_RATE), SAMPLE_RATE)
    for language in LANGUAGES[:languages]:
        lengths = rng.uniform(2, 15, size=max(1, round(minutes * 60 / languages / 8.5)))
        rows = [
            Utterance(noise, str(number), rng.uniform(0, 5), length, language) for number, length in enumerate(lengths)
        ]
        write_shards(rows, folder, corpus="noise", shard_seconds=60 * shard_minutes)


def measure(folder: Path, batch_seconds: float) -> dict[str, float]:
    """Streams as much audio as there is."""
    from speechxl.data.datamodule import SpeechDataset
    from speechxl.data.shards import read_index
    from speechxl.data.streaming import SpeechStream
    from speechxl.shapes import SAMPLE_RATE

    index = read_index(folder)
    total = 3600 * sum(shard.hours for shard in index)
    shares = {(shard.language, shard.corpus): 1.0 for shard in index}
    form = SpeechDataset([], LANGUAGES, normalise=True, seed=1)
    before, begun, seconds, utterances = peak_rss(), time.perf_counter(), 0.0, 0
    for batch in SpeechStream(index, shares, form, batch_seconds):
        seconds += float(batch.lengths.sum()) / SAMPLE_RATE
        utterances += len(batch.ids)
        if seconds >= total:
            break
    spent = time.perf_counter() - begun
    rate = round(seconds / spent)
    return {
        "shards": len(index),
        "utterances": utterances,
        "mib": round(peak_rss() - before, 1),
        "times_real_time": rate,
    }


if __name__ == "__main__":
    main()
