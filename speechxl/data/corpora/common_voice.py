"""A release of Mozilla Common Voice (Ardila et al. 2020): a language's folder with ``clips/`` and tables, or several."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError, probe
from speechxl.data.languages import to_iso
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

log = logging.getLogger(__name__)
SPLITS = ("train", "dev", "test")
MORE = ("validated", "other")
"""Tables of clips beyond those of the splits: whose text two listeners have confirmed, and not yet."""
EXTRA = ("locale", "gender", "age", "accents", "variant", "segment", "sentence_domain")
"""Columns that are carried along where a release has them."""
_SPEAKER_LENGTH = 16
"""Of the 128 hexadecimal digits of a speaker's hash."""


def read(source: Path, all_clips: bool = False) -> Iterator[Utterance | Fault]:
    """Clips of the splits train, dev and test as the release has them.

    Args:
        source: Folder of a language (``cv-corpus-XX.0-YYYY-MM-DD/sw``), or one that holds such folders.
        all_clips: Also the clips that are in no split: those of ``validated.tsv`` with split "validated", those of
            ``other.tsv`` with split "other"; but with split "overlap" if their speaker or sentence is in dev or test.
            The texts of ``other.tsv`` stand in the column "unchecked_text".
    """
    for folder in _languages(source):
        yield from _language(folder, all_clips)


def _languages(source: Path) -> list[Path]:
    """Folders with clips and tables: the given one, or those in it."""
    if source.is_file():
        how = f"; unpack it (tar -xf {source.name}) and name the folder" if ".tar" in source.suffixes else ""
        raise InputError(f"{source}: is a file, the folder of a Common Voice release was expected{how}.")
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder.")
    for folders in ([source], sorted(source.glob("*")), sorted(source.glob("*/*"))):
        if found := [folder for folder in folders if _has_tables(folder) and (folder / "clips").is_dir()]:
            return found
        if alone := [folder for folder in folders if _has_tables(folder)]:
            raise InputError(f"{alone[0]}: there are tables but no folder clips; unpack the recordings beside them.")
    packed = sorted(path.name for path in source.iterdir() if path.suffix in (".gz", ".tgz", ".tar", ".zip"))
    how = f" There is {packed[0]}: unpack it and name the folder that comes out of it." if packed else ""
    raise InputError(
        f"{source}: no Common Voice release, a folder with clips and train.tsv, dev.tsv, test.tsv was expected.{how}"
    )


def _has_tables(folder: Path) -> bool:
    return any((folder / f"{name}.tsv").is_file() for name in (*SPLITS, *MORE))


def _language(folder: Path, all_clips: bool) -> Iterator[Utterance | Fault]:
    """Clips of one language."""
    there = [name for name in (*SPLITS, *MORE) if (folder / f"{name}.tsv").is_file()]
    if not all_clips and not set(there) & set(SPLITS):
        raise InputError(
            f"{folder}: there is {', '.join(f'{name}.tsv' for name in there)}, but no train.tsv, dev.tsv or test.tsv; "
            "take all clips with --all_clips."
        )
    recordings = {path.stem: path for path in sorted((folder / "clips").iterdir()) if path.suffix.lower() in SUFFIXES}
    seconds = _durations(folder / "clip_durations.tsv")
    taken: set[str] = set()
    tested: set[tuple[str, str]] = set()
    for name in there if all_clips else [name for name in there if name in SPLITS]:
        for place, row in _rows(folder / f"{name}.tsv", ("path", "sentence")):
            if isinstance(row, Fault):
                yield row
                continue
            marks = {(column, row[column]) for column in ("client_id", "sentence") if row.get(column)}
            if name in ("dev", "test"):
                tested |= marks
            if name in SPLITS:
                taken.add(row["path"])
            elif row["path"] in taken:
                continue
            item = _utterance(folder, name, row, recordings, seconds, place)
            overlaps = name in MORE and marks & tested
            yield replace(item, split="overlap") if overlaps and isinstance(item, Utterance) else item


def _utterance(
    folder: Path, name: str, row: dict[str, str], recordings: dict[str, Path], seconds: dict[str, float], place: str
) -> Utterance | Fault:
    clip = row["path"]
    recording = recordings.get(Path(clip).stem)  # without .mp3 in the first releases; or converted since
    if recording is None:
        return Fault(place, f"{folder / 'clips' / clip}: there is no such file.")
    try:
        duration = seconds.get(Path(clip).stem) or probe(recording).duration
    except AudioError as error:
        return Fault(place, str(error))
    row = {"locale": folder.name, **{key: value for key, value in row.items() if value}}
    row.setdefault("accents", row.get("accent", ""))  # its name in older releases
    extra = {column: normalise(row.get(column, "")) for column in EXTRA}
    text = normalise(row.get("sentence", ""))
    if name == "other":
        text, extra["unchecked_text"] = "", text
    return Utterance(
        recording.absolute(), clip, duration=duration, language=to_iso(row["locale"]),
        speaker=row.get("client_id", "")[:_SPEAKER_LENGTH], split=name, text=text, extra=extra, origin=place,
    )  # fmt: skip


def _durations(path: Path) -> dict[str, float]:
    """Seconds of each clip, by its name without suffix, where a release says; opening the clips takes much longer."""
    if not path.is_file():
        return {}
    seconds = {}
    for _, row in _rows(path, ("clip", "duration[ms]")):
        if not isinstance(row, Fault) and re.fullmatch(r"[0-9]{1,10}", row["duration[ms]"]):
            seconds[Path(row["clip"]).stem] = int(row["duration[ms]"]) / 1000
    return seconds


def _rows(path: Path, needed: tuple[str, str]) -> Iterator[tuple[str, dict[str, str] | Fault]]:
    """Place and cells of each line; quotes are characters like others, sentences hold single ones."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not a UTF-8 text file ({error}).") from None
    header = lines[0].rstrip("\r").split("\t")
    if absent := [column for column in needed if column not in header]:
        raise InputError(f"{path}:1: no column {' and no '.join(absent)}; there are {', '.join(header)}.")
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        place = f"{path}:{number}"
        cells = line.rstrip("\r").split("\t")
        if len(cells) > len(header):
            yield place, Fault(place, f"{len(cells)} fields, but the header has {len(header)} columns.")
        else:
            cells += [""] * (len(header) - len(cells))
            yield place, dict(zip(header, cells, strict=True))
