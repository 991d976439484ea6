"""Lift: the estimator against independent formulas, and against truth it was not told."""

import time

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kequn.core.errors import NotMeasurable
from kequn.core.measure import draw_holdout, estimate, lift, lifts
from kequn.core.stats import difference_interval


def lin(y, treated, x):
    """The regression with interactions written out: (effect, HC2 standard error), by the textbook matrices."""
    centred = x - x.mean(axis=0)
    t = treated.astype(float)[:, None]
    design = np.hstack([np.ones((len(y), 1)), t, centred, centred * t])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
    meat = design.T @ (design * (residual**2 / (1 - leverage))[:, None])
    return beta[1], np.sqrt((inverse @ meat @ inverse)[1, 1])


def drawn_in(x):
    """Covariates as the estimator takes them: tails at the 99% quantile of what is not 0."""
    return np.stack([np.minimum(column, np.quantile(column[column != 0], 0.99)) for column in x.T], axis=1)


def clustered(y, treated, groups):
    """The difference of means with a cluster-robust standard error, by the textbook sandwich on HC2 residuals."""
    design = np.stack([np.ones(len(y)), treated.astype(float)], axis=1)
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    n = np.where(treated, treated.sum(), (~treated).sum())
    residual = (y - design @ beta) / np.sqrt(1 - 1 / n)
    sums = np.stack([design[groups == g].T @ residual[groups == g] for g in np.unique(groups)])
    few = len(sums) / (len(sums) - 1)
    return beta[1], np.sqrt((inverse @ (few * sums.T @ sums) @ inverse)[1, 1])


@pytest.fixture
def world():
    rng = np.random.default_rng(17)
    n = 1_200
    x = np.stack([rng.lognormal(8, 1, n), rng.integers(0, 2, n)], axis=1)
    treated = rng.random(n) < 0.7
    y = 0.3 * x[:, 0] + 500 * x[:, 1] + rng.normal(0, 300, n) + treated * (40 + 0.02 * x[:, 0])
    return y, treated, x, rng.integers(0, 6, n)


def test_means_without_adjustment_are_welch(world):
    y, treated, _, _ = world
    found = lift(y, treated, kind="mean")
    theirs = scipy_stats.ttest_ind(y[treated], y[~treated], equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-9)
    assert found.p_value == pytest.approx(theirs.pvalue)


def test_covariates_give_the_regression_with_interactions_and_hc2(world):
    y, treated, x, _ = world
    found = lift(y, treated, kind="mean", covariates=x)
    assert (found.point, found.se) == pytest.approx(lin(y, treated, drawn_in(x)), rel=1e-8)
    assert found.se < 0.5 * lift(y, treated, kind="mean").se


def test_strata_are_the_regression_on_their_indicators(world):
    y, treated, _, strata = world
    found = lift(y, treated, kind="mean", strata=strata)
    point, se = lin(y, treated, np.stack([strata == s for s in range(1, 6)], axis=1).astype(float))
    assert (found.point, found.se) == pytest.approx((point, se), rel=1e-8)
    assert found.n_strata == 6


def test_clusters_give_the_textbook_sandwich(world):
    y, treated, _, _ = world
    groups = np.arange(len(y)) // 4
    found = lift(y, treated, kind="mean", clusters=groups)
    assert (found.point, found.se) == pytest.approx(clustered(y, treated, groups), rel=1e-9)
    assert found.n_clusters == 300


def test_a_covariate_that_says_nothing_or_says_it_twice_changes_nothing(world):
    y, treated, x, _ = world
    one = lift(y, treated, kind="mean", covariates=x)
    twice = lift(y, treated, kind="mean", covariates=np.hstack([x, x[:, :1] * 100, np.ones((len(y), 1))]))
    assert (twice.point, twice.se) == pytest.approx((one.point, one.se), rel=1e-6)


def test_one_customer_with_all_the_money_does_not_rule_the_adjustment():
    rng = np.random.default_rng(12)
    wealth = rng.pareto(1.1, 4_000) * 1e4
    y = wealth * rng.normal(0, 0.1, 4_000)
    covered = 0
    for run in range(300):
        treated = np.random.default_rng(run).random(4_000) < 0.85
        found = lift(y, treated, kind="mean", covariates=wealth)
        covered += found.low <= 0 <= found.high
    assert covered / 300 > 0.92


def test_a_rate_is_told_with_its_score_interval():
    y = np.r_[np.ones(56), np.zeros(14), np.ones(48), np.zeros(32)]
    treated = np.r_[np.ones(70), np.zeros(80)].astype(bool)
    assert lift(y, treated, kind="rate").interval == difference_interval(56, 70, 48, 80)


def test_adjusting_a_rate_narrows_its_interval_and_few_events_are_left_alone():
    rng = np.random.default_rng(2)
    n = 6_000
    x = rng.normal(0, 1, n)
    treated = rng.random(n) < 0.8
    y = (rng.random(n) < 1 / (1 + np.exp(-2 * x - 0.2 * treated))).astype(float)
    plain, adjusted = lift(y, treated, kind="rate"), lift(y, treated, kind="rate", covariates=x)
    assert adjusted.high - adjusted.low < 0.9 * (plain.high - plain.low)
    assert adjusted.plain == plain.interval
    rare = np.zeros(n)
    rare[:20] = 1
    assert lift(rare, treated, kind="rate", covariates=x).interval == lift(rare, treated, kind="rate").interval


def test_strata_too_small_for_a_variance_are_joined(world):
    y, treated, _, strata = world
    codes = strata.copy()
    codes[:5] = 100 + np.arange(5)
    found = lift(y, treated, kind="mean", strata=codes)
    assert np.isfinite(found.se)
    assert found.n_strata == 6  # five customers are too few for an estimate of their own
    alone = np.arange(len(y))
    assert lift(y, treated, kind="mean", strata=alone).n_strata == 1


def test_winsorising_caps_both_arms_alike_and_keeps_the_plain_figure(world):
    y, treated, _, _ = world
    y = np.abs(y)
    y[np.flatnonzero(treated)[0]] = 1e9
    found = lift(y, treated, kind="mean", winsorise=0.99)
    assert found.se < found.plain.se / 50
    assert found.winsorised.n_drawn_in == pytest.approx(12, abs=2)
    assert found.plain == lift(y, treated, kind="mean").interval


def test_winsorising_what_few_do_does_not_cap_all_of_them_away():
    y = np.zeros(5_000)
    y[:20] = np.linspace(10, 500, 20)
    treated = np.arange(5_000) % 2 == 0
    assert lift(y, treated, kind="mean", winsorise=0.99).winsorised.high > 400


def test_losses_are_drawn_in_too_and_limits_can_be_given():
    rng = np.random.default_rng(8)
    y, treated = rng.standard_t(2, 4_000), rng.random(4_000) < 0.5
    found = lift(y, treated, kind="mean", winsorise=0.99).winsorised
    assert found.low < 0 < found.high
    fixed = lift(y, treated, kind="mean", winsorise=(-3.0, 3.0)).winsorised
    assert (fixed.low, fixed.high) == (-3.0, 3.0)


def test_the_relative_lift_is_the_ratio_less_one_and_absent_without_a_base():
    y = np.r_[np.full(100, 3.0), np.full(100, 2.0)] + np.tile([-0.5, 0.5], 100)
    treated = np.r_[np.ones(100), np.zeros(100)].astype(bool)
    assert lift(y, treated, kind="mean").relative.point == pytest.approx(0.5)
    assert lift(y - 10, treated, kind="mean").relative is None


def test_several_arms_are_compared_with_one_control():
    rng = np.random.default_rng(4)
    arms = rng.choice(["gift", "letter", "none"], 9_000)
    y = (rng.random(9_000) < np.where(arms == "gift", 0.12, 0.05)).astype(float)
    found = lifts(y, arms, control="none", kind="rate", strata=rng.integers(0, 3, 9_000))
    assert list(found) == ["gift", "letter"]
    assert found["gift"].is_significant
    assert not found["letter"].is_significant
    assert found["gift"].control.n == found["letter"].control.n == (arms == "none").sum()


def test_outcomes_not_seen_are_left_out_and_counted():
    y = np.tile([0.0, 1.0, 1.0, np.nan], 100)
    treated = np.arange(400) % 2 == 0
    found = lift(y, treated, kind="rate")
    assert (found.treated.missing, found.control.missing) == (0, 100)
    assert found.treated.n + found.control.n == 300


def test_a_broken_split_is_seen():
    treated = np.arange(10_000) < 8_000
    assert lift(np.zeros(10_000), treated, kind="mean", planned_control=0.1).is_broken
    assert not lift(np.zeros(10_000), treated, kind="mean", planned_control=0.2).is_broken


@pytest.mark.parametrize(
    ("n_treated", "n_control", "reason"),
    [(100, 0, "no_control"), (100, 29, "control_too_small"), (10, 100, "treated_too_small")],
)
def test_without_a_control_group_worth_its_name_nothing_is_measured(n_treated, n_control, reason):
    treated = np.arange(n_treated + n_control) < n_treated
    with pytest.raises(NotMeasurable) as error:
        lift(np.zeros(len(treated)), treated, kind="mean")
    assert error.value.facts["reason"] == reason
    assert error.value.hint


def test_nothing_happening_anywhere_is_no_effect_with_an_interval():
    treated = np.arange(1_000) < 900
    found = lift(np.zeros(1_000), treated, kind="rate")
    assert found.point == 0
    assert found.low < 0 < found.high
    assert (found.p_value, found.relative, found.is_significant) == (1.0, None, False)


def test_the_order_of_the_rows_does_not_matter(world):
    y, treated, x, strata = world
    order = np.random.default_rng(1).permutation(len(y))
    one = lift(y, treated, kind="mean", covariates=x, strata=strata)
    other = lift(y[order], treated[order], kind="mean", covariates=x[order], strata=strata[order])
    assert (one.point, one.low) == pytest.approx((other.point, other.low), rel=1e-9)


def test_a_million_customers_are_estimated_in_seconds():
    rng = np.random.default_rng(6)
    n = 1_000_000
    x = rng.normal(0, 1, (n, 3))
    started = time.process_time()
    found = estimate(x.sum(axis=1), rng.random(n) < 0.9, strata=rng.integers(0, 50, n), covariates=x)
    assert abs(found.point) < 1e-9  # three covariates explain all
    assert time.process_time() - started < 10


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rate", "mean"])
@pytest.mark.parametrize("adjusted", [False, True])
def test_the_interval_covers_the_truth_in_95_of_100_reseeded_campaigns(kind, adjusted):
    rng = np.random.default_rng(42)
    ids = [f"C{i}" for i in range(4_000)]
    strata = rng.integers(0, 5, 4_000)
    wealth = rng.lognormal(2, 1, 4_000) * (1 + strata)
    covered, runs = 0, 600
    for run in range(runs):
        held = draw_holdout(ids, strata, rate=0.15, salt=f"run {run}")
        noise = rng.random(4_000)
        if kind == "rate":
            chance = 0.02 + 0.1 * wealth / (wealth + 20)
            y0, y1 = (noise < chance).astype(float), (noise < chance + 0.03).astype(float)
        else:
            y0 = wealth * (1 + 0.2 * rng.normal(0, 1, 4_000))
            y1 = y0 + 0.5
        found = lift(
            np.where(held, y0, y1), ~held, kind=kind,
            strata=strata if adjusted else None, covariates=np.log(wealth) if adjusted else None,
        )  # fmt: skip
        covered += found.low <= (y1 - y0).mean() <= found.high
    assert 0.93 <= covered / runs <= 0.98
