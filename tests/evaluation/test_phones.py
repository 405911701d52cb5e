import numpy as np
import pytest
from scipy.stats import entropy

from speechxl.data.alignments import Segment
from speechxl.evaluation.phones import frame_phones, information, phone_codes, segment_phones
from speechxl.models.frames import FrameGeometry


def test_a_frame_has_the_phone_in_its_middle():
    """Frames are 20 ms apart and 25 ms wide: the first five middles lie at 12.5, 32.5, 52.5, 72.5 and 92.5 ms."""
    segments = [Segment(0.013, 0.053, "a"), Segment(0.053, 0.080, "b")]
    assert frame_phones(segments, 5, 0.0, FrameGeometry()).tolist() == ["", "a", "a", "b", ""]
    assert frame_phones(segments, 2, 0.05, FrameGeometry()).tolist() == ["b", ""]
    assert frame_phones([], 2, 0.0, FrameGeometry()).tolist() == ["", ""]


def spoken(rng, sequence, silence):
    """Codes of phones 0 to 3, each for two to eight frames; a phone has two codes of its own in each of two books."""
    lengths = rng.integers(2, 9, size=len(sequence))
    labels = np.repeat(sequence, lengths)
    if silence:
        labels = np.concatenate([np.full(rng.integers(3, 15), 4), labels, np.full(rng.integers(0, 15), 4)])
    codes = labels[:, None] * 2 + rng.integers(0, 2, size=(len(labels), 2))
    noise = rng.random(codes.shape) < 0.1
    return np.where(noise, rng.integers(0, 10, size=codes.shape), codes), labels


@pytest.mark.parametrize("silence", [False, True])
def test_phones_are_found_by_their_codes(silence):
    rng = np.random.default_rng(0)
    names = np.array(["a", "b", "k", "t", ""], dtype=object)
    sequences = [rng.integers(0, 4, size=rng.integers(3, 9)) for _ in range(60)]
    sequences = [sequence[np.r_[True, sequence[1:] != sequence[:-1]]] for sequence in sequences]
    made = [spoken(rng, sequence, silence) for sequence in sequences]
    found = segment_phones([codes for codes, _ in made], [names[sequence] for sequence in sequences], 10)
    truth = [names[labels] for _, labels in made]
    right = np.concatenate(found) == np.concatenate(truth)
    assert right.mean() > 0.95
    for labels, sequence in zip(found, sequences, strict=True):
        changes = labels[np.r_[True, labels[1:] != labels[:-1]]]
        assert [name for name in changes if name] == names[sequence].tolist()


def test_an_utterance_with_as_many_frames_as_phones_has_one_each():
    (labels,) = segment_phones([np.zeros((3, 2), int)], [["a", "b", "a"]], 4)
    assert labels.tolist() == ["a", "b", "a"]


def test_information_is_that_of_the_joint_distribution():
    rng = np.random.default_rng(0)
    phones = rng.integers(0, 3, size=5000)
    codes = np.where(rng.random(5000) < 0.7, phones * 2, rng.integers(0, 6, size=5000))
    joint = np.histogram2d(phones, codes, bins=[np.arange(4), np.arange(7)])[0] / 5000
    expected = entropy(joint.ravel(), np.outer(joint.sum(1), joint.sum(0)).ravel(), base=2)
    found = information(phones, codes)
    assert found["information"] == pytest.approx(expected, abs=1e-4)
    assert found["entropy"] == pytest.approx(entropy(joint.sum(1), base=2), abs=1e-4)
    assert found["phone_purity"] == pytest.approx(joint.max(0).sum(), abs=1e-4)
    assert found["cluster_purity"] == pytest.approx(joint.max(1).sum(), abs=1e-4)
    assert 0 < found["chance"] < 0.01


def test_codes_that_name_phones_tell_all_and_codes_at_random_nothing_beyond_chance():
    rng = np.random.default_rng(0)
    phones = np.repeat(rng.integers(0, 4, size=500), 5)
    named = information(phones, (phones + 1) % 4)
    assert named["information"] == pytest.approx(named["entropy"])
    assert named["phone_purity"] == named["cluster_purity"] == 1
    idle = information(phones, np.repeat(rng.integers(0, 50, size=500), 7)[: len(phones)])
    assert idle["information"] > 0.1
    assert idle["information"] == pytest.approx(idle["chance"], abs=0.05)


def test_the_table_lists_the_commonest_codes_of_each_phone():
    phones = np.array(["a", "a", "a", "", "t"], dtype=object)
    codes = np.array([[1, 3], [1, 3], [2, 3], [0, 0], [0, 1]])
    document = phone_codes(phones, codes, 4)
    assert document["frames"] == 4
    assert list(document["table"]) == ["a", "t"]
    assert document["table"]["a"] == {
        "frames": 3,
        "books": [[(1, 0.6667), (2, 0.3333)], [(3, 1.0)]],
        "pairs": [[[1, 3], 0.6667], [[2, 3], 0.3333]],
    }
    assert document["table"]["t"]["pairs"] == [[[0, 1], 1.0]]
