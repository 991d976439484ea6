"""A dispatcher in a process of its own: ``python -m tests.ops.refusal_worker make|send|refuse …``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - after setup

from kequn.channels.sms.transport import SmsTransport  # noqa: E402
from kequn.ops.customers.models import Person  # noqa: E402
from kequn.ops.delivery import services as delivery  # noqa: E402
from kequn.ops.delivery.contracts import Allow, NewTouch, Pending, Verdict  # noqa: E402
from kequn.ops.orgs.actor import system_actor  # noqa: E402
from kequn.ops.orgs.models import Branch, User  # noqa: E402
from kequn.ops.workbench import services  # noqa: E402
from kequn.ops.workbench.models import Task  # noqa: E402

SECRET = "c" * 32
WHO = "a" * 32
PAUSE = 0.1
"""Seconds between rounds: slow enough that most messages wait when the customer refuses."""


def _gate(touches: Sequence[Pending], now: datetime) -> Sequence[Verdict]:
    """Let everything pass: what stops here is stopped by the refusal alone, not by the gate's second look."""
    return [Allow() for _ in touches]


def make(n: int) -> None:
    """Make a database with one RM, her customer, an open task and ``n`` messages to the customer."""
    call_command("migrate", verbosity=0)
    branch = Branch.objects.create(code="0001", name="网点", level="branch", path="/0001/")
    User.objects.create(username="rm", display_name="王芳", role="rm", branch=branch, staff_no="R1", password="!")
    moment = datetime.now(UTC)
    Person.objects.create(
        customer_id=WHO,
        customer_no=b"",
        customer_no_index="1",
        rm_no="R1",
        branch_code="0001",
        digest="",
        loaded_at=moment,
    )
    Task.objects.create(
        key="t", customer_id=WHO, staff_no="R1", branch_code="0001", kind="contact", title_zh="回访",
        due_at=moment + timedelta(days=1), created_at=moment,
    )  # fmt: skip
    for i in range(n):
        touch = NewTouch(WHO, "sms", f"campaign{i}", "abc", "您好", moment + timedelta(days=1))
        delivery.create_touches(system_actor(), f"wave{i}", [touch])


def send(url: str) -> None:
    """Dispatch until killed."""
    delivery.install_gate(_gate)
    delivery.install_addresses(lambda customer_ids, channel: {c: c for c in customer_ids})
    delivery.register("sms", SmsTransport(url, SECRET, settling=timedelta(seconds=1)))
    while True:
        delivery.dispatch_once(5, only=["sms"])
        time.sleep(PAUSE)


def refuse() -> None:
    """Record that the customer wants no more contacts; print the moment at which it stood."""
    rm = User.objects.get(username="rm").actor()
    services.record_outcome(rm, Task.objects.get().pk, key="k", contact="connected", intent="opt_out")
    print(time.time())  # noqa: T201 - what the test reads


if __name__ == "__main__":
    {"make": lambda: make(int(sys.argv[2])), "send": lambda: send(sys.argv[2]), "refuse": refuse}[sys.argv[1]]()
