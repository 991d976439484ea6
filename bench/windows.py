"""Claim: 98 window tags over transactions take at most 0.12 of the CPU time of DuckDB's conditional aggregates, to the same fen.

The tags: sums and counts by direction, channel and category, the largest amount and the number of different categories, each
over 7, 30, 90 and 180 days, and the first and last day. Both sides read rows sorted by customer and day from the disk's cache:
kequn its own files, DuckDB a native table with narrow types. DuckDB counts different categories by bit masks, which is its
fastest way, and in one variant by ``count(DISTINCT …)``. Every tag of every customer goes into a checksum on both sides. CPU
time of the process, alternated, best and median of the rounds.

    python bench/windows.py --rows 10000000 --customers 724000
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.data.compacting import compacted, opened
from kequn.core.engine.duck import Engine
from kequn.core.engine.store import Store, TableState
from kequn.core.spec.tag import TagSpec
from kequn.core.tags.language import Calendar
from kequn.core.tags.pack import read_tags
from kequn.core.tags.pivot import NOTHING, Pivot, fastest
from kequn.core.tags.pivot_plain import pivot as plain
from kequn.core.tags.windows import window_pass

AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, tzinfo=UTC)
LOADED = 200
"""Days of rows there are."""
WINDOWS = (7, 30, 90, 180)
DIRECTIONS = ("in", "out")
CHANNELS = ("app", "counter", "atm", "pos")
CATEGORIES = ("payroll", "transfer", "consumption", "cash", "fee")
CHUNK = 1 << 15
SEED = 20260630
Sums = dict[str, int]


def main() -> None:
    """Make the rows, run both sides in turn and print what they took."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--customers", type=int, default=72_400)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder), asked.rows, asked.customers, asked.rounds)


def run(folder: Path, rows: int, customers: int, rounds: int) -> None:
    """Run one size."""
    store = Store(folder / "store")
    table = transactions(rows, customers)
    spent = published(store, table, customers)
    print(f"{rows:,} rows of {customers:,} customers; sorting them by customer took {spent:.2f} CPU-s")
    native(folder, table)
    del table
    layout = opened(store, store.manifest(), "transaction")
    assert layout is not None
    size = sum(f.stat().st_size for f in layout.folder.rglob("*") if f.is_file())
    print(f"by customer: {size / rows:.1f} bytes a row")
    sides: dict[str, Callable[[], Sums]] = {
        "kequn, compiled": lambda: by_kernel(store, fastest()),
        "kequn, numpy alone": lambda: by_kernel(store, plain),
        "DuckDB, bit masks": lambda: by_duckdb(folder, DISTINCT_BY_BITS),
        "DuckDB, count distinct": lambda: by_duckdb(folder, "count(DISTINCT CASE WHEN {when} THEN category END)"),
    }
    sides["kequn, compiled"]()  # compiled once a machine, not once a run
    took: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        found = {}
        for name, side in sides.items():
            start = time.process_time()
            found[name] = side()
            took[name].append(time.process_time() - start)
        first = next(iter(found.values()))
        assert len(first) == 98, len(first)
        assert all(sums == first for sums in found.values()), found
    base = took["DuckDB, bit masks"]
    print("| | CPU-s, best | median | ratio of the best |")
    print("|---|---:|---:|---:|")
    for name, seconds in took.items():
        print(f"| {name} | {min(seconds):.2f} | {statistics.median(seconds):.2f} | {min(seconds) / min(base):.3f} |")


def tags() -> dict[str, str]:
    """Return the 98 tags: name -> (expression, condition, days) as a definition says them."""
    found = {"txn_first": ("min(booked_on)", None, None), "txn_last": ("max(booked_on)", None, None)}
    for days in WINDOWS:
        for column, values in (("direction", DIRECTIONS), ("channel", CHANNELS), ("category", CATEGORIES)):
            for value in values:
                condition = f"{column} = '{value}'"
                found[f"txn_s_{value}_{days}"] = ("sum(amount)", condition, days)
                found[f"txn_n_{value}_{days}"] = ("count(*)", condition, days)
        found[f"txn_m_{days}"] = ("max(amount)", None, days)
        found[f"txn_k_{days}"] = ("count(distinct category)", None, days)
    return found


def by_kernel(store: Store, kernel: Pivot) -> Sums:
    """Compute all tags as a refresh does, up to the columns that its last query reads, and add each up."""
    layout = opened(store, store.manifest(), "transaction")
    assert layout is not None
    engine = Engine(store)
    specs = {
        name: TagSpec(
            name=name, title=name, family="txn", type="date" if days is None else "integer", over="transaction",
            expression=expression, where=condition, days=days, owner="bench", null="zero" if "count" in expression else "unknown",
        )
        for name, (expression, condition, days) in tags().items()
    }  # fmt: skip
    window = window_pass("w", read_tags(specs).values(), Calendar(AS_OF), layout, engine)
    assert window is not None
    assert len(window.tags) == len(specs)
    total: Sums = {}
    at = {name: int(re.findall(r"w\.m(\d+)", source.raw)[-1]) for name, source in window.sources.items()}
    for first in range(0, store.manifest().ordinals, CHUNK):
        values = window.values(first, min(first + CHUNK, store.manifest().ordinals), kernel=kernel)
        for name, measure in at.items():
            nothing = NOTHING.get(window.measures[measure].kind)
            row = values[measure]
            total[name] = total.get(name, 0) + int(row.sum() if nothing is None else row[row != nothing].sum())
    engine.close()
    return total


DISTINCT_BY_BITS = "bit_count(bit_or(CASE WHEN {when} THEN 1 << enum_code(category) END))"


def by_duckdb(folder: Path, distinct: str) -> Sums:
    """The same tags as one query of conditional aggregates."""
    parts = {"txn_first": "min(booked_on) - DATE '1970-01-01'", "txn_last": "max(booked_on) - DATE '1970-01-01'"}
    for days in WINDOWS:
        when = f"booked_on > DATE '{AS_OF - timedelta(days=days)}'"
        for column, values in (("direction", DIRECTIONS), ("channel", CHANNELS), ("category", CATEGORIES)):
            for value in values:
                both = f"{when} AND {column} = '{value}'"
                parts[f"txn_s_{value}_{days}"] = f"sum(CASE WHEN {both} THEN amount END)"
                parts[f"txn_n_{value}_{days}"] = f"count(CASE WHEN {both} THEN 1 END)"
        parts[f"txn_m_{days}"] = f"max(CASE WHEN {when} THEN amount END)"
        parts[f"txn_k_{days}"] = distinct.format(when=when)
    inner = ", ".join(f"{sql} AS {name}" for name, sql in parts.items())
    outer = ", ".join(f"sum({name})" for name in parts)
    with duckdb.connect(str(folder / "native.duckdb"), read_only=True) as database:
        database.execute("SET threads = 2")
        row = database.execute(
            f"SELECT {outer} FROM (SELECT {inner} FROM rows WHERE booked_on <= DATE '{AS_OF}' GROUP BY ordinal)"
        ).fetchone()
    assert row is not None
    return {name: int(value) for name, value in zip(parts, row, strict=True)}


def transactions(rows: int, customers: int) -> pa.Table:
    """Return random rows in the order of their days: nine of ten belong to a quarter of the customers."""
    rng = np.random.default_rng(SEED)
    busy = rng.random(rows) < 0.9
    who = np.where(busy, rng.integers(0, customers // 4, rows), rng.integers(0, customers, rows)).astype(np.uint32)
    who = rng.permutation(customers).astype(np.uint32)[who]
    day = np.sort(rng.integers(0, LOADED, rows))
    first = (AS_OF - timedelta(days=LOADED - 1) - date(1970, 1, 1)).days
    columns: dict[str, pa.Array] = {
        "ordinal": pa.array(who),
        "booked_on": pa.array((first + day).astype(np.int32)).cast(pa.date32()),
    }
    for name, values in (("direction", DIRECTIONS), ("channel", CHANNELS), ("category", CATEGORIES)):
        codes = rng.choice(len(values), rows, p=rng.dirichlet([4.0] * len(values))).astype(np.int8)
        columns[name] = pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(values)).cast(pa.string())
    columns["amount"] = pa.array(np.round(rng.lognormal(9, 1.6, rows)).astype(np.int64))
    return pa.table(columns)


def published(store: Store, table: pa.Table, customers: int) -> float:
    """Write the rows into a store as a load does and sort them by customer; return the CPU seconds of the sorting."""
    with store.writing(now=NOW) as draft:
        path, relative = draft.new_file("table", "transaction", "rows")
        pq.write_table(table, path, compression="zstd", compression_level=1)
        draft.manifest.tables["transaction"] = TableState(files=[relative], rows=table.num_rows, as_of=AS_OF)
        draft.manifest.ordinals = customers
        start = time.process_time()
        compacted(store, draft.manifest, "transaction")
        return time.process_time() - start


def native(folder: Path, table: pa.Table) -> None:
    """Make the native table: narrow types, sorted by customer and day."""
    with duckdb.connect(str(folder / "native.duckdb")) as database:
        for name, values in (("direction", DIRECTIONS), ("channel", CHANNELS), ("category", CATEGORIES)):
            database.execute(f"CREATE TYPE {name} AS ENUM {values}")
        database.register("raw", table)
        database.execute(
            "CREATE TABLE rows AS SELECT ordinal, booked_on, direction::direction AS direction, channel::channel AS channel,"
            " category::category AS category, amount FROM raw ORDER BY ordinal, booked_on"
        )


if __name__ == "__main__":
    main()
