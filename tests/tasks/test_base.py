import torch

from speechxl.tasks.base import Meter


def same(values):
    return values


def test_measures_of_the_host_and_of_a_device_are_gathered_together():
    meter = Meter()
    meter.add("loss", torch.tensor(1.0, device="meta"), torch.tensor(2, device="meta"))
    meter.add("probe_loss", torch.tensor(1.0))
    meter.gather(same)
    assert {value.device.type for pair in meter.sums.values() for value in pair} == {"meta"}


def test_what_was_never_finite_has_no_mean():
    meter = Meter()
    meter.add("loss", torch.tensor(float("nan")), 3.0)
    meter.add("masked", torch.tensor(4.0), 8.0)
    assert meter.read() == {"masked": 0.5}


def test_processes_that_continue_add_up_what_only_the_first_has_kept():
    saved = Meter()
    saved.add("probe_loss", torch.tensor(3.0), 2.0)  # written between two rows of the log
    state, sent = saved.state_dict(), []
    meters = [Meter(), Meter()]
    for rank, meter in enumerate(meters):
        meter.load_state_dict(state, keep=rank == 0)
        meter.add("loss", torch.tensor(1.0), 4.0)
        meter.gather(lambda values: sent.append(values) or values)
    assert len(sent[0]) == len(sent[1])
    meters[1].gather(lambda values: values + sent[0])
    assert meters[1].read() == {"probe_loss": 1.5, "loss": 0.25}


def test_a_meter_that_continues_adds_in_the_same_precision():
    meter, other = Meter(), Meter()
    meter.add("loss", torch.tensor(1.0), 2**24)
    meter.gather(same)
    other.load_state_dict(meter.state_dict())
    for each in (meter, other):
        each.add("loss", torch.tensor(1e-9), torch.tensor(1))
    assert meter.state_dict() == other.state_dict() == {"loss": (1 + float(torch.tensor(1e-9)), 2**24 + 1)}
