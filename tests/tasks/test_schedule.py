from itertools import pairwise

import pytest

from speechxl.tasks.schedule import gumbel_temperature, linear_decay, tri_stage


@pytest.mark.parametrize(
    ("step", "share"), [(0, 0.01), (650, 0.505), (1_300, 1.0), (6_500, 1.0), (13_000, 0.05), (20_000, 0.05)]
)
def test_tri_stage_of_the_published_recipe(step, share):
    assert tri_stage(step, 13_000, 0.1) == pytest.approx(share)


def test_tri_stage_falls_exponentially():
    falls = [tri_stage(step, 1_000, 0.1) for step in range(500, 1_001, 100)]
    ratios = [later / earlier for earlier, later in pairwise(falls)]
    assert ratios == pytest.approx([0.05 ** (1 / 5)] * 5)


def test_tri_stage_without_a_rise_begins_at_the_top():
    assert tri_stage(0, 100, 0.0) == 1.0


@pytest.mark.parametrize(("step", "share"), [(0, 1 / 80), (79, 1.0), (80, 1.0), (540, 0.5), (1_000, 0.0), (1_500, 0.0)])
def test_linear_decay(step, share):
    assert linear_decay(step, 1_000, 80) == pytest.approx(share)


@pytest.mark.parametrize(
    ("step", "floor", "temperature"),
    [(0, 0.5, 2.0), (277_258, 0.5, 0.5), (277_200, 0.5, 0.5), (599_145, 0.1, 0.1), (100_000, 0.1, 1.213)],
)
def test_published_gumbel_temperatures(step, floor, temperature):
    assert gumbel_temperature(step, 2.0, floor, 0.999995) == pytest.approx(temperature, abs=5e-4)
