"""The features of phones that are at hand. No torch."""

from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from speechxl.phonology.features import FeatureTable, panphon_table
from speechxl.phonology.phoible import open_phoible


class Known(NamedTuple):
    """Features, and what they are called."""

    table: FeatureTable
    version: str


def known_features(phoible: Path | None = None) -> Known:
    """Those of PHOIBLE where it is there, else those of panphon.

    Args:
        phoible: Folder with PHOIBLE, in the place of the installed one.

    Raises:
        InputError: If a folder of PHOIBLE is named and has none.
    """
    found = open_phoible(phoible)
    return (
        Known(panphon_table(), f"panphon {version('panphon')}") if found is None else Known(found.table, found.version)
    )
