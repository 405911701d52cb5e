from dataclasses import replace

import numpy as np
import pytest
from scipy.fft import dct

from speechxl.classification.labels import Labelled, read_labels
from speechxl.classification.mfcc import mean_mfcc, mfcc_baseline
from speechxl.data.audio import AudioError
from speechxl.data.manifest import read_manifest
from speechxl.errors import InputError
from tests.conftest import tone
from tests.verbs.test_classify import make_tones


@pytest.fixture
def rows(tmp_path):
    return read_manifest(make_tones(tmp_path / "tones", 24) / "manifest.tsv")


def test_tones_are_told_apart_and_swapped_labels_are_not(rows):
    train, test = (read_labels([row for row in rows if row.split == split]) for split in ("train", "dev"))
    found = mfcc_baseline(train, test.rows)
    assert found.labels == ["a", "b", "c"]
    assert found.best == test.values
    swapped = Labelled(train.rows, ["bca"["abc".index(value)] for value in train.values], train.kind)
    assert not set(zip(mfcc_baseline(swapped, test.rows).best, test.values, strict=True)) & {("a", "a"), ("b", "b")}


def test_cepstra_are_the_cosine_transform_of_log_mel_energies():
    from librosa import power_to_db
    from librosa.feature import melspectrogram

    waveform = tone(0.5, 500)
    mels = power_to_db(melspectrogram(y=waveform, sr=16_000, n_fft=400, hop_length=160, n_mels=40))
    expected = dct(mels, axis=0, norm="ortho")[:12].mean(axis=1)
    np.testing.assert_allclose(mean_mfcc(waveform, 12), expected, rtol=1e-4, atol=1e-3)


def test_the_length_of_a_steady_sound_hardly_matters_and_a_short_one_will_do():
    short, long = mean_mfcc(tone(0.5, 700)), mean_mfcc(tone(2.0, 700))
    assert np.abs(short - long)[1:].mean() < 0.2 * np.abs(mean_mfcc(tone(0.5, 1400)) - short)[1:].mean()
    assert np.isfinite(mean_mfcc(np.zeros(100, np.float32))).all()


def test_what_cannot_be_used_is_named(rows):
    train = read_labels(rows)
    with pytest.raises(InputError, match="a classifier needs at least two"):
        mfcc_baseline(read_labels([row for row in rows if row.label == "pitch:a"]), rows)
    with pytest.raises(AudioError, match=r"gone.wav: there is no such file"):
        mfcc_baseline(train, [replace(rows[0], path=rows[0].path.with_name("gone.wav"))])
    with pytest.raises(InputError, match=r"coefficients and c are positive, got 0 and 1\.0"):
        mfcc_baseline(train, rows, coefficients=0)
