"""The morning's distribution and the page Today on a small bank: who gets what, what the gate closes, what closes by itself."""

from __future__ import annotations

import copy
import shutil
import threading
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.errors import Conflict, NotAllowed
from kequn.core.spec.campaign import Cap, ContactPolicySpec
from kequn.core.spec.desk import Churn, DeskPolicySpec, Maturity
from kequn.core.spec.offer import OfferSpec
from kequn.core.tags import catalogue
from kequn.ops import runtime
from kequn.ops.board.queries import escalations_for, unreached_outflows
from kequn.ops.campaigns.models import Campaign
from kequn.ops.catalog import services as catalog
from kequn.ops.customers.models import Person
from kequn.ops.customers.services import store_people
from kequn.ops.governance.services import suppress
from kequn.ops.jobs.services import run_next
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.models import User
from kequn.ops.ownership.models import Absence, RemoteCase
from kequn.ops.ownership.services import reassign_customers
from kequn.ops.workbench import planning, states
from kequn.ops.workbench.creating import create_task
from kequn.ops.workbench.models import Credit, DayPlan, FollowUp, Settlement, StaffDay, Task, TaskChange, TaskMove
from kequn.ops.workbench.queries import credits_for
from kequn.ops.workbench.services import (
    assign_task,
    plan_day,
    reassign_tasks,
    record_outcome,
    request_morning,
    settle_tasks,
    undo_outcome,
)
from kequn.ops.workbench.today import day_tasks, next_task, today_for
from tests.core.small_bank import SmallBank
from tests.ops.bank import CAMPAIGN, approve, customer_id

Cast = dict[str, Actor]
pytestmark = pytest.mark.django_db

AS_OF, DAY = date(2026, 6, 30), date(2026, 7, 1)  # a Wednesday
WAN = 1_000_000
CONTACTS = ContactPolicySpec(name="house", title="触达策略", caps=(Cap(days=30, times=4),))
OFFER = OfferSpec(name="fund_offer", title="稳健基金", product="FD401")
RENEW = OfferSpec(name="renew", title="续存", product="TD012")
DESK = DeskPolicySpec(
    name="desk", title="工作台", maturing=Maturity(offer="renew"),
    churn=Churn(tag="demo_gender", values=("F",), from_cny=Decimal(50_000), offer="fund_offer"),
)  # fmt: skip


def build(root: Path, n: int = 30) -> SmallBank:
    """Everybody has a deposit that comes due on Friday, 5 to 34 in ten thousands; even ones are 王芳's, odd ones 陈静's."""
    bank = SmallBank(root)
    for i in range(n):
        bank.customer(
            birth_on=date(1985, 3, 1), gender="M", branch_code="0001" if i % 2 == 0 else "0002",
            rm_no="R001" if i % 2 == 0 else "R002", risk_level=4, risk_expires_on=date(2027, 1, 1),
            risk_tested_on=date(2026, 1, 1), is_deceased=False, is_staff=False, is_suppressed=False, is_vulnerable=False,
            personalisation_off=False,
        )  # fmt: skip
        bank.hold(i, AS_OF, "time", (5 + i) * WAN, matures_on=date(2026, 7, 3), opened_on=date(2025, 7, 3))
        bank.add("consent", i, purpose="marketing", channel="call", granted=True, given_on=date(2025, 1, 1))
    return bank


def publish(bank: SmallBank, as_of: date = AS_OF) -> None:
    """Save and tag, in the runtime's store, what the bank knows now."""
    bank.store = runtime.runtime().store
    bank.refresh(catalogue(), as_of, only=("demo_gender",))


def people(n: int = 30, **fields: Any) -> None:
    store_people(
        system_actor(),
        [
            {"customer_id": customer_id(i), "customer_no": f"C{i:07}", "branch_code": "0001" if i % 2 == 0 else "0002",
             "rm_no": "R001" if i % 2 == 0 else "R002", "name": f"张{i}", "phone": f"1390000{i:04}"} | fields
            for i in range(n)
        ],
        load_id="test",
    )  # fmt: skip


def rule(cast: Cast, *specs: Any) -> None:
    for spec in specs:
        row = catalog.save_definition(cast["zhaomin"], spec)
        catalog.submit_definition(cast["zhaomin"], row.pk)
        approve(cast, spec.name)


@pytest.fixture(scope="session")
def thirty(tmp_path_factory: pytest.TempPathFactory) -> SmallBank:
    """Build and tag the bank once."""
    made = build(tmp_path_factory.mktemp("desk"))
    made.refresh(catalogue(), AS_OF, only=("demo_gender",))
    return made


@pytest.fixture
def bank(cast: Cast, thirty: SmallBank, bank_runtime: runtime.Runtime) -> SmallBank:
    """A bank of thirty of one's own, with rules, not planned yet."""
    shutil.copytree(thirty.store.root, bank_runtime.store.root, dirs_exist_ok=True)
    made = copy.deepcopy(thirty)
    made.store = bank_runtime.store
    people()
    rule(cast, CONTACTS, OFFER, RENEW, DESK)
    return made


def capacity(staff_no: str, n: int) -> None:
    User.objects.filter(staff_no=staff_no).update(capacity=n)


def mains(staff_no: str = "R001", **fields: Any) -> list[Task]:
    return list(Task.objects.filter(staff_no=staff_no, state="open", is_main=True, **fields).order_by("-score", "pk"))


def task_rows() -> list[dict[str, Any]]:
    return list(Task.objects.order_by("pk").values())


# -- the distribution ---------------------------------------------------------------------------------------------------


def test_everybody_gets_her_own_customers_the_largest_first_and_no_more_than_her_share(bank: SmallBank) -> None:
    capacity("R001", 10)
    plan = plan_day(system_actor())
    assert (plan.day, plan.as_of, plan.found["maturing"]) == (DAY, AS_OF, 30)
    today = mains(planned_for=DAY)
    assert [t.customer_id for t in today] == [customer_id(i) for i in (28, 26, 24, 22, 20, 18, 16)]
    assert today[0].value_cny == Decimal(330_000)
    assert "33.0 万元" in today[0].why_zh
    assert "2026-07-03" in today[0].why_en
    assert "万" not in today[0].said_zh
    assert today[0].facts["product"] == "TD012"
    later = mains(planned_for=date(2026, 7, 2))
    assert len(later) == 8
    assert {t.waits_since for t in later} == {DAY}
    day = StaffDay.objects.get(staff_no="R001", day=DAY)
    assert (day.given, day.later) == (7, 8)


def test_a_second_run_on_the_same_day_changes_no_row(bank: SmallBank) -> None:
    capacity("R001", 5)
    plan_day(system_actor())
    before = task_rows()
    again = plan_day(system_actor())
    assert task_rows() == before
    assert (again.counts["new"], again.counts["changed"]) == (0, 0)
    assert DayPlan.objects.count() == 1


def test_a_job_that_waited_until_its_day_was_over_plans_nothing(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    request_morning(cast["admin"])
    bank_runtime.clock = lambda: datetime(2026, 7, 2, 2, tzinfo=UTC)
    done = run_next()
    assert done is not None
    assert (done.state, Task.objects.count()) == ("done", 0)
    assert "skipped" in done.result


def test_what_waits_for_an_owner_stays_until_somebody_has_her(bank: SmallBank, cast: Cast) -> None:
    Person.objects.filter(pk=customer_id(28)).update(rm_no="")
    plan_day(system_actor())
    task = Task.objects.get(customer_id=customer_id(28))
    assert (task.staff_no, task.state) == ("", "open")
    assert settle_tasks(system_actor()) == {}
    reassign_customers(cast["liqiang"], [customer_id(28)], "R001", reason="分户")
    plan_day(system_actor())
    assert today_for(cast["wangfang"]).rows[0].task == task


def test_the_day_is_a_job_that_follows_a_refresh_of_the_latest_date(bank: SmallBank, cast: Cast) -> None:
    job = request_morning(cast["sunli"])
    assert request_morning(cast["sunli"]).pk == job.pk
    done = run_next()
    assert done is not None
    assert (done.kind, done.state) == ("plan_day", "done"), done.error
    assert done.result["counts"]["new"] == 30
    with pytest.raises(NotAllowed):
        request_morning(cast["wangfang"])


def test_what_waited_too_long_goes_to_the_remote_centre_or_to_nobody(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    capacity("R001", 10)
    clock = datetime(2026, 7, 1, 2, tzinfo=UTC)
    User.objects.filter(staff_no="R002").update(role="remote_agent")
    rule(cast, DESK.model_copy(update={"wait_days": 1, "maturing": Maturity(offer="renew", priority=81)}))
    bank_runtime.clock = lambda: clock
    plan_day(system_actor())
    assert not RemoteCase.objects.filter(reason="over_capacity").exists()
    bank_runtime.clock = lambda: clock + timedelta(days=1)
    plan_day(system_actor())
    over = RemoteCase.objects.filter(reason="over_capacity", branch_code="0001")
    assert over.count() == 8
    queued = Task.objects.filter(customer_id__in=over.values("customer_id"))
    assert {(t.staff_no, t.state) for t in queued} == {("", "open")}
    assert len(mains(planned_for=date(2026, 7, 2))) == 7


def test_nobody_is_given_work_on_leave_and_a_stand_in_gets_it(bank: SmallBank) -> None:
    Absence.objects.create(
        staff_no="R001",
        kind="sick",
        first_day=DAY,
        last_day=DAY,
        stand_in="R002",
        entered_by="t",
        entered_at=datetime.now(UTC),
    )
    capacity("R002", 40)
    plan_day(system_actor())
    assert mains("R001") == []
    assert len(mains("R002", planned_for=DAY)) == 14  # a list is twenty long, and 30 % stay free
    assert len(mains("R002")) == 30


def test_on_a_day_off_everything_waits_for_the_next_working_day(bank: SmallBank, bank_runtime: runtime.Runtime) -> None:
    plan_day(system_actor(), day=date(2026, 7, 4))
    assert {t.planned_for for t in Task.objects.all()} == {date(2026, 7, 6)}


def test_a_customer_has_one_main_task_and_the_rest_is_folded_under_it(bank: SmallBank, cast: Cast) -> None:
    bank.rows["customer"][28]["gender"] = "F"
    publish(bank)
    plan_day(system_actor())
    both = {t.kind: t for t in Task.objects.filter(customer_id=customer_id(28))}
    assert {k: t.is_main for k, t in both.items()} == {"maturing": True, "churn": False}
    row = next(r for r in today_for(cast["wangfang"]).rows if r.task.customer_id == customer_id(28))
    assert [t.kind for t in row.also] == ["churn"]
    follow_up = record_outcome(cast["wangfang"], row.task.pk, key="k", contact="connected", intent="not_interested")
    assert {t.closed_why for t in Task.objects.filter(customer_id=customer_id(28), kind="churn")} == {"folded"}
    undo_outcome(cast["wangfang"], follow_up.pk)
    assert {t.kind: (t.state, t.is_main) for t in Task.objects.filter(customer_id=customer_id(28))} == {
        "maturing": ("open", True), "churn": ("open", False),
    }  # fmt: skip


def test_what_the_branch_moves_while_the_morning_is_drawn_stays_where_it_was_moved(
    bank: SmallBank, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan_day(system_actor())
    task = mains()[0]
    User.objects.create(
        username="zhoumin", display_name="周敏", role="rm", branch=User.objects.get(staff_no="R001").branch, staff_no="R003",
        password="!", capacity=20,
    )  # fmt: skip
    draw = planning._distribute

    def drawn(*given: Any) -> None:
        draw(*given)
        if not task.moves.exists():
            reassign_tasks(cast["liqiang"], task_ids=[task.pk], to_staff="R003", reason="病假")

    monkeypatch.setattr(planning, "_distribute", drawn)
    monkeypatch.setattr(runtime.runtime(), "clock", lambda: datetime(2026, 7, 2, 2, tzinfo=UTC))
    plan_day(system_actor())
    task.refresh_from_db()
    assert task.staff_no == "R003"
    assert list(task.moves.values_list("from_staff", "to_staff")) == [("R001", "R003")]


def test_a_broken_write_leaves_the_day_as_it_was(bank: SmallBank, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: object, **__: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(planning, "record", dies)
    with pytest.raises(RuntimeError):
        plan_day(system_actor())
    assert (Task.objects.count(), DayPlan.objects.count(), StaffDay.objects.count()) == (0, 0, 0)


def test_five_thousand_tasks_for_one_rm_fill_her_day_and_no_more(bank: SmallBank, cast: Cast) -> None:
    moment = runtime.now()
    Task.objects.bulk_create(
        Task(
            key=f"mistake:{n}", customer_id=customer_id(2 * (n % 15)), staff_no="R001", branch_code="0001", kind="campaign",
            campaign="wrong", title_zh="名单", due_at=moment + timedelta(days=3), created_at=moment,
        )
        for n in range(5_000)
    )  # fmt: skip
    capacity("R001", 10)
    plan_day(system_actor())
    assert len(mains(planned_for=DAY)) == 7
    with CaptureQueriesContext(connection) as asked:
        found = today_for(cast["wangfang"])
    assert (len(found.rows), found.total) == (7, 7)
    assert len(asked) <= 6


def test_a_bank_with_nothing_to_do_has_an_empty_day(bank: SmallBank, cast: Cast) -> None:
    bank.rows["holding"] = []
    publish(bank)
    plan = plan_day(system_actor())
    assert (plan.counts["new"], plan.counts["today"]) == (0, 0)
    assert today_for(cast["wangfang"]).rows == ()


@pytest.mark.parametrize(("purpose", "is_held"), [("marketing", True), ("service", False)])
def test_a_list_sent_down_is_held_by_what_its_campaign_is_for(
    bank: SmallBank, cast: Cast, purpose: str, is_held: bool
) -> None:
    bank.rows["consent"] = []
    publish(bank)
    moment = runtime.now()
    Campaign.objects.create(
        name="c", spec=CAMPAIGN.model_copy(update={"name": "c", "purpose": purpose}), fingerprint="f", branch_path="/",
        created_at=moment, changed_at=moment,
    )  # fmt: skip
    task, _ = create_task(
        "touch", customer_id=customer_id(2), staff_no="R001", branch_code="0001", kind="campaign", campaign="c",
        title_zh="名单", due_at=moment + timedelta(days=3), created_at=moment,
    )  # fmt: skip
    plan_day(system_actor())
    task.refresh_from_db()
    assert task.is_held == is_held


def test_a_list_sent_down_during_the_day_takes_its_place_among_the_others(bank: SmallBank, cast: Cast) -> None:
    capacity("R001", 10)
    plan_day(system_actor())
    moment = runtime.now()
    task, is_new = create_task(
        "touch", customer_id=customer_id(0), staff_no="R001", branch_code="0001", kind="campaign", campaign="c", offer="renew",
        title_zh="名单", priority=85, due_at=moment, created_at=moment,
    )  # fmt: skip
    assert is_new
    assert task.is_main is False, "her deposit is her main task"
    later = create_task(
        "other",
        customer_id="f" * 32,
        staff_no="R001",
        kind="campaign",
        title_zh="名单",
        priority=85,
        due_at=moment,
        created_at=moment,
    )[0]
    assert today_for(cast["wangfang"]).rows[0].task == later
    assert create_task("touch", customer_id=customer_id(0), staff_no="R001", due_at=moment)[1] is False


# -- the gate -----------------------------------------------------------------------------------------------------------


def test_what_may_not_be_done_is_no_task_and_is_told_with_its_rule(bank: SmallBank, cast: Cast) -> None:
    for i, change in ((28, {"is_deceased": True}), (26, {"is_suppressed": True})):
        bank.rows["customer"][i] |= change
    bank.rows["customer"][24]["gender"] = "F"
    bank.rows["consent"] = [r for r in bank.rows["consent"] if r["ordinal"] != 24]
    publish(bank)
    plan_day(system_actor())
    assert not Task.objects.filter(customer_id__in=[customer_id(28), customer_id(26)]).exists()
    found = today_for(cast["wangfang"])
    assert {(h.code, h.n) for h in found.held} == {("NO_CONSENT", 1), ("NO_ADDRESS", 1), ("SUPPRESSED", 1)}
    assert found.n_held == 2
    # the notice of a maturity is a service: it stands without a consent to marketing, but nothing is offered
    row = next(r for r in found.rows if r.task.customer_id == customer_id(24))
    assert row.kind == "maturing"
    assert row.task.blocked["offer"] == ["NO_CONSENT"]
    assert not Task.objects.filter(kind="churn").exists()


def test_an_offer_that_waits_for_a_risk_test_makes_the_test_the_task(bank: SmallBank, cast: Cast) -> None:
    bank.rows["customer"][28] |= {"gender": "F", "risk_expires_on": date(2026, 1, 1)}
    bank.rows["customer"][26] |= {"gender": "F", "risk_level": 1}
    publish(bank)
    plan_day(system_actor())
    waits = Task.objects.get(kind="churn", customer_id=customer_id(28))
    assert waits.blocked["offer"] == ["RISK_TEST_EXPIRED"]
    test = Task.objects.get(kind="retest")
    assert (test.customer_id, test.due_at, test.state) == (customer_id(28), waits.due_at, "open")
    assert test.score > waits.score
    # beyond her level is not cured by another test
    assert "UNSUITABLE" in Task.objects.get(kind="churn", customer_id=customer_id(26)).blocked["offer"]


def test_a_complaint_during_the_day_takes_her_off_the_page_at_once(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    first = today_for(cast["wangfang"]).rows[0].task
    suppress(cast["zhoulv"], first.customer_id, reason="complaint", until=runtime.now() + timedelta(days=90))
    assert first.customer_id not in {r.task.customer_id for r in today_for(cast["wangfang"]).rows}
    assert Task.objects.get(pk=first.pk).closed_why == "refused"


# -- the page -----------------------------------------------------------------------------------------------------------


def test_the_page_has_at_most_twenty_customers_in_six_questions(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    with CaptureQueriesContext(connection) as asked:
        found = today_for(cast["wangfang"])
    assert len(asked) <= 5
    assert len(found.rows) == found.total == 14
    assert [r.task.score for r in found.rows] == sorted((r.task.score for r in found.rows), reverse=True)
    assert all(r.person is not None and "*" in r.person.name for r in found.rows)
    assert {r.task.staff_no for r in found.rows} == {"R001"}
    assert today_for(cast["wangfang"], kind="churn").rows == ()
    with pytest.raises(NotAllowed):
        today_for(cast["liqiang"])


def test_a_promise_takes_the_task_off_today_and_brings_it_back_on_its_day(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    plan_day(system_actor())
    task = today_for(cast["wangfang"]).rows[3].task
    later = runtime.now() + timedelta(days=1, hours=3)
    record_outcome(cast["wangfang"], task.pk, key="k", contact="connected", intent="appointment", next_at=later)
    assert task.pk not in {r.task.pk for r in today_for(cast["wangfang"]).rows}
    following = next_task(cast["wangfang"], after=task.pk)
    assert following is not None
    assert following.pk != task.pk
    bank_runtime.clock = lambda: datetime(2026, 7, 2, 2, tzinfo=UTC)
    plan_day(system_actor())
    first = today_for(cast["wangfang"]).rows[0]
    assert (first.task.pk, first.kind) == (task.pk, "appointment")


def test_what_was_agreed_for_today_comes_first_by_its_hour_and_then_what_is_overdue(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    capacity("R001", 20)
    plan_day(system_actor())
    rows = [r.task for r in today_for(cast["wangfang"]).rows]
    late, early, undone = rows[1], rows[-1], rows[5]
    for task, hours in ((late, 4), (early, 2), (undone, 3)):
        at = runtime.now() + timedelta(hours=hours)
        done = record_outcome(
            cast["wangfang"], task.pk, key=f"k{hours}", contact="connected", intent="appointment", next_at=at
        )
    undo_outcome(cast["wangfang"], done.pk)
    Task.objects.filter(pk=rows[8].pk).update(due_at=runtime.now() - timedelta(days=1))
    there = [t.pk for t in rows if t.pk not in (late.pk, early.pk)]
    assert [r.task.pk for r in today_for(cast["wangfang"]).rows] == [early.pk, late.pk, *there]
    plan_day(system_actor())
    there.remove(rows[8].pk)
    assert [r.task.pk for r in today_for(cast["wangfang"]).rows] == [early.pk, late.pk, rows[8].pk, *there]


# -- large outflows before the branch head ------------------------------------------------------------------------------


def moves_out(bank: SmallBank, i: int, wan: int, on: date = AS_OF) -> None:
    bank.add(
        "transaction", i, transaction_no=i, booked_on=on, direction="out", amount=wan * WAN, category="transfer",
        is_initiated=True,
    )  # fmt: skip


def consents(bank: SmallBank, i: int, granted: bool) -> None:
    for row in bank.rows["consent"]:
        if row["ordinal"] == i:
            row["granted"] = granted


def test_a_large_outflow_about_which_nobody_may_call_stands_before_the_branch_head_with_its_reason(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    for i, wan in ((0, 500), (2, 300), (4, 100), (6, 30), (1, 900)):
        moves_out(bank, i, wan)
    consents(bank, 0, False)
    consents(bank, 1, False)
    bank.add("service", 2, service_no=2, happened_on=AS_OF, kind="complaint", status="open")
    publish(bank)
    plan_day(system_actor())
    plan_day(system_actor())  # the same morning again tells nothing twice
    assert set(Task.objects.filter(kind="large_out").values_list("customer_id", flat=True)) == {
        customer_id(4), customer_id(6),
    }  # fmt: skip
    silent, complains, called = escalations_for(cast["liqiang"])
    assert [e.customer_id for e in (silent, complains, called)] == [customer_id(0), customer_id(2), customer_id(4)]
    assert (silent.value_cny, silent.task_id, silent.staff_no, silent.state) == (5_000_000, None, "R001", "waiting")
    assert silent.blocked == ("OPTED_OUT",)
    assert "COMPLAINT" in complains.blocked
    assert (called.task_id is not None, called.blocked) == (True, ())
    assert unreached_outflows(cast["liqiang"]) == 3
    about = Task.objects.get(customer_id=customer_id(0), kind="maturing")
    record_outcome(cast["wangfang"], about.pk, key="k", contact="connected", intent="considering")
    assert [e.state for e in escalations_for(cast["liqiang"])] == ["waiting", "waiting", "reached"]
    assert unreached_outflows(cast["liqiang"]) == 2


def test_an_outflow_that_may_be_followed_after_all_becomes_a_task_and_stands_once(
    bank: SmallBank, cast: Cast, bank_runtime: runtime.Runtime
) -> None:
    moves_out(bank, 0, 500)
    consents(bank, 0, False)
    publish(bank)
    plan_day(system_actor())
    consents(bank, 0, True)
    bank_runtime.clock = lambda: datetime(2026, 7, 2, 2, tzinfo=UTC)
    publish(bank, date(2026, 7, 1))
    plan_day(system_actor())
    (found,) = escalations_for(cast["liqiang"])
    assert (found.task_id is not None, found.blocked) == (True, ())


# -- other hands --------------------------------------------------------------------------------------------------------


def test_a_sick_colleagues_tasks_go_over_with_their_history_and_come_back(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    User.objects.create(
        username="new", display_name="新人", role="rm", staff_no="R003", branch=User.objects.get(staff_no="R001").branch
    )
    taker = User.objects.get(staff_no="R003").actor()
    ids = [t.pk for t in mains()]
    assert reassign_tasks(cast["liqiang"], from_staff="R001", to_staff="R003", reason="病假") == 15
    assert reassign_tasks(cast["liqiang"], task_ids=ids, to_staff="R003", reason="病假") == 0
    found = today_for(taker)
    assert found.rows
    assert all(r.person for r in found.rows)
    assert today_for(cast["wangfang"]).rows == ()
    record_outcome(taker, found.rows[0].task.pk, key="k", contact="no_answer")
    assert reassign_tasks(cast["liqiang"], task_ids=ids, to_staff="R001", reason="回来") == 15
    assert set(Task.objects.filter(state="open", staff_no="R001").values_list("moved_from", flat=True)) == {""}
    with pytest.raises(NotAllowed):
        reassign_tasks(cast["liqiang"], task_ids=[mains("R002")[0].pk], to_staff="R001", reason="x")
    with pytest.raises(NotAllowed):
        assign_task(cast["liqiang"], ids[0], staff_no="R002")


def test_tasks_follow_their_customer_to_her_new_owner(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    User.objects.create(
        username="new", display_name="新人", role="rm", staff_no="R003", branch=User.objects.get(staff_no="R001").branch
    )
    reassign_customers(cast["liqiang"], [customer_id(28)], "R003", reason="调整")
    assert set(Task.objects.filter(customer_id=customer_id(28)).values_list("staff_no", flat=True)) == {"R003"}


# -- what closes by itself ----------------------------------------------------------------------------------------------


def buys(bank: SmallBank, i: int, wan: int, on: date = date(2026, 7, 3)) -> None:
    bank.hold(i, on, "time", wan * WAN, position_no="2", opened_on=on)


def next_pictures(bank: SmallBank, on: date = date(2026, 7, 3)) -> None:
    for i in range(30):
        bank.hold(i, on, "demand", WAN)


def test_money_that_stays_closes_its_task_and_is_credited_once_to_who_spoke_with_her(
    bank: SmallBank, cast: Cast
) -> None:
    plan_day(system_actor())
    called, silent = customer_id(28), customer_id(26)
    task = Task.objects.get(customer_id=called)
    later = runtime.now() + timedelta(days=2)
    record_outcome(cast["wangfang"], task.pk, key="k", contact="connected", intent="appointment", next_at=later)
    Person.objects.filter(pk=called).update(rm_no="R002")
    buys(bank, 28, 33)
    buys(bank, 26, 31)
    buys(bank, 24, 2)
    next_pictures(bank)
    publish(bank, date(2026, 7, 3))
    assert settle_tasks(system_actor()) == {"kept": 2, "credited": 2}
    assert settle_tasks(system_actor()) == {}
    rows = {c.customer_id: (c.staff_no, c.reason, c.amount_cny, c.family) for c in Credit.objects.all()}
    assert rows == {
        called: ("R001", "contact", Decimal(330_000), "time"), silent: ("R001", "owner", Decimal(310_000), "time"),
    }  # fmt: skip
    task.refresh_from_db()
    assert (task.state, task.closed_by, task.closed_why, task.credited_to) == ("done", "bought", "kept", "R001")
    assert Task.objects.get(customer_id=customer_id(24)).state == "open"
    assert credits_for(cast["wangfang"]).count() == 2
    assert credits_for(cast["chenjing"]).count() == 0


@pytest.mark.parametrize(
    ("day", "intent", "earner"),
    [(2, "considering", "R002"), (3, "considering", "R002"), (4, "considering", "R001"), (2, "complaint", "R001")],
)
def test_who_spoke_with_her_only_after_she_bought_or_heard_her_complaint_earns_nothing(
    bank: SmallBank, bank_runtime: runtime.Runtime, day: int, intent: str, earner: str
) -> None:
    plan_day(system_actor())
    moment = runtime.now()
    other = Task.objects.create(
        key="own", customer_id=customer_id(28), staff_no="R002", branch_code="0001", kind="contact", title_zh="联系",
        due_at=moment + timedelta(days=1), created_at=moment,
    )  # fmt: skip
    FollowUp.objects.create(
        key="k", task=other, customer_id=other.customer_id, staff_no="R002", contact="connected", intent=intent,
        at=datetime(2026, 7, day, 9, tzinfo=UTC),
    )  # fmt: skip
    picture, bought = date(2026, 7, 6), date(2026, 7, 3)
    bank.hold(28, picture, "time", 33 * WAN, position_no="2", opened_on=bought)
    next_pictures(bank, picture)
    publish(bank, picture)
    bank_runtime.clock = lambda: datetime(2026, 7, 7, 2, tzinfo=UTC)
    settle_tasks(system_actor())
    assert Credit.objects.get(customer_id=customer_id(28)).staff_no == earner


def test_what_she_adds_to_a_position_closes_a_list_sent_down(bank: SmallBank) -> None:
    moment = runtime.now()
    who = customer_id(28)
    bank.hold(28, AS_OF, "fund", 5 * WAN, product_code="FD401", opened_on=date(2025, 1, 1))
    publish(bank)
    fields = {"customer_id": who, "staff_no": "R001", "branch_code": "0001", "offer": "fund_offer", "title_zh": "名单"}
    fields |= {"due_at": moment + timedelta(days=9), "created_at": moment}
    task, _ = create_task("list", kind="campaign", campaign="c", **fields)
    bank.hold(28, date(2026, 7, 3), "fund", 15 * WAN, product_code="FD401", opened_on=date(2025, 1, 1))
    publish(bank, date(2026, 7, 3))
    assert settle_tasks(system_actor()) == {"bought": 1, "credited": 1}
    credit = Credit.objects.get()
    assert (credit.task_id, credit.amount_cny) == (task.pk, Decimal(100_000))


def test_several_tasks_about_one_purchase_earn_one_credit(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    main = Task.objects.get(customer_id=customer_id(28))
    moment = runtime.now()
    for n, state in enumerate(("open", "open")):
        Task.objects.create(
            key=f"list:{n}", customer_id=customer_id(28), staff_no="R001", branch_code="0001", kind="campaign", campaign="c",
            offer="renew", title_zh="名单", due_at=moment + timedelta(days=9), created_at=moment, state=state,
        )  # fmt: skip
    buys(bank, 28, 33)
    next_pictures(bank)
    publish(bank, date(2026, 7, 3))
    counts = settle_tasks(system_actor())
    assert counts == {"kept": 1, "bought": 2, "credited": 1}
    assert Credit.objects.get().task_id == main.pk


def test_a_sale_recorded_by_hand_is_credited_when_the_data_show_it(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    task = Task.objects.get(customer_id=customer_id(28))
    record_outcome(cast["wangfang"], task.pk, key="k", contact="connected", intent="deal", amount_cny=Decimal(330_000))
    buys(bank, 28, 33)
    next_pictures(bank)
    publish(bank, date(2026, 7, 3))
    assert settle_tasks(system_actor()) == {"credited": 1}
    assert settle_tasks(system_actor()) == {}
    task.refresh_from_db()
    assert (task.closed_by, task.credited_to) == ("staff", "R001")


@pytest.mark.parametrize(
    ("change", "why"), [({"is_deceased": True}, "died"), ({"status": "closed"}, "left"), (None, "no_owner")]
)
def test_a_task_whose_customer_died_left_or_lost_her_owner_closes_with_words(
    bank: SmallBank, cast: Cast, change: dict[str, Any] | None, why: str
) -> None:
    plan_day(system_actor())
    if change is None:
        Person.objects.filter(pk=customer_id(28)).update(rm_no="")
    else:
        bank.rows["customer"][28] |= change
        publish(bank)
    assert settle_tasks(system_actor()) == {why: 1}
    task = Task.objects.get(customer_id=customer_id(28))
    assert (task.state, task.closed_by, task.closed_why) == ("cancelled", "system", why)
    assert states.CLOSINGS[why].zh
    assert states.CLOSINGS[why].en
    assert not Credit.objects.exists()


def test_a_record_is_not_taken_back_over_a_purchase_that_was_loaded_meanwhile(bank: SmallBank, cast: Cast) -> None:
    plan_day(system_actor())
    task = Task.objects.get(customer_id=customer_id(28))
    follow_up = record_outcome(
        cast["wangfang"],
        task.pk,
        key="k",
        contact="connected",
        intent="appointment",
        next_at=runtime.now() + timedelta(days=1),
    )
    Task.objects.filter(pk=task.pk).update(state="done", closed_by="bought", closed_why="kept")
    with pytest.raises(Conflict, match="meanwhile"):
        undo_outcome(cast["wangfang"], follow_up.pk)
    follow_up.refresh_from_db()
    assert follow_up.undone_at is None


steps = st.lists(
    st.sampled_from(["call", "promise", "sell", "undo", "plan", "settle", "refuse", "move"]), min_size=1, max_size=8
)


@pytest.mark.slow
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_whatever_happens_a_customer_has_at_most_one_main_task_and_a_closed_one_a_closer(
    bank: SmallBank, cast: Cast, steps: list[str]
) -> None:
    for model in (Credit, Settlement, TaskChange, TaskMove):
        model.objects.all().delete()
    FollowUp.objects.all().delete()
    Task.objects.all().delete()
    plan_day(system_actor())
    wangfang, last = cast["wangfang"], None
    for n, step in enumerate(steps):
        task = day_tasks(wangfang).first()
        if step == "plan":
            plan_day(system_actor())
        elif step == "settle":
            settle_tasks(system_actor())
        elif step == "move":
            reassign_tasks(cast["liqiang"], from_staff="R001", to_staff="R001", reason="x")
        elif step == "undo" and last is not None:
            undo_outcome(wangfang, last)
            last = None
        elif task is not None and step in ("call", "promise", "sell"):
            how: dict[str, Any] = {
                "call": {"contact": "no_answer"},
                "promise": {
                    "contact": "connected",
                    "intent": "considering",
                    "next_at": runtime.now() + timedelta(hours=5),
                },
                "sell": {"contact": "connected", "intent": "deal", "amount_cny": Decimal(1)},
            }[step]
            last = record_outcome(wangfang, task.pk, key=f"{n}", **how).pk
    per_customer = Counter(Task.objects.filter(state="open", is_main=True).values_list("customer_id", flat=True))
    assert max(per_customer.values(), default=0) <= 1
    with_open = set(Task.objects.filter(state="open", is_held=False).values_list("customer_id", flat=True))
    assert with_open == set(per_customer)
    assert not Task.objects.exclude(state="open").filter(closed_by="").exists()
    assert not Task.objects.filter(state="open").exclude(closed_by="").exists()


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_two_settlings_at_once_credit_a_purchase_once(bank: SmallBank) -> None:
    plan_day(system_actor())
    for i in range(0, 30, 3):
        buys(bank, i, 40)
    next_pictures(bank)
    publish(bank, date(2026, 7, 3))
    start = threading.Barrier(2)

    def settle() -> None:
        start.wait()
        try:
            settle_tasks(system_actor())
        finally:
            connections.close_all()

    threads = [threading.Thread(target=settle) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    settle_tasks(system_actor())
    assert Counter(Credit.objects.values_list("customer_id", flat=True)) == Counter(
        customer_id(i) for i in range(0, 30, 3)
    )
    assert Task.objects.filter(closed_by="bought").count() == 10
