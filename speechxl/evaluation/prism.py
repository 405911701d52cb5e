"""Phonological feature error rate as published tables have it (PRiSM, ZIPA, POWSM): edits with panphon's features.

An insertion or a deletion costs 1, a substitution the share of panphon's 24 features that differ; the costs are averaged
over utterances and not divided by their lengths. What panphon does not know is passed over, so that symbols that are not IPA
cost nothing, and affricates without tie bar are two segments. It is for comparisons; `phone_rates` has a rate without these.
"""

import csv
import string
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from speechxl.evaluation.edits import edit_distances
from speechxl.phonology.features import panphon_folder

_LEAF = ""
_SIGN = {"+": 1, "0": 0, "-": -1}
_CLEANED = str.maketrans({**dict.fromkeys(string.punctuation + " "), **dict(zip("¹²³⁴⁵", "˩˨˧˦˥", strict=True))})


def feature_edits(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """(N,) costs of the edits from each reference, as text, to its hypothesis."""
    trie, vectors = _table()
    rows: dict[int, int] = {}
    first, second = (
        [np.array([rows.setdefault(row, len(rows)) for row in _segments(text, trie)], int) for text in texts]
        for texts in (references, hypotheses)
    )
    used = vectors[list(rows)]
    costs = np.array([(used != row).mean(1) for row in used]).reshape(len(used), len(used))
    return edit_distances(first, second, costs)


def _segments(text: str, trie: dict[str, Any]) -> list[int]:
    """Rows of the longest segments that fit, from the left."""
    cleaned = unicodedata.normalize("NFD", text.translate(_CLEANED)).replace("g", "ɡ").strip()
    found = []
    at, length = 0, len(cleaned)
    while at < length:
        node, row, place, end = trie, None, at, at + 1
        while place < length and cleaned[place] in node:
            node = node[cleaned[place]]
            place += 1
            if _LEAF in node:
                row, end = node[_LEAF], place
        if row is not None:
            found.append(row)
        at = end
    return found


@lru_cache(maxsize=1)
def _table() -> tuple[dict[str, Any], np.ndarray]:
    """Rows of segments by their characters, and (N, 24) features."""
    lines = (panphon_folder() / "ipa_all.csv").read_text(encoding="utf-8").splitlines()
    _, *rows = csv.reader(lines)
    trie: dict[str, Any] = {}
    for number, row in enumerate(rows):
        node = trie
        for character in unicodedata.normalize("NFD", row[0]):
            node = node.setdefault(character, {})
        node[_LEAF] = number
    return trie, np.array([[_SIGN[value] for value in row[1:]] for row in rows], np.int8)
