"""Behaviour conditions over 30 days of events: kequn's postings against hand-written SQL on a native DuckDB event table.

    python bench/events.py                          10 million customers, 17 million events
    python bench/events.py --customers 1000000      a small run

Nine events of ten are of a quarter of the customers. The native table is as narrow as a careful author would make it (numbers for
codes) and in the order of days. Both sides answer in turn in one process; what counts is its CPU time (user and system, all
threads), the best of several rounds. Members are compared before anything is said about time. Nothing is kept between rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from math import exp, log
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.duck import Engine
from kequn.core.engine.index.bits import Words, unpacked
from kequn.core.engine.index.kernel import kernel
from kequn.core.engine.store import DateState, Store, TableState
from kequn.core.segments import understand
from kequn.core.segments.behaving import build_postings, did_plane
from kequn.core.segments.rule import DidRule
from kequn.core.segments.settle import settled
from kequn.core.spec.segment import SegmentSpec

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
DAYS = 30
EVENTS_A_CUSTOMER = 1.7
KINDS = ("login", "browse", "transfer", "payment", "enquiry", "complaint", "purchase", "redeem")
SHARES = (0.3, 0.25, 0.15, 0.14, 0.06, 0.02, 0.05, 0.03)
CHANNELS = ("app", "counter", "web", "wecom", "phone")
APP_TRANSFER = [{"column": "kind", "value": "transfer"}, {"column": "channel", "value": "app"}]
CONDITIONS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "transfer by app at least twice in 30 days, no complaint in 7": (
        [
            {"table": "event", "within_days": 30, "at_least": 2, "where": APP_TRANSFER},
            {"table": "event", "within_days": 7, "where": [{"column": "kind", "value": "complaint"}]},
        ],
        """SELECT ordinal FROM event WHERE happened_on BETWEEN DATE '2026-06-01' AND DATE '2026-06-30' AND kind = 2 AND channel = 0
           GROUP BY ordinal HAVING count(*) >= 2 EXCEPT
           SELECT ordinal FROM event WHERE happened_on BETWEEN DATE '2026-06-24' AND DATE '2026-06-30' AND kind = 5""",
    ),
    "three purchases or payments in 30 days": (
        [{"table": "event", "within_days": 30, "at_least": 3, "where": [
            {"column": "kind", "op": "in", "value": ["purchase", "payment"]}]}],
        """SELECT ordinal FROM event WHERE happened_on BETWEEN DATE '2026-06-01' AND DATE '2026-06-30' AND kind IN (3, 6)
           GROUP BY ordinal HAVING count(*) >= 3""",
    ),
    "payments of 20,000 or more in all in 30 days": (
        [{"table": "event", "within_days": 30, "where": [{"column": "kind", "value": "payment"}],
          "sum_of": "amount", "sum_at_least": 20000}],
        """SELECT ordinal FROM event WHERE happened_on BETWEEN DATE '2026-06-01' AND DATE '2026-06-30' AND kind = 3
           GROUP BY ordinal HAVING sum(amount) >= 2000000""",
    ),
    "browsed in 14 days and has not purchased since": (
        [{"table": "event", "within_days": 14, "where": [{"column": "kind", "value": "browse"}],
          "not_since": {"table": "event", "where": [{"column": "kind", "value": "purchase"}]}}],
        """SELECT did.ordinal FROM (SELECT ordinal, max(happened_on) AS day FROM event
             WHERE happened_on BETWEEN DATE '2026-06-17' AND DATE '2026-06-30' AND kind = 1 GROUP BY ordinal) did
           LEFT JOIN (SELECT ordinal, max(happened_on) AS day FROM event
             WHERE happened_on BETWEEN DATE '2026-06-17' AND DATE '2026-06-30' AND kind = 6 GROUP BY ordinal) later
           ON later.ordinal = did.ordinal WHERE coalesce(later.day, DATE '1000-01-01') < did.day""",
    ),
    "logged in within 7 days": (
        [{"table": "event", "within_days": 7, "where": [{"column": "kind", "value": "login"}]}],
        """SELECT DISTINCT ordinal FROM event
           WHERE happened_on BETWEEN DATE '2026-06-24' AND DATE '2026-06-30' AND kind = 0""",
    ),
}  # fmt: skip


def events(rng: np.random.Generator, day: date, rows: int, customers: int) -> pa.Table:
    """One day's events, in no order of customers."""
    busy = rng.random(rows) < 0.9
    ordinal = np.where(busy, rng.integers(0, max(customers // 4, 1), rows) * 4, rng.integers(0, customers, rows))
    kind = rng.choice(len(KINDS), rows, p=SHARES).astype(np.int8)
    channel = np.minimum(rng.geometric(0.5, rows) - 1, len(CHANNELS) - 1).astype(np.int8)
    without = ~np.isin(kind, (2, 3, 6, 7))
    amount = pa.array((10 ** rng.uniform(2, 6.5, rows)).astype(np.int64), mask=without)
    return pa.table(
        {
            "ordinal": pa.array(ordinal.astype(np.uint32)),
            "happened_on": pa.array(np.full(rows, np.datetime64(day, "D"))),
            "kind": pa.array(kind), "channel": pa.array(channel), "amount": amount,
        }
    )  # fmt: skip


def worded(table: pa.Table) -> pa.Table:
    """The same events with words for codes, as the store has them."""
    for name, words in (("kind", KINDS), ("channel", CHANNELS)):
        codes = pa.DictionaryArray.from_arrays(table.column(name).combine_chunks(), pa.array(words))
        table = table.set_column(table.column_names.index(name), name, codes.cast(pa.string()))
    return table


def prepare(folder: Path, customers: int) -> tuple[Store, duckdb.DuckDBPyConnection]:
    """Write the same events into a store and into a native table."""
    store, rng = Store(folder / "store"), np.random.default_rng(7)
    base = duckdb.connect(str(folder / "native.duckdb"))
    base.execute("SET threads = 2")
    base.execute(
        "CREATE TABLE event (ordinal UINTEGER, happened_on DATE, kind UTINYINT, channel UTINYINT, amount BIGINT)"
    )
    daily = round(customers * EVENTS_A_CUSTOMER / DAYS)
    with store.writing(now=NOW) as draft:
        path, relative = draft.new_file("tables", "event")
        writer = None
        for back in range(DAYS - 1, -1, -1):
            table = events(rng, AS_OF - timedelta(days=back), daily, customers)
            base.register("day", table)
            base.execute("INSERT INTO event SELECT * FROM day")
            named = worded(table)
            writer = writer or pq.ParquetWriter(path, named.schema, compression="zstd", compression_level=1)
            writer.write_table(named, row_group_size=1 << 18)
        assert writer is not None
        writer.close()
        present, population = draft.new_file("population", "present")
        pq.write_table(pa.table({"value": pa.array(np.ones(customers, dtype=bool))}), present)
        draft.manifest.ordinals = customers
        draft.manifest.tables["event"] = TableState(files=[relative], rows=daily * DAYS)
        draft.manifest.dates[AS_OF.isoformat()] = DateState(population=population, customers=customers)
    base.execute("CHECKPOINT")
    return store, base


def by_postings(engine: Engine, behaviours: list[dict[str, Any]], size: int) -> Words:
    """The first behaviour and none of the others."""
    found: Words | None = None
    for did in behaviours:
        spec = SegmentSpec.model_validate({"name": "s", "title": "s", "where": {"did": did}})
        rule = settled(understand(spec, tags={}, segments={}), AS_OF)
        assert isinstance(rule, DidRule)
        plane = did_plane(engine, rule, as_of=AS_OF, size=size)
        assert plane is not None
        found = plane if found is None else found & ~plane
    assert found is not None
    return found


def cpu(run: Callable[[], Any]) -> float:
    """CPU milliseconds of one call."""
    before = time.process_time()
    run()
    return (time.process_time() - before) * 1000


def main() -> None:
    """Prepare, compare, time, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, help="fail if the mean ratio is above this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store, base = prepare(Path(folder), given.customers)
        building = cpu(lambda: build_postings(store, store.manifest()))
        size = sum(f.stat().st_size for f in (store.root / "index").rglob("*.npy"))
        rows = store.manifest().tables["event"].rows
        print(
            f"{given.customers:,} customers, {rows:,} events; postings: {building:,.0f} CPU ms, {size / rows:.1f} bytes a row"
        )
        engine, ratios = Engine(store), {}
        print("| condition | members | DuckDB CPU ms | postings CPU ms | ratio |\n|---|---|---|---|---|")
        for name, (behaviours, sql) in CONDITIONS.items():
            plane = by_postings(engine, behaviours, given.customers)
            theirs = np.sort(base.execute(sql).fetchnumpy()["ordinal"])
            if not np.array_equal(np.flatnonzero(unpacked(plane, given.customers)), theirs):
                raise SystemExit(f"not the same customers: {name}")
            counted = f"SELECT count(*) FROM ({sql})"
            slow, quick = [], []
            for _ in range(given.rounds):
                slow.append(cpu(lambda sql=counted: base.execute(sql).fetchall()))
                quick.append(cpu(lambda b=behaviours: kernel().count(by_postings(engine, b, given.customers))))
            ratios[name] = min(quick) / min(slow)
            print(f"| {name} | {len(theirs):,} | {min(slow):.1f} | {min(quick):.1f} | {ratios[name]:.3f} |")
    mean = exp(sum(map(log, ratios.values())) / len(ratios))
    print(f"geometric mean {mean:.3f}, worst {max(ratios.values()):.3f}")
    print(json.dumps({"ratios": ratios, "mean": mean}))
    if given.limit is not None and mean > given.limit:
        raise SystemExit(f"{mean:.3f} is above {given.limit}")


if __name__ == "__main__":
    main()
