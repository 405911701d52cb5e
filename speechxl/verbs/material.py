"""What a model was trained on and chosen by, in numbers for its page. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from speechxl.data.licences import Licence, find_licences
from speechxl.data.shards import Shard
from speechxl.shapes import Utterance

Task = Literal["pretraining", "recognition", "classification"]
"""What a model is trained for."""


@dataclass(frozen=True)
class Part:
    """One language of one split."""

    split: str
    """``"train"`` or ``"dev"``."""
    language: str
    """ISO 639-3, empty where it is not named."""
    utterances: int
    hours: float
    speakers: int | None
    """None where not all are named."""


@dataclass(frozen=True)
class Material:
    """Of a run."""

    parts: list[Part]
    licences: list[Licence] = field(default_factory=list)
    speakers: Mapping[str, int | None] = field(default_factory=dict)
    """Of each split, in whatever languages."""
    shared_speakers: int | None = None
    """Speakers of dev who are heard in training, too; None where not all are named, or there is no dev."""

    @property
    def languages(self) -> list[str]:
        """Of training, most hours first."""
        return [part.language for part in self.parts if part.split == "train" and part.language]

    def total(self, split: str) -> Part:
        """All languages of a split together."""
        own = [part for part in self.parts if part.split == split]
        utterances, hours = sum(part.utterances for part in own), sum(part.hours for part in own)
        return Part(split, "", utterances, hours, self.speakers.get(split))


@dataclass(frozen=True)
class Score:
    """One measure on dev."""

    measure: str
    """``"cer"``, ``"wer"``, ``"per"``, ``"macro_f1"``, ``"accuracy"`` or ``"contrastive"``."""
    value: float
    interval: tuple[float, float] | None = None
    """95 %, bootstrap over utterances."""
    language: str = ""
    """ISO 639-3; empty for all together."""
    kind: str = ""
    """Of the labels of a classifier."""


def material_of(train: Sequence[Utterance], dev: Sequence[Utterance]) -> Material:
    """Of rows of manifests.

    Args:
        train: With durations.
        dev: Likewise.
    """
    parts = [*_parts("train", train), *_parts("dev", dev)]
    speakers = {"train": _speakers(train), "dev": _speakers(dev)}
    shared = None
    if dev and None not in speakers.values():
        shared = len({row.speaker for row in train} & {row.speaker for row in dev})
    return Material(parts, find_licences([*train, *dev]), speakers, shared)


def material_of_shards(train: Sequence[Shard], dev: Sequence[Utterance]) -> Material:
    """Of a streamed corpus, whose index has no speakers.

    Args:
        train: Files.
        dev: Utterances that the loss is watched on.
    """
    parts = []
    for language in sorted({shard.language for shard in train}):
        own = [shard for shard in train if shard.language == language]
        hours = sum(shard.hours for shard in own)
        parts.append(Part("train", language, sum(shard.utterances for shard in own), hours, None))
    parts.sort(key=lambda part: -part.hours)
    rows = [
        Utterance(shard.file, shard.file.name, duration=3600 * shard.hours, extra={"corpus": shard.corpus})
        for shard in train
    ]
    return Material([*parts, *_parts("dev", dev)], find_licences(rows))


def _parts(split: str, rows: Sequence[Utterance]) -> list[Part]:
    found = []
    for language in {row.language for row in rows}:
        own = [row for row in rows if row.language == language]
        found.append(Part(split, language, len(own), sum(row.seconds for row in own) / 3600, _speakers(own)))
    return sorted(found, key=lambda part: (-part.hours, part.language))


def _speakers(rows: Sequence[Utterance]) -> int | None:
    """How many there are; None where not all are named."""
    return len({row.speaker for row in rows}) if all(row.speaker for row in rows) else None
