"""A channel whose gateway stands in memory, a gate that allows everything, and touches to send."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from kequn.channels.base import Accepted, Answer, Finding, Guarantee, Message, NotSeen, Terms
from kequn.ops import runtime
from kequn.ops.delivery import services
from kequn.ops.delivery.contracts import Allow, NewTouch, Pending, Verdict
from kequn.ops.orgs.actor import Actor

START = datetime(2026, 7, 1, 2, 0, tzinfo=UTC)
Script = Callable[[Message], Answer]


@dataclass
class Gateway:
    """An outer port: counts what it was given, and answers as it was told."""

    guarantee: Guarantee = "answers"
    settling: timedelta = timedelta(0)
    script: Script | None = None
    messages: list[Message] = field(default_factory=list)

    @property
    def terms(self) -> Terms:
        batch = 10 if self.guarantee == "opaque" else 50
        return Terms(self.guarantee, self.settling, timedelta(seconds=5), max_batch=batch)

    def send(self, message: Message) -> Answer:
        self.messages.append(message)
        return self.script(message) if self.script else Accepted(f"m{len(self.messages)}")

    def ask(self, key: str) -> Finding:
        return Accepted() if any(m.key == key for m in self.messages) else NotSeen()

    @property
    def keys(self) -> list[str]:
        return [m.key for m in self.messages]


def open_gate(touches: Sequence[Pending], now: datetime) -> Sequence[Verdict]:
    return [Allow() for _ in touches]


def touches(n: int, *, campaign: str = "near_gold_q3", **more: object) -> list[NewTouch]:
    fields = {"channel": "sms", "template": "abc", "body": "您好", "expires_at": START + timedelta(days=7)} | more
    return [NewTouch(customer_id=f"c{i:04}", campaign=campaign, **fields) for i in range(n)]  # type: ignore[arg-type]


@pytest.fixture
def clock(bank_runtime: runtime.Runtime) -> list[datetime]:
    """The time, in a list so that a test can set it."""
    hand = [START]
    bank_runtime.clock = lambda: hand[0]
    return hand


@pytest.fixture
def gateway(clock: list[datetime]) -> Iterator[Gateway]:
    """An SMS channel in service, with an open gate."""
    wired = Gateway()
    services.register("sms", wired)
    services.install_gate(open_gate)
    services.install_addresses(lambda customer_ids, channel: {c: f"+86{c}" for c in customer_ids})
    yield wired
    services.unregister("sms")
    services._installed.clear()


@pytest.fixture
def marketer(cast: dict[str, Actor]) -> Actor:
    return cast["zhaomin"]
