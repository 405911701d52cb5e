"""What ``speechxl.json`` says of a model that writes phones: what it has heard, in which features. No torch."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from speechxl.phonology.report import Training


@dataclass(frozen=True)
class Heads:
    """What the heads of `Articulation` are of."""

    attributes: dict[str, list[str]]
    """Articulatory features, and the values of each."""
    bins: int
    """Feature values and letters that phones are put together from: those of `composition.bin_names`."""
    dim: int
    """Features of an embedding."""


@dataclass(frozen=True)
class Calibration:
    """What `speechxl calibrate` has found to be best for languages that a model has not heard."""

    distance: str
    """Between phones, which tau is in terms of."""
    tau: float
    """Of soft."""
    penalty: float | None
    """Of compose; None for a model without heads of articulation."""
    weight: float | None
    """Of compose in blend; None likewise."""
    languages: list[str]
    """That were left out in turn."""
    utterances: int


@dataclass(frozen=True)
class PhoneNote:
    """What a model that writes phones was trained on."""

    features: str
    """Table of features at the time: ``"phoible"`` or ``"panphon"``."""
    version: str
    """Of the table, as its makers call it."""
    sha256: str
    """Of the table: `FeatureTable.digest`."""
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    """How often the training texts in each language have each of its phones, in their one spelling, the commonest first."""
    heads: Heads | None = None
    """Beside the output layer, where there are some."""
    allophones: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By language, the phonemes of the training texts and the phones that each of them is heard as, where that was learnt."""

    calibration: Calibration | None = None
    """Defaults of mapping."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "PhoneNote":
        """From JSON."""
        known = {name: document[name] for name in cls.__dataclass_fields__ if name in document}
        heads = Heads(**document["heads"]) if document.get("heads") else None
        calibration = Calibration(**document["calibration"]) if document.get("calibration") else None
        return cls(**(known | {"heads": heads, "calibration": calibration}))

    def training(self, without: Collection[str] = ()) -> Training:
        """For the report of a mapping.

        Args:
            without: Languages that are passed over.
        """
        languages: dict[str, list[str]] = {}
        counts: dict[str, int] = {}
        for language, own in sorted(self.counts.items()):
            for phone, count in own.items() if language not in without else ():
                languages.setdefault(phone, []).append(language)
                counts[phone] = counts.get(phone, 0) + count
        return Training(languages, counts)
