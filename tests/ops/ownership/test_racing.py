"""Several at once, on a database that really commits: one owner each, nobody lost, no book above its limit."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from django.db import OperationalError, connection

from kequn.core.errors import KequnError
from kequn.ops.customers.models import Person
from kequn.ops.orgs.actor import Actor
from kequn.ops.ownership import services
from kequn.ops.ownership.models import OwnerChange, RemoteCase
from tests.ops.ownership.conftest import Cast, ids, load, person

pytestmark = pytest.mark.django_db(transaction=True)


def together(work: Sequence[Callable[[], object]]) -> list[str]:
    """Run all at once, each on a connection of its own; return the words of those that were refused."""
    start = threading.Barrier(len(work))
    refused: list[str] = []
    faults: list[BaseException] = []

    def run(one: Callable[[], object]) -> None:
        start.wait()
        try:
            while True:
                try:
                    one()
                except KequnError as error:
                    refused.append(error.message)
                except OperationalError:  # a busy SQLite says so; nothing was written
                    continue
                return
        except Exception as fault:
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    return refused


def test_whom_several_claim_at_once_one_gets(staff: Cast, policy) -> None:
    policy(claims_a_day=500, book_limit=500)
    load(*(person(n) for n in range(1, 16)))
    rms: list[Actor] = [staff[name] for name in ("wangfang", "hejie", "qianlin")]

    def claiming(actor: Actor, numbers: list[int]) -> Callable[[], None]:
        def run() -> None:
            while numbers:
                whom = numbers.pop()
                try:
                    services.claim_customer(actor, ids(whom)[0])
                except KequnError:
                    pass
                except OperationalError:
                    numbers.append(whom)

        return run

    together([claiming(actor, list(range(1, 16))) for actor in rms])
    changes = Counter(OwnerChange.objects.values_list("customer_id", flat=True))
    assert len(changes) == 15
    assert set(changes.values()) == {1}
    owners = dict(Person.objects.values_list("customer_id", "rm_no"))
    assert owners == dict(OwnerChange.objects.values_list("customer_id", "to_staff"))


def test_ten_claims_at_once_of_one_manager_do_not_overfill_her_book_or_her_day(staff: Cast, policy) -> None:
    policy(claims_a_day=4, book_limit=3)
    load(*(person(n) for n in range(1, 11)))
    refused = together([lambda n=n: services.claim_customer(staff["wangfang"], ids(n)[0]) for n in range(1, 11)])
    assert Person.objects.filter(rm_no="R001").count() == 3
    assert len(refused) == 7


def test_two_heads_who_give_one_customer_to_two_leave_one_change(staff: Cast) -> None:
    load(person(1, owner="R001"))
    seen = {ids(1)[0]: "R001"}
    work = [
        lambda to=to: services.reassign_customers(staff["liqiang"], ids(1), to, reason="x", expected=seen)
        for to in ("R003", "R004")
    ]
    together(work)
    last = OwnerChange.objects.order_by("id").last()
    assert OwnerChange.objects.count() == 1
    assert last is not None
    assert Person.objects.get().rm_no == last.to_staff


def test_two_agents_take_different_customers(staff: Cast) -> None:
    load(*(person(n) for n in range(1, 7)))
    services.send_to_remote(staff["liqiang"], ids(*range(1, 7)), reason="no_owner")
    together([lambda name=name: services.take_cases(staff[name], n=3) for name in ("yuancheng", "yuanfang")])
    taken = dict(RemoteCase.objects.exclude(agent="").values_list("customer_id", "agent"))
    assert len(taken) == 6


def test_a_claim_while_the_bank_loads_is_kept_or_follows_the_bank_but_never_both(staff: Cast) -> None:
    load(person(1))
    work: list[Callable[[], object]] = [
        lambda: services.claim_customer(staff["wangfang"], ids(1)[0]),
        lambda: load(person(1, owner="R003"), load_id="l2"),
    ]
    together(work)
    rows = list(OwnerChange.objects.order_by("id"))
    assert [r.from_staff for r in rows] == ["", *(r.to_staff for r in rows)][: len(rows)]
    assert Person.objects.get().rm_no == rows[-1].to_staff
