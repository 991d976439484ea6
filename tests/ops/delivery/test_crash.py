"""Real workers, killed with -9 in the middle of sending to a real gateway that misbehaves: nobody twice, nobody forgotten."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from kequn.channels.loopback import Faults, SmsGateway
from tests.ops.delivery.crash_worker import SECRET

ROOT = Path(__file__).resolve().parents[3]
BAD = Faults(
    error_500=0.01, error_500_after=0.005, timeout_after=0.005, black_hole=0.003, reset_after=0.005, too_fast_429=0.01,
    garbage_after=0.003, hang_seconds=1.0,
)  # fmt: skip


class Bank:
    """A database of its own, and worker processes on it."""

    def __init__(self, home: Path, database_url: str) -> None:
        self._environment = os.environ | {
            "KEQUN_HOME": str(home),
            "KEQUN_DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "kequn.server.settings",
            "PYTHONPATH": str(ROOT),
        }

    def run(self, *words: str) -> str:
        command = [sys.executable, "-m", "tests.ops.delivery.crash_worker", *words]
        done = subprocess.run(
            command, env=self._environment, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    def worker(self, url: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "tests.ops.delivery.crash_worker", "work", url]
        return subprocess.Popen(command, env=self._environment, cwd=ROOT)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bank]:
    if request.param == "sqlite":
        yield Bank(tmp_path, "")
        return
    given = os.environ.get("KEQUN_DATABASE_URL", "")
    if not given:
        pytest.skip("no PostgreSQL: set KEQUN_DATABASE_URL")
    import psycopg

    name = f"kequn_crash_{os.getpid()}"
    with psycopg.connect(given, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    try:
        yield Bank(tmp_path, urlunsplit(urlsplit(given)._replace(path=f"/{name}")))
    finally:
        with psycopg.connect(given, autocommit=True) as server:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[arg-type]


def crash(bank: Bank, *, touches: int, kills: int, workers: int, seed: int) -> SmsGateway:
    """Send all touches through workers that are killed; return the gateway, stopped."""
    draw = random.Random(seed)
    bank.run("fill", str(touches))
    with SmsGateway(SECRET, faults=BAD, latency_seconds=0.02, seed=seed) as gateway:
        for _ in range(kills):
            running = [bank.worker(gateway.url) for _ in range(workers)]
            before, patience = gateway.calls, time.monotonic() + 30
            while gateway.calls == before and time.monotonic() < patience:
                time.sleep(0.01)
            time.sleep(draw.uniform(0.05, 0.6))
            for process in running:
                process.send_signal(signal.SIGKILL)
                process.wait()
        bank.run("finish", gateway.url)
    return gateway


def check(bank: Bank, gateway: SmsGateway, touches: int) -> None:
    books = json.loads(bank.run("report"))
    assert gateway.duplicates == 0
    assert len(gateway.messages) == touches
    assert books == {"touches": touches, "waiting": 0, "contacts": touches, "states": {"accepted": touches}}


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_killed_while_sending_send_nothing_twice_and_lose_nothing(bank: Bank) -> None:
    check(bank, crash(bank, touches=600, kills=3, workers=1, seed=1), 600)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("workers", [1, 2])
def test_nor_do_they_in_twenty_kills(bank: Bank, workers: int) -> None:
    check(bank, crash(bank, touches=3_000, kills=20 // workers, workers=workers, seed=workers), 3_000)
