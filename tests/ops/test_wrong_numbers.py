"""A number that is dead or somebody else's: nobody calls or texts it, the bank is told, and a new one is used at once."""

# ruff: noqa: F811 - fixtures are named by their parameter

from __future__ import annotations

from datetime import timedelta

import pytest

from kequn.ops import runtime
from kequn.ops.audiences.queries import bank_today
from kequn.ops.books.models import Correction
from kequn.ops.books.services import (
    Proposal,
    decide_line,
    dismiss_correction,
    open_stock_take,
    propose_correction,
    take_back_line,
)
from kequn.ops.customers.services import addresses, reachable, reachable_few
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.services import plan_day, record_outcome, undo_outcome
from kequn.ops.workbench.today import today_for
from tests.core.small_bank import SmallBank
from tests.ops.bank import customer_id
from tests.ops.remembering import remembered
from tests.ops.test_desk import (
    bank,  # noqa: F401 - fixtures
    people,
    thirty,  # noqa: F401
)

Cast = dict[str, Actor]
pytestmark = pytest.mark.django_db
WHO = customer_id(28)


@pytest.fixture
@remembered
def task(bank: SmallBank, cast: Cast) -> Task:
    """Her deposit comes due, and a list about her waits behind it."""
    plan_day(system_actor())
    moment = runtime.now()
    Task.objects.create(
        key="list", customer_id=WHO, staff_no="R001", branch_code="0001", kind="campaign", campaign="c", offer="renew",
        title_zh="名单", due_at=moment + timedelta(days=1), created_at=moment,
    )  # fmt: skip
    return Task.objects.get(customer_id=WHO, kind="maturing")


def seen(cast: Cast) -> set[str]:
    return {r.task.customer_id for r in today_for(cast["wangfang"]).rows}


@pytest.mark.parametrize("contact", ["wrong_person", "dead_number"])
def test_nobody_calls_or_texts_a_wrong_number_until_the_bank_has_another(task: Task, cast: Cast, contact: str) -> None:
    assert WHO in reachable("call") & reachable("sms")
    record_outcome(cast["wangfang"], task.pk, key="k", contact=contact)
    for channel in ("call", "sms"):
        assert WHO not in reachable(channel)
        assert WHO not in reachable_few([WHO])[channel]
        assert addresses(system_actor(), [WHO], channel) == {}
    assert WHO in reachable_few([WHO])["wecom"]
    assert WHO not in seen(cast)
    other = Task.objects.get(customer_id=WHO, kind="campaign")
    assert (other.state, other.is_held, other.is_main) == ("open", True, False)
    plan_day(system_actor())
    other.refresh_from_db()
    assert "NO_ADDRESS" in other.blocked["call"]
    people(name="改了名")
    assert WHO not in reachable("call"), "the bank's row changed, the number did not"
    people(phone="13911112222")
    assert WHO in reachable("call") & reachable("sms")
    plan_day(system_actor())
    other.refresh_from_db()
    assert (other.is_held, other.is_main, "call" in other.blocked) == (False, True, False)


def test_the_bank_is_told_once_and_who_puts_it_aside_says_that_the_number_is_right(task: Task, cast: Cast) -> None:
    record_outcome(cast["wangfang"], task.pk, key="k", contact="wrong_person")
    correction = Correction.objects.get()
    assert (correction.customer_id, correction.field, correction.state) == (WHO, "phone_invalid", "proposed")
    assert (correction.staff_no, correction.branch_code, correction.note) == ("R001", "0001", "非本人 Somebody else")
    dismiss_correction(cast["wangfang"], correction.pk)
    assert WHO in reachable("call")


def test_a_number_that_her_manager_says_is_dead_is_called_no_more(task: Task, cast: Cast) -> None:
    said = propose_correction(cast["wangfang"], WHO, Proposal("phone_invalid"))
    assert WHO not in reachable("call") | reachable("sms")
    assert WHO not in seen(cast)
    assert set(Task.objects.filter(customer_id=WHO).values_list("is_held", "is_main")) == {(True, False)}
    dismiss_correction(cast["wangfang"], said.pk)
    assert WHO in reachable("call")
    plan_day(system_actor())
    assert WHO in seen(cast)


def test_what_a_round_said_of_a_number_is_taken_back_with_it_and_what_a_call_found_is_not(
    task: Task, cast: Cast
) -> None:
    rm = cast["wangfang"]
    row = open_stock_take(rm, key="k", title="盘点", deadline=bank_today() + timedelta(days=9))
    line = row.lines.get(customer_id=WHO)
    decide_line(rm, line.pk, key="1", result="corrected", corrections=[Proposal("phone_invalid")])
    assert WHO not in reachable("call")
    take_back_line(rm, line.pk)
    assert WHO in reachable("call")
    record_outcome(rm, task.pk, key="k", contact="dead_number")
    decide_line(rm, line.pk, key="2", result="corrected", corrections=[Proposal("phone_invalid")])
    take_back_line(rm, line.pk)
    assert WHO not in reachable("call")
    assert [c.state for c in Correction.objects.order_by("pk")] == ["dismissed", "proposed"]
    Correction.objects.filter(state="proposed").update(state="sent")  # the bank was told, and a round says it once more
    decide_line(rm, line.pk, key="3", result="corrected", corrections=[Proposal("phone_invalid")])
    take_back_line(rm, line.pk)
    assert WHO not in reachable("call")


def test_of_two_rounds_the_later_one_is_taken_back_with_what_it_said(task: Task, cast: Cast) -> None:
    rm = cast["wangfang"]
    lines = []
    for n in "ab":
        row = open_stock_take(rm, key=n, title="盘点", deadline=bank_today() + timedelta(days=9))
        lines.append(row.lines.get(customer_id=WHO))
        decide_line(rm, lines[-1].pk, key=f"d{n}", result="corrected", corrections=[Proposal("phone_invalid")])
    take_back_line(rm, lines[0].pk)
    assert WHO not in reachable("call"), "the later round still says so"
    take_back_line(rm, lines[1].pk)
    assert WHO in reachable("call")


def test_taken_back_it_is_as_it_was(task: Task, cast: Cast) -> None:
    first = record_outcome(cast["wangfang"], task.pk, key="k", contact="dead_number")
    undo_outcome(cast["wangfang"], first.pk)
    assert WHO in reachable("call")
    assert WHO in seen(cast)
    assert set(Task.objects.filter(customer_id=WHO).values_list("state", "is_held")) == {("open", False)}
    assert Correction.objects.get().state == "dismissed"


def test_a_call_that_reaches_her_after_all_puts_the_number_right(task: Task, cast: Cast) -> None:
    record_outcome(cast["wangfang"], task.pk, key="k", contact="dead_number")
    other = Task.objects.get(customer_id=WHO, kind="campaign")
    reached = record_outcome(cast["wangfang"], other.pk, key="k2", contact="connected", intent="considering")
    assert WHO in reachable("call")
    assert Correction.objects.get().state == "dismissed"
    undo_outcome(cast["wangfang"], reached.pk)
    assert WHO not in reachable("call")
