"""Batches by seconds of audio, as a pure function of seed, epoch and position."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Sampler

BUCKET_RATIO = 1.1
"""Longest to shortest utterance of a bucket."""
FIRST_SHARE = 0.2
"""Of the utterances that a curriculum begins with."""


def plan_batches(
    durations: np.ndarray, batch_seconds: float, rng: np.random.Generator, quadratic: float = 0.0
) -> list[np.ndarray]:
    """Groups utterances of similar length at random.

    Args:
        durations: (N,) seconds.
        batch_seconds: Limit of utterances × cost of the longest; an utterance that costs more stands alone.
        rng: Of one epoch.
        quadratic: An utterance of s seconds costs s + quadratic · s², as attention looks at all pairs of frames.

    Returns:
        Every utterance once, in batches in random order.
    """
    if not len(durations):
        return []
    costs = durations * (1 + quadratic * durations)
    buckets = np.floor(np.log(np.maximum(durations, 1e-3)) / np.log(BUCKET_RATIO))
    order = np.lexsort((rng.random(len(durations)), buckets))
    bounds = [0]
    dearest = 0.0
    for place, cost in enumerate(costs[order].tolist()):
        dearest = max(dearest, cost)
        if place > bounds[-1] and dearest * (place + 1 - bounds[-1]) > batch_seconds:
            bounds.append(place)
            dearest = cost
    batches = np.split(order, bounds[1:])
    return [batches[place] for place in rng.permutation(len(batches))]


@dataclass(frozen=True)
class Corpus:
    """What a sampler knows of the utterances."""

    durations: np.ndarray
    """(N,) seconds that are used of each."""
    groups: np.ndarray
    """(N,) numbers of the groups that are balanced."""
    shares: np.ndarray
    """(G,) share of the audio that is drawn from each group."""

    @classmethod
    def unbalanced(cls, durations: np.ndarray) -> "Corpus":
        """Every utterance once an epoch."""
        return cls(durations, np.zeros(len(durations), dtype=np.int64), np.ones(1))


@dataclass(frozen=True)
class Place:
    """Where a run stands in its data."""

    epoch: int = 0
    before: int = 0
    """Batches of a rank in the epochs before."""
    batches: int = 0
    """Batches of all ranks in this epoch."""


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Endless batches of (pass, utterance), the same for the same seed wherever one starts.

    An epoch is as much audio as there is. Each group gives its share of it and goes through its utterances in passes, every
    one once before any twice; where an epoch ends within a pass, the next goes on there.

    Args:
        corpus: Durations, groups and their shares.
        batch_seconds: Limit of a batch.
        seed: Of the whole run.
        start: Where to begin.
        rank: Which of the parallel processes this is.
        world: Parallel processes.
        curriculum: Batches of this rank over which the longer utterances come in, the shortest fifth first.
        quadratic: See `plan_batches`.
    """

    def __init__(
        self,
        corpus: Corpus,
        batch_seconds: float,
        seed: int,
        *,
        start: Place = Place(),
        rank: int = 0,
        world: int = 1,
        curriculum: int = 0,
        quadratic: float = 0.0,
    ) -> None:
        self.corpus, self.batch_seconds, self.seed = corpus, batch_seconds, seed
        self.start, self.rank, self.world, self.curriculum, self.quadratic = start, rank, world, curriculum, quadratic
        self.begun = [start]
        """Where each epoch began that batches were given of."""
        seconds = np.bincount(corpus.groups, corpus.durations, minlength=len(corpus.shares))
        self._passes = (corpus.shares * seconds.sum() / np.maximum(seconds, 1e-9)).round(9)
        order = np.argsort(corpus.groups, kind="stable")
        self._members = np.split(order, np.cumsum(np.bincount(corpus.groups, minlength=len(corpus.shares)))[:-1])

    def items(self, epoch: int) -> np.ndarray:
        """Utterances of an epoch: (M, 2) pass and utterance."""
        items = []
        for group, members in enumerate(self._members):
            if not len(members):
                continue
            first, last = (int(self._passes[group] * len(members) * turn) for turn in (epoch, epoch + 1))
            for turn in range(first // len(members), -(-last // len(members))):
                low, high = max(first - turn * len(members), 0), min(last - turn * len(members), len(members))
                chosen = members
                if high - low < len(members):
                    rng = np.random.default_rng((self.seed, group, turn))
                    chosen = members[np.sort(rng.permutation(len(members))[low:high])]
                items.append(np.stack([np.full(len(chosen), turn), chosen], axis=1))
        return np.concatenate(items)

    def epoch(self, epoch: int, before: int = 0) -> list[np.ndarray]:
        """Batches of this rank in one epoch, (M, 2) like `items`; ranks have equally many.

        Args:
            epoch: Number of the epoch.
            before: Batches of this rank in the epochs before it.
        """
        items, durations = self.items(epoch), self.corpus.durations
        if before < self.curriculum:
            longest = np.quantile(durations, FIRST_SHARE ** (1 - before / self.curriculum))
            items = items[durations[items[:, 1]] <= longest]
        rng = np.random.default_rng((self.seed, epoch))
        batches = plan_batches(durations[items[:, 1]], self.batch_seconds, rng, self.quadratic)
        rounds = -(-len(batches) // self.world)
        return [items[batches[(turn * self.world + self.rank) % len(batches)]] for turn in range(rounds)]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, before, first = self.start.epoch, self.start.before, self.start.batches // self.world
        while True:
            batches = self.epoch(epoch, before)
            for batch in batches[first:]:
                yield [(turn, utterance) for turn, utterance in batch.tolist()]
            epoch, before, first = epoch + 1, before + len(batches), 0
            self.begun.append(Place(epoch, before))

    def place(self, batches: int) -> Place:
        """Where a run stands whose rank has been trained on so many batches since ``start``; later epochs may have begun."""
        total = self.start.before + self.start.batches // self.world + batches
        epoch = max((begun for begun in self.begun if begun.before <= total), key=lambda begun: begun.epoch)
        return Place(epoch.epoch, epoch.before, (total - epoch.before) * self.world)
