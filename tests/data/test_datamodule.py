import numpy as np
import pytest
import torch

from speechxl.data.audio import AudioError, read_audio, standardise
from speechxl.data.datamodule import SpeechDataset, draw_key, ordered_batches
from speechxl.data.manifest import read_manifest


def dataset(corpus, **options):
    return SpeechDataset(
        read_manifest(corpus / "manifest.tsv"), ["quy", "swh"], **{"normalise": True, "seed": 1, **options}
    )


def test_a_batch_is_padded_with_zeros_and_says_so(corpus):
    data = dataset(corpus)
    batch = data.collate([data[0, 0], data[0, 1], data[0, 2]])
    for row, length, utterance in zip(batch.waveform, batch.lengths, data.utterances, strict=False):
        assert (row[length:] == 0).all()
        np.testing.assert_array_equal(row[:length], standardise(read_audio(utterance.path)))
    assert batch.padded
    assert batch.languages.tolist() == [0, 1, 0]


def test_targets_come_with_their_texts(corpus, vocabulary):
    data = dataset(corpus, encode=lambda utterance: (utterance.text, vocabulary.encode(utterance.text)))
    batch = data.collate([data[0, 0], data[0, 1]])
    for row, length, text in zip(batch.targets.tokens, batch.targets.lengths, batch.targets.texts, strict=True):
        assert vocabulary.decode(row[:length].tolist()) == text


def test_long_utterances_are_cropped_after_normalising_and_differently_in_each_epoch(corpus):
    data = dataset(corpus, max_seconds=0.4)
    whole = standardise(read_audio(data.utterances[0].path))
    crops = [data[epoch, 0][2] for epoch in range(4)]
    for crop in crops:
        assert len(crop) == 6_400
        assert any(np.array_equal(crop, whole[first : first + 6_400]) for first in range(len(whole) - 6_399))
    assert any(not np.array_equal(crops[0], crop) for crop in crops[1:])
    np.testing.assert_array_equal(data[2, 0][2], crops[2])


def test_keys_depend_on_seed_epoch_and_name_only():
    keys = {draw_key(seed, epoch, name) for seed in (1, 2) for epoch in (0, 1) for name in ("a", "b")}
    assert len(keys) == 8
    assert all(0 <= key < 2**63 for key in keys)
    assert draw_key(1, 0, "a") == draw_key(1, 0, "a")


@pytest.mark.parametrize("seconds", [0.1, 2.0, 100.0])
def test_evaluation_sees_every_utterance_once_the_longest_first(corpus, seconds):
    data = dataset(corpus)
    batches = ordered_batches(data, seconds)
    order = [index for batch in batches for _, index in batch]
    assert sorted(order) == list(range(14))
    durations = [data.utterances[index].duration for index in order]
    assert durations == sorted(durations, reverse=True)
    assert torch.is_tensor(data.collate([data[place] for place in batches[0]]).waveform)


def test_no_longer_utterance_takes_the_place_of_a_damaged_one_where_there_is_another(corpus):
    rows = sorted(read_manifest(corpus / "manifest.tsv"), key=lambda row: row.seconds)
    damaged: set[str] = set()

    def read(row):
        if row.id in damaged:
            raise AudioError(row.id)
        return np.zeros(row.path.stat().st_size // 2, dtype=np.float32)

    speech = SpeechDataset(rows, ["quy", "swh"], normalise=False, seed=1, read=read)
    damaged |= {rows[3].id, rows[0].id}
    assert speech[0, 3][0] == rows[1]
    damaged |= {row.id for row in rows[:4]}
    assert speech[0, 3][0] == rows[4]
    assert speech.collate([speech[0, 5]]).damaged == [row.id for row in (rows[3], rows[0], rows[3], *rows[:3])]
