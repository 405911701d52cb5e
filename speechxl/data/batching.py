"""Batches by seconds of audio, as a pure function of seed, epoch and position."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

BUCKET_RATIO = 1.1
"""Longest to shortest utterance of a bucket."""
FIRST_SHARE = 0.2
"""Of the utterances that a curriculum begins with."""


def plan_batches(durations: np.ndarray, batch_seconds: float, rng: np.random.Generator) -> list[list[int]]:
    """Groups utterances of similar length at random.

    Args:
        durations: (N,) seconds.
        batch_seconds: Limit of utterances × longest utterance; an utterance that is longer stands alone.
        rng: Of one epoch.

    Returns:
        Every utterance once, in batches in random order.
    """
    buckets = np.floor(np.log(np.maximum(durations, 1e-3)) / np.log(BUCKET_RATIO))
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0.0
    for index in np.lexsort((rng.random(len(durations)), buckets)):
        longest = max(longest, durations[index])
        if batch and longest * (len(batch) + 1) > batch_seconds:
            batches.append(batch)
            batch, longest = [], durations[index]
        batch.append(int(index))
    if batch:
        batches.append(batch)
    return [batches[place] for place in rng.permutation(len(batches))]


class EpochBatches(Sampler[list[tuple[int, int]]]):
    """Endless batches of (epoch, utterance), the same for the same seed wherever one starts.

    Args:
        durations: (N,) seconds.
        batch_seconds: Limit of a batch.
        seed: Of the whole run.
        start: Batches of this rank that were seen before.
        rank: Which of the parallel processes this is.
        world: Parallel processes.
        curriculum: Batches of this rank over which the longer utterances come in, the shortest fifth first.
    """

    def __init__(
        self,
        durations: np.ndarray,
        batch_seconds: float,
        seed: int,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
        curriculum: int = 0,
    ) -> None:
        self.durations, self.batch_seconds, self.seed = durations, batch_seconds, seed
        self.start, self.rank, self.world, self.curriculum = start, rank, world, curriculum

    def epoch(self, epoch: int, seen: int = 0) -> list[list[int]]:
        """Batches of this rank in one epoch; ranks have equally many.

        Args:
            epoch: Number of the epoch.
            seen: Batches of this rank in the epochs before it.
        """
        missing = max(0.0, 1 - seen / self.curriculum) if self.curriculum else 0.0
        chosen = np.flatnonzero(self.durations <= np.quantile(self.durations, FIRST_SHARE**missing))
        batches = plan_batches(self.durations[chosen], self.batch_seconds, np.random.default_rng((self.seed, epoch)))
        rounds = -(-len(batches) // self.world)
        turns = [batches[(turn * self.world + self.rank) % len(batches)] for turn in range(rounds)]
        return [[int(chosen[place]) for place in batch] for batch in turns]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch = seen = 0
        while True:
            batches = self.epoch(epoch, seen)
            for batch in batches[max(0, self.start - seen) :]:
                yield [(epoch, index) for index in batch]
            epoch, seen = epoch + 1, seen + len(batches)
