"""What a mapping of phones does, for those who rely on it. No torch."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from speechxl.errors import InputError
from speechxl.phonology.distance import Metric
from speechxl.phonology.features import FeatureTable
from speechxl.phonology.inventory import Inventory
from speechxl.phonology.letters import read_table

Status = Literal["exact", "respelled", "near", "far", "unreachable"]
_HEARD = 0.05
"""Largest share of a source below which a phone will not be heard."""
_OPPOSITES = {
    "consonantal", "cons", "sonorant", "son", "continuant", "cont", "nasal", "nas", "round", "anterior", "ant",
    "distributed", "distr", "tense", "periodicGlottalSource", "voi",
}  # fmt: skip
"""Features whose absence has a word of its own."""


@dataclass(frozen=True)
class Training:
    """What a model has heard."""

    languages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of each phone."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Of each phone in the training texts."""


@dataclass(frozen=True)
class Target:
    """One phone of the inventory."""

    target: str
    status: Status
    """exact, or respelled if the model spells it differently: the model's own; near or far: stands for another phone;
    unreachable: nothing stands for it."""
    source: str
    """Phone of the model that stands for it most; for what cannot be reached, the nearest."""
    share: float
    """Of the source."""
    distance: float
    """Features."""
    features: str
    """In which the target differs, in words."""
    runner_up: str
    """Phone that stands for it second most."""
    languages: str
    """Training languages that have the source."""
    count: int | None
    """Of the source in the training data."""


@dataclass(frozen=True)
class Report:
    """All phones of the inventory, and what becomes of those of the model."""

    inventory: str
    """Its source."""
    ids: tuple[int, ...]
    """Inventories of PHOIBLE."""
    strategy: str
    metric: str
    targets: tuple[Target, ...]
    shared: tuple[tuple[str, tuple[str, ...]], ...]
    """Sources that stand for several phones, which the model will hardly tell apart."""
    lost: Mapping[str, str]
    """Phones of the model that the inventory lacks, and what they become mostly; empty for nothing."""
    unread: tuple[str, ...]
    """Symbols of the model that are no phones."""
    composed: tuple[str, ...]
    """Phones whose features are put together, as the table lacks them."""
    nearest: float
    """Distance of the nearest pair."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """That the strategy depends on, such as tau."""

    def count(self, *statuses: Status) -> int:
        """Phones of the inventory with one of these."""
        return sum(target.status in statuses for target in self.targets)

    @property
    def coverage(self) -> float:
        """Share of the inventory that the model has itself."""
        return self.count("exact", "respelled") / len(self.targets)

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "inventory": {"source": self.inventory, "ids": list(self.ids), "size": len(self.targets)},
            "strategy": self.strategy,
            "parameters": dict(self.parameters),
            "distance": self.metric,
            "coverage": round(self.coverage, 4),
            "far": self.count("far"),
            "unreachable": self.count("unreachable"),
            "targets": [asdict(target) for target in self.targets],
            "shared": {source: list(targets) for source, targets in self.shared},
            "lost": dict(self.lost),
            "unread": list(self.unread),
            "composed": list(self.composed),
        }

    def csv(self) -> str:
        """One line a phone."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(asdict(self.targets[0])), lineterminator="\n")
        writer.writeheader()
        writer.writerows(asdict(target) for target in self.targets)
        return text.getvalue()


def new_report(
    sources: Sequence[str],
    inventory: Inventory,
    metric: Metric,
    shares: np.ndarray,
    strategy: str,
    max_distance: float,
    spelled: Mapping[str, str],
    training: Training,
    parameters: Mapping[str, float] = MappingProxyType({}),
) -> Report:
    """What becomes of each phone.

    Args:
        sources: S phones of the model.
        inventory: T phones.
        metric: Distance.
        shares: (S, T) of each source.
        strategy: By which they were found.
        max_distance: Beyond which a phone is far.
        spelled: The model's symbols and their phones.
        training: Of the model.
        parameters: Of the strategy.
    """
    distances, ranked = metric.ranked(inventory.symbols, sources)
    originals = {phone: symbol for symbol, phone in sorted(spelled.items(), reverse=True)}
    targets = []
    users: dict[str, list[str]] = {}
    for column, target in enumerate(inventory.symbols):
        place = np.empty(len(sources), int)
        place[ranked[column]] = np.arange(len(sources))
        order = np.lexsort([place, -shares[:, column].round(9)])
        best, second = int(order[0]), int(order[1]) if len(order) > 1 else None
        source, share = sources[best], float(shares[best, column])
        distance = float(distances[column, best])
        if source == target and share > 0:
            status: Status = "exact" if target in spelled else "respelled"
        elif share < _HEARD:
            status = "unreachable"
        else:
            status = "near" if distance <= max_distance else "far"
        if status in ("near", "far"):
            users.setdefault(source, []).append(target)
        differs = in_words(metric.table.differences(source, target))
        targets.append(
            Target(
                target, status, originals[source], round(share, 4), round(distance, 4), ", ".join(differs),
                "" if second is None else originals[sources[second]], " ".join(training.languages.get(source, ())),
                training.counts.get(source),
            )
        )  # fmt: skip
    known = set(inventory.symbols)
    lost = {
        originals[source]: inventory.symbols[int(shares[row].argmax())] if shares[row].any() else ""
        for row, source in enumerate(sources)
        if source not in known
    }
    return Report(
        inventory.source, tuple(doculect.id for doculect in inventory.doculects), strategy, metric.name, tuple(targets),
        tuple((originals[source], tuple(found)) for source, found in sorted(users.items()) if len(found) > 1), lost,
        tuple(symbol for symbol, phone in spelled.items() if not phone),
        tuple(x for x in inventory.symbols if x not in metric.table), float(distances.min()),
        dict(parameters),
    )  # fmt: skip


def attributes(table: FeatureTable, symbol: str) -> list[str] | None:
    """What a phone is, in words, such as ``voiced``, ``nasal`` or ``stopped then fricated``; None for what has no features.

    What it is not is named where phoneticians have a word for that, such as ``voiceless`` and ``oral``.
    """
    try:
        values = table.values([symbol])
    except InputError:
        return None
    signed = []
    for place, name in enumerate(table.names):
        ends = dict.fromkeys(int(end[0, place]) for end in (values.start, values.end))
        signs = "→".join("0+-"[value] for value in ends if value)
        if signs and (signs != "-" or name in _OPPOSITES):
            signed.append(signs + name)
    return in_words(signed)


@cache
def _words() -> dict[str, dict[str, str]]:
    return {row["feature"]: row for row in read_table("words.tsv")}


def in_words(differences: Sequence[str]) -> list[str]:
    """Differences of `FeatureTable.differences` in words, such as ``aspirated`` for ``+spreadGlottis``."""
    words = _words()
    said = []
    for difference in differences:
        signs, name = (
            difference.rstrip("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            difference.lstrip("+-0→"),
        )
        known = words.get(name, {"plus": f"+{name}", "minus": f"-{name}"})
        value = {"+": known["plus"], "-": known["minus"], "0": f"no {name}"}
        said.append(" then ".join(value[sign] for sign in signs.split("→")))
    return said
