from dataclasses import replace

import numpy as np
import pytest
import torch

from speechxl.decoding.recogniser import Recogniser
from speechxl.decoding.windows import windows
from speechxl.models.frames import FrameGeometry
from speechxl.models.making import new_ctc_model
from tests.conftest import small_preset

GEOMETRY = FrameGeometry()


@pytest.mark.parametrize("samples", [400, 719, 16_000, 160_123, 1_000_001])
@pytest.mark.parametrize(("core", "context"), [(1, 0), (50, 10), (333, 64), (10_000, 0)])
def test_every_frame_is_taken_exactly_once(samples, core, context):
    total = GEOMETRY.num_frames(samples)
    if total > 2_000 and core == 1:
        pytest.skip("the same with fewer windows")
    taken = []
    for window in windows(samples, GEOMETRY, core, context):
        frames = GEOMETRY.num_frames(window.last - window.first)
        assert window.first % GEOMETRY.stride == 0
        assert 0 <= window.first < window.last <= samples
        assert window.first // GEOMETRY.stride + window.skip == window.start
        assert window.skip + window.stop - window.start <= frames
        assert window.skip == min(context, window.start) or len(taken) == 0
        taken += range(window.start, window.stop)
    assert taken == list(range(total))


def test_a_recording_below_one_frame_has_no_window():
    assert windows(399, GEOMETRY, 10, 2) == []


def recogniser(model, vocabulary, **options):
    return Recogniser(model, vocabulary, **{"normalise": True, **options})


def noise(seconds, seed=0):
    return np.random.default_rng(seed).normal(size=int(seconds * 16_000)).astype(np.float32)


def test_windows_give_the_logits_of_the_whole_where_the_encoder_looks_no_further_than_the_context(norm, vocabulary):
    torch.manual_seed(0)
    ctc_model = new_ctc_model(replace(small_preset(), extractor_norm=norm, conv_bias=norm == "layer"), vocabulary)
    del ctc_model.wav2vec2.encoder.layers[:]  # what remains sees 64 frames to each side
    louder = noise(20) * np.linspace(0.1, 3, 320_000, dtype=np.float32)
    whole = recogniser(ctc_model, vocabulary, window_seconds=100).logits([louder])[0]
    for window_seconds in (1.0, 2.7, 6.0):
        cutting = recogniser(ctc_model, vocabulary, window_seconds=window_seconds, context_seconds=1.3)
        cut = cutting.logits([noise(2), louder])[1]
        assert len(cut) == GEOMETRY.num_frames(20 * 16_000)
        torch.testing.assert_close(cut, whole, atol=1e-4, rtol=0)


def test_short_recordings_are_not_cut(ctc_model, vocabulary):
    whole = recogniser(ctc_model, vocabulary, window_seconds=100).logits([noise(3)])[0]
    torch.testing.assert_close(recogniser(ctc_model, vocabulary, window_seconds=3.0).logits([noise(3)])[0], whole)


def test_the_batch_does_not_change_the_logits_and_the_order_is_kept(ctc_model, vocabulary):
    waveforms = [noise(seconds, seed) for seed, seconds in enumerate([0.7, 3.1, 0.02, 1.9, 3.0, 0.7])]
    together = recogniser(ctc_model, vocabulary, batch_seconds=8).logits(waveforms)
    for waveform, logits in zip(waveforms, together, strict=True):
        alone = recogniser(ctc_model, vocabulary).logits([waveform])[0]
        assert logits.shape == alone.shape
        torch.testing.assert_close(logits, alone, atol=1e-4, rtol=0)


def test_a_recording_below_one_frame_gives_no_text(ctc_model, vocabulary):
    assert recogniser(ctc_model, vocabulary)([noise(0.02), np.zeros(16_000, np.float32)])[0].text == ""


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("norm", ["group", "layer"])
def test_a_streamed_recording_gives_what_it_gives_in_memory(norm, normalise, vocabulary):
    torch.manual_seed(0)
    ctc_model = new_ctc_model(replace(small_preset(), extractor_norm=norm, conv_bias=norm == "layer"), vocabulary)
    reader = recogniser(
        ctc_model, vocabulary, normalise=normalise, window_seconds=2, context_seconds=0.5, batch_seconds=7
    )
    waveform = 0.1 + noise(21.37) * np.linspace(0.1, 3, int(21.37 * 16_000), dtype=np.float32)
    for block in (1_000, 16_001, 400_000):
        streamed = reader.stream(
            lambda block=block: (waveform[at : at + block] for at in range(0, len(waveform), block))
        )
        (whole,) = reader([waveform])
        assert streamed.text == whole.text
        assert len(whole.words) > 5
        for one, other in zip(streamed.words, whole.words, strict=True):
            assert (one.text, one.start, one.end) == (other.text, other.start, other.end)
            assert one.score == pytest.approx(other.score, rel=1e-3)


def test_streaming_a_recording_below_one_frame_gives_no_text(ctc_model, vocabulary):
    assert recogniser(ctc_model, vocabulary).stream(lambda: [noise(0.02)]).text == ""


def test_frames_with_speech_alone_are_recognised_each_stretch_by_itself(ctc_model, vocabulary):
    spans = [(16_000, 50_000), (60_000, 61_000), (70_000, 160_000)]
    waveform = noise(10)
    reader = recogniser(
        ctc_model, vocabulary, normalise=False, window_seconds=2, context_seconds=0.5, find_speech=lambda blocks: spans
    )
    (found,) = reader.logits([waveform])
    alone = recogniser(ctc_model, vocabulary, normalise=False, window_seconds=2, context_seconds=0.5)
    (part,) = alone.logits([waveform[16_000 : 50_000 + 320]])
    torch.testing.assert_close(found[50 : 50 + len(part)], part, atol=1e-4, rtol=0)
    (last,) = alone.logits([waveform[69_760:]])
    torch.testing.assert_close(found[-len(last) :], last, atol=1e-4, rtol=0)
    silent = [*range(50), *range(157, 187), *range(191, 218)]
    assert (found[silent].argmax(-1) == vocabulary.blank).all()
    (whole,) = reader([waveform])
    streamed = reader.stream(lambda: [waveform[:99_999], waveform[99_999:]])
    assert [(word.text, word.start) for word in streamed.words] == [(word.text, word.start) for word in whole.words]
    assert len(whole.words) > 2
