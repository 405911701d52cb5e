"""Manifests of the recipe: ``prepare.py SPEECHTAXI OUT [LANGUAGE ...]``.

``SPEECHTAXI`` is the folder of LennartKeller/SpeechTaxi with ``data.zip`` and ``tables.zip``, packed or unpacked into ``data``
and ``tables``. Tables are .csv, .tsv or .parquet with the columns of the data set; the split stands in a column ``split`` or in
the name of the table or of its folder. Writes ``OUT/LANGUAGE.tsv``; labels are read by name, never by number.
"""

import csv
import re
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from speechxl.data.audio import AudioError, probe
from speechxl.data.hub_tables import read_rows
from speechxl.data.languages import to_iso
from speechxl.data.manifest import write_manifest
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

COLUMNS = ("verse_ref", "text_en", "language", "transcription", "transcription_romanized", "label")
RECORDING = ("audio", "audio_path", "path", "file", "file_name", "filename")
"""Columns that may name the recording."""
SPLITS = {"train": "train", "dev": "dev", "val": "dev", "valid": "dev", "validation": "dev", "test": "test"}
LABELS = ("Recommendation", "Faith", "Description", "Sin", "Grace", "Violence")
DIALECTS = {"tw-akuapem": "twi", "tw-asante": "twi"}


def unpacked(source: Path, name: str) -> Path:
    """Folder of an archive, which is unpacked beside it once."""
    folder, packed = source / name, source / f"{name}.zip"
    if not folder.is_dir():
        if not packed.is_file():
            raise InputError(f"{source}: neither {name}.zip nor a folder {name}; download LennartKeller/SpeechTaxi.")
        with zipfile.ZipFile(packed) as archive:
            inner = {Path(one).parts[0] for one in archive.namelist()} == {name}
            archive.extractall(source if inner else folder)
    return folder


def tables(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]]]]:
    """Each table with its rows."""
    found = [path for path in sorted(folder.rglob("*")) if path.suffix in (".csv", ".tsv", ".parquet")]
    if not found:
        raise InputError(f"{folder}: no tables (.csv, .tsv, .parquet).")
    for path in found:
        if path.suffix == ".parquet":
            yield path, list(read_rows([path], COLUMNS))
            continue
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="," if path.suffix == ".csv" else "\t")
            if absent := [column for column in COLUMNS if column not in (reader.fieldnames or [])]:
                raise InputError(f"{path}: lacks the columns {', '.join(absent)}; it has {reader.fieldnames}.")
            yield path, list(reader)


def split_of(row: dict[str, Any], path: Path) -> str:
    """Split of a row, which its table says if it does not."""
    named = [str(row.get("split") or "").lower(), *re.split(r"[^a-z]+", path.stem.lower()), path.parent.name.lower()]
    for name in named:
        if name in SPLITS:
            return SPLITS[name]
    raise InputError(
        f"{path}: whether its rows are train, dev or test stands neither in a column split nor in its name."
    )


def utterance(row: dict[str, Any], path: Path, data: Path) -> Utterance:
    """One verse."""
    column = next((name for name in RECORDING if row.get(name)), None)
    if column is None:
        raise InputError(
            f"{path}: no recording of {row['verse_ref']}; one of the columns {', '.join(RECORDING)} was expected."
        )
    label = str(row["label"])
    if label not in LABELS:
        raise InputError(
            f"{path}: the label {label!r} of {row['verse_ref']} is none of {', '.join(LABELS)}; numbers mean different classes "
            "in SpeechTaxi and in Taxi1500, so that names are needed."
        )
    name = Path(str(row[column]["path"] if isinstance(row[column], dict) else row[column]))
    places = [data / name, data.parent / name, name]
    recording = next((place for place in places if place.is_file()), None)
    if recording is None:
        raise InputError(f"{path}: the recording {name} of {row['verse_ref']} is not below {data}.")
    own = str(row["language"])
    extra = {
        "group": str(row["verse_ref"]), "romanized": normalise(row["transcription_romanized"] or ""), "variety": own,
        "english": normalise(row["text_en"] or ""),
    }  # fmt: skip
    return Utterance(
        recording.absolute(), f"{own}/{row['verse_ref']}", duration=probe(recording).duration,
        language=DIALECTS.get(own) or to_iso(own), split=split_of(row, path), text=normalise(row["transcription"] or ""),
        label=f"topic:{label.lower()}", extra=extra,
    )  # fmt: skip


def main(source: Path, out: Path, languages: Sequence[str]) -> None:
    """Writes the manifests and prints what is in them."""
    data, found, bad = unpacked(source, "data"), defaultdict(dict), []
    for path, rows in tables(unpacked(source, "tables")):
        for row in rows:
            if languages and row["language"] not in languages:
                continue
            try:
                one = utterance(row, path, data)
            except AudioError as error:
                bad.append(str(error))
                continue
            found[one.extra["variety"]][one.id] = one  # tables of all languages repeat those of each
    if absent := [language for language in languages if language not in found]:
        sys.exit(f"{source}: no rows in {', '.join(absent)}.")
    for name, own in sorted(found.items()):
        kept = [one for one in own.values() if one.text]
        write_manifest(out / f"{name}.tsv", kept)
        counts = ", ".join(f"{sum(one.split == part for one in kept)} {part}" for part in ("train", "dev", "test"))
        print(
            f"{out / name}.tsv: {counts}, {len({one.label for one in kept})} topics, {len(own) - len(kept)} without text"
        )
    for message in bad:
        print(message, file=sys.stderr)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(f"usage: {sys.argv[0]} SPEECHTAXI OUT [LANGUAGE ...]")
    try:
        main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    except InputError as error:
        sys.exit(str(error))
