"""What looking for the phones of an inventory costs: in transcribing, and before it; random weights."""

import json
import time
from pathlib import Path
from statistics import median

import numpy as np
import torch
from compare import common, head, wait
from models import preset_of

from speechxl.decoding.recognisers import Recognisers
from speechxl.models.making import new_ctc_model
from speechxl.phonology.distance import new_metric
from speechxl.phonology.inventory import Inventory, phoible_inventory
from speechxl.phonology.ipa import without_tones
from speechxl.phonology.mapping import PhoneMap, new_map
from speechxl.phonology.phoible import Phoible
from speechxl.text import Vocabulary


def prepare(folder: Path, language: str) -> tuple[dict[str, float], Phoible]:
    """Seconds from nothing to an inventory, and to features."""
    begun = time.process_time()
    phoible = Phoible(folder)
    phoible_inventory(phoible, language)
    loaded = time.process_time()
    phones = len(phoible.table.symbols)
    return {"inventory_s": loaded - begun, "features_s": time.process_time() - loaded, "segments": phones}, phoible


def make_map(phoible: Phoible, sources: int, targets: int) -> tuple[float, Vocabulary, PhoneMap]:
    """Seconds of mapping the commonest phones of the world to others, every second of which they are."""
    common_first = np.argsort(-phoible.table.counts, kind="stable")
    known = (phoible.table.symbols[row] for row in common_first)
    symbols = list(dict.fromkeys(symbol for symbol in known if without_tones(symbol)[0] == symbol))
    vocabulary = Vocabulary(("<pad>", *sorted(symbols[:sources])), 0, None)
    inventory = Inventory(symbols[: targets - targets // 2] + symbols[sources : sources + targets // 2])
    metric = new_metric("phoible", phoible=phoible.table)
    times = []
    for _ in range(5):
        begun = time.process_time()
        mapping = new_map(vocabulary, inventory, metric)
        times.append(time.process_time() - begun)
    return min(times), vocabulary, mapping


def main() -> None:
    """Prints one JSON document."""
    parser = common(__doc__)
    parser.add_argument("--phoible", type=Path, required=True)
    parser.add_argument("--language", default="swh")
    parser.add_argument("--sources", type=int, default=500, help="phones of the model")
    parser.add_argument("--targets", type=int, default=60, help="phones of the inventory")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    before, phoible = prepare(options.phoible, options.language)
    map_s, vocabulary, mapping = make_map(phoible, options.sources, options.targets)
    torch.manual_seed(0)
    shape = preset_of(options.preset)
    model = new_ctc_model(shape, vocabulary)
    rng = np.random.default_rng(0)
    waveforms = [rng.normal(size=int(options.seconds * 16_000)).astype(np.float32) for _ in range(options.batch)]
    plain = Recognisers(model, vocabulary, normalise=shape.normalise, device=options.device)
    ways = {"own phones": plain, "mapped": plain.mapped({"": mapping})}
    times: dict[str, list[float]] = {name: [] for name in ways}
    clock = (
        time.process_time if options.device == "cpu" else time.perf_counter
    )  # which other work on the machine changes less
    for repeat in range(options.repeats + 1):
        for name in sorted(ways, reverse=repeat % 2 == 0):
            wait(options.device)
            begun = clock()
            ways[name](waveforms, [""] * len(waveforms))
            wait(options.device)
            if repeat:
                times[name].append(clock() - begun)
    document = head("phone_mapping", options) | {
        **{name: round(value, 3) for name, value in before.items()},
        "map_s": round(map_s, 4),
        "sources": len(vocabulary) - 1,
        "targets": len(mapping.inventory),
        "own_s": round(median(times["own phones"]), 4),
        "mapped_s": round(median(times["mapped"]), 4),
        "ratio": round(median(b / a for a, b in zip(*times.values(), strict=True)), 4),
    }
    print(json.dumps(document))


if __name__ == "__main__":
    main()
