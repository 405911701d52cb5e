"""LibriSpeech (Panayotov et al. 2015), and MLS (Pratap et al. 2020, arXiv:2012.03411), as they are unpacked."""

from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.text import normalise

SPLITS = ("train", "dev", "test")


def read(source: Path) -> Iterator[Utterance | Fault]:
    """Recordings with their texts; the speaker is the first number of a name, LibriSpeech's subset in the column "subset".

    Args:
        source: ``LibriSpeech``, one of its subsets (``train-clean-100``), a language of MLS (``mls_polish``), or a folder
            with several of them.

    Raises:
        InputError: If neither is there.
    """
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder; LibriSpeech or a language of MLS was expected.")
    recordings = Recordings()
    tables = sorted([*source.rglob("*.trans.txt"), *source.rglob("transcripts.txt")])
    if not tables:
        raise NothingMatched(
            f"{source}: neither *.trans.txt (LibriSpeech) nor transcripts.txt (MLS) below this folder."
        )
    for table in tables:
        mls = table.name == "transcripts.txt"
        try:
            yield from _mls(table, recordings) if mls else _chapter(table, recordings)
        except InputError as error:
            yield Fault.of(table, error)


def _chapter(table: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    """A chapter of LibriSpeech: ``train-clean-100/19/198/19-198.trans.txt``."""
    subset = next((part for part in table.parts[::-1] if part.partition("-")[0] in SPLITS), "")
    files = {path.stem: path for path in sorted(table.parent.iterdir()) if path.suffix.lower() in SUFFIXES}
    for place, id, text in _lines(table, " "):
        path = files.pop(id, None)
        yield _row(place, id, path, recordings, text, "eng", id.partition("-")[0], subset.partition("-")[0], subset)
    yield from (Fault(str(path), f"is not in {table.name}") for path in files.values())


def _mls(table: Path, recordings: Recordings) -> Iterator[Utterance | Fault]:
    """A split of MLS: ``mls_polish/train/transcripts.txt``, recordings in ``audio/SPEAKER/BOOK``."""
    folder = table.parent
    name = folder.parent.name.lower().removeprefix("mls_").removesuffix("_opus")
    files = {path.stem: path for path in sorted((folder / "audio").rglob("*")) if path.suffix.lower() in SUFFIXES}
    for place, id, text in _lines(table, "\t"):
        yield _row(
            place, id, files.pop(id, None), recordings, text, as_iso(name), id.partition("_")[0], folder.name, ""
        )
    yield from (Fault(str(path), f"is not in {table.name}") for path in files.values())


def _lines(table: Path, separator: str) -> Iterator[tuple[str, str, str]]:
    for number, line in enumerate(read_plain(table, "table of texts").split("\n"), start=1):
        id, _, text = line.partition(separator)
        if id.strip():
            yield f"{table}:{number}", id.strip(), normalise(text)


def _row(
    place: str, id: str, path: Path | None, recordings: Recordings, text: str, language: str, speaker: str, split: str,
    subset: str,
) -> Utterance | Fault:  # fmt: skip
    if path is None:
        return Fault(place, f"there is no recording {id!r}.")
    try:
        seconds = recordings.seconds(path.absolute())
    except AudioError as error:
        return Fault(place, str(error))
    extra = {"subset": subset} if subset else {}
    return Utterance(
        path.absolute(),
        id,
        0.0,
        seconds,
        language,
        speaker,
        split if split in SPLITS else "",
        text,
        extra=extra,
        origin=place,
    )
