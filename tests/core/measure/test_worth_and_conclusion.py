"""Money and words: the interval is carried through, and the sentence says no more than the figures."""

from decimal import Decimal

import numpy as np
import pytest

from kequn.core.errors import NotMeasurable
from kequn.core.measure import conclusion, detectable, guardrail, lift, worth
from kequn.core.spec.metric import MetricSpec

RATE = MetricSpec(
    name="opened", title={"zh": "开户率", "en": "Openings"}, measure="rate", table="event", value_cny=Decimal(120)
)
GROWTH = MetricSpec(
    name="growth", title={"zh": "资产增长", "en": "AUM growth"}, measure="change", tag="asset_aum",
    margin_rate=Decimal("0.012"),
)  # fmt: skip
COMPLAINTS = RATE.model_copy(update={"higher_is_better": False})


def rates(k1, n1, k0, n0):
    y = np.r_[np.ones(k1), np.zeros(n1 - k1), np.ones(k0), np.zeros(n0 - k0)]
    return lift(y, np.arange(n1 + n0) < n1, kind="rate", planned_control=n0 / (n1 + n0))


def means(treated, control, n=400):
    wobble = np.tile([-100_00.0, 100_00.0], n // 2)
    return lift(np.r_[wobble + treated, wobble + control], np.arange(2 * n) < n, kind="mean")


def test_incremental_customers_times_their_value_against_the_cost():
    found = worth(rates(1_000, 9_000, 50, 1_000), RATE, cost_cny=Decimal(30_000))
    assert found.incremental_customers.point == Decimal("550.00")
    assert found.gross_profit_cny.point == Decimal("66000.00")
    assert found.roi.point == Decimal("1.2000")
    assert found.cost_per_customer_cny == Decimal("54.55")
    assert found.incremental_cny is None
    for name in ("incremental_customers", "gross_profit_cny", "roi"):
        part = getattr(found, name)
        assert part.low < part.point < part.high
    assert found.roi.low == ((found.gross_profit_cny.low - 30_000) / 30_000).quantize(Decimal("0.0001"))


def test_growth_of_money_becomes_gross_profit_by_its_margin():
    found = worth(means(500_00, 0), GROWTH, cost_cny=Decimal(1_000))
    assert found.incremental_cny.point == Decimal("200000.00")
    assert found.gross_profit_cny.point == Decimal("2400.00")
    assert found.roi.point == Decimal("1.4000")
    assert found.incremental_customers is None


def test_without_a_cost_or_a_margin_there_is_no_return_to_tell():
    assert worth(rates(100, 900, 5, 100), RATE, cost_cny=Decimal(0)).roi is None
    bare = RATE.model_copy(update={"value_cny": Decimal(0)})
    assert worth(rates(100, 900, 5, 100), bare, cost_cny=Decimal(5)).gross_profit_cny is None
    count = GROWTH.model_copy(update={"margin_rate": Decimal("0.5")})
    assert worth(means(3, 1), count, cost_cny=Decimal(5), in_money=False).incremental_cny is None


def test_a_lift_that_may_be_nothing_has_no_cost_per_customer():
    assert worth(rates(90, 900, 9, 100), RATE, cost_cny=Decimal(500)).cost_per_customer_cny is None


@pytest.mark.parametrize(
    ("found", "metric", "code"),
    [
        (rates(1_000, 9_000, 50, 1_000), RATE, "effective"),
        (rates(300, 9_000, 90, 1_000), RATE, "harmful"),
        (rates(900, 9_000, 90, 1_000), RATE, "cannot_tell"),
        (rates(1_000, 9_000, 50, 1_000), COMPLAINTS, "harmful"),
        (means(500_00, 0), GROWTH, "effective"),
    ],
)
def test_the_code_follows_the_interval_and_what_is_good(found, metric, code):
    assert conclusion(found, metric).code == code


def test_the_sentence_names_points_and_both_limits():
    said = conclusion(rates(1_000, 9_000, 50, 1_000), RATE)
    assert said.text.zh.startswith("活动有效：「开户率」比空白对照组高 6.11 个百分点，95% 的把握在 +4.")
    assert "+6.11 points" in said.text.en
    assert "95% confidence between +4." in said.text.en
    money = conclusion(means(500_00, 0), GROWTH)
    assert "500.00 元" in money.text.zh
    assert "+500.00 CNY" in money.text.en


def test_a_harm_is_told_without_a_doubled_minus():
    assert "低 6.00 个百分点" in conclusion(rates(300, 10_000, 90, 1_000), RATE).text.zh


def test_what_may_not_be_concluded_is_said_too():
    said = conclusion(rates(1_000, 9_000, 50, 1_000), RATE, n_contacted=8_100)
    words = " ".join(c.zh for c in said.caveats)
    assert "900 人没有真正触达" in words
    assert "家庭" in words
    assert all(c.en for c in said.caveats)
    assert any("一年" in c.zh for c in conclusion(means(1, 0), GROWTH).caveats)


@pytest.mark.parametrize(
    "reason",
    ["reach_all", "no_control", "control_too_small", "treated_too_small", "window_open", "no_data", "no_baseline"],
)
def test_what_cannot_be_measured_says_so_and_why(reason):
    said = conclusion(NotMeasurable("No.", reason=reason), RATE)
    assert (said.code, said.facts["reason"]) == ("not_measurable", reason)
    assert said.text.zh.startswith("「开户率」不可衡量：")
    assert "not measurable" in said.text.en


def test_an_effect_on_a_broken_split_is_not_told():
    y = np.r_[np.ones(5_000), np.zeros(5_000)]
    broken = lift(y, np.arange(10_000) < 8_000, kind="rate", planned_control=0.1)
    said = conclusion(broken, RATE)
    assert (said.code, said.facts["reason"]) == ("not_measurable", "split")
    assert "人数之比" in said.text.zh


@pytest.mark.parametrize(
    ("found", "tolerance", "code"),
    [
        (rates(900, 9_000, 20, 1_000), 0.0, "got_worse"),
        (rates(180, 9_000, 20, 1_000), 0.0, "guard_open"),
        (rates(180, 9_000, 20, 1_000), 0.02, "holds"),
        (rates(450, 9_000, 20, 1_000), 0.025, "guard_open"),  # worse for certain, but how much?
        (rates(90, 9_000, 60, 1_000), 0.0, "holds"),
    ],
)
def test_a_guardrail_holds_only_when_harm_is_excluded(found, tolerance, code):
    assert guardrail(found, COMPLAINTS, tolerance=tolerance).code == code


def test_a_guardrail_of_something_good_watches_the_other_side():
    assert guardrail(rates(300, 9_000, 90, 1_000), RATE).code == "got_worse"
    assert guardrail(NotMeasurable("No.", reason="no_data"), RATE).code == "not_measurable"


def test_before_launch_the_smallest_lift_that_can_be_seen_is_told():
    found = detectable(45_000, 5_000, baseline=0.03, source="过去 30 天")
    assert found.mde == pytest.approx(0.0077, abs=0.0005)
    assert found.relative == pytest.approx(found.mde / 0.03)
    assert (found.kind, found.source) == ("rate", "过去 30 天")
    assert detectable(4_500, 500, baseline=0.03).mde > 3 * found.mde


def test_covariates_let_a_smaller_growth_be_seen():
    plain = detectable(9_000, 1_000, sd=1_000.0, baseline=50.0)
    adjusted = detectable(9_000, 1_000, sd=1_000.0, baseline=50.0, explained=0.75)
    assert adjusted.mde == pytest.approx(plain.mde / 2)
    assert plain.kind == "mean"


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ({"n_treated": 100, "n_control": 0, "baseline": 0.1}, "no_control"),
        ({"n_treated": 100, "n_control": 9, "baseline": 0.1}, "control_too_small"),
        ({"n_treated": 9, "n_control": 100, "baseline": 0.1}, "treated_too_small"),
        ({"n_treated": 100, "n_control": 100, "baseline": 0.0}, "no_baseline"),
        ({"n_treated": 100, "n_control": 100, "sd": 0.0}, "no_baseline"),
        ({"n_treated": 100, "n_control": 100}, "no_baseline"),
    ],
)
def test_a_plan_that_can_show_nothing_says_why(call, reason):
    n_treated, n_control = call.pop("n_treated"), call.pop("n_control")
    with pytest.raises(NotMeasurable) as error:
        detectable(n_treated, n_control, **call)
    assert error.value.facts["reason"] == reason
