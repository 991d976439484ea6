"""Numbers: stable buckets, intervals that keep their coverage, sample sizes of the planning table."""

from math import comb, isclose

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from kequn.core import stats
from kequn.core.stats import Sample

PLANNING_TABLE = [  # baseline, relative lift, control group at 50/50, 90/10 and 95/5; two-sided 5%, power 80%
    (0.005, 0.20, 85_862, 49_025, 46_594),
    (0.01, 0.20, 42_693, 24_373, 23_164),
    (0.02, 0.20, 21_109, 12_047, 11_449),
    (0.02, 0.10, 80_682, 45_476, 43_158),
    (0.05, 0.10, 31_234, 17_596, 16_698),
    (0.10, 0.10, 14_751, 8_302, 7_878),
]


def test_buckets_never_change():
    found = stats.bucket("kequn", ["C0000001", "C0000002", "客户三"]).tolist()
    assert found == [0.5454486474553263, 0.915420027841864, 0.38016280196646357]
    assert stats.salted_hashes("", ["", "a"]).tolist() == [17742161183930567161, 4258937087850773342]


def test_salt_and_id_do_not_run_into_each_other():
    assert stats.bucket("ab", ["c"]) != stats.bucket("a", ["bc"])


def test_buckets_are_uniform_and_independent_between_salts():
    ids = [f"C{i:07d}" for i in range(100_000)]
    one, other = stats.bucket("spring", ids), stats.bucket("autumn", ids)
    assert scipy_stats.kstest(one, "uniform").pvalue > 0.001
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.02
    both = np.histogram2d(one, other, bins=10)[0].ravel()
    assert scipy_stats.chisquare(both).pvalue > 0.001


@given(st.text(), st.lists(st.text(), max_size=20))
def test_a_bucket_lies_in_the_unit_interval_and_depends_on_its_id_alone(salt, ids):
    found = stats.bucket(salt, ids)
    assert all(0 <= v < 1 for v in found)
    assert found.tolist() == [float(stats.bucket(salt, [i])[0]) for i in ids]


def test_wilson_agrees_with_scipy():
    for k, n in ((0, 10), (3, 17), (17, 17), (500, 20_000)):
        ours, theirs = stats.proportion_interval(k, n), scipy_stats.binomtest(k, n).proportion_ci(method="wilson")
        assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_newcombe_gives_the_published_example():
    found = stats.difference_interval(56, 70, 48, 80)  # Newcombe 1998, method 10, first row
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


def test_newcombe_covers_rare_events_with_a_small_control_group():
    n1, n0, p1, p0 = 1_800, 200, 0.012, 0.01
    covered = 0.0
    for k0 in range(16):
        weight0 = comb(n0, k0) * p0**k0 * (1 - p0) ** (n0 - k0)
        for k1 in range(61):
            found = stats.difference_interval(k1, n1, k0, n0)
            if found.low <= p1 - p0 <= found.high:
                covered += weight0 * scipy_stats.binom.pmf(k1, n1, p1)
    assert 0.94 < covered < 0.98


def test_welch_agrees_with_scipy():
    rng = np.random.default_rng(3)
    a, b = rng.normal(1, 2, 40), rng.normal(0, 5, 25)
    ours = stats.mean_difference(Sample(a.mean(), a.var(ddof=1), 40), Sample(b.mean(), b.var(ddof=1), 25))
    theirs = scipy_stats.ttest_ind(a, b, equal_var=False).confidence_interval()
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))


def test_the_log_ratio_gives_katz_interval():
    found = stats.relative_lift(30, 1_000, 20, 1_000)
    se = (1 / 30 - 1 / 1_000 + 1 / 20 - 1 / 1_000) ** 0.5
    assert found.point == pytest.approx(0.5)
    assert (found.low, found.high) == pytest.approx((1.5 * np.exp(-1.959964 * se) - 1, 1.5 * np.exp(1.959964 * se) - 1))


def test_a_ratio_to_nothing_says_nothing():
    assert stats.relative_lift(5, 100, 0, 100) is None
    assert stats.ratio_interval(3.0, 0.1, -1.0, 0.1) is None
    assert stats.ratio_interval(3.0, 250_000.0, 1.0, 250_000.0) is None


@given(st.floats(-9, 9), st.floats(0.01, 9), st.floats(0.01, 9))
def test_a_ratio_differs_from_one_exactly_when_the_difference_differs_from_zero(mean1, var1, var0):
    mean0 = 10.0
    found = stats.ratio_interval(mean0 + mean1, var1, mean0, var0)
    reach = stats.normal_quantile(0.95) * (var1 + var0) ** 0.5
    if abs(abs(mean1) - reach) > 1e-6:
        assert (found.low > 1 or found.high < 1) == (abs(mean1) > reach)


def test_the_ratio_of_two_means_covers_the_truth():
    rng = np.random.default_rng(13)
    covered = 0
    for _ in range(2_000):
        a, b = rng.exponential(3, 200), rng.exponential(2, 100)
        found = stats.ratio_interval(a.mean(), a.var(ddof=1) / 200, b.mean(), b.var(ddof=1) / 100)
        covered += found.low <= 1.5 <= found.high
    assert covered / 2_000 == pytest.approx(0.95, abs=0.015)


def test_conversions_per_contact_cover_the_truth():
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(800):
        rate = rng.beta(2, 18, 400)  # customers differ, so their contacts are no independent trials
        contacts = rng.poisson(4, 400).astype(float)
        found = stats.ratio_of_totals(rng.binomial(contacts.astype(int), rate).astype(float), contacts)
        covered += found.low <= 0.1 <= found.high
    assert 0.93 < covered / 800 < 0.97


@pytest.mark.parametrize(("baseline", "relative", "even", "tenth", "twentieth"), PLANNING_TABLE)
def test_the_planning_table_is_reproduced_to_the_customer(baseline, relative, even, tenth, twentieth):
    lifted = baseline * (1 + relative)
    found = [stats.required_n(baseline, lifted, ratio=ratio) for ratio in (1, 9, 19)]
    assert found == [even, tenth, twentieth]


@given(
    st.floats(0.001, 0.6), st.integers(100, 100_000), st.floats(1, 30), st.sampled_from([0.8, 0.9])
)  # fmt: skip
def test_the_detectable_rise_is_the_inverse_of_the_required_number(baseline, n_control, ratio, power):
    n_treated = round(n_control * ratio)
    rise = stats.mde_rate(n_treated, n_control, baseline, power=power)
    if rise is not None:
        needed = stats.required_n(baseline, baseline + rise, ratio=n_treated / n_control, power=power)
        assert abs(needed - n_control) <= max(1, n_control * 1e-6)


def test_a_handful_of_customers_can_show_no_rise_of_a_high_rate():
    assert stats.mde_rate(30, 30, 0.95) is None


def test_the_planned_power_is_reached_in_simulation():
    n1, n0, p0 = 45_000, 5_000, 0.03
    rise = stats.mde_rate(n1, n0, p0)
    rng = np.random.default_rng(11)
    k1, k0 = rng.binomial(n1, p0 + rise, 3_000), rng.binomial(n0, p0, 3_000)
    pooled = (k1 + k0) / (n1 + n0)
    z = (k1 / n1 - k0 / n0) / np.sqrt(pooled * (1 - pooled) * (1 / n1 + 1 / n0))
    assert (np.abs(z) > 1.96).mean() == pytest.approx(0.8, abs=0.025)
    assert stats.power_rate(n1, n0, p0, p0 + rise) == pytest.approx(0.8, abs=0.002)


def test_the_detectable_difference_of_means_shrinks_with_the_square_root():
    assert isclose(stats.mde_mean(400, 400, 10.0), stats.mde_mean(100, 100, 10.0) / 2)


def test_a_broken_split_raises_the_alarm_and_a_fair_one_does_not():
    assert stats.sample_ratio([45_000, 6_000], [0.9, 0.1]).mismatch
    assert not stats.sample_ratio([45_020, 4_980], [0.9, 0.1]).mismatch
    assert stats.sample_ratio([0, 0], [0.9, 0.1]).p_value == 1.0


@pytest.mark.parametrize("call", [
    lambda: stats.proportion_interval(3, 0),
    lambda: stats.proportion_interval(-1, 10),
    lambda: stats.required_n(0.1, 0.1),
    lambda: stats.mde_rate(10, 10, 0.0),
    lambda: stats.sample_ratio([1, 2], [1.0, 0.0]),
])  # fmt: skip
def test_what_is_not_a_rate_or_a_plan_is_refused(call):
    with pytest.raises(ValueError):  # noqa: PT011 - programming errors, whose words no user reads
        call()
