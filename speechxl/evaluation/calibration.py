"""How far probabilities of classes can be believed, and a temperature that mends them."""

from dataclasses import dataclass

import numpy as np

_LEAST = 1e-12
"""Probabilities below count as this, so that a single certain mistake does not make a mean infinite."""
_COLDEST, _HOTTEST = 0.02, 50.0


@dataclass(frozen=True)
class Bin:
    """Utterances whose likeliest class has a probability in a range."""

    low: float
    high: float
    count: int
    confidence: float | None
    """Mean probability; None without utterances."""
    accuracy: float | None
    """Share that is right."""


def reliability(probabilities: np.ndarray, references: np.ndarray, bins: int = 15) -> list[Bin]:
    """Confidence against accuracy, in ranges of equal width (Guo et al. 2017, section 2).

    Args:
        probabilities: (N, C).
        references: (N,) numbers of classes.
        bins: Number of ranges.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == references
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)  # low < confidence <= high
    found = []
    for number in range(bins):
        own = place == number
        means = (float(confidence[own].mean()), float(right[own].mean())) if own.any() else (None, None)
        found.append(Bin(float(edges[number]), float(edges[number + 1]), int(own.sum()), *means))
    return found


def calibration_error(probabilities: np.ndarray, references: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: mean difference of confidence and accuracy (Guo et al. 2017, equation 3).

    Args:
        probabilities: (N, C).
        references: (N,) numbers of classes.
        bins: Ranges of equal width.
    """
    differences = [
        one.count * abs(one.confidence - one.accuracy)
        for one in reliability(probabilities, references, bins)
        if one.confidence is not None and one.accuracy is not None
    ]
    return float(sum(differences) / max(1, len(references)))


def negative_log_likelihood(probabilities: np.ndarray, references: np.ndarray) -> float:
    """Mean of -ln p of the right class, nats."""
    chosen = probabilities[np.arange(len(references)), references]
    return float(-np.log(np.maximum(chosen, _LEAST)).mean())


def brier_score(probabilities: np.ndarray, references: np.ndarray) -> float:
    """Mean squared distance of the probabilities from the right class, from 0 to 2 (Brier 1950)."""
    truth = np.eye(probabilities.shape[1])[references]
    return float(((probabilities - truth) ** 2).sum(axis=1).mean())


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """(N, C) probabilities of logits that are divided by a temperature."""
    scaled = logits.astype(float) / temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(logits: np.ndarray, references: np.ndarray) -> float:
    """The temperature under which held-out utterances are likeliest (Guo et al. 2017, section 4.2), from 0.02 to 50.

    One utterance of an unknown class is added in thought: few utterances that are all right do not make a classifier certain.

    Args:
        logits: (N, C), of utterances that the classifier was not trained on.
        references: (N,) numbers of classes.
    """
    if not len(references):
        return 1.0
    from scipy.optimize import minimize_scalar  # which takes most of a second to import

    unknown = 1 / (len(references) + 1)
    targets = (1 - unknown) * np.eye(logits.shape[1])[references] + unknown / logits.shape[1]  # (N, C)

    def cost(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        highest = scaled.max(axis=1, keepdims=True)
        logs = scaled - highest - np.log(np.exp(scaled - highest).sum(axis=1, keepdims=True))
        return float(-(targets * logs).sum(axis=1).mean())

    found = minimize_scalar(cost, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x)) if cost(found.x) < cost(0.0) else 1.0
