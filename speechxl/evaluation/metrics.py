"""Error rates of transcripts, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import jiwer
import numpy as np

from speechxl.text import normalise

_DRAWN = 1 << 23
"""Numbers that are held at once."""


@dataclass(frozen=True)
class Errors:
    """Edit operations of N utterances."""

    substitutions: np.ndarray
    """(N,)."""
    deletions: np.ndarray
    """(N,)."""
    insertions: np.ndarray
    """(N,)."""
    lengths: np.ndarray
    """(N,) units of the references."""

    @property
    def total(self) -> np.ndarray:
        """(N,) edits."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Edits per unit of all references together; None without any."""
        return float(self.total.sum() / self.lengths.sum()) if self.lengths.sum() else None

    def interval(self, level: float = 0.95, draws: int = 1000, seed: int = 0) -> tuple[float, float] | None:
        """Percentile bootstrap interval of the rate over utterances (Bisani and Ney 2004)."""
        return ratio_interval(self.total, self.lengths, level, draws, seed)

    def __add__(self, other: "Errors") -> "Errors":
        """Of two recognitions of the same utterances together."""
        return Errors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.lengths + other.lengths,
        )

    def select(self, rows: Sequence[int]) -> "Errors":
        """Of some utterances."""
        index = np.array(rows, dtype=int)
        return Errors(self.substitutions[index], self.deletions[index], self.insertions[index], self.lengths[index])


def interval_of_difference(
    errors: Errors, others: Errors, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of one rate minus another on the same utterances (Bisani and Ney 2004).

    Each draw takes the same utterances for both, so that what makes an utterance hard for both cancels out.

    Args:
        errors: Of one recogniser.
        others: Of another, with the same references in the same order.
        level: Share of the draws that the interval holds.
        draws: Number of draws.
        seed: Of the draws.
    """
    if not np.array_equal(errors.lengths, others.lengths):
        raise ValueError("Differences are between recognitions of the same references, in the same order.")
    return ratio_interval(errors.total - others.total, errors.lengths, level, draws, seed)


def ratio_interval(
    totals: np.ndarray, counts: np.ndarray, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile bootstrap interval of the sum of totals over the sum of counts; None where that is nothing.

    Args:
        totals: (N,) of each utterance, such as its errors or its loss.
        counts: (N,) such as its units or its frames.
        level: Share of the draws inside.
        draws: Times that N utterances are drawn with replacement.
        seed: Of the draws.
    """
    if not counts.sum():
        return None
    weights = np.random.default_rng(seed).multinomial(len(counts), np.full(len(counts), 1 / len(counts)), draws)
    return interval_of((weights @ totals) / np.maximum(weights @ counts, 1), level)


def drawn_ratios(
    measures: Sequence[tuple[np.ndarray, np.ndarray]], draws: int = 1000, seed: int = 0
) -> list[np.ndarray | None]:
    """Bootstrap draws of several ratios of the same N utterances, each draw with the same utterances for all.

    Args:
        measures: (N,) totals and (N,) counts of each.
        draws: Times that N utterances are drawn with replacement.
        seed: Of the draws.

    Returns:
        (draws,) of each; None where the counts are nothing.
    """
    columns = np.stack([column for measure in measures for column in measure], axis=1).astype(
        float
    )  # (N, 2 * measures)
    rng = np.random.default_rng(seed)
    block = max(1, _DRAWN // max(1, len(columns)))
    sums = [np.empty((0, columns.shape[1]))]
    for done in range(0, draws if len(columns) else 0, block):
        rows = min(block, draws - done)
        picked = rng.integers(len(columns), size=(rows, len(columns))) + len(columns) * np.arange(rows)[:, None]
        weights = np.bincount(picked.ravel(), minlength=picked.size).reshape(picked.shape)
        sums.append(weights.astype(float) @ columns)
    drawn = np.concatenate(sums)
    return [
        drawn[:, 2 * place] / np.maximum(drawn[:, 2 * place + 1], 1) if counts.sum() else None
        for place, (_, counts) in enumerate(measures)
    ]


def interval_of(drawn: np.ndarray | None, level: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval of draws."""
    if drawn is None:
        return None
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def count_errors(references: Sequence[str], hypotheses: Sequence[str], unit: str) -> Errors:
    """Fewest edits from each reference to its hypothesis.

    Args:
        references: Texts; compared after NFC and with single spaces.
        hypotheses: As many.
        unit: ``"word"`` (also phones that are separated by spaces) or ``"char"`` (spaces count).
    """
    align = jiwer.process_words if unit == "word" else jiwer.process_characters
    pairs = list(zip(map(normalise, references), map(normalise, hypotheses), strict=True))
    if not pairs:
        return Errors(*(np.zeros(0, int) for _ in range(4)))
    alignment = align([reference for reference, _ in pairs], [hypothesis for _, hypothesis in pairs])
    counts = {
        "substitute": np.zeros(len(pairs), int),
        "delete": np.zeros(len(pairs), int),
        "insert": np.zeros(len(pairs), int),
    }
    for row, chunks in enumerate(alignment.alignments):
        for chunk in chunks:
            if chunk.type != "equal":
                reference, hypothesis = chunk.ref_end_idx - chunk.ref_start_idx, chunk.hyp_end_idx - chunk.hyp_start_idx
                counts[chunk.type][row] += max(reference, hypothesis)
    lengths = np.array([len(reference) for reference in alignment.references])
    return Errors(counts["substitute"], counts["delete"], counts["insert"], lengths)
