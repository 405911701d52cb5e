import tracemalloc
from itertools import groupby, pairwise

import numpy as np
import pytest
import torch
import torchaudio.functional as F

from speechxl.decoding.alignment import STAR, align_symbols
from speechxl.errors import InputError


def emissions_of(frames, classes, seed):
    return torch.randn(frames, classes, generator=torch.Generator().manual_seed(seed)).mul(3).log_softmax(-1).numpy()


def labels(spans, tokens, frames, blank=0):
    """(F,) symbol of each frame."""
    path = np.full(frames, blank)
    for token, first, stop in zip(tokens, spans.first, spans.stop, strict=True):
        path[first:stop] = token
    return path


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("block", [1, 3, 7, 4096])
def test_paths_and_totals_are_those_of_torchaudio(seed, block):
    rng = np.random.default_rng(seed)
    classes = int(rng.integers(2, 6))  # few, so that symbols repeat
    blank = int(rng.integers(classes))
    others = [number for number in range(classes) if number != blank]
    tokens = rng.choice(others, rng.integers(1, 12)).tolist()
    needed = len(tokens) + sum(one == other for one, other in pairwise(tokens))
    emissions = emissions_of(needed + int(rng.integers(0, 30)) * (seed % 4), classes, seed)
    path, scores = F.forced_align(torch.from_numpy(emissions)[None], torch.tensor([tokens]), blank=blank)
    spans = align_symbols(emissions, tokens, blank, block)
    assert spans.total == pytest.approx(float(scores.double().sum()), abs=1e-4)
    own = labels(spans, tokens, len(emissions), blank)
    assert emissions[np.arange(len(own)), own].sum() == pytest.approx(spans.total, abs=1e-4)
    assert own.tolist() == path[0].tolist()


def test_the_path_spells_the_text():
    tokens = [1, 1, 2, 1, 2, 2]
    spans = align_symbols(emissions_of(50, 3, 0), tokens, 0)
    path = labels(spans, tokens, 50)
    assert [label for label, _ in groupby(path) if label] == tokens
    assert (spans.stop > spans.first).all()
    assert (spans.first[1:] >= spans.stop[:-1]).all()


def test_a_case_by_hand():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    once, twice = (align_symbols(np.log(probabilities), tokens, 0) for tokens in ([1], [1, 1]))
    assert (once.first.tolist(), once.stop.tolist()) == ([1], [4])
    assert np.exp(once.total) == pytest.approx(0.9 * 0.8 * 0.4 * 0.7)
    assert (twice.first.tolist(), twice.stop.tolist()) == ([1, 3], [2, 4])
    assert np.exp(twice.total) == pytest.approx(0.9 * 0.8 * 0.6 * 0.7)


def test_a_text_that_is_longer_than_its_audio_is_refused():
    with pytest.raises(
        InputError, match=r"needs 4 frames \(3 symbols, 1 of them like the one before\), the audio has 3"
    ):
        align_symbols(emissions_of(3, 3, 0), [1, 1, 2], 0)
    assert align_symbols(emissions_of(4, 3, 0), [1, 1, 2], 0).first.tolist() == [0, 2, 3]


def test_emissions_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="no path"):
        align_symbols(np.full((5, 3), np.nan, np.float32), [1, 2], 0)


def test_a_star_takes_what_is_not_in_the_text():
    spoken = [0, 1, 0, 2, 3, 2, 3, 0, 1, 1, 0]
    emissions = np.log(np.full((11, 4), 0.01))
    emissions[np.arange(11), spoken] = np.log(0.97)
    spans = align_symbols(emissions, [1, STAR, 1], 0)
    assert (spans.first[0], spans.stop[0]) == (1, 2)
    assert (spans.first[1], spans.stop[1]) == (2, 9)  # it costs nothing, everything else a little, also a symbol held
    assert (spans.first[2], spans.stop[2]) == (9, 10)
    assert spans.total == pytest.approx(4 * np.log(0.97))


def test_a_star_is_a_column_of_zeros_for_torchaudio():
    emissions = emissions_of(30, 4, 1)
    starred = torch.from_numpy(np.pad(emissions, ((0, 0), (0, 1))))
    _, scores = F.forced_align(starred[None], torch.tensor([[4, 1, 2, 4, 3]]), blank=0)
    spans = align_symbols(emissions, [STAR, 1, 2, STAR, 3], 0, block=8)
    assert spans.total == pytest.approx(float(scores.sum()), abs=1e-4)


def test_stars_beside_each_other_need_no_blank():
    spans = align_symbols(emissions_of(2, 3, 0), [STAR, STAR], 0)
    assert spans.total == 0


def test_a_long_recording_is_aligned_in_bounded_memory():
    """Three minutes, of the same form as an hour, which takes 15 s and 65 MB."""
    frames, rng = 9_000, np.random.default_rng(0)
    tokens = rng.integers(1, 30, 600)
    first = np.sort(rng.choice(np.arange(0, frames, 3), len(tokens), replace=False))
    emissions = np.full((frames, 30), np.log(0.005), np.float32)
    path = np.zeros(frames, int)
    path[first], path[first + 1] = tokens, tokens
    emissions[np.arange(frames), path] = np.log(0.855)
    tracemalloc.start()
    spans = align_symbols(emissions, tokens.tolist(), 0, block=256)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (spans.first == first).all()
    assert (spans.stop == first + 2).all()
    assert peak < 1.3e6 < frames * (2 * len(tokens) + 1) / 8  # of one bit for each frame and state
