import pytest

from speechxl.config import Optim, Sampling
from speechxl.data.sampling import group_shares
from speechxl.verbs.plan import make_plan, warn
from speechxl.verbs.training import accumulation

HOURS = {("spa", "a"): 90.0, ("spa", "b"): 10.0, ("swh", "c"): 4.0}


def plan_of(optim=Optim(), steps=1000, world=1, alpha=0.5):
    return make_plan(group_shares(HOURS, alpha), HOURS, 72.0, optim, steps, world)


def test_the_table_says_hours_shares_and_epochs_of_each_language():
    plan = plan_of(Optim(accumulate=5), world=2)
    assert plan.update_hours == pytest.approx(0.2)
    spanish, swahili = plan.languages["spa"], plan.languages["swh"]
    assert (spanish["hours"], swahili["hours"]) == (100, 4)
    assert spanish["share"] == pytest.approx(10 / 12)
    assert swahili["epochs"] == pytest.approx(2 / 12 * 200 / 4)
    lines = plan.table().splitlines()
    assert lines[1].split() == ["spa", "100.000", "96.2%", "83.3%", "1.7"]
    assert lines[2].split() == ["swh", "4.000", "3.8%", "16.7%", "8.3"]


@pytest.mark.parametrize(("world", "accumulate"), [(1, 80), (8, 10), (64, 2), (1000, 1)])
def test_the_hours_of_an_update_set_the_accumulation(world, accumulate):
    plan = plan_of(Optim(target_batch_hours=1.6), world=world)
    assert plan.accumulate == accumulate
    assert plan.update_hours >= 1.6


def test_without_a_target_every_batch_is_an_update():
    assert accumulation(Optim(), 72.0, 4) == 1
    assert accumulation(Optim(accumulate=3), 72.0, 4) == 3


def test_an_accumulation_that_is_given_holds():
    assert accumulation(Optim(accumulate=3, target_batch_hours=100.0), 72.0, 4) == 3


def test_languages_that_are_repeated_too_often_are_named(caplog):
    warn(plan_of(steps=10_000), Sampling(warn_epochs=8), fresh=False)
    assert caplog.messages == [
        "heard more than 8 times: swh (swh 8 times); a larger --sampling.alpha or fewer steps repeat them less"
    ]


def test_rows_without_language_among_others_are_told_of(caplog):
    hours = {("spa", "a"): 3.0, ("", "a"): 1.0}
    plan = make_plan(group_shares(hours, 0.5), hours, 72.0, Optim(), 10, 1)
    warn(plan, Sampling(), fresh=False)
    assert caplog.messages == [
        "1 h name no language and are balanced and reported as one; fill in the column language if they are of several"
    ]


@pytest.mark.parametrize(("hours", "fresh", "warned"), [(0.5, True, True), (1.6, True, False), (0.5, False, False)])
def test_small_updates_from_scratch_are_warned_about(caplog, hours, fresh, warned):
    warn(plan_of(Optim(target_batch_hours=hours), steps=10), Sampling(), fresh=fresh)
    assert any("from scratch, published runs take at least 1.6 h" in message for message in caplog.messages) == warned
