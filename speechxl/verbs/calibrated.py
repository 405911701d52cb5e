"""How phones are mapped: as asked for, else as calibrated, else as usual; and the features of a model's heads."""

from typing import Any

from speechxl.config import Phones
from speechxl.errors import InputError
from speechxl.models.phone_note import PhoneNote
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.known import known_features
from speechxl.phonology.mapping import Settings

COMPOSING = ("compose", "blend")
"""Strategies that need heads of articulation."""


def map_settings(phones: Phones, distance: str, note: PhoneNote | None) -> Settings:
    """Settings without any None.

    Args:
        phones: As asked for.
        distance: Between phones; what was calibrated with another is not used.
        note: Of the model.

    Raises:
        InputError: If a value is out of range.
    """
    found: dict[str, Any] = {}
    known = note.calibration if note and note.calibration and note.calibration.distance == distance else None
    for name in ("tau", "penalty", "weight"):
        asked, calibrated = getattr(phones, name), getattr(known, name, None)
        if asked is not None or calibrated is not None:
            found[name] = calibrated if asked is None else asked
    return Settings(strategy=phones.strategy, max_distance=phones.max_distance, **found)


def features_of_heads(phones: Phones, note: PhoneNote | None) -> FeatureTable | None:
    """Features that a model's heads put phones together from; None where the strategy needs none.

    Raises:
        InputError: If the model has no heads, or others than the features that are at hand.
    """
    if phones.strategy not in COMPOSING:
        return None
    if note is None or note.heads is None:
        raise InputError(
            f"--phones.strategy {phones.strategy} needs heads of articulation, which the model does not have; it is to be "
            "fine-tuned with --attributes."
        )
    table, version = known_features(phones.phoible)
    if table.digest != note.sha256:
        raise InputError(
            f"--phones.strategy {phones.strategy}: the model's heads are of the features of {note.version}, and here are those "
            f"of {version}; name a folder with the former by --phones.phoible."
        )
    return table
