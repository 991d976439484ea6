"""Whatever interrupts a load, the last published data serve, and the next load cleans up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kequn.core.engine.store import Store
from kequn.core.errors import StoreFull
from tests.core.data.conftest import CUSTOMERS, TRANSACTIONS, Bank

LOADER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from kequn.core.data.load import load_source
from kequn.core.engine.store import Store
from kequn.core.spec.reading import read_spec

root, spec, load_id = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
def tell(records, _total, what):
    print(records, what, flush=True)
load_source(Store(root / "store"), read_spec(spec), folder=root / "data", key=KEY, now=datetime(2026, 6, 30, tzinfo=UTC),
            load_id=load_id, progress=tell)
print("done", flush=True)
"""


def start(bank: Bank, spec: Path, load_id: str) -> subprocess.Popen[str]:
    from tests.core.data.conftest import KEY

    source = Path(__file__).resolve().parents[3] / "src"
    return subprocess.Popen(
        [sys.executable, "-c", LOADER.replace("KEY,", f"{KEY!r},"), str(bank.folder.parent), str(spec), load_id],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(source)},
    )  # fmt: skip


SLOW = pytest.mark.slow


@pytest.mark.parametrize("after_lines", [pytest.param(0, marks=SLOW), 1, pytest.param(3, marks=SLOW)])
def test_a_killed_load_leaves_the_previous_data_serving(bank: Bank, after_lines: int):
    bank.customers("C1")
    bank.write("txn.csv", "no,cust,day,dc,amt\nT1,C1,2026-01-01,C,1\n")
    bank.load(TRANSACTIONS)
    before = bank.store.manifest()
    rows = "".join(f"T{i},C1,2026-01-02,C,{i}\n" for i in range(1_500_000))
    bank.write("txn.csv", "no,cust,day,dc,amt\n" + rows)
    spec = bank.write("spec.yaml", TRANSACTIONS)
    process = start(bank, spec, "killed")
    assert process.stdout is not None
    if after_lines:
        for _ in range(after_lines):
            assert process.stdout.readline()
    else:
        time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert bank.store.manifest() == before
    assert bank.rows("SELECT count(*) FROM transaction") == [(1,)]
    bank.write("txn.csv", "no,cust,day,dc,amt\nT2,C1,2026-01-02,C,2\n")
    assert bank.load(TRANSACTIONS).loaded == 1
    named = {f for t in bank.store.manifest().tables.values() for f in t.files} | set(
        before.tables["transaction"].files
    )
    left = {p.relative_to(bank.store.root).as_posix() for p in (bank.store.root / "table").rglob("*.parquet")}
    assert left <= named
    assert not list((bank.store.root / "tmp").glob("load-*"))


def test_a_load_in_another_process_is_seen_by_the_next_reader(bank: Bank):
    bank.write("customers.csv", "客户号,开户日,性别,城市,姓名,手机\nC1,2020-01-01,1,上海,某人,1\n")
    process = start(bank, bank.write("spec.yaml", CUSTOMERS), "other")
    out, _ = process.communicate(timeout=60)
    assert out.endswith("done\n")
    assert Store(bank.store.root).manifest().tables["customer"].rows == 1


def test_a_disk_that_is_full_leaves_the_previous_data_serving(bank: Bank, monkeypatch: pytest.MonkeyPatch):
    bank.customers("C1")
    before = bank.store.manifest()
    bank.write("customers.csv", "客户号,开户日,性别,城市,姓名,手机\nC2,2020-01-01,1,上海,某人,1\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kequn.core.data.load.write_dictionary", full)
    with pytest.raises(StoreFull, match="disk is full"):
        bank.load(CUSTOMERS)
    assert bank.store.manifest() == before
    assert len(list((bank.store.root / "table").rglob("*.parquet"))) == 1
