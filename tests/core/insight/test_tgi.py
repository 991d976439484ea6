"""The index and its interval: by hand, at the edges, and by how often it covers the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.insight import familywise, tgi


def test_the_index_is_the_ratio_of_two_shares():
    found = tgi(30, 100, 120, 1000)
    assert found.point == pytest.approx(100 * (30 / 100) / (120 / 1000))
    assert found.low < found.point < found.high


def test_the_limits_are_those_worked_out_by_hand():
    """30 of 100 in the segment, 90 of 900 in the rest: Wilson, then MOVER-R, then the map to the index."""
    z = 1.959963984540054

    def wilson(k: float, n: float) -> tuple[float, float]:
        centre, half = k + z * z / 2, z * math.sqrt(k * (n - k) / n + z * z / 4)
        return (centre - half) / (n + z * z), (centre + half) / (n + z * z)

    (l1, u1), (l2, u2) = wilson(30, 100), wilson(90, 900)
    p1, p2, both = 0.3, 0.1, 0.03
    low = (both - math.sqrt(both**2 - l1 * u2 * (2 * p1 - l1) * (2 * p2 - u2))) / (u2 * (2 * p2 - u2))
    high = (both + math.sqrt(both**2 - u1 * l2 * (2 * p1 - u1) * (2 * p2 - l2))) / (l2 * (2 * p2 - l2))
    found = tgi(30, 100, 120, 1000)
    assert found.low == pytest.approx(100 / (0.1 + 0.9 / low))
    assert found.high == pytest.approx(100 / (0.1 + 0.9 / high))


def test_the_whole_bank_is_at_a_hundred_without_doubt():
    found = tgi(120, 1000, 120, 1000)
    assert (found.point, found.low, found.high) == (100, 100, 100)


def test_the_interval_closes_on_a_hundred_as_the_segment_becomes_the_bank():
    widths = []
    for n in (1000, 5000, 9000, 9990):
        found = tgi(n * 0.1, n, 1000, 10_000)
        widths.append(float(found.high - found.low))
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 1


def test_none_in_the_segment_is_an_index_of_nought_with_an_upper_limit():
    found = tgi(0, 100, 120, 1000)
    assert (found.point, found.low) == (0, 0)
    assert 0 < found.high < 100


def test_all_of_the_value_in_the_segment_bounds_the_index_by_the_size_of_the_segment():
    found = tgi(50, 100, 50, 1000)
    assert found.point == pytest.approx(1000)
    assert found.high == pytest.approx(1000)
    assert found.low > 100


def test_what_cannot_be_computed_is_not_a_number():
    for figures in ((0, 0, 10, 100), (0, 10, 0, 100)):
        found = tgi(*figures)
        assert np.isnan(found.point)
        assert np.isnan(found.low)
        assert np.isnan(found.high)


@given(st.integers(1, 400), st.integers(1, 4000), st.data())
def test_the_limits_enclose_the_index_and_a_stricter_level_encloses_them(n: int, rest: int, data: st.DataObject):
    x, y = data.draw(st.integers(0, n)), data.draw(st.integers(0, rest))
    if x + y == 0:
        return
    plain, strict = tgi(x, n, x + y, n + rest), tgi(x, n, x + y, n + rest, level=familywise(0.95, 500))
    slack = 1e-6
    assert 0 <= strict.low <= plain.low + slack
    assert plain.low <= plain.point + slack
    assert plain.point <= plain.high + slack
    assert plain.high <= strict.high + slack
    assert strict.high <= 100 * (n + rest) / n + slack


@pytest.mark.slow
@pytest.mark.parametrize("bank", [2_000, 20_000])
@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.5, 0.9])
@pytest.mark.parametrize(("p1", "p2"), [(0.05, 0.05), (0.1, 0.03), (0.02, 0.3), (0.5, 0.4), (0.9, 0.6)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(bank: int, fraction: float, p1: float, p2: float):
    rng = np.random.default_rng([bank, int(fraction * 100), int(p1 * 100), int(p2 * 100)])
    n = int(bank * fraction)
    x, y = rng.binomial(n, p1, 20_000), rng.binomial(bank - n, p2, 20_000)
    truth = 100 * p1 / (fraction * p1 + (1 - fraction) * p2)
    found = tgi(x, np.full_like(x, n), x + y, np.full_like(x, bank))
    covered = np.mean((found.low <= truth) & (truth <= found.high))
    assert 0.935 <= covered <= 0.985  # discrete counts of a few customers overcover, never far below


@pytest.mark.slow
def test_over_many_cells_together_hardly_ever_one_stands_out_by_chance():
    rng = np.random.default_rng(7)
    cells, banks = 200, 400
    alarms = 0
    for _ in range(banks):
        shares = rng.uniform(0.02, 0.6, cells)
        x, y = rng.binomial(500, shares), rng.binomial(9500, shares)
        found = tgi(x, 500, x + y, 10_000, level=familywise(0.95, cells))
        alarms += bool(((found.low > 100) | (found.high < 100)).any())
    assert alarms / banks <= 0.09
