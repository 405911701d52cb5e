"""How alike the use of codes is in several languages (Conneau et al. 2021, XLSR, section 5.3)."""

from collections.abc import Sequence

import numpy as np
from scipy.cluster.hierarchy import linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform


def js_divergence(shares: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence of distributions over codes, mean over codebooks (Lin 1991).

    Args:
        shares: (L, G, V), each (V,) a distribution.

    Returns:
        (L, L) in bits, from 0 for equal to 1 for disjoint distributions. The square root is a distance.
    """
    result = np.zeros((len(shares), len(shares)))
    for row, own in enumerate(shares):
        middle = (own + shares[row:]) / 2
        result[row, row:] = (_entropy(middle) - (_entropy(own) + _entropy(shares[row:])) / 2).mean(-1)
    result = np.maximum(result, 0)
    np.fill_diagonal(result, 0)
    return np.maximum(result, result.T)


def split_divergence(counts: np.ndarray, draws: int, seed: int) -> float:
    """Mean divergence between random halves of one language's utterances: what chance and few speakers make of no difference.

    Args:
        counts: (N, G, V) frames of each utterance with each code, at least two utterances.
        draws: Random halves.
        seed: Of the halves.
    """
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        order = rng.permutation(len(counts))
        halves = np.stack([counts[order[::2]].sum(0), counts[order[1::2]].sum(0)])  # (2, G, V)
        values.append(js_divergence(halves / np.maximum(halves.sum(-1, keepdims=True), 1))[0, 1])
    return float(np.mean(values))


def noise_floor(split: Sequence[float]) -> np.ndarray:
    """Divergence to expect between languages that use the codes alike.

    The divergence that sampling makes is nearly c (1 / n + 1 / m) for samples of n and m frames; halves of the same
    language have n / 2 frames each, so that its part in a pair is a quarter of the divergence between its halves.

    Args:
        split: `split_divergence` of each language.

    Returns:
        (L, L) in bits.
    """
    own = np.asarray(split)
    return (own[:, None] + own[None]) / 4


def tree(distances: np.ndarray) -> np.ndarray:
    """Hierarchical clustering with average linkage, similar leaves side by side: SciPy's linkage matrix.

    Args:
        distances: (L, L) of at least two languages.
    """
    condensed = squareform(distances, checks=False)
    return optimal_leaf_ordering(linkage(condensed, "average"), condensed)


def plane(distances: np.ndarray) -> tuple[np.ndarray, float]:
    """Points whose distances come near the given ones (classical multidimensional scaling; Torgerson 1952).

    Args:
        distances: (L, L).

    Returns:
        (L, 2) points around the origin, and the share of the spread that the two axes show.
    """
    size = len(distances)
    centre = np.eye(size) - 1 / size
    values, vectors = np.linalg.eigh(-centre @ distances**2 @ centre / 2)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    vectors = vectors * np.where(vectors[np.abs(vectors).argmax(0), np.arange(size)] < 0, -1, 1)  # one sign of two
    points = np.zeros((size, 2))
    points[:, : min(2, size)] = (vectors * np.sqrt(values))[:, :2]
    return points, float(values[:2].sum() / max(values.sum(), 1e-12))


def _entropy(shares: np.ndarray) -> np.ndarray:
    """(..., V) to (...), bits."""
    return -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(-1)
