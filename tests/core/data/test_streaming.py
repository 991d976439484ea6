"""A large file is streamed: memory does not grow with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.data.conftest import KEY, TRANSACTIONS, Bank

MEASURE = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from kequn.core.data.load import load_source
from kequn.core.engine.store import Store
from kequn.core.spec.reading import read_spec

root = Path(sys.argv[1])
report = load_source(Store(root / "store"), read_spec(root / "data" / "spec.yaml"), folder=root / "data", key=KEY,
                     now=datetime(2026, 6, 30, tzinfo=UTC), load_id="big")
print(report.loaded, report.rejected, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def peak_megabytes(bank: Bank, megabytes: int) -> tuple[int, int]:
    """Load a file of about that size in a process of its own; return (rows loaded, peak resident memory)."""
    filler = "x" * 160
    path = bank.folder / "txn.csv"
    with path.open("w") as out:
        out.write("no,cust,day,dc,amt,note\n")
        row = 0
        while out.tell() < megabytes << 20:
            out.write("".join(f"T{i},C{i % 50},2026-01-02,C,{i}.25,{filler}\n" for i in range(row, row + 50_000)))
            row += 50_000
    bank.write("spec.yaml", TRANSACTIONS)
    source = Path(__file__).resolve().parents[3] / "src"
    found = subprocess.run(
        [sys.executable, "-c", MEASURE.replace("KEY,", f"{KEY!r},"), str(bank.folder.parent)],
        capture_output=True, text=True, check=True, env={"PYTHONPATH": str(source)},
    )  # fmt: skip
    loaded, rejected, peak = map(int, found.stdout.split())
    assert (loaded, rejected) == (row, 0)
    return loaded, peak


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(bank: Bank):
    bank.customers(*(f"C{i}" for i in range(50)))
    _, small = peak_megabytes(bank, 100)
    rows, large = peak_megabytes(bank, 400)
    assert large < 900
    assert large - small < 64 + 24 * rows // (1 << 20)  # the keys of the rows are held: 8 bytes each, and a sorted copy
