"""Speech for pretraining out of Parquet shards; the counterpart of `recordings.Speech`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from speechxl.data.datamodule import SpeechDataset
from speechxl.data.manifest import Fault
from speechxl.data.sampling import Group
from speechxl.data.shards import Shard, holds_shards, read_index
from speechxl.data.streaming import Held, SpeechStream, StreamData, hold
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.material import Material, material_of_shards

_HELD_SECONDS = 300


@dataclass(frozen=True)
class StreamedSpeech:
    """Shards for pretraining."""

    train: list[Shard]
    """With those that are replayed at the end."""
    first: list[Utterance]
    """Some minutes of them, a little of each language and corpus, to look at before training."""
    dev: list[Utterance]
    """At most five minutes to watch the loss on, a little of each language and corpus."""
    replayed: frozenset[Group]
    """Languages and corpora of an earlier training set."""
    read: Callable[[Utterance], np.ndarray]
    """Gives the waveform of one of the utterances above, which are in memory."""
    min_seconds: float
    faults: list[Fault] = field(default_factory=list)
    """None; what cannot be used is not in the shards."""

    @property
    def hours(self) -> dict[Group, float]:
        """To train on."""
        return _hours(self.train)

    @property
    def utterances(self) -> int:
        """To train on, those that are too short included."""
        return sum(shard.utterances for shard in self.train)

    @property
    def languages(self) -> list[str]:
        """Of all utterances, sorted."""
        return sorted({*(shard.language for shard in self.train), *(utterance.language for utterance in self.dev)})

    @property
    def probed(self) -> list[Utterance]:
        """Dev utterances with text or phonemes."""
        return [utterance for utterance in self.dev if utterance.text or utterance.phonemes]

    @property
    def sample(self) -> list[Utterance]:
        """Some minutes to look at after training."""
        return self.dev or self.first

    @property
    def material(self) -> Material:
        """For the page of a model."""
        return material_of_shards(self.train, self.dev)

    def batches(
        self,
        train: Callable[..., SpeechDataset],
        dev: SpeechDataset | None,
        *,
        batch_seconds: float,
        workers: int | None,
        shares: Mapping[Group, float],
        quadratic: float,
        max_damaged: float,
    ) -> StreamData:
        """For training; ``train`` makes a dataset of utterances."""
        stream = SpeechStream(
            self.train, shares, train([]), batch_seconds, min_seconds=self.min_seconds, quadratic=quadratic
        )
        return StreamData(stream, dev, workers, max_damaged)


def read_shards(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    split: str | None,
    replay: Sequence[Path] | None,
    min_seconds: float,
) -> StreamedSpeech:
    """Reads the indices; by default the dev shards of ``train`` are those to watch.

    Raises:
        InputError: If shards and manifests are mixed, or a corpus is to be trained on and replayed.
        NothingMatched: If there is no shard with the split.
    """
    folders = [*train, *(dev or []), *(replay or [])]
    if other := [path for path in folders if not holds_shards(path)]:
        raise InputError(
            f"{other[0]} is no folder of shards, and {next(filter(holds_shards, folders))} is one; make shards of all with "
            "speechxl prepare shards."
        )
    chosen = _choose(train, split, "train")
    watched = _choose(dev, None, "dev") if dev else _choose(train, "dev", "dev") if split != "all" else []
    watched = [shard for shard in watched if shard not in chosen]
    earlier = [shard for shard in _choose(replay or [], None, "train") if shard not in [*chosen, *watched]]
    if not chosen:
        found = sorted({shard.split or "(none)" for path in train for shard in read_index(path)})
        raise NothingMatched(
            f"{', '.join(map(str, train))}: no shard with split {split or 'train'!r}; there are {', '.join(found)}."
        )
    if both := _hours(chosen).keys() & _hours(earlier).keys():
        language, corpus = min(both)
        raise InputError(
            f"--replay and --train both have shards of {language or 'no language'} in {corpus}; they are balanced against each "
            "other by language and corpus, so give them different names with prepare shards --corpus."
        )
    train_shards = [*chosen, *earlier]
    first, held = hold(train_shards, _HELD_SECONDS, min_seconds), hold(watched, _HELD_SECONDS, min_seconds)
    rows = [item.utterance for item in first], [item.utterance for item in held]
    return StreamedSpeech(train_shards, *rows, frozenset(_hours(earlier)), Held([*first, *held]).read, min_seconds)


def _hours(shards: Sequence[Shard]) -> dict[Group, float]:
    hours: dict[Group, float] = {}
    for shard in shards:
        group = shard.language, shard.corpus
        hours[group] = hours.get(group, 0.0) + shard.hours
    return hours


def _choose(paths: Sequence[Path], split: str | None, usual: str) -> list[Shard]:
    """Shards with a split; ``"all"`` for every one, None for ``usual``, or every one where a folder has no splits."""
    chosen: list[Shard] = []
    for path in paths:
        shards = read_index(path)
        wanted = split or (usual if {shard.split for shard in shards} != {""} else "all")
        chosen += [shard for shard in shards if wanted in ("all", shard.split)]
    return chosen
