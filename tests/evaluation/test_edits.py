import jiwer
import numpy as np
import pytest

from speechxl.evaluation import edits
from speechxl.evaluation.edits import NONE, align, edit_distances


def random_pairs(count, symbols=6, most=9, seed=0):
    rng = np.random.default_rng(seed)
    differences = rng.random((symbols, symbols))
    differences = (differences + differences.T) / 2
    np.fill_diagonal(differences, 0)
    pairs = [[rng.integers(symbols, size=rng.integers(most)) for _ in range(count)] for _ in range(2)]
    return *pairs, differences


def least(first, second, cost, gap):
    """Wagner and Fischer's recurrence as it is written, with costs that are added and compared by `cost`'s type."""
    table = {(0, 0): gap * 0}
    for i in range(len(first) + 1):
        for j in range(len(second) + 1):
            ways = []
            if i:
                ways.append(table[i - 1, j] + gap)
            if j:
                ways.append(table[i, j - 1] + gap)
            if i and j:
                ways.append(table[i - 1, j - 1] + cost(first[i - 1], second[j - 1]))
            if ways:
                table[i, j] = min(ways)
    return table[len(first), len(second)]


class Cost(tuple):
    """Numbers of which the first decides."""

    def __new__(cls, *values):
        return super().__new__(cls, values)

    def __add__(self, other):
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))

    def __mul__(self, times):
        return Cost(*(a * times for a in self))


def counts(alignment, pairs):
    kinds = (alignment.substituted, alignment.hypothesis == NONE, alignment.reference == NONE)
    return [np.bincount(alignment.pair[kind], minlength=pairs) for kind in kinds]


def test_distances_are_those_of_the_recurrence():
    references, hypotheses, differences = random_pairs(150)
    found = edit_distances(references, hypotheses, differences)
    known = [least(x, y, lambda a, b: differences[a, b], 1.0) for x, y in zip(references, hypotheses, strict=True)]
    np.testing.assert_allclose(found, known, atol=1e-12)


def test_alignments_have_fewest_edits_then_fewest_substitutions_then_the_most_similar_symbols():
    references, hypotheses, differences = random_pairs(150)
    differences = np.rint(differences * 255) / 255
    alignment = align(references, hypotheses, differences)
    substitutions, deletions, insertions = counts(alignment, len(references))
    for row, (x, y) in enumerate(zip(references, hypotheses, strict=True)):
        cost = least(x, y, lambda a, b: Cost(0, 0, 0) if a == b else Cost(1, 1, differences[a, b]), Cost(1, 0, 0))
        own = (alignment.pair == row) & alignment.substituted
        total = differences[alignment.reference[own], alignment.hypothesis[own]].sum()
        edits = substitutions[row] + deletions[row] + insertions[row]
        assert (edits, substitutions[row], pytest.approx(total)) == tuple(cost)


def test_edits_are_as_few_as_those_of_jiwer():
    references, hypotheses, differences = random_pairs(200, most=30)
    references = [x if len(x) else np.array([0]) for x in references]
    found = sum(map(np.sum, counts(align(references, hypotheses, differences), 200)))
    texts = [[" ".join(map(str, x)) for x in sequences] for sequences in (references, hypotheses)]
    known = jiwer.process_words(*texts)
    assert found == known.substitutions + known.deletions + known.insertions


def test_an_alignment_holds_both_sequences_in_order():
    references, hypotheses, differences = random_pairs(60)
    alignment = align(references, hypotheses, differences)
    for row, (x, y) in enumerate(zip(references, hypotheses, strict=True)):
        own = alignment.pair == row
        first, second = alignment.reference[own], alignment.hypothesis[own]
        assert first[first != NONE].tolist() == x.tolist()
        assert second[second != NONE].tolist() == y.tolist()


def test_hypotheses_in_the_place_of_references_exchange_deletions_and_insertions():
    references, hypotheses, differences = random_pairs(200, most=20)
    one = counts(align(references, hypotheses, differences), 200)
    two = counts(align(hypotheses, references, differences), 200)
    for first, second in zip(one, (two[0], two[2], two[1]), strict=True):
        np.testing.assert_array_equal(first, second)


def test_neither_the_order_of_pairs_nor_the_size_of_tables_matters(monkeypatch):
    references, hypotheses, differences = random_pairs(100, most=15)
    whole = align(references, hypotheses, differences)
    distances = edit_distances(references, hypotheses, differences)
    monkeypatch.setattr(edits, "_CELLS", 300)
    order = np.random.default_rng(1).permutation(100)
    turned = align([references[row] for row in order], [hypotheses[row] for row in order], differences)
    for place, row in enumerate(order):
        for side in ("reference", "hypothesis"):
            one, two = getattr(whole, side)[whole.pair == row], getattr(turned, side)[turned.pair == place]
            np.testing.assert_array_equal(one, two)
    again = edit_distances([references[row] for row in order], [hypotheses[row] for row in order], differences)
    np.testing.assert_allclose(again, distances[order], atol=1e-12)


def test_long_sequences_are_aligned_at_once():
    rng = np.random.default_rng(0)
    reference = rng.integers(3, size=1500)
    hypothesis = np.delete(reference, [5, 700])
    alignment = align([reference], [hypothesis], 1 - np.eye(3))
    assert [int(kind[0]) for kind in counts(alignment, 1)] == [0, 2, 0]


def test_nothing_has_no_edits():
    nothing = np.empty(0, int)
    assert len(align([nothing], [nothing], np.zeros((0, 0))).pair) == 0
    assert edit_distances([], [], np.zeros((0, 0))).tolist() == []
    assert edit_distances([np.array([0, 0]), nothing], [nothing, np.array([0])], np.zeros((1, 1))).tolist() == [2, 1]
