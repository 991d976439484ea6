"""BG/NBD, Gamma–Gamma and RFM: the published figures of CDNOW, recovery of planted parameters, and refusals."""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import check_grad

from kequn.core.errors import NotMeasurable
from kequn.core.stats.repeat_purchase import (
    Buying,
    _negative,
    _negative_spending,
    expected_purchases,
    expected_value,
    fit_buying,
    fit_spending,
    probability_alive,
)
from kequn.core.stats.rfm import CutPoints, counts_by_group, rfm_codes, rfm_group


def histories(n: int, truth: Buying, weeks: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Customers who buy and leave as BG/NBD says."""
    rng = np.random.default_rng(seed)
    x, t_x, t = np.zeros(n), np.zeros(n), rng.uniform(weeks * 0.6, weeks, n)
    rate, leaves = rng.gamma(truth.r, 1 / truth.alpha, n), rng.beta(truth.a, truth.b, n)
    for i in range(n):
        now = rng.exponential(1 / rate[i])
        while now < t[i]:
            x[i], t_x[i] = x[i] + 1, now
            if rng.random() < leaves[i]:
                break
            now += rng.exponential(1 / rate[i])
    return x, t_x, t


def test_planted_parameters_are_found_again() -> None:
    truth = Buying(0.6, 8.0, 0.9, 2.5, 0.0)
    found = fit_buying(*histories(6_000, truth, 60, seed=3))
    assert found.r == pytest.approx(truth.r, rel=0.15)
    assert found.alpha == pytest.approx(truth.alpha, rel=0.2)
    assert found.a / (found.a + found.b) == pytest.approx(truth.a / (truth.a + truth.b), rel=0.15)


def test_planted_values_are_found_again() -> None:
    rng = np.random.default_rng(5)
    nu, x = rng.gamma(4.0, 1 / 16.0, 4_000), rng.integers(1, 8, 4_000)
    z = rng.gamma(6.0 * x, 1 / nu) / x
    found = fit_spending(x, z)
    assert (found.p, found.q) == (pytest.approx(6.0, rel=0.15), pytest.approx(4.0, rel=0.1))
    assert found.mean == pytest.approx(6.0 * 16.0 / 3.0, rel=0.05)


def test_the_gradients_are_those_of_the_likelihoods() -> None:
    x, t_x, t = histories(300, Buying(0.6, 8.0, 0.9, 2.5, 0.0), 60, seed=4)
    share, at = np.full(300, 1 / 300), np.array([0.1, -0.2, 0.3, 0.4])
    assert (
        check_grad(lambda v: _negative(v, x, t_x, t, share)[0], lambda v: _negative(v, x, t_x, t, share)[1], at) < 1e-5
    )
    counts, mean = np.array([1.0, 2, 5]), np.array([0.4, 1.2, 1.0])
    assert (
        check_grad(
            lambda v: _negative_spending(v, counts, mean)[0], lambda v: _negative_spending(v, counts, mean)[1], at[:3]
        )
        < 1e-5
    )


def test_a_customer_who_never_came_back_is_alive_and_one_long_silent_hardly() -> None:
    model = Buying(0.243, 4.414, 0.793, 2.426, 0.0)
    alive = probability_alive(model, [0, 10, 10], [0, 38, 5], [39, 39, 39])
    assert alive[0] == 1
    assert alive[1] > 0.9
    assert alive[2] < 0.01
    more = expected_purchases(model, [2, 2], [30.43, 30.43], [38.86, 38.86], ahead=np.float64(39))
    assert more == pytest.approx([1.226, 1.226], abs=0.001)


def test_too_few_repeat_customers_are_no_basis() -> None:
    with pytest.raises(NotMeasurable, match="Only 3 customers"):
        fit_buying([1, 2, 1, 0], [1, 2, 3, 0], [9, 9, 9, 9])
    with pytest.raises(NotMeasurable, match="Only 2 customers"):
        fit_spending([1, 2, 0], [5, 6, 0])


@pytest.mark.parametrize(("x", "t_x", "t"), [([1], [5], [4]), ([-1], [0], [4]), ([1, 2], [1], [4]), ([1], [-1], [4])])
def test_histories_that_cannot_be_are_refused(x: list[float], t_x: list[float], t: list[float]) -> None:
    with pytest.raises(ValueError, match=r"one x|not negative"):
        probability_alive(Buying(1, 1, 1, 1, 0), x, t_x, t)


CUTS = CutPoints("rfm-1", (7, 15, 30, 90), (1, 5, 10, 20), (10_000, 50_000, 200_000, 500_000))


def test_cut_points_belong_to_the_better_digit() -> None:
    assert rfm_codes([7, 8, 90, 91], [20, 19, 1, 0], [500_000, 499_999, 10_000, 0], CUTS).tolist() == [
        555,
        444,
        222,
        111,
    ]


def test_there_are_eight_groups_and_every_code_is_in_one() -> None:
    codes = [100 * r + 10 * f + m for r in range(1, 6) for f in range(1, 6) for m in range(1, 6)]
    counted = counts_by_group(codes)
    assert len(counted) == 8
    assert sum(counted.values()) == 125
    assert (rfm_group(555), rfm_group(511), rfm_group(151), rfm_group(115)) == (
        "important_value", "general_develop", "general_keep", "important_win_back",
    )  # fmt: skip


@pytest.mark.realdata
def test_cdnow_gives_the_published_parameters(real_data: Path) -> None:
    with gzip.open(real_data / "cdnow" / "cdnow_customers_summary_with_transactions.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    x, t_x, t, z = (np.array([float(row[name]) for row in rows]) for name in ("x", "t_x", "T", "zbar"))
    assert int((x > 0).sum()) == 946
    found = fit_buying(x, t_x, t)
    assert (found.r, found.alpha, found.a, found.b) == pytest.approx((0.243, 4.414, 0.793, 2.426), abs=6e-4)
    assert found.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    spent = fit_spending(x, z)
    assert (spent.p, spent.q, spent.gamma) == pytest.approx((6.25, 3.74, 15.44), abs=0.01)
    assert expected_value(spent, [0], [0])[0] == pytest.approx(spent.mean)


@pytest.mark.realdata
def test_cdnow_gives_the_published_counts_of_repeat_buyers(real_data: Path) -> None:
    """Fader, Hardie & Lee (2005): of 23,570 customers 12,054 never bought again in 78 weeks; days with several count once."""
    days: dict[str, set[str]] = defaultdict(set)
    with gzip.open(real_data / "cdnow" / "CDNOW_master.txt.gz", "rt") as file:
        for line in file:
            parts = line.split()
            if len(parts) == 4 and parts[0].isdigit():
                days[parts[0]].add(parts[1])
    repeats = np.array([len(d) - 1 for d in days.values()])
    assert (len(repeats), int((repeats == 0).sum())) == (23_570, 12_054)
