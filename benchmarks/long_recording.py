"""Peak memory of `speechxl transcribe` on a short recording and on one of hours; random weights, noise.

Prints one JSON document.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import soundfile
from compare import common, head, peak_rss
from transcribe import make_model

from speechxl.verbs.transcribe import transcribe

FORMATS = "txt,json,srt,TextGrid"


def main() -> None:
    """Runs the benchmark, or one measurement of it."""
    parser = common(__doc__)
    parser.add_argument("--minutes", type=float, nargs=2, default=[3, 180], help="of the two recordings")
    parser.add_argument("--measure", nargs=2, type=Path, metavar=("MODEL", "FILE"))
    options = parser.parse_args()
    if options.measure:
        model, file = options.measure
        begun = time.perf_counter()
        outcome = transcribe(str(model), [str(file)], out=file.with_suffix(""), format=FORMATS, device=options.device)
        seconds = time.perf_counter() - begun
        words = len(outcome.document["results"][0]["words"])
        print(json.dumps({"seconds": round(seconds, 1), "words": words, "peak_mib": round(peak_rss())}))
        return
    results = []
    with TemporaryDirectory() as name:
        make_model(Path(name) / "model", options.preset)
        for minutes in options.minutes:
            file = Path(name) / f"{minutes:g}.flac"
            write(file, minutes)
            command = [sys.executable, __file__, "--device", options.device, "--measure", f"{name}/model", str(file)]
            answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
            results.append({"minutes": minutes, **json.loads(answer)})
            print(results[-1], file=sys.stderr)
    document = head("long_recording", options) | {"results": results}
    del document["batch"]
    document["memory_ratio"] = round(results[1]["peak_mib"] / results[0]["peak_mib"], 3)
    print(json.dumps(document))


def write(path: Path, minutes: float) -> None:
    """Noise that gets louder and softer, minute by minute."""
    rng = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", 16_000, 1) as file:
        for _ in range(round(minutes * 4)):
            file.write(rng.normal(size=15 * 16_000) * rng.uniform(0.01, 0.2))


if __name__ == "__main__":
    main()
