"""Kaldi's data directory: ``wav.scp``, and perhaps ``segments``, ``text``, ``utt2spk``, ``utt2lang``, ``spk2gender``."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import AudioError
from speechxl.data.embedded import save_audio
from speechxl.data.languages import as_iso
from speechxl.data.manifest import Fault
from speechxl.data.plain import read_plain
from speechxl.data.recordings import Recordings
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

_WAIT_S = 600
"""That a command may take."""


def read(
    source: Path, audio: Path, audio_root: Path | None = None, allow_pipes: bool = False
) -> Iterator[Utterance | Fault]:
    """Utterances in the order of their table.

    Args:
        source: The directory. Paths in it begin there, in the folders above, or where speechxl is started.
        audio: Folder for recordings that are in archives, or that commands give.
        audio_root: Folder below which recordings are that are nowhere else.
        allow_pipes: Whether commands in ``wav.scp`` are run, which can do anything.

    Raises:
        InputError: If there is no such directory, or a command in it and they are not allowed.
    """
    if not (source / "wav.scp").is_file():
        raise InputError(f"{source}: no wav.scp in it; a data directory of Kaldi was expected.")
    recordings = Recordings(audio_root)
    faults: list[Fault] = []
    places: dict[str, tuple[str, str]] = {}
    for place, key, value in _table(source / "wav.scp", faults):
        places[key] = (place, value)
    piped = [(place, value) for place, value in places.values() if value.endswith("|")]
    if piped and not allow_pipes:
        raise InputError(
            f"{piped[0][0]}: is a command, {piped[0][1][:80]!r}, as are {len(piped)} of {len(places)} entries. Commands are run "
            "with --allow_pipes, if you know who wrote them."
        )
    columns = {name: _column(source / name, faults) for name in ("text", "utt2spk", "utt2lang", "spk2gender")}
    cache: dict[str, Path | AudioError] = {}
    used: set[str] = set()
    for place, id, name, start, end in _stretches(source, places, faults):
        used.add(name)
        if name not in cache:
            try:
                cache[name] = _recording(source, audio, name, places[name][1], recordings)
            except AudioError as error:
                cache[name] = error
        path = cache[name]
        if isinstance(path, AudioError):
            faults.append(Fault(place, str(path)))
            continue
        try:
            begin, duration = recordings.stretch(path, start, end)
        except AudioError as error:
            faults.append(Fault(place, str(error)))
            continue
        speaker = columns["utt2spk"].get(id, "")
        speaker = "" if speaker == id else speaker  # as Kaldi has it where nobody knows
        gender = columns["spk2gender"].get(speaker, "")
        yield Utterance(
            path, id, begin, duration, language=as_iso(columns["utt2lang"].get(id, "")), speaker=speaker,
            text=columns["text"].pop(id, ""), extra={"gender": gender} if gender else {}, origin=place,
        )  # fmt: skip
    for name in places.keys() - used:
        faults.append(Fault(places[name][0], f"no segment of the recording {name!r} is named"))
    faults += [Fault(f"{source / 'text'}", f"text of {id!r}, of which there is no recording") for id in columns["text"]]
    yield from faults


def _table(path: Path, faults: list[Fault]) -> Iterator[tuple[str, str, str]]:
    """Place, key and the rest of each line."""
    for number, line in enumerate(read_plain(path, "table of Kaldi").split("\n"), start=1):
        key, _, value = line.strip().partition(" ") if "\t" not in line else line.strip().partition("\t")
        if key and value.strip():
            yield f"{path}:{number}", key, value.strip()
        elif key and path.name != "text":
            faults.append(Fault(f"{path}:{number}", f"{key!r} stands alone, something was expected after it."))


def _column(path: Path, faults: list[Fault]) -> dict[str, str]:
    return {key: normalise(value) for _, key, value in _table(path, faults)} if path.is_file() else {}


def _stretches(
    source: Path, places: dict[str, tuple[str, str]], faults: list[Fault]
) -> Iterator[tuple[str, str, str, float, float | None]]:
    """Place, id, recording, start and end of each utterance."""
    if not (source / "segments").is_file():
        yield from ((place, name, name, 0.0, None) for name, (place, _) in places.items())
        return
    for place, id, rest in _table(source / "segments", faults):
        match = re.fullmatch(r"(\S+)\s+(-?[\d.]+(?:e-?\d+)?)\s+(-?[\d.]+(?:e-?\d+)?)(\s+\S+)?", rest)
        try:
            if match is None:
                raise ValueError
            start, end = float(match[2]), float(match[3])
        except ValueError:
            faults.append(Fault(place, f"{rest[:60]!r} is not recording, start and end."))
            continue
        if match[1] not in places:
            faults.append(Fault(place, f"the recording {match[1]!r} is not in wav.scp"))
            continue
        yield place, id, match[1], start, None if end < 0 else end


def _recording(source: Path, audio: Path, name: str, value: str, recordings: Recordings) -> Path:
    """File of an entry of ``wav.scp``."""
    folders = [source.absolute(), *source.absolute().parents[:3], Path.cwd()]
    if value.endswith("|"):
        return save_audio(audio, name, _run(value[:-1].strip()))
    if archive := re.fullmatch(r"(.+\.ark):(\d+)", value):
        with recordings.locate(archive[1], folders).open("rb") as file:
            file.seek(int(archive[2]))
            head = file.read(8)
            if head[:4] != b"RIFF":
                raise AudioError(f"{value}: no wav file begins there; other archives are not read.")
            return save_audio(audio, name, head + file.read(int.from_bytes(head[4:8], "little")))
    return recordings.locate(value, folders)


def _run(command: str) -> bytes:
    """What a command gives."""
    try:
        done = subprocess.run(command, shell=True, capture_output=True, timeout=_WAIT_S, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        raise AudioError(f"the command {command[:80]!r} took more than {_WAIT_S} s.") from None
    if done.returncode or not done.stdout:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise AudioError(
            f"the command {command[:80]!r} gave nothing (code {done.returncode}){': ' + said[-1] if said else ''}"
        )
    return done.stdout
