import numpy as np
import pytest
import soundfile
from transformers import Wav2Vec2FeatureExtractor

from speechxl.data.audio import AudioError, audio_blocks, probe, read_audio, read_utterance, standardise
from speechxl.shapes import Utterance
from tests.conftest import tone


def write(path, samples, rate=16_000, **options):
    soundfile.write(path, samples, rate, **options)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [("a.wav", {}), ("a.flac", {}), ("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"}), ("a.mp3", {})],
)
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_containers_and_rates(tmp_path, name, options, rate):
    time = np.arange(rate) / rate
    samples = read_audio(write(tmp_path / name, 0.5 * np.sin(2 * np.pi * 440 * time), rate, **options))
    assert abs(len(samples) - 16_000) < 1_700
    assert samples.dtype == np.float32
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    assert abs(spectrum.argmax() * 16_000 / len(samples) - 440) < 2


def test_channels_are_averaged(tmp_path):
    left, right = tone(0.5, 200), tone(0.5, 300)
    path = write(tmp_path / "a.wav", np.stack([left, right], 1), subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path), (left + right) / 2, atol=1e-6)


def test_a_stretch_equals_the_same_stretch_of_the_whole(tmp_path):
    path = write(tmp_path / "a.flac", tone(3.0, 200))
    np.testing.assert_array_equal(read_audio(path, 1.25, 0.5), read_audio(path)[20_000:28_000])
    np.testing.assert_array_equal(read_audio(path, 2.0), read_audio(path)[32_000:])


def test_the_header_says_how_long(tmp_path):
    info = probe(write(tmp_path / "a.wav", np.zeros((4_410, 2)), 44_100))
    assert (info.duration, info.rate, info.channels) == (0.1, 44_100, 2)


def test_a_rounded_duration_keeps_all_samples(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.00003, 200))
    assert len(read_utterance(Utterance(path, "a", duration=1.0))) == len(read_audio(path))


def broken(tmp_path, kind):
    path = tmp_path / "broken.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is not audio, whatever its name says")
    elif kind == "zero length":
        write(path, np.zeros(0))
    elif kind == "truncated":
        write(path, tone(2.0, 200))
        path.write_bytes(path.read_bytes()[:30_000])
    elif kind == "truncated flac":
        path = write(tmp_path / "broken.flac", tone(2.0, 200))
        path.write_bytes(path.read_bytes()[:20_000])
    elif kind == "nan":
        samples = tone(1.0, 200)
        samples[4_000] = np.nan
        write(path, samples, subtype="FLOAT")
    elif kind == "folder":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("missing", r"broken.wav: there is no such file"),
        ("empty", r"broken.wav: the file is empty"),
        ("text", r"broken.wav: not audio that libsndfile reads.*ffmpeg -i"),
        ("zero length", r"broken.wav: the recording has no samples"),
        ("truncated", r"broken.wav: the file is truncated, its header promises 2.00 s and it holds 0.94 s"),
        ("truncated flac", r"broken.flac: cannot be decoded, the file is damaged"),
        ("nan", r"broken.wav: the sample at 0.250 s is not a finite number"),
        ("folder", r"broken.wav is a folder"),
    ],
)
def test_what_is_wrong_with_a_recording_is_said(tmp_path, kind, message):
    with pytest.raises(AudioError, match=message):
        read_audio(broken(tmp_path, kind))


def test_a_stretch_beyond_the_end_is_refused(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0, 200))
    with pytest.raises(AudioError, match=r"from 0.50 s to 2.50 s passes the end at 1.00 s"):
        read_audio(path, 0.5, 2.0)
    with pytest.raises(AudioError, match="passes the end"):
        read_audio(path, 1.5)


def test_the_place_in_the_manifest_is_named(tmp_path):
    with pytest.raises(AudioError, match=r"^m.tsv:7: .*there is no such file"):
        read_utterance(Utterance(tmp_path / "a.wav", "a", origin="m.tsv:7"))


def test_standardising_equals_that_of_transformers():
    samples = tone(0.5, 200) + 0.3
    expected = Wav2Vec2FeatureExtractor(do_normalize=True)(samples, sampling_rate=16_000).input_values[0]
    np.testing.assert_allclose(standardise(samples), expected, atol=1e-6)
    assert np.isfinite(standardise(np.zeros(100, np.float32))).all()


@pytest.mark.parametrize(
    ("name", "rate"), [("a.wav", 16_000), ("a.flac", 44_100), ("a.mp3", 22_050), ("a.opus", 48_000)]
)
@pytest.mark.parametrize("stretch", [(0.0, None), (1.3, 5.01)])
def test_blocks_make_up_the_whole(tmp_path, name, rate, stretch):
    samples = np.random.default_rng(0).normal(size=(9 * rate + 7, 2)) / 9
    write(tmp_path / name, samples, rate, **({"format": "OGG", "subtype": "OPUS"} if name == "a.opus" else {}))
    blocks = list(audio_blocks(tmp_path / name, *stretch, seconds=1.01))
    assert len(blocks) > 4
    np.testing.assert_allclose(np.concatenate(blocks), read_audio(tmp_path / name, *stretch), atol=1e-6)
