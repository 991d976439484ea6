"""A refresh after a day's increment looks at the customers it touches, and ends where a full one would."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import kequn.core.tags.computing as computing
import kequn.core.tags.increment as increment_module
from kequn.core.data.tables import TABLES
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import RefreshReport, catalogue, refresh
from tests.core.small_bank import ARROW, NOW, SmallBank
from tests.core.tags.test_pivot import random_bank, specs

AS_OF = date(2026, 6, 29)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What each refresh found that it may leave as it was."""
    found: list[Any] = []

    def remembered(*given: Any) -> Any:
        found.append(increment_module.increment(*given))
        return found[-1]

    monkeypatch.setattr(computing, "increment", remembered)
    return found


def append(bank: SmallBank, table: str, rows: list[dict[str, Any]]) -> None:
    """Load more rows of a table, as a load that appends does."""
    schema = pa.schema([(n, ARROW[t]) for n, t in TABLES[table].stored_columns().items()])
    with bank.store.writing(now=NOW) as draft:
        path, relative = draft.new_file("tables", table, "rows")
        pq.write_table(pa.Table.from_pylist([{n: r.get(n) for n in schema.names} for r in rows], schema=schema), path)
        draft.manifest.tables[table].files.append(relative)


def everything(bank: SmallBank, as_of: date) -> dict[str, list[Any]]:
    """All columns of a date."""
    return {name: bank.column(name, as_of) for name in bank.store.manifest().dates[as_of.isoformat()].tags}


def same_as_full(bank: SmallBank, wanted: dict[str, TagSpec], as_of: date) -> RefreshReport:
    """Refresh, and once more all from the beginning: the values and counts must be the same."""
    report = refresh(bank.store, wanted, as_of=as_of, now=NOW)
    found, known = everything(bank, as_of), _known(bank, as_of)
    refresh(bank.store, wanted, as_of=as_of, now=NOW, force=True)
    full = everything(bank, as_of)
    assert {n: (found[n], full[n]) for n in full if found.get(n) != full[n]} == {}
    assert set(found) == set(full)
    assert known == _known(bank, as_of)
    return report


def _known(bank: SmallBank, as_of: date) -> dict[str, int]:
    return {n: t.known for n, t in bank.store.manifest().dates[as_of.isoformat()].tags.items()}


def check(root: Path, seed: int, days: int) -> None:
    """One random bank, one random day's increment."""
    chance = np.random.default_rng(seed)
    bank = random_bank(root, seed, AS_OF)
    for who in range(0, 12, 2):
        for ago in (0, 29, 60):
            bank.hold(who, AS_OF - timedelta(days=ago), "demand", int(chance.integers(0, 10**7)))
    wanted = specs() | catalogue()
    bank.refresh(wanted, AS_OF)
    after = AS_OF + timedelta(days=days)
    new = [
        {"ordinal": int(chance.integers(12)), "booked_on": after - timedelta(days=int(ago)), "direction": "in",
         "amount": int(chance.integers(10**6)), "category": "payroll", "is_external": True}
        for ago in chance.choice([-2, 0, 1, 6, 40, 200], int(chance.integers(0, 5)))
    ]  # fmt: skip
    append(bank, "transaction", new)
    if chance.random() < 0.5:
        append(bank, "event", [{"ordinal": 3, "happened_on": after, "kind": "login"}])
    if chance.random() < 0.3:
        append(bank, "holding", [{"ordinal": 1, "as_of": after, "family": "demand", "product_code": "DD001",
                                  "balance": 5, "month_average": 5}])  # fmt: skip
    same_as_full(bank, wanted, after)


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32), days=st.sampled_from([0, 1, 2]))
def test_an_increment_ends_where_a_full_refresh_would(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(increment_module, "MOST", 1.0)
        check(tmp_path_factory.mktemp("bank"), seed, days)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), days=st.integers(0, 40))
def test_an_increment_ends_where_a_full_refresh_would_over_many_banks(
    tmp_path_factory: pytest.TempPathFactory, seed: int, days: int
) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(increment_module, "MOST", 1.0)
        check(tmp_path_factory.mktemp("bank"), seed, days)


def tag(name: str, expression: str, **more: Any) -> dict[str, TagSpec]:
    """One tag over transactions by name."""
    fields = {"title": "试", "family": "txn", "type": "integer", "over": "transaction", "owner": "data_asset"} | more
    return {name: TagSpec(name=name, expression=expression, **fields)}


SPECS = (
    tag("txn_n", "count(*)", null="zero", days=30)
    | tag("txn_sum", "sum(amount)", type="money")
    | tag("txn_mcc", "top(mcc, 2)", type="list")
    | tag("txn_twice", "txn_n * 2", over="tags")
    | tag("txn_ago", "as_of - max(booked_on)")
    | tag("txn_old", "txn_ago * 2", over="tags")
)


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """Twenty customers; number i has a payment i days ago."""
    bank = SmallBank(tmp_path, customers=20)
    for who in range(20):
        on = AS_OF - timedelta(days=who + 15)
        bank.add("transaction", who, booked_on=on, direction="in", amount=who, category="fee", mcc=str(who))
    bank.refresh(SPECS, AS_OF)
    return bank


def test_only_the_customers_of_new_rows_are_looked_at(bank: SmallBank, seen: list[Any]) -> None:
    append(bank, "transaction", [{"ordinal": 4, "booked_on": AS_OF, "direction": "in", "amount": 9, "category": "fee"}])
    same_as_full(bank, SPECS, AS_OF)
    assert seen[0].ordinals.tolist() == [4]
    assert set(seen[0].tags) == set(SPECS)


def test_when_the_date_moves_on_those_who_enter_and_leave_the_window_are_looked_at(
    bank: SmallBank, seen: list[Any]
) -> None:
    append(bank, "transaction", [{"ordinal": 4, "booked_on": AS_OF + timedelta(days=1), "direction": "in", "amount": 9,
                                  "category": "fee"}])  # fmt: skip
    same_as_full(bank, SPECS, AS_OF + timedelta(days=1))
    assert seen[0].ordinals.tolist() == [4, 14]
    assert set(seen[0].tags) == {"txn_n", "txn_sum", "txn_mcc", "txn_twice"}


def test_a_date_before_what_was_computed_is_no_base(bank: SmallBank, seen: list[Any]) -> None:
    same_as_full(bank, SPECS, AS_OF - timedelta(days=3))
    assert seen[0] is None


def test_a_table_that_was_replaced_is_computed_for_everybody(bank: SmallBank, seen: list[Any]) -> None:
    bank.save()
    same_as_full(bank, SPECS, AS_OF + timedelta(days=1))
    assert seen[0] is None


def test_a_changed_definition_is_computed_for_everybody(bank: SmallBank, seen: list[Any]) -> None:
    append(bank, "transaction", [{"ordinal": 4, "booked_on": AS_OF, "direction": "in", "amount": 9, "category": "fee"}])
    same_as_full(bank, SPECS | tag("txn_n", "1 + count(*)", null="zero", days=30), AS_OF)
    assert "txn_n" not in seen[0].tags
    assert "txn_sum" in seen[0].tags


def test_new_customers_have_values(bank: SmallBank, seen: list[Any]) -> None:
    append(bank, "customer", [{"ordinal": 20, "opened_on": AS_OF + timedelta(days=1), "status": "active"}])
    with bank.store.writing(now=NOW) as draft:
        draft.manifest.ordinals = 21
    same_as_full(bank, SPECS, AS_OF + timedelta(days=1))
    assert 20 in seen[0].ordinals
    assert bank.column("txn_n", AS_OF + timedelta(days=1))[20] == 0


def test_a_value_that_is_not_declared_takes_its_tag_out_as_in_a_full_refresh(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=10)
    wanted = tag("txn_mcc", "max(mcc)", type="text", values={"1": "一"}) | tag("txn_n", "count(*)")
    bank.refresh(wanted, AS_OF)
    append(bank, "transaction", [{"ordinal": 1, "booked_on": AS_OF, "direction": "in", "amount": 9, "category": "fee",
                                  "mcc": "2"}])  # fmt: skip
    report = refresh(bank.store, wanted, as_of=AS_OF, now=NOW)
    assert set(report.failed) == {"txn_mcc"}
    assert bank.column("txn_n", AS_OF)[1] == 1
