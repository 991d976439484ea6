"""Two tabs and two people at one round, on a database that really commits: each customer decided once, nobody lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from kequn.core.errors import Conflict, KequnError
from kequn.ops.books import services, states
from kequn.ops.books.models import Circle, CircleMember, StockTake, StockTakeLine, VisitPlan
from kequn.ops.customers.models import Person
from kequn.ops.governance.models import AuditEntry
from tests.ops.bank import Cast
from tests.ops.booked_bank import *  # noqa: F403 - fixtures
from tests.ops.booked_bank import customer_id
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db(transaction=True)


def together(work: Sequence[Callable[[], object]]) -> list[KequnError]:
    """Run all at once, each on a connection of its own; return what was refused. A busy SQLite is asked again."""
    start, refused, faults = threading.Barrier(len(work)), list[KequnError](), list[BaseException]()

    def run(one: Callable[[], object]) -> None:
        start.wait()
        try:
            while True:
                try:
                    one()
                except KequnError as error:
                    refused.append(error)
                except OperationalError:
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


def test_two_tabs_decide_a_customer_once_and_the_second_is_told(books: Cast) -> None:
    rm = books["wangfang"]
    row = services.open_stock_take(
        rm, key="k", title="盘点", deadline=NOW.date() + timedelta(days=1), query="aum_min=250000"
    )
    lines = list(row.lines.values_list("pk", flat=True))
    assert len(lines) > 5
    for pk in lines:
        refused = together(
            [
                lambda pk=pk: services.decide_line(rm, pk, key="tab1", result="confirmed"),
                lambda pk=pk: services.decide_line(rm, pk, key="tab2", result="given_up", reason="other"),
                lambda pk=pk: services.decide_line(rm, pk, key="tab1", result="confirmed"),
            ]
        )
        assert all(isinstance(error, Conflict) for error in refused)
        assert len(refused) in (1, 2)
    row.refresh_from_db()
    assert row.state == states.DONE
    assert AuditEntry.objects.filter(act="stocktake.decided").count() == len(lines)
    assert AuditEntry.objects.filter(act="stocktake.done").count() == 1
    given_up = set(StockTakeLine.objects.filter(state=states.GIVEN_UP).values_list("customer_id", flat=True))
    assert (
        set(Person.objects.filter(pk__in=row.lines.values("customer_id"), rm_no="").values_list("pk", flat=True))
        == given_up
    )


def test_pressing_open_or_plan_twice_at_once_makes_one(books: Cast) -> None:
    rm, day = books["wangfang"], NOW.date()
    plan = [customer_id(1), customer_id(2)]
    refused = together(
        [lambda: services.open_stock_take(rm, key="same", title="盘点", deadline=day)] * 3
        + [lambda: services.plan_visits(rm, key="same", title="走访", on=day, customer_ids=plan)] * 3
        + [lambda: services.create_circle(rm, "东门")] * 3
    )
    assert refused == []
    assert (StockTake.objects.count(), VisitPlan.objects.count(), Circle.objects.count()) == (1, 1, 1)
    assert StockTakeLine.objects.count() == 40


def test_customers_put_into_a_circle_by_two_tabs_are_in_it_once(books: Cast) -> None:
    rm = books["wangfang"]
    circle = services.create_circle(rm, "东门")
    ids = [customer_id(i) for i in range(20)]
    assert (
        together(
            [
                lambda: services.add_to_circle(rm, circle.pk, ids),
                lambda: services.add_to_circle(rm, circle.pk, ids[::-1]),
            ]
        )
        == []
    )
    assert CircleMember.objects.filter(circle=circle).count() == 20
