"""Phones as sums of what their features are at the start and at the end, by which a head scores any inventory. No torch.

The head gives a score to each value of each feature, ``u = h' W / sqrt(d)``, and a phone has the sum of its values' scores:
``h' · e_p / sqrt(d)`` with ``e_p = sum_f E_f[start] + E'_f[end]`` and a residual of its letters (Glocker et al. 2023 have the
start alone, with which ``e`` and ``ei`` have the same score).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array
from scipy.special import log_softmax

from speechxl.phonology.distance import base_letters
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.letters import letters

_VALUES = (-1, 0, 1)


@dataclass(frozen=True, eq=False)
class Composition:
    """How phones are put together.

    Attributes:
        matrix: (1 + N, 1 + T) 1 where a phone has a value; the blank stands for itself.
        offset: (1 + T) what is added to logits.
    """

    matrix: csr_array
    offset: np.ndarray

    def apply(self, bins: np.ndarray) -> np.ndarray:
        """(F, 1 + N) scores of values to (F, 1 + T) log posteriors of phones."""
        return log_softmax(bins @ self.matrix + self.offset, axis=-1)


def bin_names(table: FeatureTable) -> list[str]:
    """N values, such as ``nasal=+ at the start``, and letters."""
    signs = {-1: "-", 0: "0", 1: "+"}
    return [
        *(
            f"{name}={signs[value]} at the {when}"
            for when in ("start", "end")
            for name in table.names
            for value in _VALUES
        ),
        *letters(),
    ]


def phone_bins(table: FeatureTable, symbols: Sequence[str]) -> csr_array:
    """(N, T) 1 where a phone has a value, or a letter (its share, where it has several).

    Raises:
        InputError: If a letter is not in the table.
    """
    values = table.values(symbols)
    hits = [(ends[:, :, None] == np.array(_VALUES)).reshape(len(symbols), -1) for ends in (values.start, values.end)]
    known = {letter: place for place, letter in enumerate(letters())}
    residual = np.zeros((len(symbols), len(known)))
    for row, symbol in enumerate(symbols):
        own = base_letters(symbol)
        for letter in own:
            residual[row, known[letter]] += 1 / len(own)
    return csr_array(np.concatenate([*hits, residual], axis=1).T)


def new_composition(table: FeatureTable, symbols: Sequence[str], heard: Sequence[str], penalty: float) -> Composition:
    """Composition of an inventory.

    Args:
        table: Features.
        symbols: T phones.
        heard: Phones of the training data.
        penalty: Subtracted from the logits of the others, which a head is too ready to give.
    """
    phones = phone_bins(table, symbols).toarray()
    whole = np.zeros((1 + phones.shape[0], 1 + len(symbols)))
    whole[0, 0] = 1
    whole[1:, 1:] = phones
    known = set(heard)
    offset = np.array([0.0, *(0.0 if symbol in known else -penalty for symbol in symbols)])
    return Composition(csr_array(whole), offset)
