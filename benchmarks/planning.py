"""Time and memory of planning an epoch over a synthetic index of many utterances in many languages."""

import argparse
import json
import resource
import sys
import time

import numpy as np

from speechxl.data.batching import Corpus, EpochBatches
from speechxl.data.sampling import flattened


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--utterances", type=int, default=10_000_000)
    parser.add_argument("--languages", type=int, default=128)
    parser.add_argument("--batch_seconds", type=float, default=75.0)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    durations = np.clip(rng.lognormal(1.8, 0.6, options.utterances), 2.0, 20.0)
    weights = 1 / np.arange(1, options.languages + 1)  # few languages have most of the speech
    groups = rng.choice(options.languages, options.utterances, p=weights / weights.sum())
    hours = np.bincount(groups, durations, options.languages) / 3600
    shares = np.array(list(flattened(dict(enumerate(hours.tolist())), 0.5).values()))
    before = _peak()

    begun = time.perf_counter()
    sampler = EpochBatches(Corpus(durations, groups, shares), options.batch_seconds, 1, quadratic=1 / 147)
    batches = sampler.epoch(0)
    planned = time.perf_counter() - begun
    document = {
        "benchmark": "planning",
        "utterances": options.utterances,
        "languages": options.languages,
        "hours": round(float(hours.sum())),
        "batches": len(batches),
        "fill": float(np.mean([durations[batch[:, 1]].sum() for batch in batches[:1000]]) / options.batch_seconds),
        "seconds": round(planned, 2),
        "index_mib": round(before),
        "peak_mib": round(_peak()),
    }
    print(json.dumps(document))


def _peak() -> float:
    """MiB of this process at its largest."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 2**20)


if __name__ == "__main__":
    main()
