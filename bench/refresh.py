"""Claim: one day's refresh of 40 tags for 2 % of the customers takes at most 0.05 of the CPU time of DuckDB's UPDATE.

Both sides are given the new values. kequn writes a file of changes, publishes the next date, and a reader opens the index of that
date with all 40 changed columns; DuckDB updates 40 columns of its native table of 200 from a table of the changed rows and
writes a checkpoint. Afterwards, once and untimed, the values of all customers are compared by checksums of each column, and what
the index says with what DuckDB counts. CPU time of the process, alternated, best of the rounds.

Counted apart: putting the changes into columns of their own, which happens every few days after the tags were published; and ten
counts of segments with the changes laid over the columns, against the same without.

    python bench/refresh.py --customers 10000000 --folder /tmp/wide
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import geometric_mean

import duckdb
import numpy as np
import pyarrow as pa
from index import questions
from wide import AS_OF, SEED, TABLE, Wide, wide_bank

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import MaskCache, build_index
from kequn.core.engine.index.opening import Columns, population_of
from kequn.core.segments import count
from kequn.core.tags.increment import Increment
from kequn.core.tags.patching import Patch, fold

TAGS, SHARE = 40, 0.02
NEXT = date(2026, 7, 1)
NOW = datetime(2026, 7, 2, tzinfo=UTC)
UPDATE, WHOLE = "DuckDB UPDATE and CHECKPOINT", "kequn, all of it"
NATIVE = {"boolean": "BOOLEAN", "text": "VARCHAR", "date": "DATE", "number": "DOUBLE"}


def main() -> None:
    """Make the bank, run both sides in turn and print what they took."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--customers", type=int, default=200_000)
    arguments.add_argument("--folder", type=Path, default=Path("/tmp/wide"))
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--limit", type=float, help="fail above this ratio")
    asked = arguments.parse_args()
    wide = wide_bank(asked.folder, customers=asked.customers)
    names = sorted(wide.tags)[:: len(wide.tags) // TAGS][:TAGS]
    undo(wide)
    base = wide.store.manifest().dates[AS_OF.isoformat()]
    build_index(wide.store, base)
    changed, ordinals = new_values(wide, names)
    part = Increment(base, tuple(names), ordinals)
    native = asked.folder / "refresh.duckdb"
    took: dict[str, list[float]] = {}
    for turn in range(asked.rounds):
        shutil.copyfile(wide.native, native)
        spent = refreshed(wide, part, changed) | {UPDATE: duckdb_update(native, names, changed, ordinals)}
        if not turn:
            compare(wide, native, names)
            with_changes = counting(wide)
        for name, seconds in spent.items():
            took.setdefault(name, []).append(seconds)
        undo(wide)
    native.unlink()
    refreshed(wide, part, changed)
    start = time.process_time()
    assert set(fold(wide.store, now=NOW, everything=True)) == set(names)
    folding = time.process_time() - start
    undo(wide)
    best = min(took[UPDATE])
    print(f"{asked.customers:,} customers, {TAGS} tags, {len(ordinals):,} customers changed")
    print("| | CPU-s, best | ratio |")
    print("|---|---:|---:|")
    for name, seconds in took.items():
        print(f"| {name} | {min(seconds):.3f} | {min(seconds) / best:.3f} |")
    print(f"| apart: all changes into columns and index | {folding:.2f} | {folding / best:.3f} |")
    print(f"Counts of ten segments with the changes take {with_changes:.2f} of the time without (geometric mean).")
    if asked.limit and min(took[WHOLE]) > asked.limit * best:
        raise SystemExit(f"above {asked.limit}")


def undo(wide: Wide) -> None:
    """Take the next date out again, with its files."""
    if NEXT.isoformat() in wide.store.manifest().dates:
        for _ in range(3):  # the files of the last versions are kept for readers
            with wide.store.writing(now=NOW) as draft:
                draft.manifest.dates.pop(NEXT.isoformat(), None)


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


def refreshed(wide: Wide, part: Increment, changed: pa.Table) -> dict[str, float]:
    """Publish the next date from the new values, and open what changed of its index as a process that serves does."""
    specs = {name: wide.tags[name] for name in part.tags}
    seconds = {}
    start = time.process_time()
    with wide.store.writing(now=NOW) as draft:
        writing = time.process_time()
        tags = Patch(draft, part, part.base.population).files(specs, changed, dict.fromkeys(specs, ""), NOW)
        day = part.base.model_copy(update={"tags": part.base.tags | tags})
        draft.manifest.dates[NEXT.isoformat()] = day
        build_index(wide.store, day)
        seconds["kequn, the file of changes"] = time.process_time() - writing
    published = time.process_time()
    seconds["kequn, the manifest"] = published - start - sum(seconds.values())
    state = wide.store.manifest().dates[NEXT.isoformat()]
    columns = Columns(wide.store, state, population_of(wide.store, state))
    for name in part.tags:
        assert columns[name].changes is not None
    seconds["kequn, a reader opens the changed columns"] = time.process_time() - published
    return {WHOLE: time.process_time() - start} | seconds


def duckdb_update(native: Path, names: list[str], changed: pa.Table, ordinals: np.ndarray) -> float:
    """Update the native table from a table of the changed rows, and write it to the disk."""
    with duckdb.connect(str(native)) as database:
        database.execute("SET threads = 2")
        database.register("changed", changed.append_column("ordinal", pa.array(ordinals)))
        database.execute("CREATE TEMP TABLE fresh AS SELECT * FROM changed")
        sets = ", ".join(f"{name} = fresh.{name}" for name in names)
        start = time.process_time()
        database.execute(f"UPDATE {TABLE} SET {sets} FROM fresh WHERE {TABLE}.ordinal = fresh.ordinal")
        database.execute("CHECKPOINT")
        return time.process_time() - start


def compare(wide: Wide, native: Path, names: Sequence[str]) -> None:
    """Both sides hold the same value of each tag for each customer, and the index knows as many."""
    types = {name: NATIVE.get(wide.tags[name].type, "BIGINT") for name in names}
    said = ", ".join(f"count({n}), bit_xor(hash(ordinal, {n}::{t}))" for n, t in types.items())
    engine = Engine(wide.store)
    ours = engine.rows(f"SELECT {said} FROM ({engine.tags_query(NEXT, names)})")
    with duckdb.connect(str(native), read_only=True) as database:
        theirs = database.execute(f"SELECT {said} FROM {TABLE}").fetchall()
    assert ours == theirs
    day, index = engine.manifest.dates[NEXT.isoformat()], engine.index(NEXT)
    for place, name in enumerate(names):
        assert ours[0][2 * place] == day.tags[name].known == index.customers - int(index.columns[name].histogram[0])
    engine.close()


def counting(wide: Wide) -> float:
    """Return how much longer ten segments are counted on the date with the changes than on the date before."""
    engine, ratios = Engine(wide.store), []
    for question in questions():
        spent: dict[date, list[float]] = {NEXT: [], AS_OF: []}
        for _ in range(9):
            for day, seconds in spent.items():
                engine.masks = MaskCache()
                start = time.process_time()
                count(engine, question.spec(), tags=wide.tags, segments={}, as_of=day)
                seconds.append(time.process_time() - start)
        ratios.append(min(spent[NEXT]) / min(spent[AS_OF]))
    engine.close()
    return geometric_mean(ratios)


if __name__ == "__main__":
    main()
