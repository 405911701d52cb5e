"""Language families, by the names that Glottolog gives to the largest groups; an isolate is its own family."""

import csv
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from speechxl.errors import InputError
from speechxl.shapes import Utterance

UNKNOWN = "(unknown)"
_COLUMNS = (("language", "family"), ("ISO639P3code", "Family_Name"))
"""Of a table of families; the second pair is that of Glottolog's and PHOIBLE's ``languages.csv``."""


def language_families(utterances: Iterable[Utterance] = (), path: Path | None = None) -> dict[str, str]:
    """Family of each language by its ISO 639-3 code: the package's table, what manifests say, and a table of the user.

    Args:
        utterances: Whose column ``family``, where it is filled in, goes before the package's table.
        path: A table that goes before both: tab-separated, or with commas if its name ends in ``.csv``, with columns
            ``language`` and ``family``, or ``ISO639P3code`` and ``Family_Name``.

    Raises:
        InputError: If there is no such table, or it has other columns.
    """
    text = files("speechxl.data").joinpath("families.tsv").read_text(encoding="utf-8")
    known = _read(text, "\t", *_COLUMNS[0])
    for utterance in utterances:
        if utterance.language and (family := utterance.extra.get("family")):
            known[utterance.language] = family
    return known if path is None else known | _read_given(path)


def _read_given(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"--families {path}: there is no such table.") from None
    except UnicodeDecodeError:
        raise InputError(f"--families {path}: is not UTF-8 text.") from None
    separator = "," if path.suffix == ".csv" else "\t"
    header = next(csv.reader(text.splitlines(), delimiter=separator), [])
    for language, family in _COLUMNS:
        if language in header and family in header:
            return _read(text, separator, language, family)
    raise InputError(
        f"--families {path}: found columns {', '.join(header)[:80]!r}; columns language and family were expected, "
        "separated by tabs, or by commas in a file whose name ends in .csv."
    )


def _read(text: str, separator: str, language: str, family: str) -> dict[str, str]:
    rows = csv.DictReader(text.splitlines(), delimiter=separator)
    return {row[language].strip(): row[family].strip() for row in rows if row[language] and row[family]}
