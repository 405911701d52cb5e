import pytest
import torch
from transformers import Wav2Vec2Config, Wav2Vec2Model

from speechxl.models.frames import FrameGeometry


@pytest.mark.parametrize(
    ("samples", "frames"),
    [
        (0, 0),
        (399, 0),
        (400, 1),
        (719, 1),
        (720, 2),
        (16_000, 49),
        (32_000, 99),
        (160_000, 499),
        (250_000, 781),
        (320_000, 999),
        (480_000, 1499),
    ],
)
def test_published_frame_counts(samples, frames):
    assert FrameGeometry().num_frames(samples) == frames
    assert FrameGeometry().num_frames(torch.tensor([samples, samples])).tolist() == [frames, frames]


def test_geometry_of_wav2vec2():
    assert FrameGeometry().stride == 320
    assert FrameGeometry().receptive_field == 400
    assert FrameGeometry().seconds(50) == 1.0


@pytest.mark.parametrize("samples", [400, 401, 719, 720, 15_999, 16_000, 33_333])
def test_frames_equal_those_of_the_convolutions_of_transformers(samples):
    config = Wav2Vec2Config(conv_dim=(4,) * 7, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    frames = Wav2Vec2Model(config).feature_extractor(torch.zeros(1, samples)).shape[2]
    assert FrameGeometry().num_frames(samples) == frames


def test_the_samples_of_frames_give_exactly_these_frames():
    geometry = FrameGeometry()
    for first, last in [(0, 1), (3, 10), (100, 731)]:
        begin, end = geometry.samples(first, last)
        assert geometry.num_frames(end - begin) == last - first
        assert begin == first * geometry.stride
