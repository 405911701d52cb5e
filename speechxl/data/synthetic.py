"""A small multilingual corpus that espeak-ng speaks on the spot; its words are written for this project."""

import csv
from importlib.resources import files
from pathlib import Path

import numpy as np
import soundfile

from speechxl.data.espeak import speak
from speechxl.data.manifest import write_manifest
from speechxl.shapes import SAMPLE_RATE, Utterance

VARIANTS = ("m1", "m3", "m5", "m7", "f1", "f2", "f4", "f5")
"""Voices of espeak-ng that stand for speakers."""
DEV_VARIANTS = ("m2", "f3")
"""Voices that are heard in dev only."""


def languages() -> list[dict[str, str]]:
    """Code, name, voice and words of each language; the last is the one that gets no text."""
    text = files("speechxl.data").joinpath("demo.tsv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE))


def write_corpus(folder: Path, minutes: dict[str, float], dev_minutes: float, seed: int) -> Path:
    """Speaks phrases of one to three words.

    Args:
        folder: For ``audio`` and ``manifest.tsv``.
        minutes: Of training speech of each language.
        dev_minutes: Of dev speech of each language, by other speakers, in phrases that training does not have.
        seed: Of phrases and voices.

    Returns:
        The manifest.
    """
    table = languages()
    rows: list[Utterance] = []
    for entry in table:
        rng = np.random.default_rng((seed, *entry["language"].encode()))
        heard: set[str] = set()
        for split, variants, limit in (
            ("train", VARIANTS, minutes[entry["language"]]),
            ("dev", DEV_VARIANTS, dev_minutes),
        ):
            spoken, number = 0.0, 0
            while spoken < 60 * limit:
                phrase = " ".join(rng.choice(entry["words"].split(), size=rng.integers(1, 4), replace=False))
                if split == "dev" and phrase in heard:
                    continue
                heard.add(phrase)
                variant = str(rng.choice(variants))
                samples = say(phrase, f"{entry['voice']}+{variant}", rng)
                path = folder / "audio" / entry["language"] / f"{split}-{number:04d}.flac"
                path.parent.mkdir(parents=True, exist_ok=True)
                soundfile.write(path, samples, SAMPLE_RATE)
                rows.append(
                    Utterance(
                        path,
                        str(path.relative_to(folder)),
                        duration=len(samples) / SAMPLE_RATE,
                        language=entry["language"],
                        speaker=f"{entry['language']}-{variant}",
                        split=split,
                        text="" if entry is table[-1] else phrase,
                    )
                )
                spoken, number = spoken + len(samples) / SAMPLE_RATE, number + 1
    write_manifest(folder / "manifest.tsv", rows)
    return folder / "manifest.tsv"


def say(phrase: str, voice: str, rng: np.random.Generator) -> np.ndarray:
    """A phrase with some variety of rate, pitch, loudness and background.

    Args:
        phrase: In the language of the voice.
        voice: Of espeak-ng.
        rng: Of all that varies.

    Returns:
        (T,) float64 at 16 kHz.
    """
    samples = speak(phrase, voice, rate=int(rng.integers(150, 200)), pitch=int(rng.integers(35, 66)))
    samples = samples * rng.uniform(0.3, 0.9) / np.abs(samples).max()
    return samples + rng.normal(scale=rng.uniform(0.0005, 0.003), size=len(samples))
