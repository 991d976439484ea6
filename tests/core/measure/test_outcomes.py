"""Outcomes: counted inside the window only, of everybody assigned, or not measurable and why."""

from datetime import UTC, date, datetime

import numpy as np
import pytest

from kequn.core.errors import InvalidSpec, NotMeasurable
from kequn.core.measure import baseline, covariates, outcomes
from kequn.core.spec.metric import MetricSpec

START = date(2026, 7, 1)
FREEZE = date(2026, 6, 30)
END = date(2026, 7, 30)
LATER = datetime(2026, 8, 2, 1, tzinfo=UTC)


def metric(**more):
    return MetricSpec(**({"name": "m", "title": "指标", "measure": "rate", "table": "transaction"} | more))


def paid(ordinal, booked_on, amount=100_00, **more):
    return {
        "ordinal": ordinal, "transaction_no": 0, "booked_on": booked_on, "direction": "in", "amount": amount,
        "category": "purchase",
    } | more  # fmt: skip


def reason(error):
    return error.value.facts["reason"]


@pytest.fixture
def ledger(bank):
    rows = [
        paid(0, FREEZE), paid(1, START), paid(2, END), paid(2, END, 50_00), paid(3, date(2026, 7, 31)),
        paid(4, START, category="fee"), paid(5, START, product_code="P1"),
    ]  # fmt: skip
    return bank(transaction=rows, loaded_at=LATER)


def test_the_window_begins_the_day_after_the_freeze_and_ends_with_its_last_day(ledger):
    found = outcomes(ledger, metric(), range(7), start_on=START, days=30)
    assert found.tolist() == [0, 1, 1, 0, 1, 1, 0]


def test_outcomes_keep_the_order_in_which_customers_were_asked_for(ledger):
    found = outcomes(ledger, metric(measure="sum", column="amount"), [6, 2, 0, 1, 900], start_on=START, days=30)
    assert found.tolist() == [0, 150_00, 0, 100_00, 0]


@pytest.mark.parametrize(
    ("where", "who"),
    [
        ([{"column": "category", "value": "purchase"}], [1, 2, 5]),
        ([{"column": "category", "op": "in", "value": ["fee", "cash"]}], [4]),
        ([{"column": "amount", "op": ">=", "value": 60}], [1, 2, 4, 5]),  # yuan
        ([{"column": "amount", "op": "between", "value": [40, 60]}], [2]),
        ([{"column": "product_code", "op": "known"}], [5]),
        ([{"column": "product_code", "op": "unknown"}], [1, 2, 4]),
        ([{"column": "product_code", "op": "!=", "value": "P9"}], [5]),  # a row without one fails every test
        ([{"column": "product_code", "op": "contains", "value": "P"}], [5]),
        ([{"column": "booked_on", "op": ">", "value": "2026-07-01"}], [2]),
        ([{"column": "category", "value": "' OR 1=1 --"}], []),
    ],
)
def test_rows_are_tested_as_the_metric_says(ledger, where, who):
    found = outcomes(ledger, metric(where=where), range(7), start_on=START, days=30)
    assert np.flatnonzero(found).tolist() == who


def test_a_rate_can_ask_for_several_rows(ledger):
    assert np.flatnonzero(outcomes(ledger, metric(at_least=2), range(7), start_on=START, days=30)).tolist() == [2]


def test_an_open_window_is_not_measured(bank):
    engine = bank(transaction=[paid(0, date(2026, 7, 20))])  # loaded on the day of the freeze
    with pytest.raises(NotMeasurable) as error:
        outcomes(engine, metric(), [0], start_on=START, days=30)
    assert reason(error) == "window_open"
    assert outcomes(engine, metric(), [0], start_on=START, days=30, complete_through=END).tolist() == [1]
    assert outcomes(engine, metric(), [0], start_on=START, days=20).tolist() == [1]


def test_a_window_without_a_row_and_a_table_without_data_are_not_measured(bank):
    old = bank(transaction=[paid(0, date(2025, 1, 1))], loaded_at=LATER)
    with pytest.raises(NotMeasurable) as error:
        outcomes(old, metric(), [0], start_on=START, days=30)
    assert reason(error) == "no_data"
    with pytest.raises(NotMeasurable) as error:
        outcomes(old, metric(table="event"), [0], start_on=START, days=30)
    assert reason(error) == "no_data"


@pytest.mark.parametrize(
    "more",
    [
        {"where": [{"column": "no_such", "value": 1}]},
        {"measure": "sum", "column": "category"},
        {"measure": "sum", "column": "no_such"},
        {"where": [{"column": "customer_no", "value": "1"}]},
        {"where": [{"column": "booked_on", "value": "yesterday"}]},
    ],
)
def test_a_metric_that_does_not_fit_its_table_is_refused(ledger, more):
    with pytest.raises(InvalidSpec):
        outcomes(ledger, metric(**more), [0], start_on=START, days=30)


@pytest.fixture
def aum(bank):
    return bank(
        customer=[{"ordinal": i, "opened_on": date(2020, 1, 1)} for i in range(5)],
        tags={
            FREEZE: {"asset_aum": [100, 200, 300, None, 50], "acct_payroll": [True, False, None, True, False],
                     "demo_birthday": [date(1980, 1, 1)] * 5, "demo_city": ["杭州"] * 5},
            END: {"asset_aum": [150, 200, 0, 70, 900], "population": [True, True, False, True, True]},
        },
    )  # fmt: skip


def change(**more):
    return metric(measure="change", table=None, tag="asset_aum", **more)


def test_growth_is_the_tag_at_the_end_less_the_tag_at_the_freeze(aum):
    found = outcomes(aum, change(), [4, 0, 1, 2, 3], start_on=START, days=30)
    assert found.tolist()[:4] == [850, 50, 0, -300]  # who left the bank took everything along
    assert np.isnan(found[4])  # unknown before: no growth can be told


def test_growth_waits_for_the_tags_of_its_last_day(aum):
    with pytest.raises(NotMeasurable) as error:
        outcomes(aum, change(), [0], start_on=START, days=60)
    assert reason(error) == "window_open"
    with pytest.raises(NotMeasurable) as error:
        outcomes(aum, change(), [0], start_on=date(2026, 7, 2), days=29)
    assert reason(error) == "no_data"


def test_covariates_are_known_at_the_freeze_and_say_what_is_missing(aum):
    found = covariates(aum, change(adjust_by=["acct_payroll", "demo_birthday"]), [0, 1, 2, 3], as_of=FREEZE)
    assert found.tolist() == [
        [1, 0, 3652, 100, 0], [0, 0, 3652, 200, 0], [0, 1, 3652, 300, 0], [1, 0, 3652, 0, 1],
    ]  # fmt: skip
    assert covariates(aum, metric(), [0], as_of=FREEZE) is None
    with pytest.raises(InvalidSpec):
        covariates(aum, metric(adjust_by=["demo_city"]), [0], as_of=FREEZE)


def test_the_baseline_is_the_same_metric_over_the_days_before(ledger):
    found = baseline(ledger, metric(), range(4), as_of=END, days=30)
    assert (found.mean, found.n, found.from_on, found.until_on) == (0.5, 4, START, END)
