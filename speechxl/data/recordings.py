"""Where the recordings of a corpus are, and how long they are."""

import os
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PureWindowsPath
from urllib.parse import unquote, urlsplit

from speechxl.data.audio import PLAIN, SUFFIXES, AudioError, probe
from speechxl.errors import InputError

_TOLERANCE_S = 0.1
"""That a stretch may pass the end of its recording."""


class Recordings:
    """Recordings that files of annotations belong to, each looked for and opened once.

    Args:
        audio_root: Folder below which recordings are that are not where their annotations say.

    Raises:
        InputError: If there is no such folder.
    """

    def __init__(self, audio_root: Path | None = None) -> None:
        if audio_root is not None and not audio_root.is_dir():
            raise InputError(f"--audio_root {audio_root}: there is no such folder.")
        self.audio_root = audio_root
        self._seconds: dict[Path, float | AudioError] = {}
        self._below: dict[str, Path] | None = None
        self._folders: dict[Path, dict[str, Path]] = {}

    def seconds(self, path: Path) -> float:
        """Length of a recording.

        Raises:
            AudioError: If it is missing, or no audio.
        """
        if path not in self._seconds:
            try:
                self._seconds[path] = probe(path).duration
            except AudioError as error:
                self._seconds[path] = error
        found = self._seconds[path]
        if isinstance(found, AudioError):
            raise AudioError(str(found))
        return found

    def stretch(self, path: Path, start: float, end: float | None = None) -> tuple[float, float]:
        """Start and duration of a stretch, cut at the end of its recording if it passes that by little.

        Args:
            path: Recording.
            start: Seconds.
            end: Seconds; None for the end of the recording.

        Raises:
            AudioError: If it is not within the recording, or the recording cannot be read.
        """
        total = self.seconds(path)
        end = total if end is None else end
        if not 0 <= start < end <= total + _TOLERANCE_S or start >= total:
            raise AudioError(
                f"the stretch from {start:.3f} s to {end:.3f} s is not within the {total:.3f} s of {path}."
            )
        return start, min(end, total) - start

    def find(self, names: Iterable[str], beside: Path) -> Path | None:
        """The first recording that exists: as named, relative to where the annotations are, beside them, below `audio_root`.

        Args:
            names: What the annotations call it: paths, or addresses such as ``file:///D:/My%20tapes/a.wav``.
            beside: File of annotations; a recording with the same stem is found last.
        """
        names = list(names)
        paths = [path for name in names for path in _spellings(name)]
        bare = [path.name for path in paths if path.name]
        if (found := _first([beside.parent / path for path in [*paths, *map(Path, bare)]])) is not None:
            return found
        if (same := self._in(beside.parent).get(_plain(beside.stem))) is not None:
            return same
        for name in names:
            if (found := self._below_root(name)) is not None:
                return found
        return self._index().get(_plain(beside.stem))

    def locate(self, name: str, folders: Iterable[Path]) -> Path:
        """A recording that a table names: relative to the first of the folders in which it is, or below `audio_root`.

        Raises:
            AudioError: If it is nowhere.
        """
        paths = list(_spellings(name))
        folders = list(folders)
        found = _first([folder / path for folder in folders for path in paths]) or self._below_root(name)
        if found is None:
            more = f", nor just one of that name below {self.audio_root}" if self.audio_root else ""
            raise AudioError(f"{str(folders[0] / name)[:300]}: there is no such file{more}.")
        return found

    def _below_root(self, name: str) -> Path | None:
        """What `audio_root` has under the end of a path, the longest, or anywhere under its name if that is unique."""
        if self.audio_root is None:
            return None
        paths = [path for path in _spellings(name) if path.name]
        ends = [Path(*path.parts[place:]) for path in paths for place in range(path.is_absolute(), len(path.parts))]
        if (found := _first([self.audio_root / end for end in ends if ".." not in end.parts])) is not None:
            return found
        keys = [key for path in paths for key in (path.name, path.stem)]
        return next((path for key in keys if (path := self._index().get(_plain(key))) is not None), None)

    def _in(self, folder: Path) -> dict[str, Path]:
        """Recordings in a folder by stem."""
        if folder not in self._folders:
            files = sorted(folder.iterdir(), key=_preference) if folder.is_dir() else []
            self._folders[folder] = _by(files, lambda path: [path.stem])
        return self._folders[folder]

    def _index(self) -> dict[str, Path]:
        """Recordings below `audio_root` by name and by stem."""
        if self._below is None:
            files = sorted(self.audio_root.rglob("*"), key=_preference) if self.audio_root else []
            self._below = _by(files, lambda path: [path.name, path.stem])
        return self._below


def _by(files: Iterable[Path], keys: Callable[[Path], list[str]]) -> dict[str, Path]:
    """The first recording of each name; none where several folders have it."""
    found: dict[str, Path] = {}
    several: set[str] = set()
    for path in files:
        if path.suffix.lower() in SUFFIXES and path.is_file():
            for key in map(_plain, keys(path)):
                if found.setdefault(key, path.absolute()).parent != path.absolute().parent:
                    several.add(key)
    return {key: path for key, path in found.items() if key not in several}


def _first(paths: Iterable[Path]) -> Path | None:
    return next((Path(os.path.normpath(path.absolute())) for path in paths if _is_file(path)), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _preference(path: Path) -> tuple[bool, str]:
    """Sound before films."""
    return path.suffix.lower() not in PLAIN, str(path)


def _plain(name: str) -> str:
    """Names are compared after NFC: macOS writes them in NFD."""
    return unicodedata.normalize("NFC", name)


def _spellings(name: str) -> Iterator[Path]:
    """Paths that a name may stand for: as it is, as an address, with % and with Windows' separators undone, in NFC and NFD."""
    names = [name]
    if name.lower().startswith("file:"):
        try:
            names = [urlsplit(name).path, name[5:].lstrip("/")]
        except ValueError:
            names = [name[5:]]
    names += [unquote(each) for each in names if "%" in each]
    names += [PureWindowsPath(each).as_posix() for each in names if "\\" in each]
    for form in ("NFC", "NFD"):
        for each in names:
            if each and "\0" not in each and len(each) < 4096:
                yield Path(unicodedata.normalize(form, each))
