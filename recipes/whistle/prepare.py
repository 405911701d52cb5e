"""Speech of more languages for the recipe: ``prepare.py OUT [NAMES] [SEED]``.

espeak-ng speaks NAMES (60) names that CLDR has in each language that it can say and that is written in Latin letters, but for
Quechua, which is recognised. Writes ``OUT/manifest.tsv``, all of it ``train``, with ``text`` in lower case and ``phonemes``. What
is there is not made again.
"""

import sys
import unicodedata
from dataclasses import replace
from pathlib import Path

from speechxl.data.manifest import write_manifest
from speechxl.data.names import Part, named_languages, names, write_names
from speechxl.data.synthetic import VARIANTS

RECOGNISED = ("que", "quy")
NAMES, SEED = 60, 1


def is_latin(locale: str) -> bool:
    """Whether names are written in Latin letters."""
    letters = [character for name in names(locale) for character in name if character.isalpha()]
    return sum(unicodedata.name(letter).startswith("LATIN") for letter in letters) > 0.9 * len(letters)


def main(out: Path, count: int, seed: int) -> None:
    """Writes the manifest and prints what is in it."""
    if (out / "manifest.tsv").exists():
        return
    languages = {code: name for code, name in named_languages().items() if code not in RECOGNISED and is_latin(name)}
    rows = list(write_names(out, languages, [Part("train", count, VARIANTS)], seed))
    write_manifest(out / "manifest.tsv", [replace(row, text=row.text.lower()) for row in rows])
    minutes = sum(row.seconds for row in rows) / 60
    print(f"{out / 'manifest.tsv'}: {len(rows)} names, {minutes:.1f} min, {len(languages)} languages")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(f"usage: {sys.argv[0]} OUT [NAMES] [SEED]")
    given = [int(number) for number in sys.argv[2:]]
    main(Path(sys.argv[1]), *given, *(NAMES, SEED)[len(given) :])
