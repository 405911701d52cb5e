"""Few examples of each class, and weights that make classes count alike. No torch."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from hashlib import sha256

import numpy as np

from speechxl.errors import InputError


def few(ids: Sequence[str], strata: Sequence[Hashable], count: int, seed: int) -> list[int]:
    """Places of ``count`` utterances of each stratum, in order.

    What is chosen does not depend on the order of the utterances, and fewer are always among more with the same seed.

    Args:
        ids: N names of utterances.
        strata: N labels, or pairs of language and label.
        count: Of each.
        seed: Of the draw.

    Raises:
        InputError: If a stratum has fewer.
    """
    if count < 1:
        raise InputError(f"{count} examples of each class were asked for; at least 1 is needed.")
    places: dict[Hashable, list[int]] = defaultdict(list)
    for place, stratum in enumerate(strata):
        places[stratum].append(place)
    short = [f"{stratum} ({len(own)})" for stratum, own in places.items() if len(own) < count]
    if short:
        raise InputError(
            f"{count} examples of each class were asked for, and there are fewer of {', '.join(short[:5])}; ask for fewer, or "
            "leave the class out."
        )
    chosen = [place for own in places.values() for place in sorted(own, key=lambda x: _draw(seed, ids[x]))[:count]]
    return sorted(chosen)


def class_weights(values: Sequence[str], labels: Sequence[str]) -> np.ndarray:
    """(C,) weights with which all classes count alike and an utterance counts 1 on average.

    Args:
        values: N labels of training utterances.
        labels: All C of them; each has to occur.
    """
    counts = Counter(values)
    return np.array([len(values) / (len(labels) * counts[label]) for label in labels])


def _draw(seed: int, name: str) -> bytes:
    return sha256(f"{seed}\0{name}".encode()).digest()
