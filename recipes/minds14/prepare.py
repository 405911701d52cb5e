"""Manifests of the recipe: ``prepare.py MINDS14 OUT [LOCALE ...]``.

``MINDS14`` is the folder of PolyAI/minds14 with ``LOCALE/train-*.parquet``. Writes ``OUT/LOCALE.tsv`` and the recordings, as
they are (8 kHz), to ``OUT/audio``. The corpus has no splits: three tenths of each intent of a locale become test and a tenth
dev, drawn by the text, so that a sentence is in one of them only. Recordings whose transcript is its English translation, in
other languages than English, are left out.
"""

import hashlib
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from speechxl.classification.forms import native
from speechxl.data.audio import probe
from speechxl.data.hub_tables import find_tables, read_rows, save_audio
from speechxl.data.languages import to_iso
from speechxl.data.manifest import write_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

COLUMNS = ("audio", "transcription", "english_transcription", "intent_class")


def read(paths: Sequence[Path], locale: str, out: Path) -> tuple[list[Utterance], int]:
    """Recordings of a locale, and how many are left out as their transcript is a translation."""
    language, rows, translated = to_iso(locale), [], 0
    for number, row in enumerate(read_rows(paths, COLUMNS)):
        text, english = normalise(row["transcription"]), normalise(row["english_transcription"] or "")
        if language != "eng" and native(text) == native(english):
            translated += 1
            continue
        path = save_audio(row["audio"], out / "audio" / locale, f"{number:05d}")
        rows.append(
            Utterance(
                path, f"{locale}/{number:05d}", duration=probe(path).duration, language=language, text=text,
                label=f"intent:{row['intent_class']}", extra={"english": english, "locale": locale},
            )
        )  # fmt: skip
    return rows, translated


def divide(rows: Sequence[Utterance]) -> list[Utterance]:
    """Rows with splits."""
    sentences: dict[str, dict[str, list[Utterance]]] = defaultdict(lambda: defaultdict(list))
    taken: dict[str, str] = {}
    for row in rows:
        key = native(row.text)
        sentences[taken.setdefault(key, row.label)][key].append(
            row
        )  # the rare sentence of two intents goes with the first
    divided = []
    for own in sentences.values():
        total, passed = sum(map(len, own.values())), 0
        for key in sorted(own, key=lambda text: hashlib.sha256(text.encode()).digest()):
            split = "test" if passed < 0.3 * total else "dev" if passed < 0.4 * total else "train"
            divided += [replace(row, split=split) for row in own[key]]
            passed += len(own[key])
    return sorted(divided, key=lambda row: row.id)


def main(source: Path, out: Path, locales: Sequence[str]) -> None:
    """Writes the manifests and prints what is in them."""
    tables = find_tables(source)
    if absent := [locale for locale in locales if locale not in tables]:
        sys.exit(f"{source}: no tables of {', '.join(absent)}; there are {', '.join(sorted(tables))}.")
    for locale in locales or sorted(tables):
        rows, translated = read(tables[locale]["train"], locale, out)
        rows = divide(rows)
        write_manifest(out / f"{locale}.tsv", rows)
        counts = ", ".join(f"{sum(row.split == part for row in rows)} {part}" for part in ("train", "dev", "test"))
        print(f"{out / locale}.tsv: {counts}, {len({row.label for row in rows})} intents, {translated} left out")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} MINDS14 OUT [LOCALE ...]")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except InputError as error:
        sys.exit(str(error))
