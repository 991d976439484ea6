"""The stability index: zero for the same shares, positive otherwise, the same seen from either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.stats.drift import grade, psi

counts = st.lists(st.integers(0, 10**6), min_size=1, max_size=20)


def test_a_textbook_shift_is_between_the_two_lines() -> None:
    # 0.5/0.5 to 0.65/0.35: 0.15·ln(1.3) + (−0.15)·ln(0.7) = 0.0929; to 0.7/0.3: 0.2·ln(1.4) − 0.2·ln(0.6) = 0.1695
    assert psi([50_000, 50_000], [65_000, 35_000]) == pytest.approx(0.0929, abs=1e-4)
    assert psi([50_000, 50_000], [70_000, 30_000]) == pytest.approx(0.1695, abs=1e-4)
    assert [grade(x) for x in (0.0929, 0.1695, 0.25)] == ["stable", "moderate", "large"]


@given(counts.filter(any))
def test_what_did_not_move_has_index_zero(bins: list[int]) -> None:
    assert psi(bins, bins) == pytest.approx(0)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=20))
def test_the_index_is_finite_never_negative_and_symmetric(pairs: list[tuple[int, int]]) -> None:
    then, now = [p[0] for p in pairs], [p[1] for p in pairs]
    if not sum(then) or not sum(now):
        with pytest.raises(ValueError, match="nobody"):
            psi(then, now)
        return
    assert 0 <= psi(then, now) < 1_000
    assert psi(then, now) == pytest.approx(psi(now, then))


@pytest.mark.parametrize(("then", "now"), [([1], [1, 2]), ([-1, 2], [1, 2])])
def test_bins_that_do_not_match_are_refused(then: list[int], now: list[int]) -> None:
    with pytest.raises(ValueError, match="bin by bin"):
        psi(then, now)
