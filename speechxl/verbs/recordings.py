"""Speech for pretraining out of manifests; the counterpart of `streamed.StreamedSpeech`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from speechxl.config import Data
from speechxl.data.audio import read_utterance
from speechxl.data.datamodule import EndlessData, SpeechData, SpeechDataset
from speechxl.data.manifest import Fault
from speechxl.data.sampling import Group, group_hours
from speechxl.data.shards import holds_shards
from speechxl.errors import InputError, NothingMatched
from speechxl.shapes import Utterance
from speechxl.verbs.corpora import Corpora
from speechxl.verbs.material import Material, material_of
from speechxl.verbs.streamed import StreamedSpeech, read_shards
from speechxl.verbs.training import seconds, usable, within, without

_DEV_SECONDS = 300


@dataclass(frozen=True)
class Speech:
    """Recordings for pretraining."""

    train: list[Utterance]
    """With those that are replayed at the end."""
    dev: list[Utterance]
    """At most five minutes to watch the loss on."""
    probed: list[Utterance]
    """Dev rows with text or phonemes."""
    replayed: frozenset[Group]
    """Languages and corpora of an earlier training set."""
    faults: list[Fault]
    """What was left out, as its audio cannot be used."""
    read: Callable[[Utterance], np.ndarray] = read_utterance
    """Gives an utterance's waveform."""

    @property
    def hours(self) -> dict[Group, float]:
        """To train on."""
        return group_hours(self.train)

    @property
    def utterances(self) -> int:
        """To train on."""
        return len(self.train)

    @property
    def languages(self) -> list[str]:
        """Of all utterances, sorted."""
        return sorted({row.language for row in [*self.train, *self.dev, *self.probed]})

    @property
    def first(self) -> list[Utterance]:
        """To look at before training."""
        return self.train

    @property
    def sample(self) -> list[Utterance]:
        """Some minutes to look at after training."""
        return self.dev or self.train[:: max(1, round(seconds(self.train) / _DEV_SECONDS))]

    @property
    def material(self) -> Material:
        """For the page of a model."""
        return material_of(self.train, self.dev)

    def batches(self, train: Callable[..., SpeechDataset], dev: SpeechDataset | None, **options: Any) -> EndlessData:
        """For training; ``train`` makes a dataset of utterances."""
        return SpeechData(train(self.train), dev, **options)


def read_speech(
    train: Sequence[Path],
    dev: Sequence[Path] | None,
    split: str | None,
    data: Data,
    replay: Sequence[Path] | None = None,
) -> Speech | StreamedSpeech:
    """Reads corpora; by default the dev rows of ``train`` are those to watch."""
    if any(map(holds_shards, [*train, *(dev or []), *(replay or [])])):
        return read_shards(train, dev, split, replay, data.min_seconds or 0)
    corpora = Corpora.read(train)
    rows, faults = usable(corpora.choose(split, "train"))
    rows = within(rows, data.min_seconds or 0, None)
    try:
        watched = (
            Corpora.read(dev).choose(None, "dev") if dev else corpora.choose("dev", "dev") if split != "all" else []
        )
    except NothingMatched:
        watched = []
    watched, more = usable(watched)
    watched = [row for row in without(watched, rows) if row.seconds >= (data.min_seconds or 0)]
    every = max(1, round(seconds(watched) / _DEV_SECONDS))
    earlier: list[Utterance] = []
    if replay:
        others = without(Corpora.read(replay).choose(None, "train"), [*rows, *watched])
        if not others:
            raise InputError(
                f"--replay {' '.join(map(str, replay))}: nothing is left, all of it is heard or watched already; name the "
                "corpora that the model was trained on before, or leave it out."
            )
        earlier, most = usable(others)
        earlier = [replace(row, id=f"replay/{row.id}") for row in within(earlier, data.min_seconds or 0, None)]
        more = [*more, *most]
    replayed = frozenset(group_hours(earlier))
    if both := replayed & set(group_hours(rows)):
        language, corpus = min(both)
        raise InputError(
            f"--replay and --train both have rows of {language or 'no language'} in {corpus}; they are balanced against each "
            "other by language and manifest, so put them into different manifests."
        )
    labelled = [row for row in watched if row.text or row.phonemes]
    return Speech([*rows, *earlier], watched[::every], labelled, replayed, [*faults, *more])
