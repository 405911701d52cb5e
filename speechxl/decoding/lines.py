"""A file of JSON lines that outlives interruptions: what is new goes to a part, which is read back on the next start."""

import json
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from speechxl.files import replace_file


class Lines:
    """Results, one JSON object a line, found by the name of their recording.

    Args:
        path: The file, which is there when all is done; until then lines gather in one of the same name with ``.part``.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.part = path, path.with_name(f"{path.name}.part")
        self._file: BinaryIO | None = None
        self._read()

    def _read(self) -> None:
        self._places: dict[str, tuple[Path, int]] = {}
        self._length = 0
        for path in (self.path, self.part):
            if path.exists():
                self._places |= {name: (path, offset) for name, offset in self._scan(path)}

    def _scan(self, path: Path) -> Iterable[tuple[str, int]]:
        """Names and offsets; a line that was torn by a kill is passed over."""
        offset = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break
                with suppress(ValueError, KeyError, TypeError):
                    yield json.loads(line)["audio"], offset
                offset += len(line)
        if path == self.part:
            self._length = offset

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def read(self, name: str) -> dict[str, Any]:
        """The line of a recording."""
        path, offset = self._places[name]
        with path.open("rb") as file:
            file.seek(offset)
            return dict(json.loads(file.readline()))

    def forget(self, names: Collection[str] | None) -> None:
        """Removes the lines of some recordings; None for all."""
        if not self._places and not self.part.exists():
            return
        self._places = {name: place for name, place in self._places.items() if names is not None and name not in names}
        if self._places:
            replace_file(self.path, lambda part: self._copy(part, self._places))
        else:
            self.path.unlink(missing_ok=True)
        self.part.unlink(missing_ok=True)
        self._read()

    def add(self, result: dict[str, Any]) -> None:
        """Appends a line."""
        if self._file is None:
            self.part.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.part.open("ab")
            self._file.truncate(self._length)
        line = json.dumps(result, ensure_ascii=False).encode() + b"\n"
        self._file.write(line)
        self._file.flush()
        self._places[result["audio"]] = self.part, self._length
        self._length += len(line)

    def finish(self, names: Iterable[str]) -> None:
        """Writes the file: the lines of these recordings in this order, after those of others that stood there."""
        if self._file is not None:
            self._file.close()
            self._file = None
        ordered = [name for name in names if name in self._places]
        others = self._places.keys() - set(ordered)
        if self.part.exists() or not self.path.exists():
            replace_file(
                self.path, lambda part: self._copy(part, [*(n for n in self._places if n in others), *ordered])
            )
            self.part.unlink(missing_ok=True)
            self._read()

    def _copy(self, target: Path, names: Iterable[str]) -> None:
        sources = {path: path.open("rb") for path in (self.path, self.part) if path.exists()}
        try:
            with target.open("wb") as file:
                for name in names:
                    path, offset = self._places[name]
                    sources[path].seek(offset)
                    file.write(sources[path].readline())
        finally:
            for source in sources.values():
                source.close()
