import pytest
import torch

from speechxl.tasks.languages import LanguageMeter


def meter_of(*languages):
    return LanguageMeter(languages, [1.0] * len(languages), 1, 4)


def add(meter, rows):
    count = len(rows)
    codes, valid = torch.zeros(count, 10, 1, dtype=torch.int64), torch.ones(count, 10, dtype=torch.bool)
    meter.add(torch.zeros(count, dtype=torch.int64), torch.full((count,), 16_000), torch.tensor(rows), codes, valid)


def test_utterances_without_finite_loss_do_not_lower_that_of_their_language():
    meter = meter_of("swh")
    add(meter, [[50.0, 5.0, 10.0], [float("nan"), 0.0, 10.0]])
    read = meter.read()["swh"]
    assert (read["loss"], read["accuracy"]) == (5.0, 0.5)
    assert read["hours"] == pytest.approx(2 / 3600)


@pytest.mark.parametrize(("languages", "heard"), [(("quy", "swh"), 3), (("quy", "yor"), 1)])
def test_hours_are_counted_on_for_the_same_languages_only(languages, heard):
    before, after = meter_of("quy", "swh"), meter_of(*languages)
    add(before, [[50.0, 5.0, 10.0]] * 2)
    after.load_state_dict(before.state_dict())
    add(after, [[50.0, 5.0, 10.0]])
    assert after.read()["quy"]["hours"] == pytest.approx(heard / 3600)
