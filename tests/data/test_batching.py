import itertools

import numpy as np
import pytest

from speechxl.data.batching import EpochBatches, plan_batches

DURATIONS = np.random.default_rng(0).lognormal(1.0, 0.6, 500)


def test_every_utterance_is_there_once():
    batches = plan_batches(DURATIONS, 40.0, np.random.default_rng(0))
    assert sorted(itertools.chain(*batches)) == list(range(500))


def test_batches_keep_to_the_limit_with_padding():
    for batch in plan_batches(DURATIONS, 40.0, np.random.default_rng(0)):
        assert len(batch) == 1 or DURATIONS[batch].max() * len(batch) <= 40.0


def test_batches_hold_utterances_of_similar_length():
    batches = plan_batches(DURATIONS, 40.0, np.random.default_rng(0))
    padded = sum(DURATIONS[batch].max() * len(batch) for batch in batches)
    assert DURATIONS.sum() / padded > 0.9


def test_an_utterance_above_the_limit_stands_alone():
    assert sorted(map(sorted, plan_batches(np.array([50.0, 1.0, 1.0]), 10.0, np.random.default_rng(0)))) == [
        [0],
        [1, 2],
    ]


@pytest.mark.parametrize("start", [0, 1, 7, 53, 200])
def test_one_can_start_anywhere(start):
    whole = list(itertools.islice(EpochBatches(DURATIONS, 40.0, 3), 250))
    assert list(itertools.islice(EpochBatches(DURATIONS, 40.0, 3, start), 250 - start)) == whole[start:]


@pytest.mark.parametrize("start", [0, 1, 7, 53, 200])
def test_one_can_start_anywhere_in_a_curriculum(start):
    whole = list(itertools.islice(EpochBatches(DURATIONS, 40.0, 3, curriculum=100), 250))
    batches = EpochBatches(DURATIONS, 40.0, 3, start, curriculum=100)
    assert list(itertools.islice(batches, 250 - start)) == whole[start:]


def test_a_curriculum_begins_with_the_shortest_fifth_and_ends_with_all():
    sampler = EpochBatches(DURATIONS, 40.0, 3, curriculum=100)
    shortest = set(np.argsort(DURATIONS)[:100])
    assert set(itertools.chain(*sampler.epoch(0))) == shortest
    sizes = [len(list(itertools.chain(*sampler.epoch(1, seen)))) for seen in (10, 50, 90, 100, 1000)]
    assert sizes == sorted(sizes)
    assert 100 < sizes[0] < sizes[2] < sizes[3] == sizes[4] == 500


def test_epochs_differ_and_seeds_differ():
    sampler = EpochBatches(DURATIONS, 40.0, 3)
    assert sampler.epoch(0) != sampler.epoch(1)
    assert sampler.epoch(0) != EpochBatches(DURATIONS, 40.0, 4).epoch(0)
    assert sampler.epoch(0) == EpochBatches(DURATIONS, 40.0, 3).epoch(0)


def test_ranks_share_an_epoch_evenly():
    ranks = [EpochBatches(DURATIONS, 40.0, 3, rank=rank, world=3).epoch(0) for rank in range(3)]
    assert len({len(batches) for batches in ranks}) == 1
    assert set(itertools.chain(*itertools.chain(*ranks))) == set(range(500))


def test_every_rank_gets_a_batch_where_there_are_fewer_batches_than_ranks():
    ranks = [EpochBatches(np.ones(3), 3.0, 1, rank=rank, world=8).epoch(0) for rank in range(8)]
    assert [len(batches) for batches in ranks] == [1] * 8
