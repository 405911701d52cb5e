import numpy as np
import pytest
import torch

from speechxl.decoding.predictor import Predictor, stretches
from tests.models.test_classifier import BOTH, encoder_folder, make, rough

LENGTHS = [9_000, 400, 30_001, 12_345, 52_000]


@pytest.fixture
def waveforms():
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.1 + row, size=length).astype(np.float32) for row, length in enumerate(LENGTHS)]


def predictor(base="tiny", pooling="mean", **options):
    return Predictor(make(base, BOTH, pooling=pooling), list(BOTH), normalise=base == "tiny", **options)


@pytest.mark.parametrize("pooling", ["mean", "attention", "statistics"])
@pytest.mark.parametrize("base", ["tiny", "w2v2-base"])
@pytest.mark.parametrize("window", [30.0, 1.0])
def test_neither_order_nor_batch_changes_a_prediction(base, pooling, window, waveforms):
    judge = predictor(base, pooling, batch_seconds=4.0, window_seconds=window)
    together = judge(waveforms)
    for order in ([4, 2, 0, 1, 3], [3]):
        for row, found in zip(order, judge([waveforms[row] for row in order]), strict=True):
            for kind, probabilities in found.items():
                assert probabilities.sum() == pytest.approx(1)
                np.testing.assert_allclose(probabilities, together[row][kind], atol=1e-5)
    alone = predictor(base, pooling, batch_seconds=0.01, window_seconds=window)(waveforms)
    for one, other in zip(together, alone, strict=True):
        for kind in BOTH:
            np.testing.assert_allclose(one[kind], other[kind], atol=1e-5)
    assert np.abs(together[0]["digit"] - together[3]["digit"]).max() > 1e-3


@pytest.mark.parametrize("base", ["tiny", "w2v2-base"])
def test_a_recording_in_blocks_is_judged_like_the_whole(base, waveforms):
    judge = predictor(base, batch_seconds=1.0, window_seconds=0.7)
    for waveform in waveforms:
        blocks = [waveform[first : first + 5_000] for first in range(0, len(waveform), 5_000)]
        streamed, whole = judge.stream(lambda blocks=blocks: iter(blocks)), judge([waveform])[0]
        for kind in BOTH:
            np.testing.assert_allclose(streamed[kind], whole[kind], atol=1e-5)


def test_windows_are_few_and_of_one_length():
    assert stretches(100, 100) == [(0, 100)]
    assert stretches(101, 100) == [(0, 50), (50, 101)]
    for samples in (7, 99, 250, 1001):
        found = stretches(samples, 100)
        assert found[0][0] == 0
        assert found[-1][1] == samples
        assert [last for _, last in found[:-1]] == [first for first, _ in found[1:]]
        sizes = {last - first for first, last in found}
        assert max(sizes) - min(sizes) <= 1
        assert max(sizes) <= 100
        assert len(found) == -(-samples // 100)


def test_scores_of_windows_are_averaged():
    judge = predictor(window_seconds=0.5)
    judge.normalise = False
    waveform = np.random.default_rng(1).normal(size=16_000).astype(np.float32)
    halves = judge._scores([waveform[:8_000], waveform[8_000:]], [None, None])
    expected = halves[0].double().mean(0).softmax(-1).numpy()
    np.testing.assert_allclose(judge([waveform])[0]["digit"], expected, atol=1e-6)


@pytest.mark.parametrize("kind", ["wav2vec2-bert", "whisper"])
def test_other_encoders_predict_alike_in_any_batch(kind, tmp_path, waveforms):
    from speechxl.config import Dropout, Head
    from speechxl.models.classifiers import classifier_from

    torch.manual_seed(0)
    model = rough(classifier_from(encoder_folder(kind, tmp_path / "m"), BOTH, Head(projection=24), Dropout()))
    judge = Predictor(model, list(BOTH), normalise=False, window_seconds=60.0)
    assert judge.window == (480_000 if kind == "whisper" else 960_000)
    held = [waveform for waveform in waveforms if len(waveform) >= judge.shortest]
    together = judge(held)
    for waveform, found in zip(held, together, strict=True):
        for one in (judge([waveform])[0], judge.stream(lambda waveform=waveform: iter([waveform]))):
            np.testing.assert_allclose(one["digit"], found["digit"], atol=1e-5)


def test_bfloat16_is_near(waveforms):
    exact, near = predictor()(waveforms), predictor(precision="bf16")(waveforms)
    for one, other in zip(exact, near, strict=True):
        np.testing.assert_allclose(one["digit"], other["digit"], atol=0.05)
