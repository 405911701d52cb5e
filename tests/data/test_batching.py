import itertools

import numpy as np
import pytest

from speechxl.data.batching import Corpus, EpochBatches, Place, plan_batches

DURATIONS = np.random.default_rng(0).lognormal(1.0, 0.6, 500)
CORPUS = Corpus.unbalanced(DURATIONS)
GROUPS = np.random.default_rng(1).choice(3, 500, p=[0.8, 0.19, 0.01])
BALANCED = Corpus(DURATIONS, GROUPS, np.array([0.5, 0.3, 0.2]))


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


def first(sampler, count):
    return list(itertools.islice(sampler, count))


@pytest.mark.parametrize("curriculum", [0, 100])
@pytest.mark.parametrize("corpus", [CORPUS, BALANCED], ids=["unbalanced", "balanced"])
@pytest.mark.parametrize("stop", [0, 1, 7, 53, 200])
def test_one_can_go_on_from_any_place(stop, corpus, curriculum):
    whole = first(EpochBatches(corpus, 40.0, 3, curriculum=curriculum), 250)
    before = EpochBatches(corpus, 40.0, 3, curriculum=curriculum)
    first(before, stop + 2)  # two are fetched ahead
    after = EpochBatches(corpus, 40.0, 3, start=before.place(stop), curriculum=curriculum)
    assert first(after, 250 - stop) == whole[stop:]
    assert (
        first(EpochBatches(corpus, 40.0, 3, start=after.place(5), curriculum=curriculum), 20) == whole[stop + 5 :][:20]
    )


def test_a_place_holds_for_another_number_of_processes():
    whole = first(EpochBatches(BALANCED, 40.0, 3), 100)
    halves = [EpochBatches(BALANCED, 40.0, 3, rank=rank, world=2) for rank in range(2)]
    assert [batch for pair in zip(*(first(half, 10) for half in halves), strict=True) for batch in pair] == whole[:20]
    assert first(EpochBatches(BALANCED, 40.0, 3, start=halves[0].place(10)), 20) == whole[20:40]


def test_a_curriculum_begins_with_the_shortest_fifth_and_ends_with_all():
    sampler = EpochBatches(CORPUS, 40.0, 3, curriculum=100)
    shortest = set(np.argsort(DURATIONS)[:100])
    assert set(np.concatenate(sampler.epoch(0))[:, 1]) == shortest
    sizes = [len(np.concatenate(sampler.epoch(1, before))) for before in (10, 50, 90, 100, 1000)]
    assert sizes == sorted(sizes)
    assert 100 < sizes[0] < sizes[2] < sizes[3] == sizes[4] == 500


def test_epochs_differ_and_seeds_differ():
    sampler, other = EpochBatches(CORPUS, 40.0, 3), EpochBatches(CORPUS, 40.0, 4)
    utterances = [np.concatenate(each).tolist() for each in (sampler.epoch(0), sampler.epoch(1), other.epoch(0))]
    assert utterances[0] == np.concatenate(EpochBatches(CORPUS, 40.0, 3).epoch(0)).tolist()
    assert utterances[0] != utterances[2]
    assert [utterance for _, utterance in utterances[0]] != [utterance for _, utterance in utterances[1]]


def test_ranks_share_an_epoch_evenly():
    ranks = [EpochBatches(CORPUS, 40.0, 3, rank=rank, world=3).epoch(0) for rank in range(3)]
    assert len({len(batches) for batches in ranks}) == 1
    assert set(np.concatenate([batch for batches in ranks for batch in batches])[:, 1]) == set(range(500))


def test_every_rank_gets_a_batch_where_there_are_fewer_batches_than_ranks():
    ranks = [EpochBatches(Corpus.unbalanced(np.ones(3)), 3.0, 1, rank=rank, world=8).epoch(0) for rank in range(8)]
    assert [len(batches) for batches in ranks] == [1] * 8


def test_groups_get_their_shares_of_the_audio():
    sampler = EpochBatches(BALANCED, 40.0, 3)
    utterances = np.concatenate([sampler.items(epoch) for epoch in range(20)])[:, 1]
    heard = np.bincount(GROUPS[utterances], DURATIONS[utterances])
    np.testing.assert_allclose(heard / heard.sum(), BALANCED.shares, atol=0.005)
    assert heard.sum() == pytest.approx(20 * DURATIONS.sum(), rel=0.01)


def test_every_utterance_is_heard_once_before_any_of_its_group_is_heard_twice():
    sampler = EpochBatches(BALANCED, 40.0, 3)
    items = np.concatenate([sampler.items(epoch) for epoch in range(20)])
    assert len(np.unique(items, axis=0)) == len(items)
    for group in range(3):
        times = np.bincount(items[GROUPS[items[:, 1]] == group, 1], minlength=500)[group == GROUPS]
        assert times.max() - times.min() <= 1


def test_an_epoch_that_is_not_balanced_is_every_utterance_once():
    assert EpochBatches(CORPUS, 40.0, 3).items(4).tolist() == [[4, utterance] for utterance in range(500)]


def test_long_utterances_make_smaller_batches_where_attention_counts():
    linear, square = (plan_batches(np.full(64, 20.0), 160.0, np.random.default_rng(0), cost) for cost in (0.0, 1 / 20))
    assert {len(batch) for batch in linear} == {8}
    assert {len(batch) for batch in square} == {4}


def test_a_place_begins_at_nothing():
    assert EpochBatches(CORPUS, 40.0, 3).place(0) == Place(0, 0, 0)
