import numpy as np
import pytest

from speechxl.data.alignments import Segment
from speechxl.evaluation.boundaries import boundary_errors, boundary_rates, boundary_table


def segments(phones, *times):
    return [Segment(start, end, phone) for phone, (start, end) in zip(phones, times, strict=True)]


REFERENCE = segments("pat", (0.1, 0.2), (0.2, 0.4), (0.4, 0.5))


def test_a_case_by_hand():
    aligned = segments("pat", (0.12, 0.14), (0.2, 0.34), (0.36, 0.56))
    assert boundary_errors(aligned, REFERENCE) == pytest.approx([0.02, -0.03, -0.05, 0.06])


def test_an_alignment_is_no_way_from_itself():
    assert (boundary_errors(REFERENCE, REFERENCE) == 0).all()


def test_other_phones_are_not_compared():
    assert boundary_errors(segments("pad", (0, 1), (1, 2), (2, 3)), REFERENCE) is None
    assert boundary_errors(REFERENCE[:2], REFERENCE) is None
    assert boundary_errors(REFERENCE, []) is None


def test_silence_is_passed_over_and_the_boundary_at_it_is_not_compared():
    known = segments(["SIL", "p", "SIL", "a"], (0, 0.1), (0.1, 0.2), (0.2, 0.5), (0.5, 0.6))
    errors = boundary_errors(segments("pa", (0.1, 0.3), (0.3, 0.6)), known)
    assert errors[[0, 2]] == pytest.approx([0, 0])
    assert np.isnan(errors[1])


def test_rates_by_hand():
    rates = boundary_rates([np.array([0.0, 0.01, -0.03, 0.1]), np.array([0.02, np.nan, 0.06, -0.2])])
    assert rates["utterances"] == 2
    inner, edges = rates["inner"], rates["edges"]
    assert (inner["boundaries"], edges["boundaries"]) == (3, 4)
    assert inner["median_ms"] == pytest.approx(30)
    assert inner["bias_ms"] == pytest.approx(10)
    assert inner["within_20_ms"] == pytest.approx(1 / 3)
    assert inner["within_50_ms"] == pytest.approx(2 / 3)
    assert edges["within_20_ms"] == pytest.approx(2 / 4)
    low, high = inner["intervals"]["median_ms"]
    assert (low, high) == pytest.approx((20, 60))  # of the first utterance alone, and of the second


def test_intervals_hold_the_rates_and_shrink_with_more_utterances():
    rng = np.random.default_rng(1)
    widths = []
    for utterances in (20, 500):
        inner = boundary_rates([rng.normal(0, 0.03, 8) for _ in range(utterances)])["inner"]
        for name in ("median_ms", "within_20_ms", "within_50_ms"):
            low, high = inner["intervals"][name]
            assert low <= inner[name] <= high
        widths.append(inner["intervals"]["median_ms"][1] - inner["intervals"]["median_ms"][0])
    assert widths[1] < widths[0] / 2


def test_the_table_says_what_was_compared():
    rates = boundary_rates([np.array([0.0, 0.01, 0.0])])
    lines = boundary_table(rates | {"disagree": 4}).splitlines()
    assert [line.split()[0] for line in lines] == ["boundaries", "inner", "edges", "1"]
    assert "4 with other phones" in lines[-1]


def test_without_boundaries_there_are_no_rates():
    rates = boundary_rates([])
    assert (rates["inner"]["boundaries"], rates["inner"]["median_ms"]) == (0, None)
    assert boundary_table(rates | {"disagree": 0})
    one = boundary_rates([boundary_errors(REFERENCE[:1], REFERENCE[:1])])
    assert (one["inner"]["boundaries"], one["edges"]["boundaries"]) == (0, 2)
