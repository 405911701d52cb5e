"""What errors of transcripts do to their classification."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from speechxl.evaluation.metrics import count_errors

EDGES = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5)
"""Character error rates between which utterances are counted together."""


def error_rates(references: Sequence[str], hypotheses: Sequence[str]) -> np.ndarray:
    """(N,) character error rate of each utterance; NaN where nothing was said.

    Args:
        references: N texts, normalised as the hypotheses are.
        hypotheses: N transcripts.
    """
    errors = count_errors(references, hypotheses, "char")
    return np.where(errors.lengths > 0, errors.total / np.maximum(errors.lengths, 1), np.nan)


def transcript_effect(rates: np.ndarray, right: np.ndarray, edges: Sequence[float] = EDGES) -> dict[str, Any]:
    """Relation of transcript error and correctness, utterance by utterance.

    Args:
        rates: (N,) character error rates; NaN is left out.
        right: (N,) whether the class was found.
        edges: Rising; utterances without errors are a bin of their own.

    Returns:
        ``spearman`` with its two-sided ``p_value`` (None where all rates, or all answers, are alike), and ``bins`` of low <
        rate <= high with their utterances and accuracy.
    """
    from scipy.stats import spearmanr  # which takes a second to import

    known = ~np.isnan(rates)
    rates, right = rates[known], right[known].astype(bool)
    varied = len(np.unique(rates)) > 1 and len(np.unique(right)) > 1
    found = spearmanr(rates, right) if varied else None
    bins = []
    for low, high in zip([-np.inf, *edges], [*edges, np.inf], strict=True):
        own = (rates > low) & (rates <= high)
        bins.append(
            {
                "low": None if low < 0 else float(low),
                "high": None if np.isinf(high) else float(high),
                "utterances": int(own.sum()),
                "accuracy": float(right[own].mean()) if own.any() else None,
            }
        )
    return {
        "utterances": len(rates),
        "spearman": None if found is None else float(found.statistic),
        "p_value": None if found is None else float(found.pvalue),
        "bins": bins,
    }
