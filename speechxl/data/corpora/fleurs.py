"""FLEURS (Conneau et al. 2022, arXiv:2205.12446) as google/fleurs has it: a language's folder, or several."""

import logging
from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import AudioError, probe
from speechxl.data.languages import to_iso
from speechxl.data.manifest import Fault
from speechxl.data.parquet import header_of, parquet_files, read_rows, split_of
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

log = logging.getLogger(__name__)
SPLITS = ("train", "dev", "test")
COLUMNS = ("id", "file", "raw_transcription", "transcription", "characters", "samples", "gender")
"""Of the tables, which have no header line. The id is that of the sentence, which several people may have read."""


def read(source: Path, audio: Path) -> Iterator[Utterance | Fault]:
    """Recordings with the splits of the corpus; the text is lower case without punctuation, as errors are counted on it.

    The text as it was read out stands in the column "raw_transcription", the number of the sentence in "sentence".

    Args:
        source: Folder of a language (``data/sw_ke``), or one that holds such folders; with tables or Parquet files.
        audio: Folder for recordings out of Parquet files.
    """
    for folder in _languages(source):
        language = to_iso(folder.name)
        if not any((folder / f"{split}.tsv").is_file() for split in SPLITS):
            yield from _packed(folder, audio, language)
        for split in SPLITS:
            table = folder / f"{split}.tsv"
            if table.is_file():
                yield from _split(table, _recordings(folder, split), split, language)


def _languages(source: Path) -> list[Path]:
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder; a language of FLEURS was expected, such as data/sw_ke.")
    for folders in ([source], sorted(source.glob("*")), sorted(source.glob("*/*"))):
        if found := [folder for folder in folders if any((folder / f"{split}.tsv").is_file() for split in SPLITS)]:
            return found
    files = parquet_files(source)
    if folders := sorted({file.parent.parent if file.stem.isdecimal() else file.parent for file in files}):
        return folders
    raise InputError(f"{source}: no language of FLEURS, train.tsv, dev.tsv or test.tsv was expected, or Parquet files.")


def _packed(folder: Path, audio: Path, language: str) -> Iterator[Utterance | Fault]:
    """Rows of the Parquet files of a language, which are named after their splits or lie in folders of them."""
    recordings = Recordings()
    for file in parquet_files(folder):
        split = split_of(file)
        try:
            column, header = header_of(file)
            if absent := [name for name in ("transcription", "raw_transcription") if name not in header]:
                raise InputError(
                    f"{file}: no column {' and no '.join(absent)}; besides {column} there are {', '.join(header)}."
                )
            for row in read_rows(file, audio, f"{folder.name}-{split}-{file.stem}-", recordings):
                if isinstance(row, Fault):
                    yield row
                    continue
                named = row.cells.get("lang_id", "")
                language = to_iso(named) if "_" in named else language
                extra = {
                    "sentence": row.cells.get("id", ""),
                    "raw_transcription": normalise(row.cells["raw_transcription"]),
                    "gender": row.cells.get("gender", "").lower(),
                }
                yield Utterance(
                    row.path, f"{language}/{split}/{row.name or file.stem}", 0.0, recordings.seconds(row.path), language,
                    split=split, text=normalise(row.cells["transcription"]), extra=extra, origin=row.place,
                )  # fmt: skip
        except InputError as error:
            yield Fault.of(file, error)


def _recordings(folder: Path, split: str) -> Path:
    """Folder of a split's recordings."""
    places = [folder / "audio" / split, folder / split]
    for place in places:
        if place.is_dir():
            return place
    for packed in (folder / "audio" / f"{split}.tar.gz", folder / f"{split}.tar.gz"):
        if packed.is_file():
            raise InputError(f"{packed} is packed; unpack it there: tar -xzf {packed} -C {packed.parent}")
    raise InputError(f"{folder}: there is {split}.tsv, but neither {places[0]} nor {places[1]} with its recordings.")


def _split(table: Path, recordings: Path, split: str, language: str) -> Iterator[Utterance | Fault]:
    try:
        lines = table.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{table}: is not a UTF-8 text file ({error}).") from None
    for number, line in enumerate(lines, start=1):
        place = f"{table}:{number}"
        cells = line.rstrip("\r").split("\t")
        if line.strip() and len(cells) != len(COLUMNS):
            yield Fault(place, f"{len(cells)} fields, but there should be {len(COLUMNS)}: {', '.join(COLUMNS)}.")
        elif line.strip():
            yield _utterance(dict(zip(COLUMNS, cells, strict=True)), recordings, split, language, place)


def _utterance(row: dict[str, str], recordings: Path, split: str, language: str, place: str) -> Utterance | Fault:
    path = recordings / Path(row["file"]).name
    try:
        seconds = probe(path).duration
    except AudioError as error:
        return Fault(place, str(error))
    extra = {
        "sentence": row["id"],
        "raw_transcription": normalise(row["raw_transcription"]),
        "gender": row["gender"].lower(),
    }
    return Utterance(
        path.absolute(), f"{language}/{split}/{path.name}", duration=seconds, language=language, split=split,
        text=normalise(row["transcription"]), extra=extra, origin=place,
    )  # fmt: skip
