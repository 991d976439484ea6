"""Leave, stand-ins and working days: who works on a day, how much, and where the work goes meanwhile."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.ops import runtime
from kequn.ops.customers.queries import people_for, person_for
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import User
from kequn.ops.ownership import queries, services
from kequn.ops.ownership.models import Absence
from kequn.ops.workbench.models import Task
from tests.ops.conftest import NOW
from tests.ops.ownership.conftest import Cast, ids, load, person

pytestmark = pytest.mark.django_db
TODAY = NOW.date()  # a Wednesday


def away(cast: Cast, staff_no: str = "R001", days: int = 9, first: date = TODAY, **fields: str) -> Absence:
    return services.record_absence(
        cast["liqiang"], staff_no, **{"kind": "leave", "first_day": first, "last_day": first + timedelta(days=days), **fields}
    )  # fmt: skip


def task(n: int, staff_no: str) -> Task:
    return Task.objects.create(
        key=f"t{n}", customer_id=ids(n)[0], staff_no=staff_no, branch_code="0001", kind="contact", title_zh="x",
        due_at=NOW + timedelta(days=5), created_at=NOW,
    )  # fmt: skip


def test_weekends_long_holidays_and_the_banks_own_days(staff: Cast) -> None:
    assert not queries.is_working_day(date(2026, 7, 4))
    assert not queries.is_working_day(date(2026, 10, 1))
    assert queries.is_working_day(date(2026, 7, 6))
    services.set_calendar_day(staff["admin"], date(2026, 7, 4), works=True, name="调休上班")
    services.set_calendar_day(staff["admin"], date(2026, 7, 6), works=False, name="行庆")
    days = queries.working_days(date(2026, 7, 3), date(2026, 7, 7))
    assert [d.day for d in days] == [3, 4, 7]
    with pytest.raises(NotAllowed):
        services.set_calendar_day(staff["liqiang"], TODAY, works=False)


def test_capacity_is_nought_on_leave_at_weekends_and_for_who_left(staff: Cast) -> None:
    away(staff, days=1)
    User.objects.filter(staff_no="R004").update(is_active=False)
    services.set_capacity(staff["liqiang"], "R003", tasks_a_day=12, book_limit=None, skills=[], languages=[])
    asked = ["R001", "R002", "R003", "R004", "R999"]
    assert queries.capacity_of(asked, TODAY) == {"R001": 0, "R002": 20, "R003": 12, "R004": 0, "R999": 0}
    assert queries.available(asked, TODAY + timedelta(days=2)) == {
        "R001": True, "R002": True, "R003": True, "R004": False, "R999": False,
    }  # fmt: skip
    assert set(queries.capacity_of(asked, date(2026, 7, 4)).values()) == {0}
    assert queries.capacity_until("R003", TODAY, TODAY + timedelta(days=6)) == 12 * 5
    assert queries.capacity_until("R001", TODAY, TODAY + timedelta(days=6)) == 20 * 3


def test_open_work_goes_to_the_stand_in_and_comes_back_by_itself(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"), person(2, owner="R003"))
    mine = task(1, "R001")
    row = away(staff, stand_in="R003")
    assert row.covered_at is not None
    mine.refresh_from_db()
    assert mine.staff_no == "R003"
    assert person_for(staff["hejie"], ids(1)[0]).rm_no == "R001"
    assert queries.worker_of(ids(1, 2), TODAY) == {ids(1)[0]: "R003", ids(2)[0]: "R003"}
    bank_runtime.clock = lambda: NOW + timedelta(days=10)
    assert services.settle_absences(system_actor()) == 1
    assert services.settle_absences(system_actor()) == 0
    mine.refresh_from_db()
    assert mine.staff_no == "R001"
    assert not people_for(staff["hejie"]).filter(pk=ids(1)[0]).exists()


def test_leave_that_begins_later_moves_nothing_until_its_day(staff: Cast, bank_runtime: runtime.Runtime) -> None:
    load(person(1, owner="R001"))
    mine = task(1, "R001")
    row = away(staff, first=TODAY + timedelta(days=2), stand_in="R003")
    assert row.covered_at is None
    assert services.settle_absences(system_actor()) == 0
    bank_runtime.clock = lambda: NOW + timedelta(days=2)
    assert services.settle_absences(system_actor()) == 1
    mine.refresh_from_db()
    assert mine.staff_no == "R003"
    services.cancel_absence(staff["liqiang"], row.pk)
    mine.refresh_from_db()
    assert mine.staff_no == "R001"
    assert queries.worker_of(ids(1), TODAY + timedelta(days=2)) == {ids(1)[0]: "R001"}


def test_without_a_stand_in_short_leave_waits_and_long_leave_goes_to_the_remote_centre(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, owner="R003"), person(3))
    away(staff, "R001", days=1)
    away(staff, "R003", days=20)
    assert queries.worker_of(ids(1, 2, 3), TODAY) == {ids(1)[0]: "R001", ids(2)[0]: "", ids(3)[0]: ""}


def test_what_makes_no_sense_is_refused(staff: Cast) -> None:
    away(staff, stand_in="R003")
    again = away(staff, stand_in="R003")
    assert Absence.objects.count() == 1
    assert again.pk == Absence.objects.get().pk
    with pytest.raises(Conflict, match="already"):
        away(staff, days=2)
    with pytest.raises(Conflict, match="stands in"):
        away(staff, "R003", days=2)
    with pytest.raises(Conflict, match="away herself"):
        away(staff, "R004", stand_in="R001")
    with pytest.raises(InvalidSpec, match="herself"):
        away(staff, "R004", stand_in="R004")
    with pytest.raises(InvalidSpec, match="over"):
        away(staff, "R004", first=TODAY - timedelta(days=9), days=3)
    with pytest.raises(InvalidSpec, match="before"):
        away(staff, "R004", days=-1)
    with pytest.raises(InvalidSpec, match="kind"):
        away(staff, "R004", kind="moon")
    for whom in ("R002", "R999"):
        with pytest.raises(NotAllowed):
            away(staff, whom)
        with pytest.raises(NotAllowed):
            away(staff, "R004", stand_in=whom)
    with pytest.raises(NotAllowed):
        services.cancel_absence(staff["wumei"], again.pk)
    with pytest.raises(NotAllowed):
        queries.absences_for(staff["wangfang"])


# -- the remote centre --------------------------------------------------------------------------------------------------


def test_an_agent_sees_who_she_took_and_nobody_else(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"), person(3, branch="0002", owner="R002"))
    mine = task(1, "R001")
    assert services.send_to_remote(staff["liqiang"], ids(1, 2), reason="sent") == ids(1, 2)
    assert services.send_to_remote(staff["liqiang"], ids(1, 2), reason="sent") == []
    with pytest.raises(NotAllowed):
        services.send_to_remote(staff["liqiang"], ids(3), reason="sent")
    mine.refresh_from_db()
    assert mine.staff_no == ""
    agent, other = staff["yuancheng"], staff["yuanfang"]
    assert not people_for(agent).exists()
    (case,) = services.take_cases(agent, n=1)
    assert [p.pk for p in people_for(agent)] == [case.customer_id] == ids(1)
    assert not people_for(other).exists()
    mine.refresh_from_db()
    assert mine.staff_no == "Y001"
    assert [c.customer_id for c in queries.cases_for(other)] == ids(2)
    with pytest.raises(NotAllowed):
        services.close_case(other, case.pk)
    assert services.return_case(agent, case.pk).state == "open"
    mine.refresh_from_db()
    assert mine.staff_no == ""
    assert not people_for(agent).exists()


def test_one_who_gets_an_owner_leaves_the_queue_with_her_work(staff: Cast) -> None:
    load(person(1))
    services.send_to_remote(staff["liqiang"], ids(1), reason="no_owner")
    services.take_cases(staff["yuancheng"])
    mine = task(1, "Y001")
    services.claim_customer(staff["wangfang"], ids(1)[0])
    mine.refresh_from_db()
    assert mine.staff_no == "R001"
    assert not people_for(staff["yuancheng"]).exists()
    assert not queries.cases_for(staff["yuancheng"]).exists()


def test_a_case_is_not_closed_over_work_that_nobody_else_could_do(staff: Cast) -> None:
    load(person(1))
    services.send_to_remote(staff["liqiang"], ids(1), reason="no_owner")
    (case,) = services.take_cases(staff["yuancheng"])
    mine = task(1, "Y001")
    with pytest.raises(Conflict, match="still open"):
        services.close_case(staff["yuancheng"], case.pk)
    Task.objects.filter(pk=mine.pk).update(state="done", closed_at=NOW)
    assert services.close_case(staff["yuancheng"], case.pk).state == "closed"


def test_an_agent_takes_no_more_than_a_days_work(staff: Cast) -> None:
    User.objects.filter(staff_no="Y001").update(capacity=2)
    load(*(person(n) for n in range(1, 6)))
    services.send_to_remote(staff["liqiang"], ids(1, 2, 3, 4, 5), reason="no_owner")
    assert len(services.take_cases(staff["yuancheng"], n=4)) == 2
    with pytest.raises(Conflict, match="as many"):
        services.take_cases(staff["yuancheng"], n=1)


def test_a_customer_who_gets_another_owner_during_leave_takes_her_tasks_from_the_stand_in(staff: Cast) -> None:
    load(person(1, owner="R001"), person(2, owner="R001"), person(3, owner="R004"))
    mine, other, third = task(1, "R001"), task(2, "R001"), task(3, "R004")
    away(staff, "R001", stand_in="R003")
    services.reassign_customers(staff["liqiang"], ids(1), "R004", reason="x")
    load(person(2), load_id="l2")
    services.reassign_customers(staff["liqiang"], ids(3), "R001", reason="x")
    for row in (mine, other, third):
        row.refresh_from_db()
    assert [mine.staff_no, other.state, third.staff_no] == ["R004", "cancelled", "R003"]
