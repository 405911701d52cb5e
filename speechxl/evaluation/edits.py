"""Edits from sequences of numbers to others, many pairs at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

_CELLS = 1 << 22
"""Of the tables that are held at once."""
_SHADES = 255
_SUBSTITUTION = 1 << 25
"""More than the differences of 2^17 substitutions together."""
_EDIT = 1 << 43
"""More than 2^17 substitutions with their differences."""
NONE = -1
"""Stands for what an insertion or a deletion has nothing of."""


@dataclass(frozen=True)
class Alignment:
    """What stands for what, of all pairs one after another.

    Attributes:
        pair: (K,) number of the pair, in order.
        reference: (K,) symbol, `NONE` in an insertion.
        hypothesis: (K,) symbol, `NONE` in a deletion.
    """

    pair: np.ndarray
    reference: np.ndarray
    hypothesis: np.ndarray

    @property
    def substituted(self) -> np.ndarray:
        """(K,) whether one symbol stands for another."""
        return self.paired & (self.reference != self.hypothesis)

    @property
    def paired(self) -> np.ndarray:
        """(K,) whether there are two symbols."""
        return (self.reference != NONE) & (self.hypothesis != NONE)


def edit_distances(references: Sequence[np.ndarray], hypotheses: Sequence[np.ndarray], costs: np.ndarray) -> np.ndarray:
    """(N,) least sums of costs, where an insertion or a deletion costs 1.

    Args:
        references: N sequences of symbols.
        hypotheses: As many.
        costs: (V, V) of substitutions.
    """
    distances = np.zeros(len(references))
    for rows, first, second, lengths, others in _batches(references, hypotheses):
        totals = np.empty(len(rows))
        for step, row in _rows(first, second, costs, 1):
            done = lengths == step
            totals[done] = row[done, others[done]]
        distances[rows] = totals
    return distances


def align(references: Sequence[np.ndarray], hypotheses: Sequence[np.ndarray], differences: np.ndarray) -> Alignment:
    """Fewest edits; among these, fewest substitutions, then those between the most similar symbols.

    As their sum, the numbers of substitutions, deletions and insertions are then the only ones, and the same from the
    hypotheses to the references with deletions and insertions exchanged.

    Args:
        references: N sequences of symbols.
        hypotheses: As many.
        differences: (V, V) of symbols, from 0 to 1.
    """
    shades = np.rint(differences * _SHADES).astype(np.int64)
    costs = np.where(np.eye(len(differences), dtype=bool), 0, _EDIT + _SUBSTITUTION + shades)
    parts = []
    for rows, first, second, lengths, others in _batches(references, hypotheses):
        moves = np.zeros((first.shape[1] + 1, len(rows), second.shape[1] + 1), np.uint8)
        for _ in _rows(first, second, costs, _EDIT, moves):
            pass
        parts.append(_traced(rows, first, second, lengths, others, moves))
    pair, place, reference, hypothesis = (
        np.concatenate([np.empty(0, int), *(part[n] for part in parts)]) for n in range(4)
    )
    order = np.lexsort([place, pair])
    return Alignment(pair[order], reference[order], hypothesis[order])


_BOTH, _DELETION, _INSERTION = 0, 1, 2


def _batches(
    references: Sequence[np.ndarray], hypotheses: Sequence[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Pairs of similar lengths: their numbers, (B, U) both with padding, and (B,) their lengths."""
    lengths = np.array([len(x) for x in references], dtype=int)
    others = np.array([len(x) for x in hypotheses], dtype=int)
    order = np.lexsort([others, lengths])
    at = 0
    while at < len(order):
        end, widest = at, 0
        while end < len(order):
            widest = max(widest, others[order[end]] + 1)
            if end > at and (end + 1 - at) * widest * (lengths[order[end]] + 1) > _CELLS:
                break
            end += 1
        rows = order[at:end]
        yield rows, _padded(references, rows), _padded(hypotheses, rows), lengths[rows], others[rows]
        at = end


def _padded(sequences: Sequence[np.ndarray], rows: np.ndarray) -> np.ndarray:
    table = np.zeros((len(rows), max(len(sequences[row]) for row in rows)), int)
    for line, row in zip(table, rows, strict=True):
        line[: len(sequences[row])] = sequences[row]
    return table


def _rows(
    first: np.ndarray, second: np.ndarray, costs: np.ndarray, gap: int, moves: np.ndarray | None = None
) -> Iterator[tuple[int, np.ndarray]]:
    """Rows of the table of least costs (Wagner and Fischer 1974) of B pairs.

    Args:
        first: (B, U).
        second: (B, W).
        costs: (V, V) of substitutions.
        gap: Cost of an insertion or a deletion.
        moves: (U + 1, B, W + 1) to be filled with the last edits.

    Yields:
        Number of the row, and (B, W + 1) costs.
    """
    ramp = (np.arange(second.shape[1] + 1) * gap).astype(costs.dtype)
    total = np.broadcast_to(ramp, (len(first), len(ramp)))
    if moves is not None:
        moves[0] = _INSERTION
    yield 0, total
    for step in range(1, first.shape[1] + 1):
        both = total[:, :-1] + costs[first[:, step - 1, None], second]
        least = total + ramp.dtype.type(gap)
        if moves is not None:
            moves[step] = _DELETION
            moves[step][:, 1:][both <= least[:, 1:]] = _BOTH
        np.minimum(least[:, 1:], both, out=least[:, 1:])
        total = np.minimum.accumulate(least - ramp, axis=1) + ramp  # any number of insertions after the cheapest start
        if moves is not None:
            moves[step][total < least] = _INSERTION
        yield step, total


def _traced(
    rows: np.ndarray, first: np.ndarray, second: np.ndarray, lengths: np.ndarray, others: np.ndarray, moves: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Edits of B pairs from the last to the first: pair, place, symbols."""
    at, to = lengths.copy(), others.copy()
    active = np.arange(len(rows))[(at > 0) | (to > 0)]
    found: list[tuple[np.ndarray, ...]] = [(np.empty(0, int),) * 4]
    place = 0
    while len(active):
        i, j = at[active], to[active]
        move = moves[i, active, j]
        takes, gives = move != _INSERTION, move != _DELETION
        reference, hypothesis = np.full(len(active), NONE), np.full(len(active), NONE)
        reference[takes] = first[active[takes], i[takes] - 1]
        hypothesis[gives] = second[active[gives], j[gives] - 1]
        place -= 1
        found.append((rows[active], np.full(len(active), place), reference, hypothesis))
        at[active] -= takes
        to[active] -= gives
        active = active[(at[active] > 0) | (to[active] > 0)]
    pair, places, references, hypotheses = (np.concatenate([part[n] for part in found]) for n in range(4))
    return pair, places, references, hypotheses
