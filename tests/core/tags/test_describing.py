"""How a tag is filled, and where it comes from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kequn.core.engine.duck import Engine
from kequn.core.errors import NoData, UnknownTag
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import all_statistics, catalogue, lineage, near_tag, statistics
from tests.core.small_bank import SmallBank

AS_OF = date(2026, 6, 30)


def spec(name: str, type_: str, expression: str, **more: Any) -> TagSpec:
    """One tag over customers."""
    fields = {"title": "试", "family": "demo", "over": "customer", "owner": "data_asset"} | more
    return TagSpec(name=name, type=type_, expression=expression, **fields)  # type: ignore[arg-type]


def filled(folder: Path, tag: TagSpec, customers: list[dict[str, Any]]) -> Engine:
    """A bank with these customers and one tag."""
    bank = SmallBank(folder)
    for columns in customers:
        bank.customer(**columns)
    bank.refresh({tag.name: tag}, AS_OF)
    return bank.engine()


def bars(engine: Engine, tag: TagSpec) -> dict[str, int]:
    """The distribution by code."""
    return {bar.code: bar.n for bar in statistics(engine, tag, AS_OF).distribution}


def test_coverage_counts_the_banks_customers_of_the_day(tmp_path: Path) -> None:
    tag = spec("demo_city", "text", "city")
    gone = {"city": "Nanjing", "closed_on": date(2026, 1, 1)}
    engine = filled(tmp_path, tag, [{"city": "Nanjing"}, {"city": "Hefei"}, {}, {}, gone])
    found = statistics(engine, tag, AS_OF)
    assert (found.customers, found.known, found.coverage) == (4, 2, 0.5)
    assert engine.manifest.dates[AS_OF.isoformat()].tags["demo_city"].known == 2
    assert bars(engine, tag) == {"Hefei": 1, "Nanjing": 1}


def test_declared_codes_come_in_their_order_and_the_empty_ones_too(tmp_path: Path) -> None:
    tag = spec("demo_gender", "text", "gender", values={"M": "男", "F": "女"})
    assert bars(filled(tmp_path, tag, [{"gender": "F"}, {"gender": "F"}]), tag) == {"M": 0, "F": 2}


def test_a_boolean_has_two_bars_and_the_unknown_none(tmp_path: Path) -> None:
    tag = spec("demo_child", "boolean", "has_child")
    engine = filled(tmp_path, tag, [{"has_child": True}, {"has_child": False}, {"has_child": False}, {}])
    assert bars(engine, tag) == {"true": 1, "false": 2}


def test_money_is_told_in_yuan_by_declared_bins(tmp_path: Path) -> None:
    amounts = [0, 9_999, 10_000, 10_001, 5_000_000]
    tag = spec("demo_money", "money", "cast(city as bigint)", bins=(100, 50_000))
    found = statistics(filled(tmp_path, tag, [{"city": str(a)} for a in amounts]), tag, AS_OF)
    assert [(b.low, b.high, b.n) for b in found.distribution] == [
        (None, Decimal(100), 2),
        (Decimal(100), Decimal(50_000), 2),
        (Decimal(50_000), None, 1),
    ]
    assert (found.minimum, found.maximum) == (Decimal(0), Decimal("50000.00"))
    assert found.mean == Decimal("10060.00")
    assert found.quantiles["0.5"] == Decimal("100.00")


def test_dates_are_counted_by_month(tmp_path: Path) -> None:
    tag = spec("demo_born", "date", "birth_on")
    days = [date(2000, 1, 31), date(2000, 1, 1), date(1999, 12, 31)]
    engine = filled(tmp_path, tag, [{"birth_on": d} for d in days])
    found = statistics(engine, tag, AS_OF)
    assert bars(engine, tag) == {"1999-12": 1, "2000-01": 2}
    assert (found.minimum, found.maximum) == (date(1999, 12, 31), date(2000, 1, 31))


def test_few_whole_numbers_are_counted_one_by_one(tmp_path: Path) -> None:
    tag = spec("demo_level", "integer", "risk_level")
    engine = filled(tmp_path, tag, [{"risk_level": n} for n in (1, 5, 5)])
    assert bars(engine, tag) == {"1": 1, "5": 2}


def test_a_list_counts_each_of_its_codes(tmp_path: Path) -> None:
    tag = spec("acct_kinds", "list", "list(distinct kind order by kind)", over="account", family="acct")
    bank = SmallBank(tmp_path, customers=3)
    for who, kind in ((0, "debit"), (0, "etc"), (1, "debit")):
        bank.add("account", who, account_no=1, kind=kind, opened_on=AS_OF)
    bank.refresh({tag.name: tag}, AS_OF)
    found = statistics(bank.engine(), tag, AS_OF)
    assert {b.code: b.n for b in found.distribution} == {"debit": 2, "etc": 1}
    assert found.known == 2


@settings(max_examples=10, deadline=None)
@given(values=st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), min_size=1, max_size=60))
def test_the_bars_of_a_number_add_up_to_the_known(
    tmp_path_factory: pytest.TempPathFactory, values: list[int | None]
) -> None:
    tag = spec("demo_number", "number", "cast(city as double)")
    customers = [{"city": None if v is None else str(v)} for v in values]
    found = statistics(filled(tmp_path_factory.mktemp("bars"), tag, customers), tag, AS_OF)
    known = [v for v in values if v is not None]
    assert found.known == len(known) == sum(b.n for b in found.distribution)
    for bar in found.distribution:
        low, high = float(bar.low or -9999), float(9999 if bar.high is None else bar.high)  # type: ignore[arg-type]
        assert bar.n == sum((low if bar.low is not None else -9999) <= v < high for v in known)


def test_a_tag_of_an_earlier_spec_says_so(tmp_path: Path) -> None:
    tag = spec("demo_city", "text", "city")
    engine = filled(tmp_path, tag, [{"city": "Hefei"}])
    assert statistics(engine, tag, AS_OF).is_current
    assert not statistics(engine, spec("demo_city", "text", "province"), AS_OF).is_current


def test_what_was_not_computed_has_no_statistics(tmp_path: Path) -> None:
    tag = spec("demo_city", "text", "city")
    engine = filled(tmp_path, tag, [{}])
    with pytest.raises(UnknownTag):
        statistics(engine, spec("demo_other", "text", "city"), AS_OF)
    with pytest.raises(NoData):
        statistics(engine, tag, date(2020, 1, 1))
    assert all_statistics(
        engine, {"demo_city": tag, "demo_other": spec("demo_other", "text", "city")}, AS_OF
    ).keys() == {"demo_city"}


def test_an_empty_tag_has_numbers_of_nothing(tmp_path: Path) -> None:
    for number, type_ in enumerate(("boolean", "integer", "number", "money", "date", "text")):
        tag = spec("demo_none", type_, "cast(null as " + {"text": "varchar", "money": "bigint", "number": "double",
                   "integer": "bigint"}.get(type_, type_) + ")")  # fmt: skip
        found = statistics(filled(tmp_path / str(number), tag, [{}]), tag, AS_OF)
        assert (found.known, found.minimum, found.mean, found.quantiles) == (0, None, None, {})


def test_lineage_follows_a_tag_down_to_columns_and_up_to_its_users() -> None:
    specs = catalogue()
    found = lineage(specs["asset_tier_level"], specs)
    assert found.columns == ("holding.as_of", "holding.family", "holding.month_average")
    assert "asset_tier" in found.used_by
    assert "value_grade" in found.all_used_by
    grade = lineage(specs["value_grade"], specs)
    assert "asset_tier_level" in grade.made_of
    assert {"holding.month_average", "transaction.amount", "transaction.category", "account.kind"} <= set(grade.columns)
    assert lineage(specs["asset_equity_ratio"], specs).columns == (
        "holding.as_of", "holding.balance", "holding.family", "holding.product_code", "product.is_equity",
    )  # fmt: skip


def test_the_nearest_tag_is_offered() -> None:
    assert near_tag("asset_teir", catalogue()) == "Did you mean 'asset_tier'?"
    assert near_tag("zzz", catalogue()) == "Run `kequn tag list`."
