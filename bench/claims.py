"""The race for customers: 20 relationship managers claim the same 200 customers, again and again.

    python bench/claims.py --rounds 1000
    KEQUN_DATABASE_URL=postgresql://… python bench/claims.py --rounds 1000

Each manager is a thread with a connection of its own, kept over the rounds, and goes through the customers she still sees
without an owner, in an order of her own, by the very service that the page calls. After each round every customer is looked at:
how often she was claimed, whether who claimed her is the owner who is stored, whether she was lost, and whether a book is larger
than its limit.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

RMS, CUSTOMERS, LIMIT = 20, 200, 15
LOOK = 10
"""Customers of one look at the list: one who was taken since is a collision."""


def main() -> None:
    """Set up a bank, race, and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument(
        "--first", type=int, default=0, help="number of the first round: each draws its order from its number"
    )
    options.add_argument("--stop-after", type=float, default=1e9, help="seconds after which no further round begins")
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
        actors = bank()
        total: Counter[str] = Counter()
        began, used = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(RMS) as managers:
            for number in range(chosen.first, chosen.first + chosen.rounds):
                if time.perf_counter() - began > chosen.stop_after:
                    break
                total += race(managers, actors, number)
                if total["rounds"] % 50 == 0:
                    print(f"{time.process_time() - used:,.0f} CPU-s: {dict(total)}", flush=True)
        seconds = time.perf_counter() - began
        print("| rounds | claims | collisions refused | claimed twice | lost | book above its limit | seconds |")
        print("|---|---|---|---|---|---|---|")
        cells = [total[k] for k in ("rounds", "claims", "collisions", "twice", "lost", "over")]
        print("| " + " | ".join(f"{n:,}" for n in cells) + f" | {seconds:,.0f} |", flush=True)
        connection.close()


def bank() -> list:  # type: ignore[type-arg]
    """Return 20 managers of one branch with 200 customers and a policy whose limits bind."""
    from kequn.core.spec.base import Text
    from kequn.core.spec.ownership import OwnershipPolicySpec
    from kequn.ops.catalog.models import DefinitionVersion
    from kequn.ops.customers.services import store_people
    from kequn.ops.orgs.actor import system_actor
    from kequn.ops.orgs.models import Branch, User

    branch = Branch.objects.create(code="0001", name="网点", level="branch", path="/0001/")
    spec = OwnershipPolicySpec(name="race", title=Text(zh="竞争"), book_limit=LIMIT, claims_a_day=500, protected_days=0)
    DefinitionVersion.objects.create(
        kind=spec.kind, name=spec.name, fingerprint=spec.fingerprint(), spec=spec, state="approved", is_current=True,
        created_at=datetime.now(UTC),
    )  # fmt: skip
    people = [
        {"customer_id": f"{n:032x}", "customer_no": f"C{n:06}", "branch_code": "0001", "name": f"张{n}"}
        for n in range(CUSTOMERS)
    ]
    store_people(system_actor(), people, load_id="race")
    users = [
        User.objects.create(
            username=f"r{n:03}", display_name=f"R{n}", role="rm", branch=branch, staff_no=f"R{n:03}", password="!"
        )
        for n in range(RMS)
    ]
    return [user.actor() for user in users]


def race(managers: ThreadPoolExecutor, actors: list, number: int) -> Counter[str]:  # type: ignore[type-arg]
    """Run one round; return what was counted."""
    from kequn.ops.customers.models import Person
    from kequn.ops.ownership.models import OwnerChange

    Person.objects.update(rm_no="")
    OwnerChange.objects.all().delete()
    start = threading.Barrier(len(actors))  # every manager is a thread: none waits for another's end to begin
    # the collector may finish one thread's statement in another, and SQLite then waits for a lock that waits for it (20 s)
    gc.disable()
    running = [managers.submit(claiming, actor, n, number, start) for n, actor in enumerate(actors)]
    collisions = sum(one.result() for one in running)
    gc.enable()
    gc.collect()
    claimed = Counter(OwnerChange.objects.values_list("customer_id", flat=True))
    last = dict(OwnerChange.objects.order_by("id").values_list("customer_id", "to_staff"))
    owners = dict(Person.objects.values_list("customer_id", "rm_no"))
    books = Counter(owner for owner in owners.values() if owner)
    return Counter(
        rounds=1, claims=sum(claimed.values()), collisions=collisions, twice=sum(n > 1 for n in claimed.values()),
        lost=sum(not owner or last.get(c) != owner for c, owner in owners.items()) + CUSTOMERS - len(owners),
        over=sum(n > LIMIT for n in books.values()),
    )  # fmt: skip


def claiming(actor, mine: int, number: int, start: threading.Barrier) -> int:  # type: ignore[no-untyped-def]
    """Claim what one still sees until nothing is left or the book is full; return how often somebody was faster."""
    from django.db import OperationalError

    from kequn.core.errors import KequnError
    from kequn.ops.ownership.queries import unowned_for
    from kequn.ops.ownership.services import claim_customer

    chance, collisions = random.Random(number * 100 + mine), 0
    start.wait()
    while waiting := sorted(unowned_for(actor).values_list("customer_id", flat=True)):
        for customer_id in chance.sample(waiting, min(LOOK, len(waiting))):
            try:
                claim_customer(actor, customer_id)
            except KequnError as error:
                if "full" in error.message:
                    return collisions
                collisions += 1
            except OperationalError:  # a busy SQLite says so; nothing was written, and she tries again
                continue
    return collisions


if __name__ == "__main__":
    main()
