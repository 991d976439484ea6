"""The draw: exact, alike in every stratum, the same for ever and in any order."""

from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kequn.core.measure import draw_holdout

IDS = [f"C{i:06d}" for i in range(20_000)]


def test_the_draw_never_changes():
    held = draw_holdout(IDS[:40], np.arange(40) % 3, rate=0.25, salt="spring")
    assert [i for i, h in enumerate(held) if h] == [8, 13, 14, 16, 21, 29, 33, 35, 36, 37]


@example([0, 0, 0, 0, 1], 0.9375, "00", Random(0))  # a rest that would be rounded up to more than one place
@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.integers(0, 6), min_size=1, max_size=200), st.floats(0, 0.99), st.text(max_size=5), st.randoms()
)  # fmt: skip
def test_the_total_is_exact_and_each_stratum_gets_its_share(strata, rate, salt, random):
    codes = np.array(strata)
    ids = IDS[: len(codes)]
    held = draw_holdout(ids, codes, rate=rate, salt=salt)
    assert held.sum() == round(rate * len(codes))
    for code in set(strata):
        assert abs(held[codes == code].sum() - rate * (codes == code).sum()) < 1 + 1e-6
    order = list(range(len(codes)))
    random.shuffle(order)
    shuffled = draw_holdout([ids[i] for i in order], codes[order], rate=rate, salt=salt)
    assert np.array_equal(shuffled, held[order])


def test_everybody_has_the_same_chance_also_in_the_smallest_stratum():
    sizes = np.array([1] * 60 + [9] * 10 + [37] * 4)  # one in ten of 1 and of 9 is no whole number
    codes = np.repeat(np.arange(len(sizes)), sizes)
    ids = IDS[: len(codes)]
    draws = np.mean([draw_holdout(ids, codes, rate=0.1, salt=f"s{i}") for i in range(1_500)], axis=0)
    for size in (1, 9, 37):
        assert draws[np.isin(codes, np.flatnonzero(sizes == size))].mean() == pytest.approx(0.1, abs=0.006)


def test_two_campaigns_hold_out_different_customers():
    one, other = (draw_holdout(IDS, rate=0.1, salt=salt) for salt in ("spring", "autumn"))
    assert (one & other).sum() == pytest.approx(200, abs=45)


def test_nobody_is_held_out_at_rate_zero_and_of_nobody():
    assert not draw_holdout(IDS[:10], rate=0.0, salt="s").any()
    assert draw_holdout([], rate=0.5, salt="s").shape == (0,)


@pytest.mark.parametrize("call", [
    lambda: draw_holdout(["A", "A"], rate=0.5, salt="s"),
    lambda: draw_holdout(["A"], rate=1.0, salt="s"),
])  # fmt: skip
def test_repeated_ids_and_impossible_rates_are_refused(call):
    with pytest.raises(ValueError, match=r"ids are not unique|rate of a control group"):
        call()
