import itertools
import random
import socket
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from speechxl.data import shards as shards_module
from speechxl.data import streaming
from speechxl.data.audio import Recording, read_audio, standardise
from speechxl.data.datamodule import SpeechDataset
from speechxl.data.shards import flac, read_index, write_shards
from speechxl.data.streaming import Held, SpeechStream, hold, read_shard, stored
from speechxl.errors import InputError
from speechxl.shapes import Utterance
from tests.conftest import tone

QUY, SWH, SWH2 = ("quy", "radio"), ("swh", "radio"), ("swh", "church")
SHARES = {QUY: 0.5, SWH: 0.2, SWH2: 0.3}
SIZES = {QUY: 11, SWH: 23, SWH2: 5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven utterances in five shards, twenty-three in nine, five in one, of 0.3 to 0.9 s; the path has glob characters."""
    root = tmp_path_factory.mktemp("some [corpora]")
    patch = pytest.MonkeyPatch()
    patch.setattr(shards_module, "_GROUP_SECONDS", 1.0)
    patch.setattr(shards_module, "read_audio", lambda path, start, duration: tone(duration, 300, int(1000 * duration)))
    for (language, corpus), size in SIZES.items():
        rows = [
            Utterance(
                root / "x", f"{language}-{corpus}-{number}", duration=0.3 + number * 0.6 / size, language=language
            )
            for number in range(size)
        ]
        write_shards(rows, root / "shards", corpus=corpus, shard_seconds=9.0 if corpus == "church" else 1.5)
    patch.undo()
    assert [
        len(list(group)) for _, group in itertools.groupby(read_index(root / "shards"), lambda s: s.file.name[:-14])
    ]
    return root / "shards"


def stream(folder, rank=0, world=1, shares=SHARES, min_seconds=0.0, seed=1, **options):
    form = SpeechDataset([], ["quy", "swh"], **{"normalise": True, "seed": seed, **options})
    return SpeechStream(read_index(folder), shares, form, 2.0, min_seconds=min_seconds, rank=rank, world=world)


def loader(source, workers):
    return DataLoader(source, batch_size=None, num_workers=workers)


def take(source, count, workers=0):
    return list(itertools.islice(loader(source, workers), count))


def assert_same(batches, others):
    assert len(batches) == len(others)
    for one, other in zip(batches, others, strict=True):
        assert (one.ids, one.damaged, one.padded) == (other.ids, other.damaged, other.padded)
        for name in ("keys", "waveform", "lengths", "languages"):
            assert torch.equal(getattr(one, name), getattr(other, name)), name


@pytest.fixture(autouse=True)
def small_pools(monkeypatch):
    monkeypatch.setattr(streaming, "POOL_BATCHES", 4)


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    connect = socket.socket.connect

    def refuse(self, address):
        assert self.family == socket.AF_UNIX, f"network: {address}"
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def test_batches_hold_the_audio_of_the_shards(folder):
    audio = {
        item.utterance.id: item.read()
        for shard in read_index(folder)
        for item in (stored(row, shard.file) for row in read_shard(shard.file))
    }
    assert len(audio) == 39
    for batch in take(stream(folder), 30):
        assert float(batch.lengths.max()) * len(batch.ids) <= 2.0 * 16_000
        for id, row, length, language in zip(batch.ids, batch.waveform, batch.lengths, batch.languages, strict=True):
            np.testing.assert_array_equal(row[:length], standardise(audio[id]))
            assert (row[length:] == 0).all()
            assert id.startswith(["quy", "swh"][language])


@pytest.mark.parametrize("group", SIZES)
@pytest.mark.parametrize("readers", [1, 2, 3, 7])
def test_in_a_pass_every_utterance_comes_once_to_one_of_the_readers(folder, group, readers):
    shards = [shard for shard in read_index(folder) if (shard.language, shard.corpus) == group]
    passes = {}
    for reader in range(readers):
        source = streaming._Source(group, shards, 1, reader, readers, 0.0, (0, 0, 0))
        while (drawn := source.next())[1] < 5:
            passes.setdefault(drawn[1], []).append(drawn[0].utterance.id)
    names = sorted(f"{'-'.join(group)}-{number}" for number in range(SIZES[group]))
    if readers <= SIZES[group]:
        assert [sorted(passes[turn]) for turn in range(5)] == [names] * 5
    else:
        assert all(set(passes[turn]) == set(names) for turn in range(5))
    if len(shards) > readers:
        assert passes[0] != passes[1]


def test_every_source_is_heard_for_its_share_of_the_seconds(folder):
    batches = take(stream(folder), 120)
    seconds = Counter()
    for batch in batches:
        for id, length in zip(batch.ids, batch.lengths.tolist(), strict=True):
            seconds[tuple(id.split("-")[:2])] += length / 16_000
    total = sum(seconds.values())
    assert {group: value / total for group, value in seconds.items()} == pytest.approx(SHARES, abs=0.02)


def test_utterances_are_drawn_in_another_order_in_each_pass_and_never_with_the_same_key(folder):
    heard = [
        (id, key) for batch in take(stream(folder), 100) for id, key in zip(batch.ids, batch.keys.tolist(), strict=True)
    ]
    assert len(heard) > 2 * 39
    assert len({key for _, key in heard}) == len(heard)
    order = [id for id, _ in heard if id.startswith("quy")]
    assert set(order[:11]) != set(order[11:22]) or order[:11] != order[11:22]
    again = [key for batch in take(stream(folder), 100) for key in batch.keys.tolist()]
    assert again == [key for _, key in heard]
    other = [id for batch in take(stream(folder, seed=2), 20) for id in batch.ids]
    assert other != [id for id, _ in heard[: len(other)]]


def test_long_utterances_are_cropped_and_short_ones_left_out(folder):
    batches = take(stream(folder, min_seconds=0.5, max_seconds=0.6), 100)
    lengths = torch.cat([batch.lengths for batch in batches]) / 16_000
    assert 0.5 <= lengths.min() < 0.53
    assert lengths.max() == 0.6
    with pytest.raises(InputError, match=r"no utterance of corpus 'radio' \(quy\) has the 9 s"):
        take(stream(folder, shares={QUY: 1.0}, min_seconds=9.0), 1)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("rank", [0, 1])
def test_a_stream_that_is_stopped_anywhere_goes_on_with_the_same_batches(folder, workers, rank):
    whole = take(stream(folder, rank, 2, max_seconds=0.7), 30, workers)
    for stop in random.Random(workers).sample(range(1, 25), 2 if workers else 6):
        first = stream(folder, rank, 2, max_seconds=0.7)
        for batch in itertools.islice(loader(first, workers), stop):
            first.note(batch)
        torch.save(first.state_dict(), folder / "state.pt")
        second = stream(folder, rank, 2, max_seconds=0.7)
        second.load_state_dict(torch.load(folder / "state.pt", weights_only=True))
        assert_same(take(second, min(6, 30 - stop), workers), whole[stop : stop + 6])


def test_what_was_fetched_and_not_used_comes_again(folder):
    whole = take(stream(folder), 12)
    first = stream(folder)
    for number, batch in enumerate(take(first, 9)):
        if number < 4:
            first.note(batch)
    second = stream(folder)
    second.load_state_dict(first.state_dict())
    assert_same(take(second, 8), whole[4:])


def test_a_stream_that_is_continued_twice_is_the_same(folder):
    whole = take(stream(folder), 60)
    state = stream(folder).state_dict()
    for turn in range(6):
        part = stream(folder)
        part.load_state_dict(state)
        batches = take(part, 10)
        assert_same(batches, whole[10 * turn : 10 * turn + 10])
        for batch in batches:
            part.note(batch)
        state = part.state_dict()


def test_another_number_of_workers_cannot_go_on_and_says_so(folder):
    first = stream(folder)
    first.note(take(first, 1)[0])
    with pytest.raises(InputError, match="read by 1 workers and cannot go on exactly with 2"):
        take(first, 1, workers=2)


def test_ranks_and_workers_hear_different_utterances(folder):
    keys = [
        {key for batch in take(stream(folder, rank, 2), 12, workers) for key in batch.keys.tolist()}
        for rank in range(2)
        for workers in (0, 2)
    ]
    assert not keys[0] & keys[2]
    assert not keys[1] & keys[3]


def test_a_stream_that_begins_anew_hears_the_shards_in_another_order(folder):
    first = stream(folder)
    seen = take(first, 20)
    for batch in seen:
        first.note(batch)
    second = stream(folder, 0, 3)
    second.begin_anew([first.state_dict()])
    third = stream(folder, 0, 3)
    third.begin_anew([first.state_dict()])
    batches = take(second, 20)
    assert_same(batches, take(third, 20))
    assert not {key for b in batches for key in b.keys.tolist()} & {key for b in seen for key in b.keys.tolist()}
    second.note(batches[4])
    third.load_state_dict(second.state_dict())
    assert_same(take(third, 15), batches[5:])


@pytest.fixture
def damaged(folder, tmp_path, monkeypatch):
    """Five utterances in one shard of which two cannot be decoded."""
    samples = tone(0.5, 300)
    good = [Utterance(tmp_path / "x", f"good-{number}", duration=0.5, language="quy") for number in range(3)]
    bad = [Utterance(tmp_path / "x", f"bad-{number}", duration=0.5, language="quy") for number in range(2)]
    monkeypatch.setattr(shards_module, "read_audio", lambda path, start, duration: samples)
    monkeypatch.setattr(shards_module, "flac", lambda _: flac(samples)[:3000])
    write_shards([*bad], tmp_path / "damaged", corpus="bad")
    monkeypatch.setattr(shards_module, "flac", flac)
    write_shards([*good], tmp_path / "damaged", corpus="good")
    return tmp_path / "damaged"


def test_damaged_rows_are_passed_over_and_named(damaged, caplog):
    shares = {("quy", "good"): 0.6, ("quy", "bad"): 0.4}
    batches = take(stream(damaged, shares=shares), 20)
    assert all(id.startswith("good") for batch in batches for id in batch.ids)
    named = [id for batch in batches for id in batch.damaged]
    heard = [id for batch in batches for id in batch.ids]
    assert set(named) == {"bad-0", "bad-1"}
    assert len(named) / (len(named) + len(heard)) == pytest.approx(0.4, abs=0.1)
    assert "bad-00000.parquet: bad-0: " in caplog.text
    with pytest.raises(InputError, match=r"bad-00000\.parquet: none of \d+ recordings can be decoded"):
        take(stream(damaged, shares={("quy", "bad"): 1.0}), 1)


def test_a_damaged_or_missing_shard_is_an_error_that_names_it(damaged):
    source = stream(damaged, shares={("quy", "good"): 1.0})
    file = damaged / "quy" / "good-00000.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"good-00000\.parquet: the shard cannot be read .*--overwrite"):
        take(source, 1)
    file.unlink()
    with pytest.raises(InputError, match=r"good-00000\.parquet: the shard cannot be read .*--overwrite"):
        take(source, 1)


def test_a_shard_can_be_read_from_any_row_and_in_parts(folder):
    file = max(read_index(folder), key=lambda shard: shard.utterances).file
    ids = [row["id"] for row in read_shard(file)]
    assert len(ids) == 5
    for first in range(6):
        assert [row["id"] for row in read_shard(file, first)] == ids[first:]
    for part in range(3):
        assert [row["id"] for row in read_shard(file, 0, part, 3)] == ids[part::3]
        assert [row["id"] for row in read_shard(file, 3, part, 3)] == ids[3 + part :: 3]


def test_nothing_is_written_where_datasets_keeps_its_cache(folder, tmp_path, monkeypatch):
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    take(stream(folder), 5)
    assert not (tmp_path / "cache").exists()


def test_some_minutes_can_be_held_in_memory(folder):
    held = hold(read_index(folder), 3.0, min_seconds=0.4)
    seconds = Counter()
    for utterance in (item.utterance for item in held):
        seconds[tuple(utterance.id.split("-")[:2])] += utterance.seconds
    assert seconds.keys() == SIZES.keys()
    assert all(1.0 <= value < 2.0 for value in seconds.values())
    utterances = [item.utterance for item in held]
    assert len({utterance.id for utterance in utterances}) == len(held)
    audio = {row["id"]: row["audio"]["bytes"] for shard in read_index(folder) for row in read_shard(shard.file)}
    data = SpeechDataset(utterances, ["quy", "swh"], normalise=False, seed=1, read=Held(held).read)
    for number, utterance in enumerate(utterances):
        np.testing.assert_array_equal(data[0, number][2], read_audio(Recording(audio[utterance.id], "x")))
    assert hold([], 3.0) == []


def test_nothing_to_draw_from_is_an_error(folder):
    with pytest.raises(InputError, match="no audio to draw from"):
        stream(folder, shares={("deu", "radio"): 1.0})


def test_the_digest_tells_other_shards_apart(folder):
    index = read_index(folder)
    assert streaming.shards_digest(index) == streaming.shards_digest(index[::-1])
    assert streaming.shards_digest(index) != streaming.shards_digest([replace(index[0], utterances=99), *index[1:]])
