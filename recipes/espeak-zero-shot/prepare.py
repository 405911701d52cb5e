"""Speech of the recipe: ``prepare.py OUT [NAMES] [SEED]``.

espeak-ng speaks names that CLDR has in 16 languages. Writes ``OUT/manifest.tsv`` with ``phonemes`` as espeak-ng says them and
these splits: ``train``, NAMES (648) of each of six languages; ``dev`` (to choose the model by) and ``seen`` (to report),
other names of these six; ``unseen``, names of ten languages that are in none of the other splits. ``seen`` and ``unseen``
have other voices than ``train`` and ``dev``. What is there is not made again.
"""

import sys
from pathlib import Path

from speechxl.data.manifest import write_manifest
from speechxl.data.names import Part, write_names
from speechxl.data.synthetic import VARIANTS

TRAIN = {"deu": "de", "spa": "es", "ita": "it", "tur": "tr", "pol": "pl", "rus": "ru"}
UNSEEN = {
    "hin": "hi", "fin": "fi", "kat": "ka", "ces": "cs", "eus": "eu", "ell": "el", "hun": "hu", "por": "pt", "swh": "sw",
    "tam": "ta",
}  # fmt: skip
"""Of nine branches and families; only the first three are known to be among the ten of the first experiment."""
OTHERS = ("m2", "m4", "m6", "f3")
"""Voices that are heard in the tests only."""
NAMES, SEED = 648, 1
DEV, TEST = 50, 119


def main(out: Path, names: int, seed: int) -> None:
    """Writes the manifest and prints what is in it."""
    if (out / "manifest.tsv").exists():
        return
    seen = [Part("train", names, VARIANTS), Part("dev", DEV, VARIANTS), Part("seen", TEST, OTHERS)]
    rows = [
        *write_names(out, TRAIN, seen, seed),
        *write_names(out, UNSEEN, [Part("unseen", TEST, OTHERS)], seed),
    ]
    write_manifest(out / "manifest.tsv", rows)
    for split in ("train", "dev", "seen", "unseen"):
        chosen = [row for row in rows if row.split == split]
        phones = {phone for row in chosen for phone in row.phonemes.split()}
        minutes, languages = sum(row.seconds for row in chosen) / 60, len({row.language for row in chosen})
        print(
            f"{out / 'manifest.tsv'}: {split:6s} {len(chosen):4d} names, {minutes:4.1f} min, {languages:2d} languages, "
            f"{len(phones):3d} phones"
        )


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(f"usage: {sys.argv[0]} OUT [NAMES] [SEED]")
    given = [int(number) for number in sys.argv[2:]]
    main(Path(sys.argv[1]), *given, *(NAMES, SEED)[len(given) :])
