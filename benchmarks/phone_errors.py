"""Time of measuring a recogniser of phones, and of its PFER alone against panphon's own on some of the same pairs."""

import argparse
import json
import time

import numpy as np
from panphon.distance import Distance

from speechxl.evaluation.phone_rates import phone_errors, phone_rates
from speechxl.evaluation.phone_texts import read_texts
from speechxl.evaluation.prism import feature_edits
from speechxl.phonology.distance import new_metric

PHONES = [*"pbtdkɡmnŋfvszʃxhrljwieɛaɔouəyø", "t͡ʃ", "tʰ", "kʷ", "ã", "aː", "iː"]


def main() -> None:
    """Prints one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--phones", type=int, default=40, help="in a reference")
    parser.add_argument("--peer_pairs", type=int, default=500, help="that panphon's own is timed on")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    references = [rng.choice(PHONES, options.phones) for _ in range(options.pairs)]
    noisy = [np.where(rng.random(len(x)) < 0.2, rng.choice(PHONES, len(x)), x) for x in references]
    heard = [x[rng.random(len(x)) > 0.1] for x in noisy]
    said, written = ([" ".join(phones) for phones in texts] for texts in (references, heard))
    metric = new_metric("panphon")
    peer = Distance()
    feature_edits(said[:1], written[:1])  # reads the table

    begun = time.process_time()
    own = feature_edits(said, written)
    pfer = time.process_time() - begun
    begun = time.process_time()
    known = [
        peer.hamming_feature_edit_distance(hypothesis.replace(" ", ""), reference.replace(" ", ""))
        for reference, hypothesis in zip(said[: options.peer_pairs], written[: options.peer_pairs], strict=True)
    ]
    theirs = (time.process_time() - begun) / len(known) * options.pairs
    begun = time.process_time()
    errors = phone_errors(read_texts(said, written), metric)
    phone_rates(errors, ["und"] * options.pairs, {})
    document = {
        "benchmark": "phone_errors",
        "pairs": options.pairs,
        "phones": options.phones,
        "pfer_s": round(pfer, 3),
        "panphon_s": round(theirs, 3),
        "speedup": round(theirs / pfer, 1),
        "difference": float(np.abs(own[: len(known)] - known).max()),
        "all_measures_s": round(time.process_time() - begun, 3),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
