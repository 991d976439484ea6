"""The morning's distribution and the page Today, on a synthetic bank in a folder of its own.

    python bench/desk.py --home /tmp/desk --customers 1000000 --staff 2000 --tasks 200000
    KEQUN_DATABASE_URL=postgresql://… python bench/desk.py --home /tmp/desk

Each of ``--tasks`` customers has a deposit that comes due, so each gives one occasion; everybody has consent, and each of
the staff an equal part of the bank. Prints seconds and CPU seconds of the first distribution (find, gate, rank, fold,
distribute, insert), of the same again, and of the next day's; then the page, asked by ``--users`` relationship managers:
CPU by request in one process, and the time from request to answer of a served console where each of them opens her page
every ``--think`` seconds. Then a list is sent down, one entry a call and in one piece. Last come five loads of later days:
with each a fifth of ``--settled`` customers have placed their money again, so that their tasks close and are credited, and
what the loads before settled is asked again. A bank that is there already in ``--home`` is used again.
"""

from __future__ import annotations

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
AS_OF = date(2026, 6, 30)
NOW = datetime(2026, 7, 1, 2, tzinfo=UTC)
ARROW = {
    "UINTEGER": pa.uint32(), "BIGINT": pa.int64(), "VARCHAR": pa.string(), "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(), "BOOLEAN": pa.bool_(), "DATE": pa.date32(), "TIMESTAMP": pa.timestamp("us"),
}  # fmt: skip


def measured(what: str, work: Callable[[], Any]) -> Any:
    """Run once; print wall and CPU seconds of this process."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    found = work()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"| {what} | {seconds:.1f} | {cpu:.1f} |", flush=True)
    return found


def ids(n: int) -> list[str]:
    """Surrogate ids by ordinal."""
    return [uuid.UUID(int=(i + 1) * 0x9E3779B97F4A7C15 % (1 << 128)).hex for i in range(n)]


def store(root: Path, customers: int, tasks: int) -> None:
    """Write the analytical store: customers, deposits, consents, and a date with a population."""
    from kequn.core.data.tables import TABLES
    from kequn.core.engine.store import DateState, Store, TableState

    rng = np.random.default_rng(7)
    day = np.datetime64(AS_OF)
    who = np.arange(customers, dtype=np.uint32)
    due = np.sort(rng.choice(customers, size=tasks, replace=False)).astype(np.uint32)
    flags = {name: np.zeros(customers, bool) for name in
             ("is_deceased", "is_staff", "is_suppressed", "is_vulnerable", "personalisation_off")}  # fmt: skip
    tables: dict[str, dict[str, Any]] = {
        "customer": {
            "ordinal": who, "opened_on": np.full(customers, day - 900), "birth_on": np.full(customers, np.datetime64("1980-03-01")),
            "status": np.full(customers, "active"), "rm_no": np.full(customers, "S"), "risk_level": np.full(customers, 3),
            "risk_expires_on": np.where(who % 10 == 0, day - 400, day + 300), "risk_tested_on": np.full(customers, day - 500),
            **flags,
        },
        "holding": {
            "ordinal": due, "product_code": np.full(tasks, "TD012"), "position_no": np.full(tasks, "1"),
            "as_of": np.full(tasks, day), "family": np.full(tasks, "time"), "opened_on": np.full(tasks, day - 362),
            "balance": rng.integers(1_000_000, 200_000_000, tasks), "matures_on": day + rng.integers(1, 8, tasks),
        },
        "consent": {
            "ordinal": who, "purpose": np.full(customers, "marketing"), "channel": np.full(customers, "call"),
            "granted": np.ones(customers, bool), "given_on": np.full(customers, day - 300),
        },
        "product": {
            "product_code": np.array(["TD012"]), "name": np.array(["一年定期"]), "family": np.array(["time"]),
            "risk_level": np.array([1]),
        },
        "service": {},
        "contact": {},
    }  # fmt: skip
    with Store(root).writing(now=NOW) as draft:
        for name, columns in tables.items():
            wanted = TABLES[name].stored_columns()
            n = len(next(iter(columns.values()))) if columns else 0
            table = pa.table({
                c: pa.array(columns[c], ARROW[t]) if c in columns else pa.nulls(n, ARROW[t]) for c, t in wanted.items()
            })  # fmt: skip
            path, relative = draft.new_file("tables", name, "rows")
            pq.write_table(table, path)
            draft.manifest.tables[name] = TableState(
                files=[relative], rows=n, loaded_at=NOW, as_of=AS_OF if name == "holding" else None
            )
        path, relative = draft.new_file("dictionary", "customers")
        keys = pa.array([i.to_bytes(16, "big") for i in range(customers)], pa.binary())
        pq.write_table(pa.table({"ordinal": who, "customer_id": ids(customers), "key": keys}), path)
        draft.manifest.dictionary, draft.manifest.ordinals = relative, customers
        path, relative = draft.new_file("tags", "population")
        pq.write_table(pa.table({"value": np.ones(customers, bool)}), path)
        draft.manifest.dates[AS_OF.isoformat()] = DateState(
            population=relative, customers=customers, ordinals=customers
        )


def rows(customers: int, staff: int, users: int) -> None:
    """Write branches, staff and persons, the rules and an offer."""
    from django.contrib.auth.hashers import make_password

    from kequn.core.spec.campaign import Cap, ContactPolicySpec
    from kequn.core.spec.desk import DeskPolicySpec, Maturity
    from kequn.core.spec.offer import OfferSpec
    from kequn.ops.catalog.models import DefinitionVersion
    from kequn.ops.customers.models import Person
    from kequn.ops.customers.services import store_people
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.orgs.models import Branch, User

    head = Branch.objects.create(code="HO", name="总行", level="head_office", path="/HO/")
    branches = [
        Branch.objects.create(code=f"{b:04}", name=f"支行{b}", level="branch", parent=head, path=f"/HO/{b:04}/")
        for b in range(max(staff // 10, 1))
    ]
    password = make_password("bench-desk-2026")
    User.objects.bulk_create(
        User(
            username=f"rm{s}", display_name=f"经理{s}", role="rm", staff_no=f"S{s}", branch=branches[s % len(branches)],
            capacity=20, password=password,
        )
        for s in range(staff)
    )  # fmt: skip
    for spec in (
        ContactPolicySpec(name="house", title="触达策略", caps=(Cap(days=30, times=4),)),
        OfferSpec(name="renew", title="续存", product="TD012"),
        DeskPolicySpec(name="desk", title="工作台", maturing=Maturity(offer="renew")),
    ):
        DefinitionVersion.objects.create(
            kind=spec.kind, name=spec.name, fingerprint=spec.fingerprint(), spec=spec, state="approved", is_current=True,
            created_at=NOW, decided_at=NOW,
        )  # fmt: skip
    names = ids(customers)
    opened = [
        i for i in range(customers) if i % staff < users
    ]  # whose pages are opened: the only ones with a name to show
    store_people(
        system_actor(),
        [
            {"customer_id": names[i], "customer_no": f"C{i:08}", "branch_code": branches[i % staff % len(branches)].code,
             "rm_no": f"S{i % staff}", "name": "张某某", "phone": f"139{i:08}"}
            for i in opened
        ],
        load_id="bench",
    )  # fmt: skip
    others = (
        Person(
            customer_id=names[i], customer_no=b"-", customer_no_index=names[i], phone=b"-", digest="", loaded_at=NOW,
            branch_code=branches[i % staff % len(branches)].code, rm_no=f"S{i % staff}",
        )
        for i in range(customers)
        if i % staff >= users
    )  # fmt: skip
    while part := list(islice(others, 20_000)):
        Person.objects.bulk_create(part, batch_size=1_000)


def placed_again(root: Path, day: date, ordinals: np.ndarray[Any, Any]) -> None:
    """Add the holdings of a later day, on which some customers have placed what came due, or bring them back to none."""
    from kequn.core.data.tables import TABLES
    from kequn.core.engine.store import Store

    wanted, n = TABLES["holding"].stored_columns(), len(ordinals)
    columns: dict[str, Any] = {
        "ordinal": ordinals, "product_code": np.full(n, "TD012"), "position_no": np.full(n, "2"),
        "as_of": np.full(n, np.datetime64(day)), "family": np.full(n, "time"), "opened_on": np.full(n, np.datetime64(day)),
        "balance": np.full(n, 300_000_000),
    }  # fmt: skip
    table = pa.table(
        {c: pa.array(columns[c], ARROW[t]) if c in columns else pa.nulls(n, ARROW[t]) for c, t in wanted.items()}
    )
    with Store(root).writing(now=NOW) as draft:
        path, relative = draft.new_file("tables", "holding", "rows")
        pq.write_table(table, path)
        state = draft.manifest.tables["holding"]
        draft.manifest.tables["holding"] = state.model_copy(
            update={"files": [*state.files, relative], "rows": state.rows + n, "as_of": day}
        )
        draft.manifest.dates[day.isoformat()] = draft.manifest.dates[AS_OF.isoformat()]


def settling(root: Path, customers: int) -> None:
    """Load five later days, and settle after each."""
    from kequn.core.engine.store import Store
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.runtime import runtime
    from kequn.ops.workbench.services import settle_tasks

    before = Store(root).manifest()
    due = np.sort(pq.read_table(root / before.tables["holding"].files[0], columns=["ordinal"])["ordinal"].to_numpy())
    counts: Counter[str] = Counter()
    try:
        for load in range(1, 6):
            day = AS_OF + timedelta(days=8 + load)
            runtime().clock = lambda day=day: NOW + (day - AS_OF)  # type: ignore[misc]
            placed_again(root, day, due[: customers * load // 5])
            said = measured(
                f"load {load} of 5: {customers // 5:,} more tasks settle", lambda: settle_tasks(system_actor())
            )
            counts += Counter(said)
        again = measured("the same data again", lambda: settle_tasks(system_actor()))
        print(f"\n{dict(counts)}; again {again}")
    finally:
        with Store(root).writing(now=NOW) as draft:
            draft.manifest.tables["holding"] = before.tables["holding"]
            draft.manifest.dates = before.dates


def check(staff: int) -> None:
    """Fail where somebody has more than her share, or a customer two main tasks, two workers or one who is not her owner."""
    from kequn.ops.customers.queries import owners_of
    from kequn.ops.workbench.models import Task

    given = Counter(
        Task.objects.filter(state="open", is_main=True, planned_for="2026-07-01").values_list("staff_no", flat=True)
    )
    mains = Counter(Task.objects.filter(state="open", is_main=True).values_list("customer_id", flat=True))
    assert max(given.values()) <= 14, max(given.values())
    assert max(mains.values()) == 1
    workers: dict[str, set[str]] = {}
    for customer_id, staff_no in Task.objects.filter(state="open").values_list("customer_id", "staff_no"):
        workers.setdefault(customer_id, set()).add(staff_no)
    owners = owners_of(workers)
    assert owners.keys() == workers.keys()
    assert all(len(those) == 1 and those <= {owners[c], ""} for c, those in workers.items())
    print(
        f"\n{Task.objects.count():,} tasks, {len(given):,} of {staff:,} staff with work, at most {max(given.values())} each\n"
    )


def cpu_of_pages(users: int) -> None:
    """Print the CPU of one request and its questions to the database."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from kequn.ops.orgs.models import User

    seconds = []
    for s in range(users):
        client = Client(headers={"host": "127.0.0.1"})
        client.force_login(User.objects.get(username=f"rm{s}"))
        for turn in range(4):
            began = time.process_time()
            answer = client.get("/")
            if turn:
                seconds.append(time.process_time() - began)
            assert answer.status_code == 200, answer.status_code
    with CaptureQueriesContext(connection) as asked:
        client.get("/")
    print(shown("Today, CPU by request", seconds), f" {len(asked)} questions, {len(answer.content) / 1024:.0f} KB")


def served(users: int, think: float, seconds: float) -> None:
    """Print how long the page takes when many open it, each every ``think`` seconds."""
    import httpx

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "kequn.cli.main", "serve", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address, found = f"http://127.0.0.1:{port}", list[float]()

    def person(number: int) -> None:
        client = httpx.Client(base_url=address, timeout=60, follow_redirects=True)
        client.get("/login/")
        form = {
            "username": f"rm{number}",
            "password": "bench-desk-2026",
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        client.post("/login/", data=form, headers={"Referer": address})
        ready.wait()
        time.sleep(think * number / users)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            assert "kq-day-row" in client.get("/").text
            found.append(time.perf_counter() - began)
            time.sleep(max(0, think - (time.perf_counter() - began)))

    try:
        for _ in range(240):
            try:
                httpx.get(f"{address}/login/", timeout=5)
                break
            except httpx.TransportError:
                time.sleep(0.5)
        ready = threading.Barrier(users)
        people = [threading.Thread(target=person, args=(n,)) for n in range(users)]
        for each in people:
            each.start()
        for each in people:
            each.join()
        print(shown(f"Today, {users} people, each every {think:g} s", found), f" load {os.getloadavg()[0]:.1f}")
    finally:
        process.terminate()
        process.wait()


def sent_down(n: int) -> None:
    """Print what entries of a list sent down cost: one a call, and in one piece as the dispatcher hands them over."""
    from kequn.channels.base import Accepted, Message
    from kequn.ops.workbench.services import RmTaskTransport

    def entries(first: int) -> list[Message]:
        who = ids(first + n)[first:]
        return [
            Message(
                key=f"{first + i:032x}",
                channel="rm_task",
                to=c,
                body="名单\n—\nList",
                customer_ref=c,
                campaign="list",
                offer="renew",
            )
            for i, c in enumerate(who)
        ]

    transport, one, many = RmTaskTransport(), entries(0), entries(n)
    answers = measured(f"{n:,} entries of a list sent down, one a call", lambda: [transport.send(m) for m in one])
    pieces = [many[i : i + transport.terms.max_batch] for i in range(0, n, transport.terms.max_batch)]
    answers += measured(f"{n:,} more, {transport.terms.max_batch} a call",
                        lambda: [a for piece in pieces for a in transport.send_batch(piece)])  # fmt: skip
    assert all(isinstance(a, Accepted) for a in answers)


def shown(what: str, seconds: list[float]) -> str:
    """Return a row of the table, in milliseconds."""
    ordered = sorted(1000 * s for s in seconds)
    p95 = ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]
    return f"| {what} | {len(ordered)} | {statistics.median(ordered):.0f} | {p95:.0f} | {ordered[-1]:.0f} |"


def main() -> None:
    """Make the bank where there is none, measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--home", type=Path, required=True)
    options.add_argument("--customers", type=int, default=300_000)
    options.add_argument("--staff", type=int, default=2_000)
    options.add_argument("--tasks", type=int, default=200_000)
    options.add_argument("--settled", type=int, default=20_000)
    options.add_argument("--users", type=int, default=50)
    options.add_argument("--think", type=float, default=5.0)
    options.add_argument("--seconds", type=float, default=30.0)
    chosen = options.parse_args()
    chosen.home.mkdir(parents=True, exist_ok=True)
    (chosen.home / "clock").write_text(f"{(NOW - datetime.now(UTC)).total_seconds():.0f}\n")
    os.environ["KEQUN_HOME"] = str(chosen.home.resolve())
    os.environ["DJANGO_SETTINGS_MODULE"] = "kequn.server.settings"

    import django

    django.setup()
    from django.core.management import call_command

    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.orgs.models import User
    from kequn.ops.runtime import runtime
    from kequn.ops.workbench.models import Credit, DayPlan, Settlement, StaffDay, Task, TaskChange, TaskMove
    from kequn.ops.workbench.services import plan_day

    call_command("migrate", verbosity=0)
    runtime().clock = lambda: NOW
    if not runtime().store.manifest().dates:
        store(runtime().store.root, chosen.customers, chosen.tasks)
    if not User.objects.exists():
        rows(chosen.customers, chosen.staff, chosen.users)
    for model in (Credit, Settlement, TaskChange, TaskMove, Task, DayPlan, StaffDay):
        model.objects.all().delete()
    print(f"{chosen.customers:,} customers, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| distribution | seconds | CPU seconds |\n|---|---|---|", flush=True)
    measured(f"{chosen.tasks:,} tasks to {chosen.staff:,} people", lambda: plan_day(system_actor()))
    measured("the same again", lambda: plan_day(system_actor()))
    check(chosen.staff)
    print("| page | n | median ms | p95 ms | longest ms |\n|---|---|---|---|---|", flush=True)
    cpu_of_pages(chosen.users)
    served(chosen.users, chosen.think, chosen.seconds)
    runtime().clock = lambda: NOW + timedelta(days=1)
    print("\n| distribution | seconds | CPU seconds |\n|---|---|---|", flush=True)
    measured("the next day", lambda: plan_day(system_actor()))
    sent_down(min(2_000, chosen.customers // 2))
    settling(runtime().store.root, chosen.settled)


if __name__ == "__main__":
    main()
