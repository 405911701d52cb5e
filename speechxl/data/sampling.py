"""How much is heard of each language and corpus: by hours, flattened by a power, in two levels.

Conneau et al. 2021 (XLSR, section 3) and Babu et al. 2022 (XLS-R, section 2): a language, then a corpus of it, is drawn with
p ∝ (hours / total)^alpha.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import TypeVar

from speechxl.errors import InputError
from speechxl.shapes import Utterance

Name = TypeVar("Name", bound=Hashable)
Group = tuple[str, str]
"""A language and a corpus of it."""


def group_of(utterance: Utterance) -> Group:
    """Language and corpus: the manifest's column ``corpus``, or else the manifest."""
    return utterance.language, utterance.extra.get("corpus") or utterance.origin.rpartition(":")[0]


def group_hours(utterances: Iterable[Utterance]) -> dict[Group, float]:
    """Hours of each group."""
    hours: dict[Group, float] = {}
    for utterance in utterances:
        group = group_of(utterance)
        hours[group] = hours.get(group, 0.0) + utterance.seconds / 3600
    return hours


def flattened(hours: Mapping[Name, float], alpha: float) -> dict[Name, float]:
    """Probabilities p ∝ (hours / total)^alpha; alpha 1 is by hours, 0 uniform."""
    total = sum(hours.values())
    powers = {name: (value / total) ** alpha for name, value in hours.items() if value > 0}
    norm = sum(powers.values())
    return {name: power / norm for name, power in powers.items()}


def group_shares(
    hours: Mapping[Group, float], alpha: float, replayed: frozenset[Group] = frozenset(), replay_share: float = 0.0
) -> dict[Group, float]:
    """Share of the audio that is drawn from each corpus of each language; they sum to 1.

    Args:
        hours: Of each group.
        alpha: Power, of languages and of the corpora of each.
        replayed: Groups of an earlier training set.
        replay_share: What they get together; balanced among themselves in the same way.

    Raises:
        InputError: If there is nothing to draw from.
    """
    if not sum(hours.values()):
        raise InputError("There is no audio to draw from.")
    if replayed:
        parts = (
            ({group: value for group, value in hours.items() if (group in replayed) == again}, share)
            for again, share in ((False, 1 - replay_share), (True, replay_share))
        )
        return {group: share * p for part, share in parts for group, p in group_shares(part, alpha).items()}
    languages: dict[str, dict[Group, float]] = {}
    for group, value in hours.items():
        languages.setdefault(group[0], {})[group] = value
    by_language = flattened({language: sum(corpora.values()) for language, corpora in languages.items()}, alpha)
    return {
        group: by_language[language] * share
        for language in by_language
        for group, share in flattened(languages[language], alpha).items()
    }
