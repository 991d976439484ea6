"""What a touch costs: the outbox against the usual lease-send-mark, in one run on one machine.

    python bench/outbox.py --touches 5000
    KEQUN_DATABASE_URL=postgresql://… python bench/outbox.py

Prints a table in Markdown: touches a second, and CPU of this process a touch. Both ways send the same texts through the same
transport in claims of 50 and write to the same database; lease-send-mark is written in plain SQL, without the guarantee.
The gateway is a process of its own.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

SECRET = "b" * 32
CLAIM = 50
GATEWAY = (
    "import sys, threading; from kequn.channels.loopback import SmsGateway; "
    f"g = SmsGateway({SECRET!r}, latency_seconds=float(sys.argv[1])).start(); print(g.url, flush=True); threading.Event().wait()"
)


@dataclass(frozen=True)
class Measured:
    """One row of the table."""

    way: str
    touches: int
    seconds: float
    cpu_seconds: float

    def __str__(self) -> str:
        rate, cpu = self.touches / self.seconds, 1e6 * self.cpu_seconds / self.touches
        return f"| {self.way} | {self.touches:,} | {rate:,.0f} | {cpu:,.0f} |"


def measured(way: str, touches: int, work: Callable[[], None]) -> Measured:
    """Run once and take wall time and CPU time of this process."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Measured(way, touches, seconds, cpu)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--touches", type=int, default=5_000)
    options.add_argument("--latency", type=float, default=0.005, help="seconds the gateway takes")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ |= {"KEQUN_HOME": home, "DJANGO_SETTINGS_MODULE": "kequn.server.settings"}
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connection

        call_command("migrate", verbosity=0)
        print(
            f"{connection.vendor}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {datetime.now(UTC):%Y-%m-%d}\n"
        )
        print("| way | touches | touches/s | CPU µs a touch |\n|---|---|---|---|")
        for row in rows(chosen.touches, chosen.latency):
            print(row, flush=True)
        connection.close()


def rows(n: int, latency: float):  # type: ignore[no-untyped-def]  # a generator of Measured
    """Measure one way after the other."""
    from kequn.channels.sms.transport import SmsTransport
    from kequn.ops.delivery import services

    services.install_gate(_open_gate)
    services.install_addresses(lambda customer_ids, _channel: {c: c for c in customer_ids})
    memory = _Memory()
    yield measured("write touches in line", n, lambda: _line_up(n, "memory"))
    yield measured("outbox, gateway in memory", n, lambda: _drain(memory))
    yield measured("lease-send-mark, gateway in memory", n, lambda: _lease_send_mark(n, memory))
    with subprocess.Popen([sys.executable, "-c", GATEWAY, str(latency)], stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout is not None
        transport = SmsTransport(gateway.stdout.readline().strip(), SECRET)
        _line_up(n, "http")
        name = f"HTTP, {1000 * latency:.0f} ms"
        yield measured(f"outbox, {name}", n, lambda: _drain(transport))
        yield measured(f"lease-send-mark, {name}", n, lambda: _lease_send_mark(n, transport))
        transport.close()
        gateway.kill()


class _Memory:
    """A gateway that costs nothing."""

    def __init__(self) -> None:
        from kequn.channels.base import Terms

        self.terms = Terms("answers", timedelta(seconds=1), timedelta(seconds=5))

    def send(self, _message: object) -> object:
        from kequn.channels.base import Accepted

        return Accepted("m")


def _open_gate(touches: Sequence[object], _now: datetime) -> list[object]:
    from kequn.ops.delivery.contracts import Allow

    return [Allow() for _ in touches]


def _line_up(n: int, wave: str) -> None:
    from kequn.ops.delivery import services
    from kequn.ops.delivery.contracts import NewTouch
    from kequn.ops.orgs.actor import system_actor

    until = datetime.now(UTC) + timedelta(days=1)
    touches = (
        NewTouch(f"c{i}", "sms", f"bench_{wave}", "abc", "您好，理财产品即将到期。" * 3, until) for i in range(n)
    )
    services.create_touches(system_actor(), wave, touches)


def _drain(transport: object) -> None:
    from kequn.ops.delivery import services

    services.register("sms", transport)  # type: ignore[arg-type]
    while services.dispatch_once(500, only=["sms"]).moved:
        pass


def _lease_send_mark(n: int, transport: object) -> None:
    """The usual way: lease rows, send them, mark them. What a crash leaves between is sent again."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection, transaction

    from kequn.channels.base import Message

    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_queue")
        cursor.execute(
            "CREATE TABLE bench_queue (id INTEGER PRIMARY KEY, customer VARCHAR(32), body TEXT, state VARCHAR(8), leased FLOAT)"
        )
        cursor.execute("CREATE INDEX bench_state ON bench_queue (state, id)")
        values = [(i, f"c{i}", "您好，理财产品即将到期。" * 3, "ready", 0.0) for i in range(n)]
        cursor.executemany("INSERT INTO bench_queue VALUES (%s, %s, %s, %s, %s)", values)
        width = transport.terms.concurrency  # type: ignore[attr-defined]
        with ThreadPoolExecutor(width) as pool:
            send = pool.map if width > 1 else map
            while True:
                with transaction.atomic():
                    cursor.execute(
                        "SELECT id, customer, body FROM bench_queue WHERE state = 'ready' ORDER BY id LIMIT %s", [CLAIM]
                    )
                    claimed = cursor.fetchall()
                    ids = [row[0] for row in claimed]
                    marks = ",".join(["%s"] * len(ids))
                    if not ids:
                        return
                    cursor.execute(
                        f"UPDATE bench_queue SET state='leased', leased=%s WHERE id IN ({marks})", [time.time(), *ids]
                    )
                messages = [Message(f"{i:032x}", "sms", customer, body) for i, customer, body in claimed]
                list(send(transport.send, messages))  # type: ignore[attr-defined]
                with transaction.atomic():
                    cursor.execute(f"UPDATE bench_queue SET state='sent' WHERE id IN ({marks})", ids)


if __name__ == "__main__":
    main()
