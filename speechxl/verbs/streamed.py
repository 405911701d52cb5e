"""Speech for pretraining out of Parquet shards; the counterpart of `contrastive.Speech`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechxl.data.datamodule import SpeechDataset
from speechxl.data.manifest import Fault
from speechxl.data.sampling import Group, group_shares
from speechxl.data.shards import Shard, holds_shards, read_index
from speechxl.data.streaming import Held, SpeechStream, StreamData, hold
from speechxl.errors import InputError, NothingMatched

ALPHA = 1.0
"""Power of the hours of languages and corpora: as much is heard of each as there is."""
_HELD_SECONDS = 300
Make = Callable[..., SpeechDataset]


@dataclass(frozen=True)
class StreamedSpeech:
    """Shards for pretraining."""

    train: list[Shard]
    dev: Held
    """At most five minutes to watch the loss on, a little of each language and corpus."""
    min_seconds: float
    faults: list[Fault] = field(default_factory=list)
    """None; what cannot be used is not in the shards."""

    @property
    def hours(self) -> dict[str, float]:
        """Of training speech in each language, most first."""
        hours: dict[str, float] = {}
        for shard in self.train:
            hours[shard.language] = hours.get(shard.language, 0.0) + shard.hours
        return dict(sorted(hours.items(), key=lambda item: -item[1]))

    @property
    def utterances(self) -> int:
        """To train on, those that are too short included."""
        return sum(shard.utterances for shard in self.train)

    @property
    def languages(self) -> list[str]:
        """Of all utterances, sorted."""
        return sorted({*self.hours, *(utterance.language for utterance in self.dev.utterances)})

    def first(self, make: Make) -> SpeechDataset:
        """Speech to look at before training."""
        held = hold(self.train, _HELD_SECONDS, self.min_seconds)
        return make(held.utterances, read=held.read)

    def sample(self, make: Make) -> SpeechDataset:
        """Some minutes to look at after training."""
        return self._watched(make) or self.first(make)

    def batches(self, make: Make, batch_seconds: float, workers: int | None) -> StreamData:
        """For training."""
        hours: dict[Group, float] = {}
        for shard in self.train:
            group = shard.language, shard.corpus
            hours[group] = hours.get(group, 0.0) + shard.hours
        stream = SpeechStream(
            self.train, group_shares(hours, ALPHA), make([]), batch_seconds, min_seconds=self.min_seconds
        )
        return StreamData(stream, self._watched(make), workers)

    def _watched(self, make: Make) -> SpeechDataset | None:
        return make(self.dev.utterances, read=self.dev.read) if self.dev.utterances else None


def read_shards(
    train: Sequence[Path], dev: Sequence[Path] | None, split: str | None, min_seconds: float
) -> StreamedSpeech:
    """Reads the indices; by default the dev shards of ``train`` are those to watch.

    Raises:
        InputError: If shards and manifests are mixed.
        NothingMatched: If there is no shard with the split.
    """
    folders = [*train, *(dev or [])]
    if other := [path for path in folders if not holds_shards(path)]:
        raise InputError(
            f"{other[0]} is no folder of shards, and {next(filter(holds_shards, folders))} is one; make shards of all with "
            "speechxl prepare shards."
        )
    chosen = _choose(train, split, "train")
    if not chosen:
        found = sorted({shard.split or "(none)" for path in train for shard in read_index(path)})
        raise NothingMatched(
            f"{', '.join(map(str, train))}: no shard with split {split or 'train'!r}; there are {', '.join(found)}."
        )
    watched = _choose(dev, None, "dev") if dev else _choose(train, "dev", "dev") if split != "all" else []
    watched = [shard for shard in watched if shard not in chosen]
    return StreamedSpeech(chosen, hold(watched, _HELD_SECONDS, min_seconds), min_seconds)


def _choose(paths: Sequence[Path], split: str | None, usual: str) -> list[Shard]:
    """Shards with a split; ``"all"`` for every one, None for ``usual``, or every one where a folder has no splits."""
    chosen: list[Shard] = []
    for path in paths:
        shards = read_index(path)
        wanted = split or (usual if {shard.split for shard in shards} != {""} else "all")
        chosen += [shard for shard in shards if wanted in ("all", shard.split)]
    return chosen
