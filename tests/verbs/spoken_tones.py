"""A corpus that both sides can classify: tones of one pitch for each class, and words for it in two languages."""

from dataclasses import replace

import numpy as np
import soundfile

from speechxl.data.manifest import read_manifest, write_manifest
from speechxl.shapes import Utterance
from tests.conftest import tone

WORDS = {"quy": {"a": "allqu", "b": "wasi", "c": "punchaw"}, "swh": {"a": "mbwa", "b": "nyumba", "c": "siku"}}
FILLERS = ["ari", "mana", "kay", "chay", "hinas", "ichá", "icha", "arí"]
SIZES = {"train": 4, "dev": 2, "test": 4}
"""Of each class, language and speaker; two speakers train."""


def make_spoken_tones(folder, languages=("quy", "swh"), sizes=SIZES):
    """Every word has a filler beside it, so that a sentence may stand in train and test."""
    folder.mkdir(parents=True)
    rows = []
    for language in languages:
        for speaker, split in (("s1", "train"), ("s2", "train"), ("s3", "dev"), ("s4", "test")):
            for turn in range(sizes[split]):
                for place, value in enumerate("abc"):
                    number = len(rows)
                    drawn = np.random.default_rng(number)
                    samples = tone(0.3 + 0.02 * (number % 5), 250 + 450 * place + 20 * drawn.random(), number)
                    path = folder / f"u{number:03d}.wav"
                    soundfile.write(path, samples, 16_000)
                    text = f"{WORDS[language][value]} {drawn.choice(FILLERS)} {speaker}{turn}"
                    rows.append(
                        Utterance(
                            path, path.name, duration=len(samples) / 16_000, language=language, split=split, text=text,
                            speaker=f"{language}-{speaker}", label=f"pitch:{value}",
                        )
                    )  # fmt: skip
    write_manifest(folder / "manifest.tsv", rows)
    return folder


def change_rows(folder, change, keep=lambda row: True):
    """Rewrites the manifest."""
    path = folder / "manifest.tsv"
    write_manifest(path, [replace(row, **change(row)) for row in read_manifest(path) if keep(row)])
