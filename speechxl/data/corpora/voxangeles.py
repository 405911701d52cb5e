"""VoxAngeles (Chodroff et al. 2024): audited words of the UCLA archive, each a recording and a TextGrid of its phones."""

from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import AudioError
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.praat import read_textgrid
from speechxl.data.recordings import Recordings
from speechxl.data.tiers import Tier, annotation_files, name_of
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_SILENCE = frozenset({"", "sil", "sp", "spn", "<sil>"})


def read(source: Path, audio_root: Path | None = None) -> Iterator[Utterance | Fault]:
    """Words with their phones in the column phonemes; the language is the folder's name, or begins that of the file.

    Args:
        source: ``audited_aligned`` with the archives of its languages unpacked, or one of them.
        audio_root: Folder below which recordings are that do not stand beside their TextGrid.

    Raises:
        InputError: If there are no TextGrids.
    """
    if packed := sorted(source.rglob("*.zip")) if source.is_dir() else []:
        if not any(source.rglob("*.TextGrid")):
            raise InputError(
                f"{packed[0]}: is packed, as are {len(packed)} languages; unpack them there: unzip {packed[0].name}"
            )
        yield from (
            Fault(str(path), "is packed; unpack it there") for path in packed if not path.with_suffix("").is_dir()
        )
    recordings = Recordings(audio_root)
    for file in annotation_files(source, (".textgrid",)):
        try:
            yield _word(file, name_of(file, source), recordings)
        except InputError as error:
            yield Fault.of(file, error)


def _word(file: Path, name: str, recordings: Recordings) -> Utterance | Fault:
    tiers = read_textgrid(file).tiers
    phones = _labels(tiers, "phone")
    if phones is None:
        return Fault(str(file), f"no tier of phones; there are {', '.join(tier.name for tier in tiers) or 'none'}.")
    path = recordings.find([], file)
    if path is None:
        return Fault(str(file), "its recording is missing")
    if not phones:
        return Fault(str(file), "no phones")
    try:
        start, duration = recordings.stretch(path, 0.0)
    except AudioError as error:
        return Fault(str(file), str(error))
    code = file.stem.replace("_", "-").partition("-")[0].lower()
    language = as_iso(code) if len(code) == 3 else as_iso(file.parent.name) if len(file.parent.name) == 3 else ""
    word = normalise(" ".join(_labels(tiers, "word") or []))
    return Utterance(
        path, name, start, duration, language, phonemes=normalise(" ".join(phones)), extra={"word": word} if word else {},
        origin=str(file),
    )  # fmt: skip


def _labels(tiers: list[Tier], name: str) -> list[str] | None:
    """What the intervals of a tier say, without silence; nothing if there is no such tier."""
    for tier in tiers:
        if name in tier.name.lower():
            return [text for each in tier.annotations if (text := each.text.strip()) not in _SILENCE]
    return None
