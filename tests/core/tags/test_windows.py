"""Which rows count: the window's edges, nothing after the business date, and what somebody without rows has."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.spec.tag import TagSpec
from kequn.core.tags import refresh
from tests.core.small_bank import NOW, SmallBank

AS_OF = date(2026, 6, 30)


def tag(name: str, expression: str, **more: Any) -> dict[str, TagSpec]:
    """One tag over transactions by name."""
    fields = {"title": "试", "family": "txn", "type": "integer", "over": "transaction", "owner": "data_asset"} | more
    return {name: TagSpec(name=name, expression=expression, **fields)}


def pay(bank: SmallBank, who: int, on: date, amount: int = 100, **columns: Any) -> None:
    """Book one payment."""
    bank.add("transaction", who, booked_on=on, direction="in", amount=amount, category="other", **columns)


@settings(max_examples=12, deadline=None)
@given(
    days=st.integers(1, 400),
    ages=st.lists(st.integers(-5, 410), max_size=30),
    as_of=st.dates(date(2024, 1, 1), date(2026, 12, 31)),
)
def test_a_window_has_so_many_days_and_ends_with_the_business_date(
    tmp_path_factory: pytest.TempPathFactory, days: int, ages: list[int], as_of: date
) -> None:
    bank = SmallBank(tmp_path_factory.mktemp("bank"), customers=1)
    for age in [*ages, days, days - 1, 0, -1]:
        pay(bank, 0, as_of - timedelta(days=age))
    specs = tag("txn_within", "count(*)", days=days, null="zero") | tag("txn_ever", "count(*)", null="zero")
    bank.refresh(specs, as_of)
    inside = [age for age in [*ages, days, days - 1, 0, -1] if 0 <= age < days]
    past = [age for age in [*ages, days, days - 1, 0, -1] if age >= 0]
    assert bank.column("txn_within") == [len(inside)]
    assert bank.column("txn_ever") == [len(past)]


def test_windows_of_all_lengths_are_computed_together(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    for age in range(400):
        pay(bank, 0, AS_OF - timedelta(days=age))
    specs: dict[str, TagSpec] = {}
    for days in (1, 2, 7, 8, 9, 30, 31, 90, 92, 180, 365, 370, 371):
        specs |= tag(f"txn_d{days}", "count(*)", days=days)
    bank.refresh(specs, AS_OF)
    assert {name: bank.value(name, 0) for name in specs} == {f"txn_d{s.days}": s.days for s in specs.values()}


@pytest.mark.parametrize(
    ("expression", "type_", "null", "without"),
    [
        ("count(*)", "integer", "unknown", None),
        ("count(*)", "integer", "zero", 0),
        ("sum(amount)", "money", "unknown", None),
        ("sum(amount)", "money", "zero", 0),
        ("count(*) > 0", "boolean", "false", False),
        ("count(*) > 0", "boolean", "unknown", None),
        ("count(*) = 0", "boolean", "false", False),
        ("max(amount) / 3", "number", "unknown", None),
        ("max(booked_on)", "date", "unknown", None),
        ("mode(mcc)", "text", "unknown", None),
        ("list(distinct mcc)", "list", "unknown", None),
    ],
)
def test_somebody_without_rows_that_count_has_what_the_null_policy_says(
    tmp_path: Path, expression: str, type_: str, null: str, without: object
) -> None:
    bank = SmallBank(tmp_path, customers=3)
    pay(bank, 0, AS_OF, 300, mcc="5411")
    pay(bank, 1, AS_OF - timedelta(days=40), 300, mcc="5411")
    bank.refresh(tag("txn_try", expression, type=type_, null=null, days=30), AS_OF)
    assert bank.value("txn_try", 0) is not None
    assert bank.column("txn_try")[1:] == [without, without]


def test_a_condition_narrows_every_aggregate_of_the_expression(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    pay(bank, 0, AS_OF, 100, is_external=True)
    pay(bank, 0, AS_OF, 900, is_external=False)
    pay(bank, 0, AS_OF, 50, is_external=True, is_online=True)
    expression = "sum(amount) + 1000 * count(*) filter (where is_online)"
    bank.refresh(tag("txn_try", expression, where="is_external"), AS_OF)
    assert bank.value("txn_try", 0) == 1150


def test_dividing_by_nothing_gives_no_value(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    pay(bank, 0, AS_OF, 0)
    ratio = tag("txn_ratio", "cast(count(*) as double) / sum(amount)", type="number")
    whole = tag("txn_whole", "cast(count(*) as double) / sum(amount)", type="integer")
    bank.refresh(ratio | whole, AS_OF)
    assert bank.column("txn_ratio") == bank.column("txn_whole") == [None]


def test_money_is_rounded_to_whole_fen(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=2)
    pay(bank, 0, AS_OF, 5)
    pay(bank, 0, AS_OF, 6)
    pay(bank, 1, AS_OF, 10**15 + 1)
    bank.refresh(tag("txn_mean", "avg(amount)", type="money") | tag("txn_sum", "sum(amount)", type="money"), AS_OF)
    assert bank.value("txn_mean", 0) == 6
    assert bank.value("txn_sum", 1) == 10**15 + 1


def test_a_past_date_knows_only_what_was_true_then(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path)
    old = bank.customer(opened_on=date(2020, 1, 1), closed_on=date(2026, 5, 1), status="closed")
    new = bank.customer(opened_on=date(2026, 6, 1))
    for who in (old, new):
        pay(bank, who, date(2026, 4, 1))
        pay(bank, who, date(2026, 6, 10))
    specs = tag("txn_n", "count(*)", null="zero")
    bank.refresh(specs, date(2026, 4, 30))
    assert bank.column("txn_n") == [1, None]
    assert bank.store.manifest().dates["2026-04-30"].customers == 1
    assert bank.store.manifest().dates["2026-04-30"].tags["txn_n"].known == 1
    refresh(bank.store, specs, as_of=AS_OF, now=NOW)
    assert bank.column("txn_n", AS_OF) == [2, 2]
    assert bank.store.manifest().dates["2026-06-30"].customers == 1
    assert bank.engine().rows(bank.engine().tags_query(AS_OF, ["txn_n"])) == [(1, 2)]


def test_the_first_day_and_the_last_day_of_a_customer(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path)
    bank.customer(opened_on=AS_OF)
    bank.customer(opened_on=AS_OF + timedelta(days=1))
    bank.customer(closed_on=AS_OF)
    bank.customer(closed_on=AS_OF + timedelta(days=1), status="closed")
    bank.customer(status="closed")
    bank.refresh(tag("txn_n", "count(*)", null="zero"), AS_OF)
    rows = bank.engine().rows(bank.engine().tags_query(AS_OF, ["txn_n"]))
    assert [ordinal for ordinal, _ in rows] == [0, 3]


def test_snapshots_are_chosen_by_date(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=2)
    for on, amount in (
        (date(2026, 4, 30), 1),
        (date(2026, 5, 31), 20),
        (date(2026, 6, 15), 300),
        (date(2026, 7, 31), 4000),
    ):
        bank.hold(0, on, "demand", amount)
    bank.hold(1, date(2026, 5, 31), "demand", 7)
    held = {"over": "holding", "family": "asset", "type": "money"}
    specs = (
        tag("asset_now", "sum(balance)", where="latest", null="zero", **held)
        | tag("asset_before", "sum(balance)", where="at_days_ago(30)", null="zero", **held)
        | tag("asset_months", "sum(balance)", where="month_end", null="zero", **held)
        | tag("asset_peak", "highest_month(balance, 2)", null="zero", **held)
        | tag("asset_on", "max(held_on)", **(held | {"type": "date"}))
        | tag("asset_ago", "max(months_ago)", **(held | {"type": "integer"}))
    )
    bank.refresh(specs, date(2026, 6, 20))
    assert bank.column("asset_now") == [300, 0]
    assert bank.column("asset_before") == [1, 0]
    assert bank.column("asset_months") == [321, 7]
    assert bank.column("asset_peak") == [300, 7]
    assert bank.column("asset_on") == [date(2026, 6, 15), date(2026, 5, 31)]
    assert bank.column("asset_ago") == [2, 1]


def test_before_the_first_snapshot_nothing_is_latest(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    bank.hold(0, AS_OF, "demand", 5)
    spec = tag("asset_now", "sum(balance)", where="latest", null="zero", over="holding", family="asset", type="money")
    bank.refresh(spec, date(2026, 5, 31))
    assert bank.column("asset_now") == [0]
