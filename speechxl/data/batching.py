"""Batches by seconds of audio, as a pure function of seed, epoch and position."""

from collections.abc import Iterator

import numpy as np
from torch.utils.data import Sampler

BUCKET_RATIO = 1.1
"""Longest to shortest utterance of a bucket."""


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
    """

    def __init__(
        self, durations: np.ndarray, batch_seconds: float, seed: int, start: int = 0, rank: int = 0, world: int = 1
    ) -> None:
        self.durations, self.batch_seconds, self.seed = durations, batch_seconds, seed
        self.start, self.rank, self.world = start, rank, world

    def epoch(self, epoch: int) -> list[list[int]]:
        """Batches of this rank in one epoch; ranks have equally many."""
        batches = plan_batches(self.durations, self.batch_seconds, np.random.default_rng((self.seed, epoch)))
        rounds = -(-len(batches) // self.world)
        return [batches[(turn * self.world + self.rank) % len(batches)] for turn in range(rounds)]

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        epoch, skip = 0, self.start
        while True:
            batches = self.epoch(epoch)
            for batch in batches[skip:]:
                yield [(epoch, index) for index in batch]
            skip, epoch = max(0, skip - len(batches)), epoch + 1
