import numpy as np
import pytest

from speechxl.evaluation.maps import family_styles, intervals, label_places, language_plane, similarity_map
from speechxl.evaluation.similarity import tree


def test_families_differ_in_colour_or_marker_and_the_commonest_comes_first():
    styles = family_styles([f"f{number}" for number in range(45)] + ["b", "b"])
    assert len(set(styles.values())) == len(styles) == 46
    assert next(iter(styles)) == "b"


def test_labels_do_not_cover_each_other_where_there_is_room():
    points = np.array([[0.0, 0.0], [6.0, 0.0], [0.0, 6.0], [200.0, 200.0]])
    labels = ["swh", "quy", "mdw", "deu"]
    middles = points + label_places(points, labels)
    for row in range(4):
        for other in range(row):
            apart = np.abs(middles[row] - middles[other])
            assert apart[0] >= 13 or apart[1] >= 7


@pytest.mark.parametrize("size", [2, 10, 60])
def test_figures_name_every_language(size):
    rng = np.random.default_rng(0)
    languages = [f"l{number}" for number in range(size)]
    families = [f"family {number % 7}" for number in range(size)]
    points = rng.normal(size=(size, 2))
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    close = distances < 0.1
    drawn = similarity_map(languages, families, 1 - distances / distances.max(), close, tree(distances))
    flat = language_plane(languages, families, points)
    rows = intervals({name: (1.0, (0.0, 2.0) if name != "l1" else None) for name in languages}, xlabel="loss")
    for figure in (drawn, flat, rows):
        assert figure.startswith("<svg")
        assert all(f"<!-- {name} -->" in figure for name in languages)
    assert all(f"<!-- {family} -->" in flat for family in families)
