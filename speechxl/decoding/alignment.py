"""The likeliest CTC path of a known text through a recording (Graves et al. 2006; Kürzinger et al. 2020 for alignment)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from speechxl.errors import InputError

STAR = -1
"""Symbol that any speech may be, with log probability 0 (Pratap et al. 2023, MMS, alignment for noisy transcripts)."""
_BLOCK = 4096
"""Frames whose way back is held in memory, about 80 s; longer recordings are gone through twice, block by block."""


@dataclass(frozen=True)
class Spans:
    """Where the symbols of a text lie. Frames outside all spans are blank."""

    first: np.ndarray
    """(U,) first frame of each symbol."""
    stop: np.ndarray
    """(U,) frame before which it stops."""
    total: float
    """Log probability of the path, nats."""


def align_symbols(emissions: np.ndarray, tokens: Sequence[int], blank: int, block: int = _BLOCK) -> Spans:
    """Finds the likeliest path; exact for any length.

    Between frames there are U + 1 blanks and U symbols: blank u comes before symbol u. Totals are kept at the beginning of
    each block only. The way back through a block is found by going through it once more, with the symbols that can be
    reached in it: no path passes more than one a frame. An hour with 12,000 symbols takes 9 MB of totals and at most 34 MB
    for a block.

    Args:
        emissions: (F, V) log probabilities.
        tokens: (U,) numbers of the symbols, at least one; `STAR` for any speech.
        blank: Number of the blank.
        block: Frames of a block.

    Raises:
        InputError: If there are fewer frames than the symbols need, or no path has a probability.
    """
    columns = np.asarray(tokens)
    equal = (columns[1:] == columns[:-1]) & (columns[1:] != STAR)
    frames, needed = len(emissions), len(columns) + int(equal.sum())
    if frames < needed:
        raise InputError(
            f"the text needs {needed} frames ({len(columns)} symbols, {equal.sum()} of them like the one before), "
            f"the audio has {frames} (20 ms each): it is shorter than its text."
        )
    apart = np.where(equal, -np.inf, 0.0)

    def rows(start: int) -> np.ndarray:
        return np.pad(emissions[start : start + block].astype(np.float64), ((0, 0), (0, 1)))  # the last is the star's

    totals = np.full(len(columns) + 1, -np.inf), np.full(len(columns), -np.inf)
    totals[0][0] = 0.0
    starts = range(0, frames, block)
    held = [totals]
    for start in starts[:-1]:
        totals = _advance(totals, rows(start), columns, blank, apart)
        held.append(totals)
    states = np.empty(frames, dtype=np.int64)
    state = 2 * len(columns)
    total = 0.0
    for start in reversed(starts):
        passed = rows(start)
        last = (state + 1) // 2
        first = max(0, last - len(passed) - 1)
        blanks, symbols = held.pop()
        moves = np.zeros((2, len(passed), last - first + 1), dtype=np.int8)
        part = blanks[first : last + 1], symbols[first:last]
        ends = _advance(part, passed, columns[first:last], blank, apart[first : max(first, last - 1)], moves)
        if start == starts[-1]:
            state -= int(ends[1][-1] > ends[0][-1])
            total = float(max(ends[0][-1], ends[1][-1]))
            if not np.isfinite(total):
                raise InputError("no path through the emissions has a probability; are some of them not numbers?")
        way = states[start : start + len(passed)]
        state = _trace(moves, state - 2 * first, way) + 2 * first
        way += 2 * first
    return Spans(*_spans(states, len(columns)), total)


def _spans(states: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """First frame of each symbol, and the one before which it stops."""
    spoken = np.flatnonzero(states % 2)
    owners = states[spoken] // 2
    numbers = np.arange(count)
    last = spoken[np.searchsorted(owners, numbers, side="right") - 1]
    return spoken[np.searchsorted(owners, numbers)], last + 1


def _advance(
    totals: tuple[np.ndarray, np.ndarray],
    rows: np.ndarray,
    columns: np.ndarray,
    blank: int,
    apart: np.ndarray,
    moves: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Goes on by some frames.

    Args:
        totals: (U + 1,) of the blanks and (U,) of the symbols: the best path that ends there.
        rows: (K, V + 1) log probabilities.
        columns: (U,) symbols.
        blank: Number of the blank.
        apart: (U - 1,) 0 where a symbol may follow the one before without a blank, else minus infinity.
        moves: (2, K, U + 1) to write to how each blank and each symbol was reached: 0 from itself, 1 from the state before,
            2 from the symbol before, past the blank.

    Returns:
        Totals after the last of these frames.
    """
    blanks, symbols = totals
    for number, row in enumerate(rows):
        entered = np.maximum(symbols, blanks[:-1])
        skipped = symbols[:-1] + apart
        if moves is not None:
            moves[0, number, 1:] = symbols > blanks[1:]
            moves[1, number, :-1] = blanks[:-1] > symbols
            moves[1, number, 1:-1][skipped > entered[1:]] = 2
        after = blanks + row[blank]
        np.maximum(blanks[1:], symbols, out=after[1:])
        after[1:] += row[blank]
        np.maximum(entered[1:], skipped, out=entered[1:])
        blanks, symbols = after, entered + row[columns]
    return blanks, symbols


def _trace(moves: np.ndarray, state: int, way: np.ndarray) -> int:
    """Writes the states (2u for blank u, 2u + 1 for symbol u) that lead to the last one; gives the one before them all."""
    for frame in range(len(way) - 1, -1, -1):
        way[frame] = state
        state -= int(moves[state % 2, frame, state // 2])
    return state
