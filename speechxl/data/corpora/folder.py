"""A folder of recordings, each with its text in a file of the same name ending in ``.txt`` or ``.lab``."""

from collections.abc import Iterator
from pathlib import Path

from speechxl.data.audio import PLAIN, SUFFIXES, AudioError, probe
from speechxl.data.manifest import Fault
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from speechxl.text import normalise

TEXT_SUFFIXES = (".txt", ".lab")


def read(source: Path) -> Iterator[Utterance | Fault]:
    """Recordings below a folder, in the order of their names; the speaker is the folder that holds them.

    Recordings without text are kept, they serve for pretraining. Text without a recording is a fault.
    Of a film and its sound the sound is used.
    """
    if not source.is_dir():
        raise InputError(f"{source}: there is no such folder.")
    files = sorted(path for path in source.rglob("*") if path.is_file() and not path.name.startswith("."))
    recordings = [path for path in files if path.suffix.lower() in SUFFIXES]
    stems = {path.with_suffix("") for path in recordings}
    sound = {path.with_suffix(""): path.name for path in recordings if path.suffix.lower() in PLAIN}
    for path in recordings:
        if path.suffix.lower() not in PLAIN and path.with_suffix("") in sound:
            yield Fault(str(path), f"the film of {sound[path.with_suffix('')]}, which is used in its place.")
            continue
        inner = path.parent.relative_to(source).parts
        try:
            duration = probe(path).duration
            text = read_text(path)
        except AudioError as error:
            yield Fault(str(path), str(error).removeprefix(f"{path}: "))
        except UnicodeError as error:
            yield Fault(str(path), f"its text cannot be read: {error}.")
        else:
            speaker = inner[-1] if inner else ""
            yield Utterance(
                path.absolute(), path.relative_to(source).as_posix(), duration=duration, speaker=speaker, text=text
            )
    for path in files:
        if path.suffix.lower() in TEXT_SUFFIXES and path.with_suffix("") not in stems:
            yield Fault(str(path), f"text without a recording; {path.stem}.wav or the like was expected beside it.")


def read_text(recording: Path) -> str:
    """Text beside a recording, in UTF-8 or UTF-16 with a byte order mark; empty if there is none."""
    for suffix in TEXT_SUFFIXES:
        path = recording.with_suffix(suffix)
        if path.exists():
            data = path.read_bytes()
            return normalise(data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"))
    return ""
