"""All 200 tags inside a segment, and the overlap of 50 segments: kequn's index against DuckDB and pairwise Roaring bitmaps.

    python bench/facets.py --folder /tmp/wide                       10 million customers
    python bench/facets.py --folder /tmp/wide --customers 1000000   a small run

The bank is that of `bench/wide.py`. For segments of 1, 10 and 50 % each side counts every value, or every bin of a number, of every tag
inside the segment. DuckDB's best way is taken: the segment's rows into a temporary table, then one GROUP BY a tag; the bins are those
that kequn shows. Both answer in turn in one process; what counts is its CPU time, the best of several rounds. Counts are
compared, all of them, before anything is said about time. A scan is one reading of all codes and planes of the index by the
compiled loop that adds them up.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from numba import njit
from pyroaring import BitMap
from wide import AS_OF, TABLE, Wide, wide_bank

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import Column, Index, build_index
from kequn.core.engine.index.bits import Words, packed, unpacked
from kequn.core.engine.index.counter import counter, plain_counter
from kequn.core.engine.index.facets import Crowd, facets
from kequn.core.engine.index.overlap import overlaps
from kequn.core.insight import draft_profile, profile
from kequn.core.insight.indexed import scales_of

SHARES = (0.01, 0.1, 0.5)
SEGMENTS = 50
UNIX = date(1970, 1, 1)


@njit(nogil=True, cache=True)
def added_up(words: Any) -> int:
    """Read all words."""
    total = np.uint64(0)
    for i in range(len(words)):
        total += words[i]
    return total


def scan(index: Index) -> int:
    """Read the codes and planes of every column; return their bytes."""
    size = 0
    for name in index.columns:
        for array in _arrays(index.columns[name]):
            octets = np.ascontiguousarray(array).view(np.uint8)
            added_up(octets[: len(octets) // 8 * 8].view(np.uint64))
            size += array.nbytes
    return size


def _arrays(column: Column) -> list[Any]:
    planes = list(column.planes.values())
    return [*planes, *([] if column.is_full else [column.known]), *([] if column.codes is None else [column.codes])]


def segment(wide: Wide, share: float, base: duckdb.DuckDBPyConnection) -> Words:
    """The customers with the greatest wealth, nearly: their share of the bank by one amount and a score."""
    value = base.execute(f"SELECT quantile_disc(model_score_01, {1 - share}) FROM {TABLE}").fetchall()[0][0]
    flags = np.zeros(wide.customers, dtype=bool)
    flags[base.execute(f"SELECT ordinal FROM {TABLE} WHERE model_score_01 > {value!r}").fetchnumpy()["ordinal"]] = True
    return packed(flags)


def by_duckdb(base: duckdb.DuckDBPyConnection, wide: Wide, cuts: dict[str, Any]) -> dict[str, dict[Any, int]]:
    """The counts by hand-written SQL; the ordinals of the segment are registered as ``chosen``."""
    columns = ", ".join(wide.tags)
    base.execute(
        f"CREATE OR REPLACE TEMP TABLE inside AS SELECT {columns} FROM {TABLE} SEMI JOIN chosen USING (ordinal)"
    )
    found = {}
    for name in wide.tags:
        group = _bin_sql(name, cuts[name], wide.tags[name].type) if name in cuts else name
        rows = base.execute(f"SELECT {group} AS value, count(*) FROM inside GROUP BY ALL").fetchall()
        found[name] = {value: n for value, n in rows if value is not None}
    return found


def _bin_sql(name: str, cuts: Any, kind: str) -> str:
    """The number of the bin, by as few comparisons as there are cuts."""
    whens = " ".join(f"WHEN {name} < {_literal(cut, kind)} THEN {i}" for i, cut in enumerate(cuts))
    return (
        f"CASE WHEN {name} IS NULL THEN NULL {whens} ELSE {len(cuts)} END"
        if len(cuts)
        else f"CASE WHEN {name} IS NOT NULL THEN 0 END"
    )


def _literal(cut: float, kind: str) -> str:
    if kind == "date":
        return f"DATE '{date.fromordinal(UNIX.toordinal() + int(cut)).isoformat()}'"
    return (
        f"{float(cut)!r}::DOUBLE" if kind == "number" else str(int(np.ceil(cut)))
    )  # a FLOAT column is not to round the cut


def by_index(index: Index, words: Words, cuts: dict[str, Any], using: Any = None) -> dict[str, Any]:
    """The counts by the index."""
    return facets(list(index.columns.values()), Crowd(words, index.size, index.population, using), cuts=cuts)


def same(index: Index, ours: dict[str, Any], theirs: dict[str, dict[Any, int]], cuts: dict[str, Any]) -> None:
    """Compare every count."""
    for name, counts in ours.items():
        values = range(len(counts) - 1) if name in cuts else index.columns[name].values or ()
        mine = {value: int(n) for value, n in zip(values, counts[1:], strict=True) if n}
        if mine != theirs[name]:
            raise SystemExit(f"{name}: {mine} / {theirs[name]}")


def cpu(run: Callable[[], Any]) -> float:
    """CPU milliseconds of one call."""
    before = time.process_time()
    run()
    return (time.process_time() - before) * 1000


def facets_rows(wide: Wide, rounds: int) -> dict[str, Any]:
    """Measure the facets, print the table and return the ratios."""
    engine, base = Engine(wide.store), duckdb.connect(str(wide.native), read_only=True)
    base.execute("SET threads = 2")
    build_index(wide.store, engine.manifest.dates[AS_OF.isoformat()])
    index = engine.index(AS_OF)
    scales = scales_of(index, wide.tags)
    cuts, ours = {n: scale.edges for n, scale in scales.items()}, {n: scale.cuts for n, scale in scales.items()}
    size = scan(index)
    once = min(cpu(lambda: scan(index)) for _ in range(rounds))
    print(
        f"{wide.customers:,} customers, {len(wide.tags)} tags; index {size / wide.customers:.0f} bytes a customer; a scan {once:.1f} CPU ms"
    )
    print(
        "| segment | DuckDB CPU ms | index CPU ms | ratio | scans | numpy alone | draft profile | full profile |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    made = {}
    for share in SHARES:
        words = segment(wide, share, base)
        ordinals = np.flatnonzero(unpacked(words, wide.customers)).astype(np.uint32)
        base.register("chosen", _arrow(ordinals))
        same(index, by_index(index, words, ours), by_duckdb(base, wide, cuts), cuts)
        same(index, by_index(index, words, ours, plain_counter()), by_duckdb(base, wide, cuts), cuts)
        profile(engine, ordinals, tags=wide.tags, as_of=AS_OF)
        slow, quick, draft = [], [], []
        for _ in range(rounds):
            slow.append(cpu(lambda: by_duckdb(base, wide, cuts)))
            quick += [cpu(lambda w=words: by_index(index, w, ours)) for _ in range(3)]
            draft.append(cpu(lambda w=words: draft_profile(engine, w, tags=wide.tags, as_of=AS_OF)))
        plain = cpu(lambda w=words: by_index(index, w, ours, plain_counter()))
        full = cpu(lambda o=ordinals: profile(engine, o, tags=wide.tags, as_of=AS_OF))
        ratio, scans = min(quick) / min(slow), min(quick) / once
        made[f"{share:.0%}"] = {
            "ratio": ratio,
            "scans": scans,
            "draft": min(draft),
            "full": full,
            "numpy": plain / min(slow),
        }
        cells = [
            f"{share:.0%} ({len(ordinals):,})",
            f"{min(slow):.0f}",
            f"{min(quick):.1f}",
            f"{ratio:.4f}",
            f"{scans:.2f}",
        ]
        print("| " + " | ".join([*cells, f"{plain:.0f}", f"{min(draft):.0f}", f"{full:.0f}"]) + " |")
    return made


def _arrow(ordinals: Any) -> Any:
    import pyarrow as pa

    return pa.table({"ordinal": ordinals})


def overlap_rows(customers: int, rounds: int) -> dict[str, float]:
    """Measure the overlap of 50 segments of 1 to 30 % and return the ratio."""
    rng = np.random.default_rng(3)
    flags = [rng.random(customers, dtype=np.float32) < rng.uniform(0.01, 0.3) for _ in range(SEGMENTS)]
    masks, maps = [packed(f) for f in flags], [BitMap(np.flatnonzero(f).astype(np.uint32)) for f in flags]
    pairs = [(i, j) for i in range(SEGMENTS) for j in range(i, SEGMENTS)]

    def roaring() -> list[int]:
        return [maps[i].intersection_cardinality(maps[j]) for i, j in pairs]

    ours, plain = overlaps(masks, using=counter()), overlaps(masks, using=plain_counter())
    if [int(ours[p]) for p in pairs] != roaring() or not np.array_equal(ours, plain):
        raise SystemExit("the overlaps are not the same")
    slow, quick, alone = [], [], []
    for _ in range(rounds):
        slow.append(cpu(roaring))
        quick.append(cpu(lambda: overlaps(masks, using=counter())))
        alone.append(cpu(lambda: overlaps(masks, using=plain_counter())))
    said = f"roaring {min(slow):.1f} CPU ms, index {min(quick):.1f}, ratio {min(quick) / min(slow):.3f}"
    print(f"overlap of {SEGMENTS}: {said}; numpy alone {min(alone):.1f}")
    return {"ratio": min(quick) / min(slow), "numpy": min(alone) / min(slow)}


def main() -> None:
    """Prepare, compare, time, say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, help="fail if a ratio of facets is above this")
    given = parser.parse_args()
    overlap = overlap_rows(given.customers, given.rounds)
    found = facets_rows(wide_bank(given.folder, customers=given.customers), given.rounds)
    print(json.dumps({"overlap": overlap, "facets": found}))
    if given.limit is not None and max(row["ratio"] for row in found.values()) > given.limit:
        raise SystemExit(f"a ratio is above {given.limit}")


if __name__ == "__main__":
    main()
