"""What was measured before, so that recordings that have not changed are not read again."""

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from speechxl.data.checks.measuring import Content, Header, Stretch

log = logging.getLogger(__name__)
_VERSION = 1
"""Of what is measured, and how; another one starts anew."""
_TABLE = (
    "CREATE TABLE IF NOT EXISTS measured (path TEXT, stretch TEXT, size INTEGER, changed INTEGER, found TEXT, "
    "PRIMARY KEY (path, stretch))"
)


@dataclass
class Measured:
    """What is known of a recording as it was when it had this size and time."""

    size: int
    changed: int
    """Nanoseconds."""
    header: Header
    contents: dict[Stretch, Content] = field(default_factory=dict)


def cache_file() -> Path:
    """Where it is kept: in ``XDG_CACHE_HOME``, else ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "speechxl" / "validate.sqlite"


class Cache:
    """Measurements by path, size and time of change. Where it cannot be written, nothing is kept.

    Args:
        path: SQLite file; None to keep nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._database: sqlite3.Connection | None = None
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30)
            with self._database:
                self._database.execute("BEGIN IMMEDIATE")  # several processes may begin at once
                if self._database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                    self._database.execute("DROP TABLE IF EXISTS measured")
                    self._database.execute(f"PRAGMA user_version = {_VERSION}")
                self._database.execute(_TABLE)
        except (OSError, sqlite3.Error) as error:
            self._give_up(path, error)

    def get(self, path: Path) -> Measured | None:
        """What is known of a recording; None if nothing is."""
        if self._database is None:
            return None
        try:
            rows = self._database.execute(
                "SELECT stretch, size, changed, found FROM measured WHERE path = ?", [os.fspath(path)]
            ).fetchall()
            headers = [row for row in rows if not row[0]]
            if not headers:
                return None
            _, size, changed, found = headers[0]
            known = Measured(size, changed, Header(**json.loads(found)))
            for stretch, *state, found in rows:
                if stretch and state == [size, changed]:
                    start, duration = json.loads(stretch)
                    known.contents[start, duration] = Content(**json.loads(found))
        except (ValueError, TypeError, sqlite3.Error) as error:
            self._give_up(path, error)
            return None
        return known

    def put(self, items: Iterable[tuple[Path, Measured]]) -> None:
        """Keeps measurements, in the place of older ones of the same stretches."""
        if self._database is None:
            return
        rows = [
            (os.fspath(path), stretch, new.size, new.changed, json.dumps(asdict(found)))
            for path, new in items
            for stretch, found in _named(new).items()
        ]
        try:
            with self._database:
                self._database.executemany("INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?, ?)", rows)
        except (ValueError, sqlite3.Error) as error:
            self._give_up(None, error)

    def close(self) -> None:
        """Closes the file."""
        if self._database is not None:
            self._database.close()

    def _give_up(self, path: Path | None, error: Exception) -> None:
        log.warning("%s: measurements are not kept (%s)", path or cache_file(), error)
        self._database = None


def _named(measured: Measured) -> Mapping[str, Header | Content]:
    contents = {json.dumps(stretch): content for stretch, content in measured.contents.items()}
    return {"": measured.header, **contents}
