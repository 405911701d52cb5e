"""A probe of what the features know, from dev rows with text or phonemes."""

from functools import partial
from typing import Any

from speechxl.config import Probe
from speechxl.data.datamodule import draw_key
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.tasks.probe import LinearProbe
from speechxl.text import Vocabulary
from speechxl.verbs.recordings import Speech
from speechxl.verbs.streamed import StreamedSpeech
from speechxl.verbs.training import seconds


def make_probe(
    speech: Speech | StreamedSpeech, probe: Probe, make: Any, accumulate: int, batch_seconds: float, depth: int
) -> LinearProbe | None:
    """A probe on a fixed slice of the labelled dev rows; None where none is asked for.

    Raises:
        InputError: If no dev row is labelled, or they are too few, or the layer is not there.
    """
    if probe.every is None:
        return None
    if probe.layer is not None and probe.layer > depth:
        raise InputError(f"--probe.layer must be one of the model's {depth} layers, got {probe.layer}.")
    written, spoken = ([row for row in speech.probed if getattr(row, column)] for column in ("text", "phonemes"))
    phonemes = len(spoken) >= len(written)
    rows = sorted(spoken if phonemes else written, key=lambda row: draw_key(0, 0, row.id))
    chosen: list[Utterance] = []
    while rows and seconds(chosen) < 60 * probe.minutes:
        chosen.append(rows.pop(0))
    if len(chosen) < 6:
        raise InputError(
            f"--probe.every {probe.every}: {len(chosen)} dev rows have text or phonemes, at least 6 are needed; give labelled "
            "rows with --dev, or leave the probe out."
        )
    texts = {row.id: row.phonemes if phonemes else row.text for row in chosen}
    vocabulary = Vocabulary.from_texts(texts.values(), "phoneme" if phonemes else "char")
    parts = [row for place, row in enumerate(chosen) if place % 3 != 2], chosen[2::3]
    make = partial(make, max_seconds=None, encode=lambda row: (texts[row.id], vocabulary.encode(texts[row.id])))
    return LinearProbe(
        make(parts[0]), make(parts[1]), vocabulary,
        every=probe.every, layer=probe.layer, accumulate=accumulate, batch_seconds=batch_seconds,
    )  # fmt: skip
