"""Windows by the pass over rows sorted by customer equal those by SQL to the fen, with and without compiled kernels."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import kequn.core.tags.pivot as pivot_module
from kequn.core.data import compacting
from kequn.core.data.compacting import Rows, compacted, opened
from kequn.core.data.tables import TABLES
from kequn.core.engine.duck import Engine
from kequn.core.spec.tag import TagSpec
from kequn.core.tags import catalogue, refresh
from kequn.core.tags.language import Calendar
from kequn.core.tags.pack import read_tags
from kequn.core.tags.pivot import DAYS, KINDS, Measure, family, fastest, pivoted
from kequn.core.tags.pivot_plain import pivot as plain
from kequn.core.tags.windows import window_pass
from tests.core.small_bank import NOW, SmallBank

AS_OF_DAYS = (date(2024, 2, 29), date(2026, 3, 31), date(2026, 6, 30), date(2027, 1, 1))
EDGES = (-400, -1, 0, 1, 2, 6, 7, 29, 30, 31, 89, 90, 91, 179, 180, 365, 366, 731)
EXPRESSIONS = {
    "txn_w1": ("integer", "count(*)", None, 7),
    "txn_w2": ("money", "sum(amount)", "direction = 'in' and is_external", 30),
    "txn_w3": ("money", "max(amount)", "not (channel = 'app')", 90),
    "txn_w4": ("money", "min(amount)", "coalesce(is_online, true)", 180),
    "txn_w5": ("integer", "count(distinct category)", None, 180),
    "txn_w6": ("integer", "count(distinct booked_on)", "channel is null or mcc like '5%'", 90),
    "txn_w7": ("date", "min(booked_on)", None, None),
    "txn_w8": ("date", "max(booked_on)", "month(booked_on) = 2", None),
    "txn_w9": ("number", "avg(amount)", "direction = 'out'", 90),
    "txn_wa": ("number", "sum(case when direction = 'in' then amount else -amount end) / count(*)", None, 90),
    "txn_wb": ("boolean", "bool_or(is_foreign)", None, 180),
    "txn_wc": ("integer", "count(distinct year(booked_on) * 12 + month(booked_on))", None, 365),
    "txn_wd": ("integer", "as_of - max(booked_on)", "is_initiated", 730),
    "txn_we": ("integer", "count(mcc) - count_if(is_online)", None, 30),
    "txn_wf": ("boolean", "count(*) = 0", None, 7),
    "txn_wg": ("money", "sum(case when is_online then amount when category = 'cash' then 0 end)", None, 30),
    "txn_wh": ("integer", "count(distinct mcc) filter (where day(booked_on) > 20)", None, 90),
    "txn_wi": ("money", "max(case when booked_on > as_of - 3 then amount end)", "product_family = 'wmp'", 180),
}


def specs() -> dict[str, TagSpec]:
    """Windows of every kind that there is a measure for, and the shipped ones."""
    own = {
        name: TagSpec(
            name=name, title="试", family="txn", type=type_, over="transaction", owner="data_asset",
            expression=expression, where=where, days=days,
        )
        for name, (type_, expression, where, days) in EXPRESSIONS.items()
    }  # fmt: skip
    zero = {f"{n}0": s.model_copy(update={"name": f"{n}0", "null": "zero"}) for n, s in own.items() if _counts(s)}
    return own | zero | {n: s for n, s in catalogue().items() if s.over in ("transaction", "event")}


def _counts(spec: TagSpec) -> bool:
    return spec.type in ("integer", "money", "number")


def random_bank(root: Path, seed: int, as_of: date) -> SmallBank:
    """Customers with all kinds of rows: nulls, duplicates, future dates, none at all, opened today."""
    chance = np.random.default_rng(seed)

    def one_of(*values: Any) -> Any:
        return values[int(chance.integers(len(values)))]

    bank = SmallBank(root)
    for who in range(12):
        bank.customer(opened_on=one_of(date(2020, 1, 1), as_of, as_of + timedelta(days=1)))
        for _ in range(int(chance.integers(0, 25)) if who % 5 else 0):
            on = as_of - timedelta(days=int(one_of(*EDGES, int(chance.integers(0, 200)))))
            row = {
                "booked_on": on, "direction": one_of("in", "out"), "amount": one_of(0, 1, 99, 5_000_000, 10**12, None),
                "category": one_of("payroll", "bonus", "consumption", "cash", "merchant_receipt", "own_transfer"),
                "channel": one_of("app", "atm", None), "mcc": one_of("5411", "8211", "3005", None),
                "product_code": one_of("WM203", "FD201", "NONE", None), "is_external": one_of(True, False, None),
                "is_initiated": one_of(True, False, None), "is_online": one_of(True, None), "is_foreign": one_of(False, True, None),
            }  # fmt: skip
            for _ in range(one_of(1, 1, 1, 2)):
                bank.add("transaction", who, **row)
        for _ in range(int(chance.integers(0, 6))):
            kind = one_of("login", "view_wmp", "purchase_confirm", "branch_visit")
            bank.add("event", who, happened_on=as_of - timedelta(days=int(one_of(*EDGES))), kind=kind)
    return bank


def compare(root: Path, seed: int, as_of: date) -> None:
    """Compute all windows both ways."""
    bank = random_bank(root, seed, as_of)
    wanted = specs()
    bank.refresh(wanted, as_of)
    fast = {name: bank.column(name) for name in bank.store.manifest().dates[as_of.isoformat()].tags}
    refresh(bank.store, wanted, as_of=as_of, now=NOW, force=True, by_sql=True)
    assert set(fast) == set(bank.store.manifest().dates[as_of.isoformat()].tags)
    different = {name: (fast[name], bank.column(name)) for name in fast if fast[name] != bank.column(name)}
    assert different == {}


@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 2**32), as_of=st.sampled_from(AS_OF_DAYS))
def test_every_window_is_what_sql_makes_of_it(tmp_path_factory: pytest.TempPathFactory, seed: int, as_of: date) -> None:
    compare(tmp_path_factory.mktemp("bank"), seed, as_of)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), as_of=st.dates(date(2024, 1, 1), date(2027, 12, 31)))
def test_every_window_is_what_sql_makes_of_it_on_any_date(
    tmp_path_factory: pytest.TempPathFactory, seed: int, as_of: date
) -> None:
    compare(tmp_path_factory.mktemp("bank"), seed, as_of)


@settings(max_examples=2, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_the_plain_kernel_makes_the_same_of_a_bank(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(pivot_module, "fastest", lambda: plain)
        compare(tmp_path_factory.mktemp("bank"), seed, AS_OF_DAYS[0])


def test_windows_are_computed_in_one_pass_and_the_rest_by_sql(tmp_path: Path) -> None:
    bank = random_bank(tmp_path, 7, AS_OF_DAYS[0])
    bank.save()
    with bank.store.writing(now=NOW) as draft:
        layout = compacted(bank.store, draft.manifest, "transaction")
    assert layout is not None
    read = [t for t in read_tags(specs()).values() if t.spec.over == "transaction"]
    found = window_pass("w", read, Calendar(AS_OF_DAYS[0]), layout, Engine(bank.store))
    assert found is not None
    taken = {t.spec.name for t in found.tags}
    assert {*EXPRESSIONS, "txn_inflow_30d", "txn_freq_chg_90d", "txn_spend_travel", "txn_peer_out_ratio"} <= taken
    assert "txn_mcc_top" not in taken


def test_a_sum_that_may_not_fit_into_64_bits_is_left_to_sql(tmp_path: Path) -> None:
    bank = SmallBank(tmp_path, customers=1)
    for _ in range(4):
        bank.add("transaction", 0, booked_on=AS_OF_DAYS[0], direction="in", amount=2**61, category="other")
    spec = {"txn_mean": specs()["txn_w9"].model_copy(update={"name": "txn_mean", "where": None})}
    bank.refresh(spec, AS_OF_DAYS[0])
    assert bank.value("txn_mean", 0) == float(2**61)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), narrow=st.booleans())
def test_the_compiled_and_the_plain_kernel_agree_on_every_measure(seed: int, narrow: bool) -> None:
    if fastest() is plain:
        pytest.skip("numba is not installed")
    chance = np.random.default_rng(seed)
    customers, codes, n = int(chance.integers(0, 30)), int(chance.integers(1, 9)), int(chance.integers(0, 200))
    who = np.sort(chance.integers(0, max(customers, 1), n if customers else 0))
    day = chance.integers(20_000, 20_060, len(who)).astype(np.uint16)
    day = day[np.lexsort((day, who))]
    amount = chance.integers(0, 1000, len(who)) if narrow else chance.integers(-(2**60), 2**60, len(who)) // 512
    starts = np.searchsorted(who, np.arange(customers + 1)).astype(np.uint32)
    code = chance.integers(0, codes, len(who)).astype(np.uint16)
    rows = Rows(0, starts, day, code, amount.astype(np.uint32 if narrow else np.int64))
    measures = []
    for kind in KINDS:
        for _ in range(int(chance.integers(0, 5))):
            days = np.zeros(DAYS, np.bool_)
            days[20_000:20_060] = chance.random(60) < chance.random()
            size = codes if kind == "bits" else DAYS
            bit = chance.integers(0, 65, size).astype(np.uint8) if kind in ("bits", "day_bits") else None
            measures.append(Measure(kind, chance.random(codes) < 0.5, days, bit))  # type: ignore[arg-type]
    made = family(measures, codes=codes)
    assert (pivoted(made, rows, kernel=fastest()) == pivoted(made, rows, kernel=plain)).all()


def test_rows_by_customer_are_those_of_the_table_and_grow_with_it(tmp_path: Path) -> None:
    bank = random_bank(tmp_path, 11, AS_OF_DAYS[1])
    bank.save()
    with bank.store.writing(now=NOW) as draft:
        first = compacted(bank.store, draft.manifest, "transaction")
    assert first is not None
    more = random_bank(tmp_path / "more", 12, AS_OF_DAYS[1])
    more.customer()
    more.add("transaction", 12, booked_on=AS_OF_DAYS[1], direction="in", amount=10**12, category="fee", channel="new")
    more.save()
    with bank.store.writing(now=NOW) as draft:
        path, relative = draft.new_file("table", "transaction", "rows")
        path.write_bytes(more.store.path(more.store.manifest().tables["transaction"].files[0]).read_bytes())
        draft.manifest.tables["transaction"].files.append(relative)
        draft.manifest.ordinals = 13
        second = compacted(bank.store, draft.manifest, "transaction")
    assert second is not None
    assert opened(bank.store, bank.store.manifest(), "transaction") == second
    assert first.folder.exists(), "a reader of the manifest before may still open it"
    assert _listed(second) == sorted(_stored(bank) + _stored(more))
    assert compacted(bank.store, bank.store.manifest(), "transaction") == second


def test_rows_that_a_killed_process_left_half_removed_are_not_taken_for_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, seen = random_bank(tmp_path, 11, AS_OF_DAYS[1]), list[Path]()
    monkeypatch.setattr(compacting.shutil, "rmtree", lambda folder, **_: seen.append(Path(folder)))
    for seed in range(3):
        bank.save()
        with bank.store.writing(now=NOW) as draft:
            draft.manifest.tables["transaction"].rows = seed
            compacted(bank.store, draft.manifest, "transaction")
    folder = bank.store.root / compacting.FOLDER / "transaction"
    assert len(list(folder.iterdir())) == 2
    assert not any(path.parent == folder for path in seen)


def _listed(layout: Any) -> list[tuple[Any, ...]]:
    combinations = layout.combinations().to_pylist()
    found = []
    for rows in layout.ranges(0, layout.buckets * layout.width):
        for i in range(len(rows.starts) - 1):
            days = rows.day[rows.starts[i] : rows.starts[i + 1]].tolist()
            assert days == sorted(days)
            for r in range(rows.starts[i], rows.starts[i + 1]):
                code = combinations[rows.code[r]]
                amount = int(rows.amount[r]) if code.pop("amount_known") else None
                on = date(1970, 1, 1) + timedelta(days=int(rows.day[r]))
                found.append(repr((rows.first + i, on, amount, sorted(code.items()))))
                code["amount_known"] = amount is not None
    return sorted(found)


def _stored(bank: SmallBank) -> list[Any]:
    columns = [c.name for c in TABLES["transaction"].columns if c.type in ("text", "boolean")]
    return [
        repr((r["ordinal"], r["booked_on"], r["amount"], sorted((c, r.get(c)) for c in columns)))
        for r in bank.rows["transaction"]
    ]
