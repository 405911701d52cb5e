"""The line that a classifier of speech has to be above: logistic regression on mean cepstra. No torch."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np

from speechxl.classification.labels import Labelled, class_names
from speechxl.data.audio import read_utterance
from speechxl.errors import InputError
from speechxl.evaluation.predictions import Predictions, numbers_of
from speechxl.shapes import SAMPLE_RATE, Utterance

_WIDTH, _HOP, _BANDS = 400, 160, 40
"""Samples of a frame, samples from one to the next, mel bands."""
_STEPS = 5000


def mean_mfcc(waveform: np.ndarray, coefficients: int = 20) -> np.ndarray:
    """Mean over time of mel-frequency cepstral coefficients, frames of 25 ms every 10 ms.

    Args:
        waveform: (T,) at 16 kHz.
        coefficients: How many.

    Returns:
        (``coefficients``,).
    """
    from librosa.feature import mfcc  # which takes a second to import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of recordings shorter than a frame
        frames = mfcc(
            y=waveform,
            sr=SAMPLE_RATE,
            n_mfcc=coefficients,
            n_fft=_WIDTH,
            hop_length=_HOP,
            n_mels=max(_BANDS, coefficients),
        )
    return np.asarray(frames.mean(axis=1), dtype=float)


def mfcc_baseline(train: Labelled, rows: Sequence[Utterance], *, coefficients: int = 20, c: float = 1.0) -> Predictions:
    """Learns from some utterances, and classifies others.

    Args:
        train: To learn from.
        rows: To classify.
        coefficients: Of the cepstra.
        c: Inverse strength of the L2 penalty on standardised features; all classes count alike.

    Raises:
        InputError: If there is nothing to learn, or a recording cannot be used.
    """
    from sklearn.linear_model import LogisticRegression

    if coefficients < 1 or c <= 0:
        raise InputError(f"coefficients and c are positive, got {coefficients} and {c}.")
    labels = class_names(train)
    known, asked = _features(train.rows, coefficients), _features(rows, coefficients)
    centre, spread = known.mean(axis=0), np.maximum(known.std(axis=0), 1e-9)
    model = LogisticRegression(C=c, class_weight="balanced", max_iter=_STEPS)
    model.fit((known - centre) / spread, numbers_of(train.values, labels))
    return Predictions([row.id for row in rows], labels, model.predict_proba((asked - centre) / spread))


def _features(rows: Iterable[Utterance], coefficients: int) -> np.ndarray:
    return np.stack([mean_mfcc(read_utterance(row), coefficients) for row in rows])
