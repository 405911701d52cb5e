"""What can be learnt of phones beside their symbols: the articulatory features that tell them apart. No torch."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from speechxl.errors import InputError
from speechxl.phonology.composition import phone_bins
from speechxl.phonology.features import FeatureTable

_SIGNS = {-1: "-", 0: "0", 1: "+"}


@dataclass(frozen=True, eq=False)
class Attributes:
    """Features that are not the same in all of P phones.

    Attributes:
        phones: P.
        values: Of each of A features, what occurs, such as ``-``, ``+`` and ``-→+`` for a contour.
        labels: (P, A) numbers of the phones' values, counted from 1.
        bins: (N,) whether a value of `composition.bin_names` tells some phones from others.
    """

    phones: tuple[str, ...]
    values: dict[str, list[str]]
    labels: np.ndarray
    bins: np.ndarray


def new_attributes(table: FeatureTable, phones: Sequence[str]) -> Attributes:
    """Attributes of an inventory: those that all its phones have alike are left out.

    Args:
        table: Features.
        phones: P, in their one spelling.

    Raises:
        InputError: If the phones have no feature that differs, or one has a letter that is not in the table.
    """
    found = table.values(phones)
    pairs = 3 * found.start.astype(int) + found.end  # one number for the value at the start and at the end
    values: dict[str, list[str]] = {}
    labels = []
    for column, name in zip(pairs.T, table.names, strict=True):
        known, numbers = np.unique(column, return_inverse=True)
        if len(known) > 1:
            ends = (((pair + 1) // 3, pair - 3 * ((pair + 1) // 3)) for pair in known.tolist())
            values[name] = ["→".join(_SIGNS[value] for value in dict.fromkeys(pair)) for pair in ends]
            labels.append(numbers + 1)
    if not values:
        raise InputError(
            f"All phones have the same features ({' '.join(phones)}), so there are no attributes to learn."
        )
    share = phone_bins(table, phones).toarray() > 0  # (N, P)
    return Attributes(tuple(phones), values, np.stack(labels, axis=1), share.any(1) & ~share.all(1))


def phones_with_features(table: FeatureTable, phones: Iterable[str]) -> list[str]:
    """Those of some phones that have features; a letter may be absent from a table."""
    return [phone for phone in phones if _has_features(table, phone)]


def _has_features(table: FeatureTable, phone: str) -> bool:
    try:
        table.values([phone])
    except InputError:
        return False
    return True
