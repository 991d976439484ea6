"""Daily changes over many days: as a full refresh at the end, whatever is killed in between; folding changes no value."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from kequn.core.engine.index.plan import Range
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import days_in_state, drift, fold, folding_is_due, patching, refresh, statistics
from tests.core.small_bank import NOW, SmallBank
from tests.core.tags.test_increment import append

AS_OF = date(2026, 6, 29)
ROOT = Path(__file__).resolve().parents[3]
CUSTOMERS = 60


def tag(name: str, expression: str, **more: Any) -> dict[str, TagSpec]:
    """One tag over transactions by name."""
    fields = {"title": "试", "family": "txn", "type": "integer", "over": "transaction", "owner": "data_asset"} | more
    return {name: TagSpec(name=name, expression=expression, **fields)}


SPECS = (
    tag("txn_n", "count(*)", null="zero", days=30)
    | tag("txn_sum", "sum(amount)", type="money")
    | tag("txn_kind", "max(category)", type="text", values={"fee": "费", "payroll": "薪"})
    | tag("txn_mcc", "top(mcc, 2)", type="list")
    | tag("txn_last", "max(booked_on)", type="date")
)
PROGRAM = """
import os, signal, sys
from datetime import date
from pathlib import Path
from kequn.core.engine.store import Store
from kequn.core.tags import fold, refresh
from tests.core.tags.test_folding import AS_OF, NOW, SPECS, timedelta
store = Store(Path(sys.argv[1]))
Store._publish = lambda self, manifest: os.kill(os.getpid(), signal.SIGKILL)
if sys.argv[2] == "fold":
    fold(store, now=NOW, everything=True)
else:
    refresh(store, SPECS, as_of=AS_OF + timedelta(days=2), now=NOW)
"""


def pay(bank: SmallBank, who: int, on: date, **more: Any) -> None:
    row = {"ordinal": who, "booked_on": on, "direction": "in", "amount": 9, "category": "payroll", "mcc": "1"}
    append(bank, "transaction", [row | more])


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """Sixty customers with a payment each, and a day on which one more came in."""
    bank = SmallBank(tmp_path, customers=CUSTOMERS)
    for who in range(CUSTOMERS):
        on = AS_OF - timedelta(days=who % 20)
        row = {"direction": "in", "amount": who, "category": "fee" if who % 2 else "payroll", "mcc": str(who % 7)}
        bank.add("transaction", who, booked_on=on, **row)
    bank.refresh(SPECS, AS_OF)
    pay(bank, 4, AS_OF + timedelta(days=1))
    refresh(bank.store, SPECS, as_of=AS_OF + timedelta(days=1), now=NOW)
    return bank


def columns(bank: SmallBank, day: date) -> dict[str, list[Any]]:
    return {name: bank.column(name, day) for name in SPECS}


def test_a_week_of_changes_ends_where_a_full_refresh_would(bank: SmallBank) -> None:
    days = [AS_OF + timedelta(days=n) for n in range(1, 8)]
    for n, day in enumerate(days[1:]):
        pay(bank, 3 * n, day, amount=10**n)
        if n == 2:
            append(bank, "customer", [{"ordinal": CUSTOMERS, "opened_on": day, "status": "active"}])
            with bank.store.writing(now=NOW) as draft:
                draft.manifest.ordinals += 1
        refresh(bank.store, SPECS, as_of=day, now=NOW)
        if n == 4:
            assert fold(bank.store, now=NOW, everything=True)
    manifest = bank.store.manifest()
    assert manifest.dates[days[-1].isoformat()].tags["txn_sum"].changes
    known = {d: {n: t.known for n, t in manifest.dates[d.isoformat()].tags.items()} for d in days}
    laid = {day: columns(bank, day) for day in days}
    for day in days:
        engine = bank.engine()
        found = engine.rows(f"SELECT * FROM ({engine.tags_query(day, ['txn_sum'])}) WHERE txn_sum >= 100 ORDER BY 1")
        assert engine.index(day).ids(Range("txn_sum", 100)).tolist() == [row[0] for row in found]
        engine.close()
    run_of = days_in_state(bank.store, bank.store.manifest(), "txn_kind", days[-1]).to_pylist()
    told = statistics(bank.engine(), SPECS["txn_sum"], days[-1])
    moved = drift(bank.engine(), SPECS["txn_n"], earlier=days[0], later=days[-1])
    for day in days:
        refresh(bank.store, SPECS, as_of=day, now=NOW, force=True)
        full = columns(bank, day)  # with those who came later, as rows without a value that counts
        assert laid[day] == {name: values[: len(laid[day][name])] for name, values in full.items()}
        assert known[day] == {n: t.known for n, t in bank.store.manifest().dates[day.isoformat()].tags.items()}
    assert run_of == days_in_state(bank.store, bank.store.manifest(), "txn_kind", days[-1]).to_pylist()
    assert told == statistics(bank.engine(), SPECS["txn_sum"], days[-1])
    assert moved == drift(bank.engine(), SPECS["txn_n"], earlier=days[0], later=days[-1])


@pytest.mark.slow
@pytest.mark.parametrize("what", ["refresh", "fold"])
def test_a_kill_before_the_swap_leaves_what_was_published(bank: SmallBank, what: str) -> None:
    day = AS_OF + timedelta(days=1)
    pay(bank, 7, AS_OF + timedelta(days=2))
    before, values = bank.store.manifest(), columns(bank, day)
    killed = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(bank.store.root), what], cwd=ROOT, check=False,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL
    assert bank.store.manifest() == before
    assert columns(bank, day) == values
    left = {p.relative_to(bank.store.root).as_posix() for p in bank.store.root.rglob("*.parquet")}
    refresh(bank.store, SPECS, as_of=AS_OF + timedelta(days=2), now=NOW)
    fold(bank.store, now=NOW, everything=True)
    assert bank.column("txn_n", AS_OF + timedelta(days=2))[7] == 2
    named = {f for d in bank.store.manifest().dates.values() for t in d.tags.values() for f in t.files}
    there = {p.relative_to(bank.store.root).as_posix() for p in bank.store.root.rglob("*.parquet")}
    assert named <= there
    known_before = {f for d in before.dates.values() for t in d.tags.values() for f in t.files}
    assert not {f for f in left & there if f.startswith(("tags/", "changes/"))} - named - known_before


def test_folding_is_due_once_changes_are_many(bank: SmallBank, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not folding_is_due(bank.store)
    monkeypatch.setattr(patching, "MOST_FILES", 1)
    assert folding_is_due(bank.store)
    version, values = bank.store.manifest().version, columns(bank, AS_OF + timedelta(days=1))
    assert set(fold(bank.store, now=NOW)) == set(SPECS)
    assert columns(bank, AS_OF + timedelta(days=1)) == values
    assert not folding_is_due(bank.store)
    assert fold(bank.store, now=NOW) == ()
    assert bank.store.manifest().version == version + 1
