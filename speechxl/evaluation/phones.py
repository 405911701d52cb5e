"""Which codes stand for which phones (Hsu et al. 2021, HuBERT, section 4.3)."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from speechxl.data.alignments import Segment
from speechxl.models.frames import FrameGeometry
from speechxl.shapes import SAMPLE_RATE

NONE = ""
"""Label of a frame in which no phone is known to be heard."""
_BACKOFF = 10.0
"""Frames that the distribution over all phones counts in that of one phone."""
_SHIFTS = 8


def frame_phones(segments: Sequence[Segment], frames: int, start: float, geometry: FrameGeometry) -> np.ndarray:
    """The phone in the middle of each frame.

    Args:
        segments: Of the recording, in order of time.
        frames: F.
        start: Where in the recording the utterance begins, seconds.
        geometry: Of the encoder.

    Returns:
        (F,) phones, `NONE` between segments.
    """
    first, last = geometry.samples(0, 1)
    middles = start + (np.arange(frames) * geometry.stride + (first + last) / 2) / SAMPLE_RATE
    place = np.searchsorted([segment.start for segment in segments], middles, side="right") - 1
    inside = [at >= 0 and time < segments[at].end for at, time in zip(place, middles, strict=True)]
    return np.array([segments[at].phone if hit else NONE for at, hit in zip(place, inside, strict=True)], dtype=object)


def segment_phones(
    codes: Sequence[np.ndarray], phones: Sequence[Sequence[str]], num_codes: int, iterations: int = 10
) -> list[np.ndarray]:
    """Finds where the phones of each utterance lie by its codes alone.

    A hidden Markov model with one state a phone, which emits a code of each codebook independently, and with silence
    that may stand at both ends; it is trained by Viterbi from equal lengths. As every path through an utterance leaves
    each state once, probabilities of transitions would change nothing but the choice of silence, and there are none.

    Args:
        codes: (F, G) of each utterance.
        phones: Of each utterance, in order; no more than it has frames.
        num_codes: V.
        iterations: Rounds of training at most; they end when no frame changes its phone.

    Returns:
        (F,) phones of each utterance, `NONE` in silence.
    """
    names = sorted({phone for sequence in phones for phone in sequence})
    numbers = {name: number for number, name in enumerate(names)}
    silence = len(names)
    chains = [np.array([silence, *(numbers[phone] for phone in sequence), silence]) for sequence in phones]
    paths = [
        chain[1:-1][_equal(len(book), len(chain) - 2)]
        if len(book) < len(chain)
        else chain[_equal(len(book), len(chain))]
        for book, chain in zip(codes, chains, strict=True)
    ]
    stream = np.concatenate(codes)
    for _ in range(iterations):
        scores = _log_emissions(np.concatenate(paths), stream, silence + 1, num_codes)
        better = [_best_path(_score(scores, book, chain), chain) for book, chain in zip(codes, chains, strict=True)]
        same = all(np.array_equal(old, new) for old, new in zip(paths, better, strict=True))
        paths = better
        if same:
            break
    labels = np.array([*names, NONE], dtype=object)
    return [labels[path] for path in paths]


def _equal(frames: int, states: int) -> np.ndarray:
    """(frames,) states of equal lengths."""
    return np.arange(frames) * states // frames


def _log_emissions(states: np.ndarray, codes: np.ndarray, num_states: int, num_codes: int) -> np.ndarray:
    """(N,) states and (N, G) codes to (G, S, V) log probabilities."""
    counts = np.zeros((codes.shape[1], num_states, num_codes))
    for book, column in zip(counts, codes.T, strict=True):
        np.add.at(book, (states, column), 1)
    overall = (counts.sum(1, keepdims=True) + 1) / (counts.sum((1, 2), keepdims=True) + num_codes)
    return np.log((counts + _BACKOFF * overall) / (counts.sum(2, keepdims=True) + _BACKOFF))


def _score(scores: np.ndarray, codes: np.ndarray, chain: np.ndarray) -> np.ndarray:
    """(F, S) log probability of each frame's codes in each state of a chain."""
    return np.sum([book[chain][:, column].T for book, column in zip(scores, codes.T, strict=True)], axis=0)


def _best_path(scores: np.ndarray, chain: np.ndarray) -> np.ndarray:
    """(F,) states of the best way through a chain whose first and last state may be left out."""
    frames, states = scores.shape
    total = np.full(states, -np.inf)
    total[:2] = scores[0, :2]
    moved = np.zeros((frames, states), dtype=bool)
    for frame in range(1, frames):
        moved[frame, 1:] = total[:-1] > total[1:]
        total[1:] = np.maximum(total[1:], total[:-1])
        total += scores[frame]
    place = states - 1 if total[-1] > total[-2] else states - 2
    path = np.empty(frames, dtype=int)
    for frame in range(frames - 1, -1, -1):
        path[frame] = place
        place -= moved[frame, place]
    return chain[path]


def phone_codes(phones: np.ndarray, codes: np.ndarray, num_codes: int, top: int = 5) -> dict[str, Any]:
    """What codes say of phones.

    Args:
        phones: (N,) of frames, in order of time; those without are left out.
        codes: (N, G) of the same frames.
        num_codes: V.
        top: Codes to list for each phone.

    Returns:
        ``{"frames", "books": [G measures], "pairs": measures, "table": {phone: {"frames", "books": [G][[code, share]],
        "pairs": [[[code, ...], share]]}}}``, phones with many frames first, where a share is the probability of the code
        in frames of the phone and "pairs" are codes of all codebooks together. Measures are those of `information`.
    """
    known = phones != NONE
    codes = codes[known].astype(np.int64)
    names, numbers, frames = np.unique(phones[known].astype(str), return_inverse=True, return_counts=True)
    pairs = codes @ num_codes ** np.arange(codes.shape[1])[::-1]
    table = {}
    for number in np.argsort(-frames, kind="stable"):
        own = numbers == number
        table[str(names[number])] = {
            "frames": int(frames[number]),
            "books": [_commonest(column[own], top) for column in codes.T],
            "pairs": [
                [[int(code) for code in np.unravel_index(pair, (num_codes,) * codes.shape[1])], share]
                for pair, share in _commonest(pairs[own], top)
            ],
        }
    return {
        "frames": int(known.sum()),
        "books": [information(numbers, column) for column in codes.T],
        "pairs": information(numbers, pairs),
        "table": table,
    }


def _commonest(codes: np.ndarray, top: int) -> list[tuple[int, float]]:
    values, counts = np.unique(codes, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:top]
    return [(int(values[place]), round(float(counts[place] / len(codes)), 4)) for place in order]


def information(phones: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """How much codes tell of phones.

    Args:
        phones: (N,) numbers, in order of time.
        codes: (N,) numbers.

    Returns:
        "information", the mutual information in bits; "chance", what of it is found when the phones are moved along the
        frames, so that they have nothing to do with the codes, but as many frames and neighbours as before; "entropy" of
        the phones in bits; "phone_purity", the share of frames that have the commonest phone of their code;
        "cluster_purity", the share of frames that have the commonest code of their phone.
    """
    _, codes = np.unique(codes, return_inverse=True)
    shifts = [round(len(phones) * turn / (_SHIFTS + 1)) for turn in range(1, _SHIFTS + 1)]
    joint, counts = np.unique(np.stack([phones, codes]), axis=1, return_counts=True)
    best = [np.zeros(int(numbers.max()) + 1) for numbers in joint]
    for largest, numbers in zip(best, joint, strict=True):
        np.maximum.at(largest, numbers, counts)
    return {
        "information": round(_mutual(phones, codes), 4),
        "chance": round(float(np.mean([_mutual(np.roll(phones, shift), codes) for shift in shifts])), 4),
        "entropy": round(_bits(phones), 4),
        "phone_purity": round(float(best[1].sum() / len(phones)), 4),
        "cluster_purity": round(float(best[0].sum() / len(phones)), 4),
    }


def _mutual(phones: np.ndarray, codes: np.ndarray) -> float:
    return _bits(phones) + _bits(codes) - _bits(phones * (int(codes.max()) + 1) + codes)


def _bits(numbers: np.ndarray) -> float:
    """Entropy of numbers."""
    counts = np.unique(numbers, return_counts=True)[1]
    return float(-(counts / len(numbers) * np.log2(counts / len(numbers))).sum())
