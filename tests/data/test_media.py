"""Containers that libsndfile does not know, made with PyAV."""

import sys

import numpy as np
import pytest
import soundfile

from speechxl.data.audio import AudioError, probe, read_audio
from speechxl.data.corpora import folder
from speechxl.data.manifest import Fault
from speechxl.data.sources import find_audio
from tests.conftest import tone

av = pytest.importorskip("av")
KINDS = {
    "a.m4a": ("aac", 44_100), "a.mp4": ("aac", 48_000), "a.webm": ("libopus", 48_000), "a.aac": ("aac", 22_050),
    "a.amr": ("libopencore_amrnb", 8_000), "a.mka": ("aac", 16_000), "a.wma": ("wmav2", 44_100),
}  # fmt: skip


def encode(path, samples, codec, rate, layout="mono"):
    """Writes (C, T) or (T,) samples at ``rate`` with PyAV."""
    samples = np.atleast_2d(samples).astype(np.float32)
    with av.open(str(path), "w") as container:
        options = {"bit_rate": 64_000} if codec == "wmav2" else {}
        stream = container.add_stream(codec, rate=rate, layout=layout, **options)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=layout)
        frame.rate, frame.pts = rate, 0
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        for piece in [*resampler.resample(frame), None]:
            container.mux(stream.encode(piece))
    return path


def hum(rate, seconds=4.0):
    """A tone that rises, so that every place sounds different."""
    time = np.arange(int(seconds * rate)) / rate
    return 0.4 * np.sin(2 * np.pi * (200 * time + 100 * time**2))


@pytest.mark.parametrize("name", KINDS)
def test_a_container_holds_what_was_put_in_it(tmp_path, name):
    codec, rate = KINDS[name]
    path = encode(tmp_path / name, hum(rate), codec, rate)
    assert probe(path).duration == pytest.approx(4, abs=0.15)
    samples = read_audio(path)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(64_000, abs=2_400)
    spectrum = np.abs(np.fft.rfft(samples[31_000:33_000] * np.hanning(2_000)))
    assert spectrum.argmax() * 8 == pytest.approx(600, abs=40)  # the pitch at 2 s
    assert np.percentile(samples[16_000:48_000], 99) == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("name", KINDS)
def test_a_stretch_sounds_as_that_of_the_whole(tmp_path, name):
    codec, rate = KINDS[name]
    path = encode(tmp_path / name, hum(rate), codec, rate)
    stretch, whole = read_audio(path, 2.0, 1.0), read_audio(path)
    assert len(stretch) == 16_000
    errors = [
        np.abs(stretch[800:-800] - whole[32_800 + shift : 47_200 + shift]).max() for shift in range(-24, 25)
    ]  # WebM counts milliseconds
    assert min(errors) < 0.05


def test_a_stretch_of_a_long_file_is_found_without_decoding_all_before_it(tmp_path, monkeypatch):
    from speechxl.data import media

    path = encode(tmp_path / "a.m4a", hum(16_000, 60.0), "aac", 16_000)
    decoded = []
    monkeypatch.setattr(media, "_mono", lambda frame, real=media._mono: decoded.append(frame) or real(frame))
    assert len(read_audio(path, 50.0, 1.0)) == 16_000
    assert sum(frame.samples for frame in decoded) < 3 * 16_000


def test_channels_of_a_container_are_averaged(tmp_path):
    left = tone(2.0, 300)
    path = encode(tmp_path / "a.m4a", np.stack([left, -left]), "aac", 16_000, "stereo")
    assert probe(path).channels == 2
    assert np.abs(read_audio(path)).max() < 0.02


def test_a_container_is_known_whatever_its_name(tmp_path):
    path = encode(tmp_path / "a.m4a", tone(1.0, 300), "aac", 16_000).rename(tmp_path / "a.wav")
    assert len(read_audio(path)) == pytest.approx(16_000, abs=1_600)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"this is text", "neither libsndfile nor FFmpeg reads it")],
)
def test_what_is_wrong_with_a_container_is_said(tmp_path, content, message):
    (tmp_path / "a.m4a").write_bytes(content)
    with pytest.raises(AudioError, match=rf"a.m4a: {message}"):
        read_audio(tmp_path / "a.m4a")


def test_a_film_without_sound_and_a_stretch_beyond_the_end_are_refused(tmp_path):
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width = stream.height = 32
        for piece in [av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8)), None]:
            container.mux(stream.encode(piece))
    with pytest.raises(AudioError, match=r"mute.mp4: there is no sound track"):
        read_audio(tmp_path / "mute.mp4")
    path = encode(tmp_path / "a.m4a", tone(1.0, 300), "aac", 16_000)
    with pytest.raises(AudioError, match=r"from 0.50 s to 2.50 s passes the end at 1.0"):
        read_audio(path, 0.5, 2.0)


def test_a_truncated_container_is_refused(tmp_path):
    path = encode(tmp_path / "a.webm", hum(48_000), "libopus", 48_000)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(AudioError, match=r"a.webm: (the file is truncated|cannot be decoded)"):
        read_audio(path)


def test_without_the_extra_it_is_named(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", tone(1.0, 300), "aac", 16_000)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(AudioError, match=r"a.m4a: .*pip install 'speechxl\[media\]'"):
        read_audio(path)


def test_containers_are_found_in_folders_and_of_a_film_and_its_sound_one_is_trained_on(tmp_path):
    encode(tmp_path / "a.mp4", tone(1.0, 300), "aac", 16_000)
    encode(tmp_path / "b.M4A", tone(1.0, 300), "aac", 16_000)
    soundfile.write(tmp_path / "a.wav", tone(1.0, 300), 16_000)
    assert [row.path.name for row in find_audio([str(tmp_path)])] == ["a.mp4", "a.wav", "b.M4A"]
    rows = list(folder.read(tmp_path))
    assert [row.path.name for row in rows if not isinstance(row, Fault)] == ["a.wav", "b.M4A"]
    assert [row.message for row in rows if isinstance(row, Fault)] == ["the film of a.wav, which is used in its place."]
