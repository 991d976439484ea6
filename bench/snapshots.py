"""Claim: a segment's members are kept for every day at 0.25 byte a member-day or less, and any day is back in 300 ms.

Ten segments of 1 to 50% of the bank lose and gain 1% of their members a day for a number of days. Each day is kept by
``core.segments.history`` and, to compare with, as parquet as DuckDB and Arrow write it by default (zstd), one file a day.
Every day that is read back is compared with the members that were kept.

    python bench/snapshots.py --customers 10000000
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from kequn.core.engine.store import Store
from kequn.core.segments import history

SHARES = (0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.3, 0.4, 0.5)
FIRST = date(2026, 1, 1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def moved(rng: np.random.Generator, members: np.ndarray, churn: float) -> np.ndarray:
    """Return who is a member after a day on which ``churn`` of the members leave and as many others join."""
    inside = np.flatnonzero(members)
    n = round(len(inside) * churn)
    outside = np.unique(rng.integers(0, len(members), 3 * n + 10))
    outside = rng.permutation(outside[~members[outside]])[:n]
    after = members.copy()
    after[rng.choice(inside, n, replace=False)] = False
    after[outside] = True
    return after


def parquet_bytes(ordinals: np.ndarray, **options: object) -> int:
    """Return the size of a day as a parquet file of one column of ordinals."""
    buffer = io.BytesIO()
    pq.write_table(pa.table({"ordinal": ordinals}), buffer, compression="zstd", **options)
    return buffer.tell()


def run(customers: int, days: int, churn: float) -> dict[str, float]:
    """Return bytes a member-day by form, and the milliseconds that reading a day takes."""
    rng = np.random.default_rng(20261122)
    member_days = kept = plain = packed = 0
    taking: list[float] = []
    reading: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for number, share in enumerate(SHARES):
            members = rng.random(customers) < share
            truth: dict[date, np.ndarray] = {}
            for n in range(days):
                day = FIRST + timedelta(days=n)
                ordinals = np.flatnonzero(members).astype(np.uint32)
                start = time.process_time()
                history.take(
                    store, f"s{number}", day, ordinals, definition={"segment": {"s": "0"}}, data=str(n), now=NOW
                )
                taking.append(time.process_time() - start)
                member_days += len(ordinals)
                if n in (0, days // 2, days - 1):  # parquet keeps each day whole: three of them tell all
                    plain += parquet_bytes(ordinals) * days // 3
                    packed += (
                        parquet_bytes(ordinals, use_dictionary=False, column_encoding="DELTA_BINARY_PACKED") * days // 3
                    )
                    truth[day] = ordinals
                members = moved(rng, members, churn)
            for day, ordinals in truth.items():
                start = time.perf_counter()
                found = history.members_on(store, f"s{number}", day)
                reading.append((time.perf_counter() - start) * 1000)
                if not np.array_equal(found, ordinals):
                    raise AssertionError(f"s{number} on {day} is not what was kept")
            kept += sum(s.bytes for s in history.snapshots(store, f"s{number}"))
        index = sum((Path(folder) / "segment" / f"s{n}" / "index.json").stat().st_size for n in range(len(SHARES)))
    return {
        "customers": customers,
        "days": days,
        "member_days": member_days,
        "bytes_a_member_day": (kept + index) / member_days,
        "parquet_default": plain / member_days,
        "parquet_delta_packed": packed / member_days,
        "share_of_parquet": (kept + index) / plain,
        "read_ms_median": statistics.median(reading),
        "read_ms_worst": max(reading),
        "take_cpu_ms_median": statistics.median(taking) * 1000,
    }


def main() -> None:
    """Print the figures; end with an error where one of the two limits is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, nargs="*", default=[10, 31, 90])
    parser.add_argument("--churn", type=float, default=0.01)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    found = [run(asked.customers, days, asked.churn) for days in asked.days]
    for row in found:
        print("  ".join(f"{k} {v:,.3f}" if isinstance(v, float) else f"{k} {v:,}" for k, v in row.items()))
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=1))
    if any(row["bytes_a_member_day"] > 0.25 or row["read_ms_worst"] > 300 for row in found):
        raise SystemExit("a limit was missed")


if __name__ == "__main__":
    main()
