"""A customer refuses on the telephone while a dispatcher of its own process is sending to her: a second later it is quiet."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kequn.channels.loopback import SmsGateway
from tests.conftest import ROOT
from tests.ops.refusal_worker import SECRET

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
N = 400


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "KEQUN_HOME": str(tmp_path), "DJANGO_SETTINGS_MODULE": "kequn.server.settings", "PYTHONPATH": str(ROOT),
    }  # fmt: skip


def test_nothing_is_sent_a_second_after_the_customer_refused(home: dict[str, str]) -> None:
    command = [sys.executable, "-m", "tests.ops.refusal_worker"]

    def run(*words: str) -> str:
        done = subprocess.run([*command, *words], env=home, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    run("make", str(N))
    with SmsGateway(SECRET, latency_seconds=0.02) as gateway:
        worker = subprocess.Popen([*command, "send", gateway.url], env=home, cwd=ROOT)
        try:
            patience = time.monotonic() + 60
            while not gateway.messages and time.monotonic() < patience:
                time.sleep(0.02)
            assert gateway.messages, "the dispatcher never sent"
            refused_at = float(run("refuse"))
            time.sleep(max(0.0, refused_at + 1 - time.time()))
            after_a_second = len(gateway.messages)
            assert after_a_second < N, "all had left before the refusal: the test says nothing"
            time.sleep(3)
            assert len(gateway.messages) == after_a_second
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.wait()
