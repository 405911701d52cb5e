"""Text files of others, read so that whatever is wrong with one is said with its place."""

import gzip
import json
import zlib
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path
from typing import Any

from speechxl.errors import InputError

_RATIO, _UNPACKED = 200, 100_000_000
"""Of unpacked to packed bytes, and bytes, beyond both of which a file is a bomb."""


def read_plain(path: Path, what: str = "text file", *, utf16: bool = True) -> str:
    """Content of a text file in UTF-8, or UTF-16 with a byte order mark, unpacked if its name ends in ``.gz``.

    Args:
        path: File.
        what: That it should be, for messages.
        utf16: Whether UTF-16 is understood.

    Returns:
        Text whose lines end in a line feed alone.

    Raises:
        InputError: If there is no such file, or it is not such text.
    """
    try:
        data = _unpacked(path) if path.suffix == ".gz" else path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such {what}.") from None
    except IsADirectoryError:
        raise InputError(f"{path} is a folder, a {what} was expected.") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise InputError(f"{path}: cannot be unpacked ({error}).") from None
    wide = utf16 and data[:2] in (BOM_UTF16_LE, BOM_UTF16_BE)
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}:{line}: byte {data[error.start]:#04x} is not {'UTF-16' if wide else 'UTF-8'}; a {what} is a UTF-8 text file."
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise InputError(f"{path}:{line}: NUL byte; a {what} is a text file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _unpacked(path: Path) -> bytes:
    most = max(_UNPACKED, _RATIO * path.stat().st_size)
    with gzip.open(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise InputError(
            f"{path}: unpacks to more than {_RATIO} times its size, which no text does; it is left packed."
        )
    return data


def json_object(text: str) -> dict[str, Any]:
    """An object of JSON.

    Raises:
        InputError: With what is wrong, without a place.
    """
    try:
        row = json.loads(text)
        json.dumps(row, ensure_ascii=False).encode()  # half a pair of surrogates can be read, but not written
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON ({error.msg} at character {error.pos + 1}).") from None
    except UnicodeEncodeError:
        raise InputError("a character is cut in half (a lone surrogate, \\ud800 to \\udfff).") from None
    except ValueError as error:
        raise InputError(f"not JSON ({error}).") from None
    except RecursionError:
        raise InputError("brackets are nested too deeply for JSON to be read.") from None
    if not isinstance(row, dict):
        raise InputError(f"{text[:40]!r} is not an object in braces.")
    return row
