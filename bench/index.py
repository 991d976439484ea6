"""Ten segments of a wide bank: the index against hand-written SQL on a native DuckDB table of the same values.

    python bench/index.py --customers 1000000 --folder /tmp/wide

Count, ids, the edit of one condition, what the index takes, and the same without compiled loops; `refresh.py` has the refresh. Each answer
is compared before any time is printed. What counts is the CPU time of the process (all threads), the best of some rounds in
which the two sides take turns. The index is asked through the same function as the product does, with nothing kept from before.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from wide import AS_OF, TABLE, Wide, wide_bank

from kequn.core.engine.duck import Engine
from kequn.core.engine.index import MaskCache, build_index
from kequn.core.engine.index.kernel import kernel, plain
from kequn.core.segments import count, members, preview
from kequn.core.spec.segment import SegmentSpec


@dataclass(frozen=True, slots=True)
class Question:
    """One segment, once as people define it here and once as someone would write it in SQL (money in fen there)."""

    name: str
    where: dict[str, Any]
    sql: str

    def spec(self, where: dict[str, Any] | None = None) -> SegmentSpec:
        """The segment, with another condition if one is given."""
        return SegmentSpec.model_validate({"name": self.name, "title": self.name, "where": where or self.where})


def tag(name: str, op: str = "=", value: Any = None) -> dict[str, Any]:
    """One condition."""
    return {"tag": name, "op": op} | ({} if value is None else {"value": value})


def questions() -> list[Question]:
    """Ten segments of three to eight conditions: common and rare, nested, on values with holes."""
    return [
        Question(
            "flags",
            {"all": [tag("acct_flag_40", "=", True), tag("acct_flag_35", "=", True), tag("acct_flag_20", "=", False)]},
            "acct_flag_40 AND acct_flag_35 AND NOT acct_flag_20",
        ),
        Question(
            "texts",
            {
                "all": [
                    tag("demo_text_05", "in", [f"value {w:02} of demo_text_05" for w in (3, 4, 5)]),
                    tag("acct_flag_50", "=", True),
                    tag("demo_code_10", ">=", 7),
                    tag("asset_amount_20", ">=", 50000),
                ]
            },
            "demo_text_05 IN ('value 03 of demo_text_05', 'value 04 of demo_text_05', 'value 05 of demo_text_05')"
            " AND acct_flag_50 AND demo_code_10 >= 7 AND asset_amount_20 >= 5000000",
        ),
        Question(
            "ranges",
            {
                "all": [
                    tag("asset_amount_04", "between", [100, 5000]),
                    tag("asset_amount_15", ">", 200),
                    tag("txn_count_07", "between", [2, 9]),
                    tag("life_date_03", ">=", "2024-06-30"),
                    tag("model_score_01", ">=", 0.4),
                ]
            },
            "asset_amount_04 BETWEEN 10000 AND 500000 AND asset_amount_15 > 20000 AND txn_count_07 BETWEEN 2 AND 9"
            " AND life_date_03 >= DATE '2024-06-30' AND model_score_01 >= 0.4::FLOAT",
        ),
        Question(
            "either",
            {
                "all": [
                    {"any": [tag("asset_amount_30", ">=", 100000), tag("asset_amount_31", ">=", 100000)]},
                    {"any": [tag("demo_code_05", "=", 3), tag("demo_code_06", "=", 5), tag("acct_flag_45", "=", True)]},
                    tag("chan_code_03", "<", 700),
                ]
            },
            "(asset_amount_30 >= 10000000 OR asset_amount_31 >= 10000000)"
            " AND (demo_code_05 = 3 OR demo_code_06 = 5 OR acct_flag_45) AND chan_code_03 < 700",
        ),
        Question(
            "nested",
            {
                "any": [
                    {"all": [tag("acct_flag_30", "=", True), tag("asset_amount_12", ">=", 3000)]},
                    {
                        "all": [
                            tag("demo_text_08", "contains", "value 0"),
                            {"not": tag("txn_count_10", "<", 5)},
                            tag("demo_code_20", "in", [10, 11, 12, 20]),
                        ]
                    },
                    {"all": [tag("life_date_07", "<", "2020-01-01"), tag("acct_flag_55", "=", True), tag("model_score_03", "<", 0.2)]},
                ]
            },
            "COALESCE(acct_flag_30 AND asset_amount_12 >= 300000, FALSE)"
            " OR COALESCE(demo_text_08 LIKE '%value 0%' AND NOT (txn_count_10 < 5) AND demo_code_20 IN (10, 11, 12, 20), FALSE)"
            " OR COALESCE(life_date_07 < DATE '2020-01-01' AND acct_flag_55 AND model_score_03 < 0.2::FLOAT, FALSE)",
        ),
        Question(
            "rare",
            {
                "all": [
                    tag("acct_flag_00", "=", True),
                    tag("asset_amount_39", ">=", 1_000_000),
                    tag("demo_code_39", "=", 40),
                    tag("txn_count_14", ">=", 30),
                    tag("chan_code_09", ">", 1500),
                    tag("life_date_09", ">=", "2025-01-01"),
                    tag("model_score_04", ">", 0.5),
                    tag("demo_text_19", "!=", "value 00 of demo_text_19"),
                ]
            },
            "acct_flag_00 AND asset_amount_39 >= 100000000 AND demo_code_39 = 40 AND txn_count_14 >= 30 AND chan_code_09 > 1500"
            " AND life_date_09 >= DATE '2025-01-01' AND model_score_04 > 0.5::FLOAT AND demo_text_19 <> 'value 00 of demo_text_19'",
        ),
        Question(
            "without",
            {
                "all": [
                    {"not": tag("asset_amount_08", ">=", 20)},
                    {"not": tag("demo_text_07", "in", ["value 05 of demo_text_07", "value 06 of demo_text_07"])},
                    {"not": tag("life_date_05", ">", "2025-06-30")},
                    tag("acct_flag_59", "=", True),
                ]
            },
            "NOT COALESCE(asset_amount_08 >= 2000, FALSE)"
            " AND NOT COALESCE(demo_text_07 IN ('value 05 of demo_text_07', 'value 06 of demo_text_07'), FALSE)"
            " AND NOT COALESCE(life_date_05 > DATE '2025-06-30', FALSE) AND acct_flag_59",
        ),
        Question(
            "holes",
            {
                "all": [
                    tag("asset_amount_16", "unknown"),
                    tag("life_date_01", "known"),
                    {"any": [tag("demo_text_03", "unknown"), tag("acct_flag_10", "=", True), tag("demo_code_30", "<=", 12)]},
                    tag("asset_amount_17", "<", 5000),
                ]
            },
            "asset_amount_16 IS NULL AND life_date_01 IS NOT NULL"
            " AND (demo_text_03 IS NULL OR acct_flag_10 OR demo_code_30 <= 12) AND asset_amount_17 < 500000",
        ),
        Question(
            "codes",
            {
                "all": [
                    tag("demo_code_12", "in", [2, 5, 7, 9, 11]),
                    tag("demo_code_25", "between", [8, 20]),
                    tag("chan_code_01", "in", [100, 150, 200, 250, 260, 270, 280, 290, 300, 310]),
                    tag("demo_text_12", "contains", "1"),
                    tag("acct_flag_25", "=", False),
                    tag("txn_count_03", "=", 0),
                ]
            },
            "demo_code_12 IN (2, 5, 7, 9, 11) AND demo_code_25 BETWEEN 8 AND 20"
            " AND chan_code_01 IN (100, 150, 200, 250, 260, 270, 280, 290, 300, 310) AND demo_text_12 LIKE '%1%'"
            " AND NOT acct_flag_25 AND txn_count_03 = 0",
        ),
        Question(
            "many",
            {
                "all": [
                    tag("asset_amount_22", ">=", 10),
                    tag("asset_amount_23", "<", 100000),
                    {"any": [tag("asset_amount_24", "=", 0), tag("asset_amount_25", ">=", 700)]},
                    {"any": [tag("model_score_00", ">=", 0.3), tag("life_date_02", "known")]},
                    {"not": {"all": [tag("txn_count_12", ">", 20), tag("demo_code_33", "<", 25)]}},
                ]
            },
            "asset_amount_22 >= 1000 AND asset_amount_23 < 10000000 AND (COALESCE(asset_amount_24 = 0, FALSE) OR asset_amount_25 >= 70000)"
            " AND (model_score_00 >= 0.3::FLOAT OR life_date_02 IS NOT NULL) AND NOT (txn_count_12 > 20 AND demo_code_33 < 25)",
        ),
    ]  # fmt: skip


EDITS: dict[str, list[dict[str, Any]]] = {
    "flags": [tag("acct_flag_20", "=", True), tag("acct_flag_21", "=", False)],
    "texts": [tag("asset_amount_20", ">=", 60000), tag("asset_amount_20", ">=", 75000)],
    "ranges": [tag("model_score_01", ">=", 0.5), tag("model_score_01", ">=", 0.6)],
    "either": [tag("chan_code_03", "<", 600), tag("chan_code_03", "<", 500)],
    "rare": [
        tag("demo_text_19", "!=", "value 01 of demo_text_19"),
        tag("demo_text_19", "=", "value 09 of demo_text_19"),
    ],
    "without": [tag("acct_flag_58", "=", True), tag("asset_amount_09", "<", 30)],
    "holes": [tag("asset_amount_17", "<", 6000), tag("asset_amount_17", "<", 9000)],
    "codes": [tag("txn_count_03", "=", 1), tag("txn_count_03", ">=", 2)],
}
"""The last condition of a segment, edited."""


class Bench:
    """The two sides and the figures."""

    def __init__(self, wide: Wide, rounds: int) -> None:
        self.wide = wide
        self.rounds = rounds
        self.engine = Engine(wide.store)
        self.native = duckdb.connect(str(wide.native), read_only=True)
        self.native.execute("SET threads = 2")
        self.given: dict[str, Any] = {"tags": wide.tags, "segments": {}, "as_of": AS_OF}

    def fresh(self) -> None:
        """Forget what was asked before."""
        self.engine.masks = MaskCache()

    def count(self, question: Question) -> int:
        """By the index."""
        return count(self.engine, question.spec(), **self.given)

    def ids(self, question: Question) -> np.ndarray[Any, Any]:
        """By the index."""
        return members(self.engine, question.spec(), **self.given)

    def native_count(self, question: Question) -> int:
        """By hand."""
        return int(self.native.execute(f"SELECT count(*) FROM {TABLE} WHERE {question.sql}").fetchall()[0][0])

    def native_ids(self, question: Question) -> np.ndarray[Any, Any]:
        """By hand, as an array."""
        return self.native.execute(f"SELECT ordinal FROM {TABLE} WHERE {question.sql}").fetchnumpy()["ordinal"]

    def both(self, by_index: Callable[[Question], Any], by_hand: Callable[[Question], Any]) -> list[dict[str, Any]]:
        """Ask each question of both sides in turn; CPU milliseconds, the best of the rounds."""
        rows = []
        for question in questions():
            best = {"index": np.inf, "duckdb": np.inf}
            for _ in range(self.rounds):
                answer_by_hand, cost = _timed(lambda: by_hand(question))  # noqa: B023 - called at once
                best["duckdb"] = min(best["duckdb"], cost)
                self.fresh()
                answer, cost = _timed(lambda: by_index(question))  # noqa: B023
                best["index"] = min(best["index"], cost)
                assert np.array_equal(np.sort(np.atleast_1d(answer_by_hand)), np.atleast_1d(answer)), question.name
            size = int(answer) if np.ndim(answer) == 0 else len(answer)
            rows.append({"segment": question.name, "size": size, **best, "ratio": best["index"] / best["duckdb"]})
        return rows

    def edits(self) -> list[dict[str, Any]]:
        """The count of a segment after an edit of its last condition, the builder having shown it before, against a first count."""
        rows = []
        for question in questions():
            for edited in EDITS.get(question.name, []):
                where = {"all": [*question.where["all"][:-1], edited]}
                spec, best = question.spec(where), {"edit": np.inf, "full": np.inf}
                for _ in range(self.rounds):
                    self.fresh()
                    before = preview(self.engine, question.spec(), **self.given).steps[-2].left
                    after, cost = _timed(lambda: count(self.engine, spec, **self.given))  # noqa: B023
                    best["edit"] = min(best["edit"], cost)
                    self.fresh()
                    alone, cost = _timed(lambda: count(self.engine, spec, **self.given))  # noqa: B023
                    best["full"] = min(best["full"], cost)
                    assert before >= after == alone
                rows.append({"segment": question.name, **best, "ratio": best["edit"] / best["full"]})
        return rows


def _timed(ask: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    answer = ask()
    return answer, (time.process_time() - start) * 1000


def geometric_mean(rows: list[dict[str, Any]]) -> float:
    """Of the ratios."""
    return float(np.exp(np.mean([np.log(row["ratio"]) for row in rows])))


def table(title: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    """Print figures as a markdown table."""
    print(f"\n### {title}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(_shown(column, row[column]) for column in columns)} |")


def _shown(column: str, value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.3f}" if column == "ratio" else f"{value:,.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def sizes(bench: Bench) -> dict[str, float]:
    """Bytes a customer, and seconds to open all columns in a new engine."""
    engine = Engine(bench.wide.store)
    start = time.perf_counter()
    index = engine.index(AS_OF)
    columns = [index.columns[name] for name in bench.wide.tags]
    seconds = time.perf_counter() - start
    resident, exact = np.sum([column.nbytes() for column in columns], axis=0) / bench.wide.customers
    engine.close()
    return {"resident": float(resident), "exact": float(exact), "open": seconds}


def without_compiled(given: argparse.Namespace) -> None:
    """The counts again in a process that has no compiler."""
    command = [sys.executable, __file__, "--plain", "--customers", str(given.customers), "--folder", str(given.folder)]
    subprocess.run([*command, "--rounds", str(given.rounds)], check=True)


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain", action="store_true", help="without compiled loops, count alone")
    given = parser.parse_args()
    if given.plain:
        sys.modules["numba"] = None  # type: ignore[assignment]
        assert kernel() is plain()
    wide = wide_bank(given.folder, customers=given.customers)
    start = time.process_time()
    build_index(wide.store, wide.store.manifest().dates[AS_OF.isoformat()])
    print(f"index of {len(wide.tags)} tags built, where it was missing, in {time.process_time() - start:.1f} CPU s")
    bench = Bench(wide, given.rounds)
    counts = bench.both(bench.count, bench.native_count)
    columns = ("segment", "size", "duckdb", "index", "ratio")
    table("count without compiled loops, CPU ms" if given.plain else "count, CPU ms", counts, columns)
    print(f"\ngeometric mean {geometric_mean(counts):.3f}, worst {max(r['ratio'] for r in counts):.3f}", flush=True)
    if given.plain:
        return
    ids = bench.both(bench.ids, bench.native_ids)
    table("ids, CPU ms", ids, columns)
    print(f"\ngeometric mean {geometric_mean(ids):.3f}")
    edits = bench.edits()
    table("edit of one condition, CPU ms", edits, ("segment", "full", "edit", "ratio"))
    print(f"\ngeometric mean {geometric_mean(edits):.3f}")
    said = sizes(bench)
    print(
        f"\n{said['resident']:.0f} bytes a customer, exact {said['exact']:.0f} more; opened in {said['open']:.2f} s",
        flush=True,
    )
    without_compiled(given)


if __name__ == "__main__":
    main()
