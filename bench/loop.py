"""Load ten million transactions, compute the tags and count ten segments: kequn against the same work in hand-written SQL.

    python bench/loop.py                      10 million transactions of a bank of 50,000 customers
    python bench/loop.py --rows 200000        a small run

Both sides read the same file, make the same checks and write the same outputs (the reject list, the table, a file a tag); the
bench compares them before it says anything about time. The other tables are loaded beforehand. Each side runs in a process of
its own, the two in turn; what counts is the CPU time of the process (user and system, all threads), since other work on the
machine hardly touches it.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from kequn.core.data.identity import salt
from kequn.core.data.load import load_source
from kequn.core.data.starter import generate
from kequn.core.engine.duck import Engine, literal
from kequn.core.engine.store import Store
from kequn.core.segments import count, shipped_segments
from kequn.core.spec.reading import read_specs
from kequn.core.spec.segment import SegmentSpec
from kequn.core.spec.source import CsvInput, SourceSpec
from kequn.core.tags import catalogue, refresh

HERE = Path(__file__).resolve().parent
EXAMPLE = HERE.parent / "examples" / "starter_bank"
AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
KEY = b"a key for the bench, thirty-two."
FIRST = ("branches", "products", "customers")
TRANSACTIONS = "transactions"
SEGMENTS = (
    "recent_buyers", "seg_car", "seg_churn", "seg_edge", "seg_genz", "seg_midclass", "seg_owner", "seg_senior", "seg_windfall",
    "wealth_ready",
)  # fmt: skip
STEPS = ("load", "tags", "segments")
LEFT_OUT = {
    "chan_push_on", "demo_child_stage", "demo_life_stage", "loan_prepay_intent", "mkt_activity_pref",
    "mkt_consent_care_data", "mkt_consent_child_data", "mkt_consent_health_data", "risk_investor_class",
    "risk_qualified", "risk_vulnerable", "txn_bonus_conf", "txn_inflow_conf", "txn_inflow_cycle", "txn_inflow_day",
    "txn_inflow_next", "txn_payday", "txn_payday_conf", "txn_payday_next", "txn_rfm_group",
}  # fmt: skip
"""Tags that came after the hand-written SQL, cannot be said in it, or wait for a consent that it does not ask."""
SIDES = ("kequn", "by hand")


class Clock:
    """CPU and wall seconds of each step."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time one step."""
        cpu, wall = _cpu(), time.perf_counter()
        yield
        self.steps[name] = {"cpu": _cpu() - cpu, "wall": time.perf_counter() - wall}


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def sources() -> dict[str, SourceSpec]:
    """The starter bank's sources, the transactions from delimited text."""
    found = {s.name: s for _, s in read_specs(EXAMPLE / "sources") if isinstance(s, SourceSpec)}
    found[TRANSACTIONS] = found[TRANSACTIONS].model_copy(update={"input": CsvInput(path="txn.csv")})
    return found


def prepare(folder: Path, *, rows: int, customers: int) -> dict[str, int]:
    """Write the bank's files and load all tables but the transactions into ``folder/store``."""
    truth = generate(
        folder / "bank", customers=customers, as_of=AS_OF, volume=_volume(folder, rows, customers), transactions="csv"
    )
    store, specs = Store(folder / "store"), sources()
    for name in (*FIRST, *(n for n in specs if n not in (*FIRST, TRANSACTIONS))):
        load_source(store, specs[name], folder=folder / "bank", key=KEY, now=NOW, load_id=name)
    return truth.rows


def _volume(folder: Path, rows: int, customers: int) -> float:
    """How much to spend so that the ledger has about so many rows and a few more; it grows in a straight line."""
    sample = 2_000
    seen = []
    for volume in (1.0, 5.0):
        truth = generate(folder / "sample", customers=sample, as_of=AS_OF, volume=volume)
        seen.append(truth.rows[TRANSACTIONS] / sample)
        shutil.rmtree(folder / "sample")
    slope = (seen[1] - seen[0]) / 4
    return max(0.05, 1 + (1.04 * rows / customers - seen[0]) / slope)


def run_kequn(folder: Path) -> dict[str, Any]:
    """The work by kequn, on a copy of the prepared store."""
    clock, store = Clock(), Store(folder / "kequn")
    shutil.copytree(folder / "store", store.root)
    with clock.step("load"):
        report = load_source(store, sources()[TRANSACTIONS], folder=folder / "bank", key=KEY, now=NOW, load_id="bench")
    with clock.step("tags"):
        specs = catalogue()
        done = refresh(store, specs, as_of=AS_OF, now=NOW, only=compared())
    if done.failed or set(done.unavailable) & set(compared()):
        raise SystemExit(f"not all tags were computed: {done.failed} {done.unavailable}")
    with clock.step("segments"):
        engine = Engine(store)
        found = shipped_segments() | {
            s.name: s for _, s in read_specs(EXAMPLE / "segments") if isinstance(s, SegmentSpec)
        }
        counts = {n: count(engine, found[n], tags=specs, segments=found, as_of=AS_OF) for n in SEGMENTS}
    load = {"read": report.read, "loaded": report.loaded, "rejected": report.rejected,
            "totals": [str(t) for t in report.totals["amount"]], "as_of": str(report.as_of)}  # fmt: skip
    return {"steps": clock.steps, "load": load, "counts": counts, "tags": len(set(done.computed) & set(compared()))}


def run_by_hand(folder: Path) -> dict[str, Any]:
    """The same work by hand-written SQL, on the tables of the prepared store."""
    clock, store, out, tags = Clock(), Store(folder / "store"), folder / "hand", compared()
    (out / "tags").mkdir(parents=True)
    manifest = store.manifest()
    database = duckdb.connect(":memory:")
    database.execute(f"SET temp_directory = {literal(str(out / 'tmp'))}")
    database.execute("SET threads = 2")
    database.execute("SET memory_limit = '6GB'")
    names: dict[str, str] = {
        "file": str(folder / "bank" / "txn.csv"),
        "table": str(out / "transaction.parquet"),
        "rejects": str(out / "rejects.parquet"),
        "dictionary": str(store.path(manifest.dictionary or "")),
    }
    for kind in ("customer", "ref"):
        names |= {f"{kind}_prefix": salt(KEY, kind).prefix, f"{kind}_suffix": salt(KEY, kind).suffix}
    values = {n: literal(v) for n, v in names.items()}
    values |= {n: f"DATE '{d}'" for n, d in (("as_of", AS_OF), ("last_day", NOW.date() + timedelta(days=366)))}
    with clock.step("load"):
        row = _run(database, "loop_load.sql", values)[-1][0]
    for name, state in manifest.tables.items():
        files = ", ".join(literal(str(store.path(f))) for f in state.files)
        database.execute(f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{files}])')
    database.execute(f'CREATE VIEW "transaction" AS SELECT * FROM read_parquet({values["table"]})')
    with clock.step("tags"):
        _run(database, "loop_tags.sql", values)
        for name in tags:
            target = literal(str(out / "tags" / f"{name}.parquet"))
            query = f"SELECT {name} AS value FROM tags ORDER BY ordinal"
            database.execute(f"COPY ({query}) TO {target} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)")
        target = literal(str(out / "present.parquet"))
        database.execute(f"COPY (SELECT present AS value FROM tags ORDER BY ordinal) TO {target} (FORMAT parquet)")
    with clock.step("segments"):
        database.execute("CREATE VIEW customers_now AS SELECT * FROM tags WHERE present")
        counts = dict(r[0] for r in _run(database, "loop_segments.sql", values))
    yuan = [f"{int(v) / 100:.2f}" for v in row[3:5]]
    load = {"read": row[0], "loaded": row[1], "rejected": row[2], "totals": yuan, "as_of": str(row[5])}
    return {"steps": clock.steps, "load": load, "counts": counts, "tags": len(list((out / "tags").iterdir()))}


def _run(database: duckdb.DuckDBPyConnection, file: str, values: dict[str, str]) -> list[Any]:
    text = "\n".join(
        line for line in (HERE / file).read_text(encoding="utf-8").splitlines() if not line.startswith("--")
    )
    results = []
    for statement in string.Template(text).substitute(values).split(";\n"):
        if statement.strip():
            results.append(database.execute(statement).fetchall())
    return results


def compared() -> list[str]:
    """The tags that both sides compute: of the catalogue, those that the hand-written SQL states."""
    return [n for n, s in catalogue().items() if s.over != "given" and n not in LEFT_OUT]


def compare(folder: Path, kequn: dict[str, Any], hand: dict[str, Any]) -> list[str]:
    """Return what is not the same on both sides."""
    found = [
        f"{part}: {kequn[part]} / {hand[part]}" for part in ("load", "counts", "tags") if kequn[part] != hand[part]
    ]
    store = Store(folder / "kequn")
    manifest, database = store.manifest(), duckdb.connect()
    state = manifest.dates[AS_OF.isoformat()]
    pairs = {
        f"tag {n}": (store.path(t.file), folder / "hand" / "tags" / f"{n}.parquet")
        for n, t in state.tags.items()
        if n in compared()
    }
    pairs["population"] = (store.path(state.population), folder / "hand" / "present.parquet")
    pairs["transactions"] = (
        store.path(manifest.tables["transaction"].files[0]),
        folder / "hand" / "transaction.parquet",
    )
    pairs["rejects"] = (store.root / "rejects" / "bench.parquet", folder / "hand" / "rejects.parquet")
    for what, (ours, theirs) in pairs.items():
        a, b = (f"read_parquet({literal(str(p))})" for p in (ours, theirs))
        sums = [_fingerprint(database, s, positional=what.startswith(("tag", "pop"))) for s in (a, b)]
        if sums[0] != sums[1]:
            found.append(what)
    return found


def _fingerprint(database: duckdb.DuckDBPyConnection, source: str, *, positional: bool) -> Any:
    columns = database.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    shown = ", ".join(
        f'round("{c}", 9)' if t == "DOUBLE" else f"coalesce(\"{c}\"::VARCHAR, '')" for c, t, *_ in columns
    )
    row = "row_number() OVER (), " if positional else ""
    query = f"SELECT count(*), sum(hash(s)::HUGEINT) FROM (SELECT hash({row}{shown}) AS s FROM {source})"
    return database.execute(query).fetchone()


def table(results: dict[str, list[dict[str, Any]]]) -> str:
    """Return the result as a Markdown table: the best CPU of the rounds, wall of that round, and the ratio."""
    best = {
        side: min(rounds, key=lambda r: sum(s["cpu"] for s in r["steps"].values())) for side, rounds in results.items()
    }
    lines = [
        "| step | kequn CPU s | by hand CPU s | ratio | kequn wall s | by hand wall s |",
        "|---|---|---|---|---|---|",
    ]
    for step in (*STEPS, "all"):
        chosen = STEPS if step == "all" else (step,)
        cpu = [sum(best[side]["steps"][s]["cpu"] for s in chosen) for side in SIDES]
        wall = [sum(best[side]["steps"][s]["wall"] for s in chosen) for side in SIDES]
        lines.append(
            f"| {step} | {cpu[0]:.1f} | {cpu[1]:.1f} | {cpu[0] / cpu[1]:.2f} | {wall[0]:.1f} | {wall[1]:.1f} |"
        )
    lines.append("")
    lines.append(f"Peak memory: kequn {best['kequn']['rss']:.2f} GiB, by hand {best['by hand']['rss']:.2f} GiB.")
    return "\n".join(lines)


def main() -> None:
    """Prepare, run both sides in turn, compare, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int, default=50_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder by default")
    parser.add_argument("--limit", type=float, help="fail when the ratio of all steps is above it")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        result = (run_kequn if given.side == "kequn" else run_by_hand)(given.folder)
        result["rss"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as work:
        _bench(Path(work), given)


def _bench(folder: Path, given: argparse.Namespace) -> None:
    rows = prepare(folder, rows=given.rows, customers=given.customers)
    print(f"{rows[TRANSACTIONS]:,} transactions of {given.customers:,} customers; {given.rounds} rounds", flush=True)
    results: dict[str, list[dict[str, Any]]] = {side: [] for side in SIDES}
    for _ in range(given.rounds):
        for side in SIDES:
            shutil.rmtree(folder / {"kequn": "kequn", "by hand": "hand"}[side], ignore_errors=True)
            command = [sys.executable, __file__, "--side", side, "--folder", str(folder)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            results[side].append(json.loads(done.stdout.splitlines()[-1]))
    different = compare(folder, results["kequn"][-1], results["by hand"][-1])
    print(table(results))
    print("Outputs are the same." if not different else "Outputs differ: " + "; ".join(different))
    total = [min(sum(s["cpu"] for s in r["steps"].values()) for r in results[side]) for side in SIDES]
    if different or (given.limit and total[0] / total[1] > given.limit):
        sys.exit(1)


if __name__ == "__main__":
    main()
