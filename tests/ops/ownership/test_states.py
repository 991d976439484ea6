"""Whatever happens in whatever order: each customer has at most one owner, and the history tells how she came to have her."""

from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.errors import KequnError
from kequn.ops import runtime
from kequn.ops.customers.models import Person
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership import queries, services
from kequn.ops.ownership.models import Absence, Assignment, LoadConflict, Notice, OwnerChange, RemoteCase, WecomMove
from kequn.ops.workbench.models import Task, TaskMove
from tests.ops.conftest import NOW
from tests.ops.ownership.conftest import Cast, ids, load, person

pytestmark = pytest.mark.django_db
RMS = {"wangfang": "R001", "hejie": "R003", "qianlin": "R004"}
CUSTOMERS = range(1, 5)
who, whom, to = st.sampled_from(sorted(RMS)), st.sampled_from(list(CUSTOMERS)), st.sampled_from(sorted(RMS.values()))
steps = st.one_of(
    st.tuples(st.just("claim"), who, whom),
    st.tuples(st.just("give_up"), who, whom),
    st.tuples(st.just("reassign"), whom, to),
    st.tuples(st.just("load"), whom, st.sampled_from(["", *RMS.values()])),
    st.tuples(st.just("assign")),
    st.tuples(st.just("hand_over"), to),
    st.tuples(st.just("leave"), to, to),
    st.tuples(st.just("remote"), whom),
    st.tuples(st.just("take")),
    st.tuples(st.just("wait"), st.integers(1, 40)),
)


def done(cast: Cast, step: tuple[Any, ...], clock: runtime.Runtime) -> None:
    head = cast["liqiang"]
    match step:
        case ("claim", name, n):
            services.claim_customer(cast[name], ids(n)[0])
        case ("give_up", name, n):
            services.give_up_customers(cast[name], ids(n), note="x")
        case ("reassign", n, staff_no):
            services.reassign_customers(head, ids(n), staff_no, reason="x")
        case ("load", n, staff_no):
            load(person(n, owner=staff_no), load_id="again")
        case ("assign",):
            services.apply_assignment(head, services.draw_assignment(head).pk)
            run_waiting()
        case ("hand_over", staff_no):
            services.apply_assignment(head, services.draw_hand_over(head, staff_no, cause="transfer").pk)
            run_waiting()
        case ("leave", staff_no, stand_in):
            first = queries.today()
            services.record_absence(
                head, staff_no, kind="leave", first_day=first, last_day=first + timedelta(days=5), stand_in=stand_in
            )
        case ("remote", n):
            services.send_to_remote(head, ids(n), reason="sent")
        case ("take",):
            services.take_cases(cast["yuancheng"])
        case ("wait", days):
            moment = clock.clock() + timedelta(days=days)
            clock.clock = lambda: moment
            services.settle_absences(system_actor())
            services.watch_owners(system_actor())


def check(begun: dict[str, str]) -> None:
    for row in Person.objects.all():
        changes = list(OwnerChange.objects.filter(customer_id=row.pk).order_by("id"))
        chain = [begun[row.pk], *(c.to_staff for c in changes)]
        assert [c.from_staff for c in changes] == chain[:-1]
        assert chain[-1] == row.rm_no
        cases = RemoteCase.objects.filter(customer_id=row.pk).exclude(state="closed")
        assert cases.count() <= 1
        open_tasks = Task.objects.filter(customer_id=row.pk, state="open")
        for task in Task.objects.filter(customer_id=row.pk):  # its history tells through whose hands it went
            moves = list(TaskMove.objects.filter(task=task).order_by("id").values_list("from_staff", "to_staff"))
            hands = [begun[row.pk], *(to for _, to in moves)]
            assert ([giver for giver, _ in moves], hands[-1]) == (hands[:-1], task.staff_no)
        for task in open_tasks:  # nobody's work lies with one who has nothing to do with her
            away = Absence.objects.filter(staff_no=row.rm_no, cancelled_at__isnull=True).values_list(
                "stand_in", flat=True
            )
            assert task.staff_no in {row.rm_no, "", *away, *cases.values_list("agent", flat=True)}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(steps, max_size=12))
def test_one_owner_at_every_step_and_the_history_tells_who(
    staff: Cast, policy, bank_runtime: runtime.Runtime, steps: list[tuple[Any, ...]]
) -> None:
    for model in (Notice, WecomMove, RemoteCase, LoadConflict, Absence, TaskMove, Task):
        model.objects.all().delete()
    OwnerChange.objects.all().delete()
    Assignment.objects.all().delete()
    Person.objects.all().delete()
    bank_runtime.clock = lambda: NOW
    take_back = {"warn_days": 20, "escalate_days": 30, "take_back_days": 40, "counts_from": NOW.date()}
    policy(claims_a_day=3, book_limit=3, protected_days=7, take_back=take_back)
    load(*(person(n, owner="R001" if n == 1 else "") for n in CUSTOMERS))
    begun = dict(Person.objects.values_list("pk", "rm_no"))
    for n in CUSTOMERS:
        Task.objects.create(
            key=f"t{n}", customer_id=ids(n)[0], staff_no=begun[ids(n)[0]], branch_code="0001", kind="contact", title_zh="x",
            due_at=NOW + timedelta(days=500), created_at=NOW,
        )  # fmt: skip
    for step in steps:
        with contextlib.suppress(KequnError):
            done(staff, step, bank_runtime)
        check(begun)
