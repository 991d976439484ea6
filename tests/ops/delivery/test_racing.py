"""Several dispatchers at once, on a database that really commits: caps, stops and refusals hold."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection

from kequn.channels.base import Accepted, Message, Terms
from kequn.channels.loopback import SmsGateway
from kequn.channels.sms.transport import SmsTransport
from kequn.ops import runtime
from kequn.ops.delivery import queries, services
from kequn.ops.delivery.contracts import Allow, Block, NewTouch, Pending, Verdict
from kequn.ops.delivery.models import Contact, Outcome
from kequn.ops.orgs.actor import system_actor
from tests.ops.delivery.conftest import open_gate

pytestmark = pytest.mark.django_db(transaction=True)

CHANNELS = ("sms", "email", "wecom", "app_push")
SECRET = "r" * 32
BUSY: Any = {"patience_seconds": 20.0, "settling": timedelta(seconds=1)}
"""Of the transport: a machine that is busy with other things is not a gateway that is silent."""


@dataclass
class Memory:
    """A gateway of a channel without network: remembers whom it reached."""

    reached: list[str] = field(default_factory=list)
    terms: Terms = field(
        default_factory=lambda: Terms(
            "keeps_keys", timedelta(0), timedelta(seconds=5), max_batch=20, needs_address=False
        )
    )

    def send(self, message: Message) -> Accepted:
        time.sleep(0.0005)
        self.reached.append(message.customer_ref)
        return Accepted()


@pytest.fixture
def wired(bank_runtime: runtime.Runtime) -> Iterator[None]:
    """Clocks that run, an open gate, and nothing left in service afterwards."""
    bank_runtime.clock = lambda: datetime.now(UTC)
    services.install_gate(open_gate)
    services.install_addresses(lambda customer_ids, channel: {c: c for c in customer_ids})
    before = set(services.channels())
    yield
    for channel in set(services.channels()) - before:
        services.unregister(channel)
    services._installed.clear()


def line_up(n: int, *, channel: str = "sms", campaign: str = "race") -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    rows = [NewTouch(f"c{i:04}", channel, campaign, "abc", "您好", until) for i in range(n)]
    services.create_touches(system_actor(), f"{campaign}/{channel}", rows)


def dispatching(channel: str, ending: threading.Event) -> Callable[[], None]:
    def loop() -> None:
        try:
            while not ending.is_set():
                with suppress(OperationalError):  # a busy SQLite says so; the next round finds everything as it was
                    moved = services.dispatch_once(40, only=[channel]).moved
                    settled = services.settle_unknown(40, only=[channel])
                    if not moved and not settled.swept:
                        time.sleep(0.01)
        finally:
            connection.close()

    return loop


@contextmanager
def dispatchers(*channels: str) -> Iterator[None]:
    ending = threading.Event()
    threads = [threading.Thread(target=dispatching(channel, ending)) for channel in channels]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def until(holds: Callable[[], bool], seconds: float = 240.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.mark.parametrize("cap", [1, 2])
def test_four_campaigns_racing_for_the_same_customers_never_exceed_the_cap(wired: None, cap: int) -> None:
    def gate(touches: Sequence[Pending], now: datetime) -> list[Verdict]:
        own = [t.key for t in touches]
        made = queries.contacts_since([t.customer_id for t in touches], now.date() - timedelta(days=2), without=own)
        counts = Counter(c.customer_id for c in made)
        return [Block("FREQUENCY") if counts[t.customer_id] >= cap else Allow() for t in touches]

    services.install_gate(gate)
    gateways = {channel: Memory() for channel in CHANNELS}
    for channel, gateway in gateways.items():
        services.register(channel, gateway)
        line_up(120, channel=channel, campaign=f"race_{channel}")
    with dispatchers(*CHANNELS):
        until(lambda: all(queries.is_finished(f"race_{channel}") for channel in CHANNELS))
    reached = Counter(c for gateway in gateways.values() for c in gateway.reached)
    assert set(reached.values()) == {cap}
    assert len(reached) == 120
    assert Contact.objects.count() == 120 * cap


def test_two_dispatchers_of_one_channel_send_nothing_twice(wired: None) -> None:
    gateway = Memory()
    services.register("sms", gateway)
    line_up(400)
    with dispatchers("sms", "sms", "sms"):
        until(lambda: queries.is_finished("race"))
    assert Counter(gateway.reached) == {f"c{i:04}": 1 for i in range(400)}


@pytest.mark.parametrize("scope", ["all", "campaign"])
def test_a_stop_ends_the_sending_within_a_second(wired: None, scope: str) -> None:
    with SmsGateway(SECRET, latency_seconds=0.005) as gateway:
        transport = SmsTransport(gateway.url, SECRET, **BUSY)
        services.register("sms", transport)
        line_up(3_000)
        with dispatchers("sms"):
            until(lambda: gateway.calls > 60)
            services.stop(system_actor(), scope, "race" if scope == "campaign" else "")
            stopped = datetime.now(UTC)
            time.sleep(1.5)
        transport.close()
        late = [m for m in gateway.messages.values() if m.at > stopped + timedelta(seconds=1)]
        after = [m for m in gateway.messages.values() if m.at > stopped]
        assert late == []
        assert len(after) <= 50
        assert Outcome.objects.count() == gateway.calls < 3_000


def test_a_refusal_is_obeyed_within_a_second(wired: None) -> None:
    with SmsGateway(SECRET, latency_seconds=0.005) as gateway:
        transport = SmsTransport(gateway.url, SECRET, **BUSY)
        services.register("sms", transport)
        line_up(600)
        refused: dict[str, datetime] = {}
        with dispatchers("sms"):
            until(lambda: gateway.calls > 20)
            for i in range(599, 0, -60):
                services.cancel_for_customer(system_actor(), f"c{i:04}")
                refused[f"c{i:04}"] = datetime.now(UTC)
            try:
                until(lambda: queries.is_finished("race"))
            finally:
                transport.close()
    at = {m.to: m.at for m in gateway.messages.values()}
    assert all(at[c] <= moment + timedelta(seconds=1) for c, moment in refused.items() if c in at)
    assert sum(c not in at for c in refused) >= 8
    assert gateway.duplicates == 0
