"""UCLA Phonetic Corpus (Li et al. 2021), 97 languages: ``abk/text.txt`` with narrow phones and ``abk/audio/*.wav``."""

from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import SUFFIXES, AudioError
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise


def read(source: Path) -> Iterator[Utterance | Fault]:
    """Words with their phones in the column phonemes.

    Args:
        source: Folder of a language, or one that holds such folders.

    Raises:
        InputError: If there is none.
    """
    tables = [
        path for name in ("text.txt", "text") for path in sorted(source.rglob(name)) if (path.parent / "audio").is_dir()
    ]
    if not tables:
        raise InputError(
            f"{source}: no language of the corpus; a folder such as abk with text.txt and audio was expected."
        )
    recordings = Recordings()
    for table in sorted(tables):
        language = as_iso(table.parent.name)
        files = {
            path.stem: path for path in sorted((table.parent / "audio").iterdir()) if path.suffix.lower() in SUFFIXES
        }
        try:
            lines = read_plain(table, "table of phones").split("\n")
        except InputError as error:
            yield Fault.of(table, error)
            continue
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            id, *phones = line.split()
            place = f"{table}:{number}"
            path = files.pop(id, None)
            try:
                if path is None:
                    raise AudioError(f"there is no recording {id!r}.")
                if not phones:
                    raise AudioError("no phones")
                seconds = recordings.seconds(path.absolute())
            except AudioError as error:
                yield Fault(place, str(error))
                continue
            yield Utterance(
                path.absolute(), id, 0.0, seconds, language, phonemes=normalise(" ".join(phones)), origin=place
            )
        yield from (Fault(str(path), f"is not in {table.name}") for path in files.values())
