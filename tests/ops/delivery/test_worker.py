"""The worker: does what waits, goes on after trouble, ends when told to, and refuses to work in a restored past."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from kequn.ops import runtime
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.models import Heartbeat, Unknown
from kequn.ops.delivery.quarantine import RestoredPast
from kequn.ops.jobs import services as jobs
from kequn.ops.jobs.models import Job
from kequn.ops.orgs.actor import system_actor
from kequn.server.worker import Worker, run_until_idle
from tests.ops.delivery.conftest import Gateway, open_gate, touches

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def gateway(bank_runtime: runtime.Runtime, settings: Any, tmp_path: Path) -> Iterator[Gateway]:
    settings.HOME = tmp_path
    bank_runtime.clock = lambda: datetime.now(UTC)
    wired, before = Gateway(), services.channels()
    for channel in before:
        services.unregister(channel)
    services.register("sms", wired)
    services.install_gate(open_gate)
    services.install_addresses(lambda customer_ids, channel: {c: c for c in customer_ids})
    yield wired
    services.unregister("sms")
    for channel, transport in before.items():
        services.register(channel, transport)
    services._installed.clear()


def line_up(n: int) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    services.create_touches(system_actor(), "w1", touches(n, expires_at=until))


def soon(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_it_sends_and_runs_jobs_until_it_is_stopped(gateway: Gateway) -> None:
    jobs.register("greet", lambda running: {"said": "您好"})
    jobs.enqueue(system_actor(), "greet", {})
    line_up(30)
    worker = Worker()
    worker.start()
    soon(lambda: queries.is_finished("near_gold_q3") and Job.objects.filter(state="done").exists())
    worker.stop()
    assert threading.active_count() < 10
    assert len(gateway.keys) == 30
    assert Heartbeat.objects.get().beat >= 1


def test_trouble_in_one_loop_leaves_the_others_working(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kequn.server.worker.TROUBLE_SECONDS", 0.01)

    def broken() -> None:
        raise RuntimeError("the job table is gone")

    monkeypatch.setattr("kequn.server.worker.run_next", broken)
    line_up(10)
    worker = Worker()
    worker.start()
    soon(lambda: len(gateway.keys) == 10)
    worker.stop()


def test_it_does_not_start_in_a_restored_past(gateway: Gateway, tmp_path: Path) -> None:
    services.beat(tmp_path / "heartbeat")
    Heartbeat.objects.all().delete()
    line_up(1)
    with pytest.raises(RestoredPast):
        Worker().start()
    assert gateway.keys == []


def test_working_by_hand_ends_when_nothing_is_left(gateway: Gateway) -> None:
    line_up(120)
    run_until_idle(seconds=30)
    assert queries.is_finished("near_gold_q3")
    assert not Unknown.objects.exists()
    connections.close_all()
