"""A worker process that the crash test kills: ``python -m tests.ops.delivery.crash_worker fill|work|finish|report …``."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import django

django.setup()

from django.core.management import call_command  # noqa: E402 - after setup
from django.db.models import Count  # noqa: E402

from kequn.channels.sms.transport import SmsTransport  # noqa: E402
from kequn.ops.delivery import queries, services  # noqa: E402
from kequn.ops.delivery.contracts import Allow, NewTouch, Pending, Verdict  # noqa: E402
from kequn.ops.delivery.models import Contact, InFlight, Outcome, Ready, Touch, Unknown  # noqa: E402
from kequn.ops.delivery.outbox import Outbox  # noqa: E402
from kequn.ops.orgs.actor import system_actor  # noqa: E402

SECRET = "c" * 32
CAMPAIGN = "crash"
WAVE = 150
"""Below the size from which a wave's brake judges: this test makes unknowns on purpose."""


def _gate(touches: Sequence[Pending], now: datetime) -> Sequence[Verdict]:
    return [Allow() for _ in touches]


def fill(n: int) -> None:
    """Make the database and put touches in line."""
    call_command("migrate", verbosity=0)
    expires_at = datetime.now(UTC) + timedelta(days=1)
    for start in range(0, n, WAVE):
        rows = [
            NewTouch(f"c{i}", "sms", CAMPAIGN, "abc", "您好", expires_at) for i in range(start, min(n, start + WAVE))
        ]
        services.create_touches(system_actor(), f"wave{start}", rows)


def work(url: str, *, until_finished: bool) -> None:
    """Dispatch and settle until killed, or until nothing is left."""
    services.install_gate(_gate)
    services.install_addresses(lambda customer_ids, channel: {c: c for c in customer_ids})
    transport = SmsTransport(url, SECRET, settling=timedelta(seconds=1), patience_seconds=0.4)
    services.register("sms", transport)
    outbox = Outbox(lease_spare=timedelta(seconds=0.5))
    while not (until_finished and queries.is_finished(CAMPAIGN)):
        sent = services.dispatch_once(200, only=["sms"], outbox=outbox).moved
        settled = services.settle_unknown(only=["sms"], outbox=outbox).moved
        if not (sent or settled):
            time.sleep(0.05)


def report() -> None:
    """Print what the books say."""
    states = dict(Outcome.objects.filter(stage=1).values_list("state").annotate(n=Count("id")))
    waiting = sum(table.objects.count() for table in (Ready, InFlight, Unknown))
    books = {
        "touches": Touch.objects.count(),
        "waiting": waiting,
        "contacts": Contact.objects.count(),
        "states": states,
    }
    sys.stdout.write(json.dumps(books))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["fill", n]:
            fill(int(n))
        case ["work", url]:
            work(url, until_finished=False)
        case ["finish", url]:
            work(url, until_finished=True)
        case ["report"]:
            report()
        case _:
            sys.exit("fill N | work URL | finish URL | report")
