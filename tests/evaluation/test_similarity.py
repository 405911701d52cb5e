import numpy as np
import pytest
from scipy.cluster.hierarchy import leaves_list
from scipy.spatial.distance import jensenshannon, pdist, squareform

from speechxl.evaluation.similarity import js_divergence, noise_floor, plane, split_divergence, tree


def test_the_divergence_is_that_of_scipy():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(20, 0.3), size=(5, 2))
    shares[0, 0, :15] = 0  # codes that a language never uses
    shares[0, 0] /= shares[0, 0].sum()
    found = js_divergence(shares)
    for row in range(5):
        for column in range(5):
            expected = [jensenshannon(shares[row, g], shares[column, g], base=2) ** 2 for g in range(2)]
            assert found[row, column] == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_divergence_is_one_bit_for_codes_that_are_not_shared():
    shares = np.array([[[0.5, 0.5, 0, 0]], [[0, 0, 0.1, 0.9]]])
    assert js_divergence(shares) == pytest.approx(np.array([[0, 1], [1, 0]]))


def test_the_floor_is_what_samples_of_the_same_distribution_have():
    """Two languages of 100 and 400 utterances that draw their codes from one distribution."""
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(50, 1.0), size=2)
    counts = [
        np.stack([rng.multinomial(20, book, size=size) for book in shares], axis=1) for size in (100, 400)
    ]  # (N, 2, V)
    floor = noise_floor([split_divergence(own, 10, seed=0) for own in counts])
    totals = np.stack([own.sum(0) for own in counts])
    found = js_divergence(totals / totals.sum(-1, keepdims=True))[0, 1]
    assert found == pytest.approx(floor[0, 1], rel=0.3)
    assert floor[0, 0] > floor[1, 1]


def test_points_of_a_plane_come_back_with_their_distances():
    points = np.random.default_rng(0).normal(size=(9, 2)) * [3, 1]
    distances = squareform(pdist(points))
    found, share = plane(distances)
    assert share == pytest.approx(1)
    assert squareform(pdist(found)) == pytest.approx(distances)
    assert found.mean(0) == pytest.approx([0, 0])
    assert np.abs(found[:, 0]).max() > np.abs(found[:, 1]).max()


def test_a_plane_shows_a_part_of_what_has_more_dimensions():
    assert plane(squareform(pdist(np.eye(8))))[1] == pytest.approx(2 / 7)
    assert plane(np.array([[0.0, 2.0], [2.0, 0.0]]))[0] == pytest.approx(np.array([[1.0, 0.0], [-1.0, 0.0]]))


def test_the_tree_puts_neighbours_side_by_side():
    distances = squareform(pdist(np.array([[0.0], [10.0], [0.1], [10.1], [5.0]])))
    order = leaves_list(tree(distances)).tolist()
    for left, right in ((0, 2), (1, 3)):
        assert abs(order.index(left) - order.index(right)) == 1
