"""A day of visits: planned over one's own customers, past the gate on setting out, recorded as any contact."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops import runtime
from kequn.ops.books import queries, services, states
from kequn.ops.books.models import Visit, VisitPlan
from kequn.ops.customers.models import Person
from kequn.ops.governance.services import suppress
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.workbench import services as workbench
from kequn.ops.workbench.models import FollowUp, Task
from tests.ops.bank import Cast
from tests.ops.booked_bank import *  # noqa: F403 - fixtures
from tests.ops.booked_bank import customer_id
from tests.ops.conftest import NOW

pytestmark = pytest.mark.django_db
TODAY = NOW.date()
ROUTE = [customer_id(i) for i in (1, 2, 3, 4)]


def planned(
    actor: Actor, *, days: int = 0, ids: list[str] | None = None, key: str = "k", companion: str = ""
) -> VisitPlan:
    return services.plan_visits(
        actor, key=key, title="东门市场走访", on=TODAY + timedelta(days=days), customer_ids=ids or ROUTE, place="东门大街",
        companion=companion, note="带资料，张总 13900001111",
    )  # fmt: skip


def states_of(actor: Actor, plan: VisitPlan) -> list[str]:
    return [v.state for v in queries.route_of(actor, plan)]


def test_a_day_is_planned_once_over_ones_own_customers_in_order(books: Cast) -> None:
    rm = books["wangfang"]
    plan = planned(rm, companion="B001")
    assert planned(rm).pk == plan.pk
    assert [v.customer_id for v in queries.route_of(rm, plan)] == ROUTE
    assert plan.note == "带资料，张总 ***"
    assert all(v.person and "****" in v.person.phone for v in queries.route_of(rm, plan))
    assert queries.visit_plan_for(books["liqiang"], plan.pk) == plan
    with pytest.raises(NotAllowed):
        queries.visit_plan_for(books["chenjing"], plan.pk)
    for ids in ([customer_id(50)], [customer_id(1), customer_id(85)]):
        with pytest.raises(NotAllowed):
            planned(rm, ids=ids, key="other")
    with pytest.raises(NotAllowed):
        planned(books["liqiang"], key="head")
    assert VisitPlan.objects.count() == 1


@pytest.mark.parametrize(
    ("days", "n", "companion"), [(-1, 4, ""), (200, 4, ""), (1, 0, ""), (1, 61, ""), (1, 4, "B999")]
)
def test_a_day_that_cannot_be_is_refused(books: Cast, days: int, n: int, companion: str) -> None:
    with pytest.raises(InvalidSpec):
        services.plan_visits(
            books["wangfang"], key="k", title="走访", on=TODAY + timedelta(days=days), companion=companion,
            customer_ids=[f"{i:032x}" for i in range(1, n + 1)],
        )  # fmt: skip


def test_setting_out_asks_the_gate_and_makes_a_task_of_whom_it_lets_through(books: Cast) -> None:
    rm = books["wangfang"]
    suppress(system_actor(), customer_id(2), reason="complaint")
    plan = planned(rm, ids=[*ROUTE, customer_id(5)])
    assert set(queries.barred_from_visits([*ROUTE, customer_id(5)])) == {customer_id(2), customer_id(5)}
    assert services.set_out(rm, plan.pk) == {"planned": 0, "ready": 3, "blocked": 2, "dropped": 0}
    found = {v.customer_id: v for v in queries.route_of(rm, plan)}
    assert found[customer_id(5)].codes
    assert found[customer_id(2)].codes
    assert {t.channel for t in Task.objects.filter(kind="contact")} == {"visit"}
    assert services.set_out(rm, plan.pk)["ready"] == 3
    assert Task.objects.filter(kind="contact").count() == 3


def test_nobody_sets_out_before_the_day(books: Cast) -> None:
    plan = planned(books["wangfang"], days=2)
    with pytest.raises(Conflict):
        services.set_out(books["wangfang"], plan.pk)
    services.move_day(books["wangfang"], plan.pk, TODAY)
    assert services.set_out(books["wangfang"], plan.pk)["ready"] == 4
    with pytest.raises(Conflict):
        services.move_day(books["wangfang"], plan.pk, TODAY + timedelta(days=1))


def test_quiet_hours_hold_and_a_later_try_goes_through(books: Cast, bank_runtime: runtime.Runtime) -> None:
    rm = books["wangfang"]
    plan = planned(rm)
    bank_runtime.clock = lambda: NOW + timedelta(hours=13)  # 23:00
    assert services.set_out(rm, plan.pk)["blocked"] == 4
    bank_runtime.clock = lambda: NOW + timedelta(hours=24)
    assert services.set_out(rm, plan.pk)["ready"] == 4


def test_what_came_of_visits_is_recorded_as_contacts_and_adds_up(books: Cast) -> None:
    rm = books["wangfang"]
    plan = planned(rm)
    services.set_out(rm, plan.pk)
    route = queries.route_of(rm, plan)
    tasks = [v.task_id or 0 for v in route]
    workbench.record_outcome(rm, tasks[0], key="1", contact="connected", intent="deal", amount_cny=Decimal(50_000))
    workbench.record_outcome(rm, tasks[1], key="2", contact="no_answer", note="店里没人，电话 13900001111")
    workbench.record_outcome(rm, tasks[2], key="3", contact="connected", intent="interested")
    found = queries.route_of(books["liqiang"], plan)
    total = queries.summary_of(found)
    assert (total.planned, total.met, total.not_met, total.waiting, total.blocked) == (4, 2, 1, 1, 0)
    assert total.intents == {"deal": 1, "interested": 1}
    assert total.amount_cny == Decimal(50_000)
    assert found[1].note == "店里没人，电话 ***"
    assert Task.objects.get(pk=tasks[1]).state == "open"  # a no-show is tried again
    workbench.undo_outcome(rm, FollowUp.objects.get(task_id=tasks[0]).pk)
    assert queries.summary_of(queries.route_of(rm, plan)).met == 1


def test_the_route_is_put_in_order_and_people_taken_off_it(books: Cast) -> None:
    rm = books["wangfang"]
    plan = planned(rm)
    a, b, c, d = [v.id for v in queries.route_of(rm, plan)]
    services.order_visits(rm, plan.pk, [c, a])
    assert [v.id for v in queries.route_of(rm, plan)] == [c, a, b, d]
    services.drop_visit(rm, b)
    assert services.set_out(rm, plan.pk) == {"planned": 0, "ready": 3, "blocked": 0, "dropped": 1}
    services.take_up_visit(rm, b)
    assert services.add_visits(rm, plan.pk, [customer_id(8), customer_id(1)]) == 1
    assert states_of(rm, plan) == ["ready", "ready", "planned", "ready", "planned"]
    with pytest.raises(Conflict):
        services.take_up_visit(rm, a)
    for act in (services.drop_visit, services.take_up_visit):
        with pytest.raises(NotAllowed):
            act(books["chenjing"], a)
        with pytest.raises(NotAllowed):
            act(books["liqiang"], a)
    services.cancel_visits(rm, plan.pk)
    with pytest.raises(Conflict):
        services.set_out(rm, plan.pk)


def test_who_left_the_book_is_neither_named_nor_visited(books: Cast) -> None:
    rm = books["wangfang"]
    plan = planned(rm)
    Person.objects.filter(pk=ROUTE[0]).update(rm_no="R002")
    assert queries.route_of(rm, plan)[0].person is None
    assert services.set_out(rm, plan.pk) == {"planned": 0, "ready": 3, "blocked": 0, "dropped": 1}
    assert Visit.objects.get(plan=plan, customer_id=ROUTE[0]).state == states.DROPPED
