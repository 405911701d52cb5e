"""VoxPopuli (Wang et al. 2021, arXiv:2101.00390) as its own scripts leave it: transcribed, accented and unlabelled speech."""

from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.corpora.csv import read_rows
from speechxl.data.languages import to_iso
from speechxl.data.manifest import Fault
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise

_EXTRA = ("raw_text", "gender", "accent", "is_gold_transcript")


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Recordings with the normalised text; as it was said in the column "raw_text", where another one is given.

    Args:
        source: Root with ``transcribed_data/LANGUAGE`` and ``unlabelled_data/LANGUAGE``, or one of these folders.
        audio_root: Folder below which recordings are that are not in the folder of their year.

    Raises:
        InputError: If there are no tables ``asr_*.tsv`` and no recordings.
    """
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder; the root of VoxPopuli was expected.")
    recordings = Recordings(audio_root)
    tables = sorted(source.rglob("asr_*.tsv"))
    named: set[Path] = set()
    for table in tables:
        try:
            for item in _table(table, recordings):
                named |= {item.path} if isinstance(item, Utterance) else set()
                yield item
        except InputError as error:
            yield Fault.of(table, error)
    others = [path.absolute() for path in sorted(source.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not tables and not others:
        raise NothingMatched(f"{source}: neither asr_train.tsv or the like nor recordings below this folder.")
    for path in others:
        if path not in named:
            yield _alone(path, source.absolute(), recordings)


def _table(table: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    """Rows of ``transcribed_data/LANGUAGE/asr_SPLIT.tsv``; the recording of 20200101-x is in the folder 2020."""
    header, rows = read_rows(table)
    if absent := [name for name in ("id", "normalized_text") if name not in header]:
        raise InputError(f"{table}:1: no column {' and no '.join(absent)}; there are {', '.join(header)}.")
    language = to_iso(table.parent.name.partition("_")[0])
    for number, row in rows:
        place, id = f"{table}:{number}", (row["id"] or "").strip()
        if None in row or not id:
            yield Fault(place, "no id, or more fields than the header has.")
            continue
        try:
            folders = [table.parent.absolute() / id[:4], table.parent.absolute()]
            path = recordings.locate(f"{id}.ogg", folders)
            seconds = recordings.seconds(path)
        except AudioError as error:
            yield Fault(place, str(error))
            continue
        extra = {name: normalise(row[name]) for name in _EXTRA if row.get(name)}
        text = normalise(row["normalized_text"])
        split = row.get("split") or table.stem.removeprefix("asr_")
        yield Utterance(
            path, f"{table.parent.name}/{id}", 0.0, seconds, language, row.get("speaker_id") or "", split, text,
            extra=extra, origin=place,
        )  # fmt: skip


def _alone(path: Path, source: Path, recordings: Recordings) -> Utterance | Fault:
    """A recording without text: ``unlabelled_data/LANGUAGE/YEAR/x.ogg``."""
    try:
        seconds = recordings.seconds(path)
    except AudioError as error:
        return Fault(str(path), str(error).removeprefix(f"{path}: "))
    language = next(
        (part for part in path.parent.parts[::-1] if part.partition("_")[0].isalpha() and len(part) <= 6), ""
    )
    return Utterance(
        path, path.relative_to(source).as_posix(), 0.0, seconds, to_iso(language.partition("_")[0]) if language else "",
        origin=str(path),
    )  # fmt: skip
