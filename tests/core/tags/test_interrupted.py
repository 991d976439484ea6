"""A refresh that cannot end: another at the same time, a kill while rows are sorted, a full disk. The last good state serves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from kequn.core.data.compacting import opened
from kequn.core.errors import StoreFull
from kequn.core.tags import catalogue, refresh
from tests.core.small_bank import NOW, SmallBank

AS_OF = date(2026, 6, 30)
ROOT = Path(__file__).resolve().parents[3]
TAGS = ("txn_inflow_30d", "txn_payday", "txn_freq_90d")
PROGRAM = """
import os, resource, signal, sys, time
from datetime import UTC, date, datetime
from pathlib import Path
from kequn.core.data import compacting
from kequn.core.engine.store import Store
from kequn.core.errors import KequnError
from kequn.core.tags import catalogue, refresh
{setup}
specs = {{n: s for n, s in catalogue().items() if n in {tags!r}}}
try:
    refresh(Store(Path({root!r})), specs, as_of=date(2026, 6, 30), now=datetime(2026, 7, 3, tzinfo=UTC), force=True{more})
except KequnError as error:
    print(type(error).__name__)
else:
    print("done")
"""
DIE_WHILE_SORTING = "compacting._publish = lambda made, folder: os.kill(os.getpid(), signal.SIGKILL)"
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
SLOW = ", progress=lambda done, total, what: time.sleep(0.5)"


def start(bank: SmallBank, *, setup: str = "", more: str = "") -> subprocess.Popen[str]:
    """Refresh in a process of its own."""
    program = PROGRAM.format(setup=setup, tags=TAGS, root=str(bank.store.root), more=more)
    environment = {**os.environ, "PYTHONPATH": "src"}
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )


@pytest.fixture
def bank(tmp_path: Path) -> SmallBank:
    """Customers with wages, computed once."""
    bank = SmallBank(tmp_path, customers=3_000)
    for who in range(3_000):
        row = {"direction": "in", "category": "payroll", "is_external": True, "channel": f"c{who % 50}"}
        bank.add("transaction", who, booked_on=date(2026, 6, 1 + who % 28), amount=who * who * 7919, **row)
    bank.refresh({n: s for n, s in catalogue().items() if n in TAGS}, AS_OF)
    return bank


def test_a_kill_while_rows_are_sorted_leaves_what_was_published(bank: SmallBank) -> None:
    bank.save()  # the same rows as another file: sorted anew
    before = bank.store.manifest()
    killed = start(bank, setup=DIE_WHILE_SORTING)
    killed.communicate()
    assert killed.returncode == -signal.SIGKILL
    assert bank.store.manifest() == before
    assert opened(bank.store, before, "transaction") is None
    assert bank.column("txn_inflow_30d")[2] == 4 * 7919
    specs = {n: s for n, s in catalogue().items() if n in TAGS}
    assert refresh(bank.store, specs, as_of=AS_OF, now=NOW).computed == tuple(sorted(TAGS))
    assert not list(bank.store.root.glob("tmp/compact-*"))


def test_a_full_disk_is_said_and_leaves_what_was_published(bank: SmallBank) -> None:
    before = bank.store.manifest()
    said, _ = start(bank, setup=FULL).communicate()
    assert said.split() == [StoreFull.__name__]
    assert bank.store.manifest() == before
    assert bank.column("txn_inflow_30d")[2] == 4 * 7919


def test_of_two_refreshes_at_once_one_is_done_and_one_is_told(bank: SmallBank) -> None:
    before = bank.store.manifest().version
    both = [start(bank, more=SLOW), start(bank, more=SLOW)]
    said = sorted(one.communicate()[0].strip() for one in both)
    assert said in (["StoreBusy", "done"], ["done", "done"])
    assert bank.store.manifest().version == before + said.count("done")
    assert bank.column("txn_inflow_30d")[2] == 4 * 7919
