"""Claim: one day's refresh of 40 tags for 2 % of the customers takes at most 0.05 of the CPU time of DuckDB's UPDATE.

Both sides are given the new values. kequn makes the next day's index columns (copies with the rows patched) and, counted apart,
the tag files that are the system of record. DuckDB updates 40 columns of its native table of 200 from a table of the changed
rows and writes a checkpoint. The counts of the changed columns are compared afterwards. CPU time of the process, alternated.

    python bench/refresh.py --customers 10000000 --folder /tmp/wide
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from wide import AS_OF, SEED, TABLE, Wide, wide_bank

from kequn.core.engine.index.opening import build_index, folder_of
from kequn.core.engine.store import DateState, Draft
from kequn.core.tags.columns import ARROW_OF_TYPE
from kequn.core.tags.increment import Increment
from kequn.core.tags.patching import Patch, patch_index

TAGS, SHARE = 40, 0.02
NEXT = date(2026, 7, 1)
NOW = datetime(2026, 7, 2, tzinfo=UTC)


def main() -> None:
    """Make the bank, run both sides in turn and print what they took."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=200_000)
    arguments.add_argument("--folder", type=Path, default=Path("/tmp/wide"))
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    wide = wide_bank(asked.folder, customers=asked.customers)
    names = sorted(wide.tags)[:: len(wide.tags) // TAGS][:TAGS]
    base = wide.store.manifest().dates[AS_OF.isoformat()]
    build_index(wide.store, base, only=names)
    changed, ordinals = new_values(wide, names)
    part = Increment(base, tuple(names), ordinals)
    native = asked.folder / "refresh.duckdb"
    took: dict[str, list[float]] = {}
    for _ in range(asked.rounds):
        shutil.copyfile(wide.native, native)
        spent, counts = kequn(wide, part, changed)
        by_update, theirs = duckdb_update(native, names, changed, ordinals)
        assert counts == theirs, (counts, theirs)
        for name, seconds in (spent | {"DuckDB UPDATE": by_update}).items():
            took.setdefault(name, []).append(seconds)
    native.unlink()
    base_time = min(took["DuckDB UPDATE"])
    print(f"{asked.customers:,} customers, {TAGS} tags, {len(ordinals):,} customers changed")
    print("| | CPU-s, best | ratio |")
    print("|---|---:|---:|")
    for name, seconds in took.items():
        print(f"| {name} | {min(seconds):.2f} | {min(seconds) / base_time:.3f} |")


def new_values(wide: Wide, names: list[str]) -> tuple[pa.Table, np.ndarray]:
    """Take the values of other customers as the new ones: such as the columns know, nulls among them."""
    rng = np.random.default_rng(SEED)
    ordinals = np.sort(rng.choice(wide.customers, round(wide.customers * SHARE), replace=False)).astype(np.uint32)
    with duckdb.connect(str(wide.native), read_only=True) as database:
        database.register("donors", pa.table({"place": np.arange(len(ordinals)), "ordinal": rng.permutation(ordinals)}))
        columns = ", ".join(f"w.{name}" for name in names)
        query = f"SELECT {columns} FROM donors d JOIN {TABLE} w USING (ordinal) ORDER BY d.place"
        found = database.sql(query).to_arrow_table()
    return found, ordinals


def kequn(wide: Wide, part: Increment, changed: pa.Table) -> tuple[dict[str, float], dict[str, int]]:
    """Write the next day's tag files and index columns, and throw them away again."""
    spent: dict[str, float] = {}

    def timed(name: str, work: Callable[[], object]) -> None:
        start = time.process_time()
        work()
        spent[name] = time.process_time() - start

    specs = {name: wide.tags[name] for name in part.tags}
    types = {name: ARROW_OF_TYPE[spec.type] for name, spec in specs.items()}
    values = {n: changed.column(n).cast(t).combine_chunks() for n, t in types.items()}
    patch = Patch(Draft(wide.store, wide.store.manifest()), part, part.base.population)
    day = DateState(population=part.base.population, customers=part.base.customers)

    def write_files() -> None:
        day.tags = patch.files(specs, changed, dict.fromkeys(specs, ""), NOW)

    timed("kequn, index columns and tag files", lambda: (write_files(), patch_index(wide.store, part, values, day)))
    made = [folder_of(wide.store, name, state.file) for name, state in day.tags.items()]
    assert all((folder / "column.json").exists() for folder in made), "not every column could be patched"
    for folder in made:
        shutil.rmtree(folder)
    timed("kequn, index columns", lambda: patch_index(wide.store, part, values, day))
    counts = {name: state.known for name, state in day.tags.items()}
    for folder in made:
        shutil.rmtree(folder)
    for state in day.tags.values():
        wide.store.path(state.file).unlink()
    return spent, counts


def duckdb_update(
    native: Path, names: list[str], changed: pa.Table, ordinals: np.ndarray
) -> tuple[float, dict[str, int]]:
    """Update the native table from a table of the changed rows, and write it to the disk."""
    with duckdb.connect(str(native)) as database:
        database.execute("SET threads = 2")
        database.register("changed", changed.append_column("ordinal", pa.array(ordinals)))
        database.execute("CREATE TEMP TABLE fresh AS SELECT * FROM changed")
        sets = ", ".join(f"{name} = fresh.{name}" for name in names)
        start = time.process_time()
        database.execute(f"UPDATE {TABLE} SET {sets} FROM fresh WHERE {TABLE}.ordinal = fresh.ordinal")
        database.execute("CHECKPOINT")
        spent = time.process_time() - start
        counts = database.execute(f"SELECT {', '.join(f'count({n})' for n in names)} FROM {TABLE}").fetchone()
    assert counts is not None
    return spent, dict(zip(names, counts, strict=True))


if __name__ == "__main__":
    main()
