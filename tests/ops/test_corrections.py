"""A corrected load takes a purchase away, or changes it: the credit follows, the task comes back, and each purchase counts once."""

# ruff: noqa: F811 - fixtures are named by their parameter

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.desk import Claim, Part, shares
from kequn.ops import runtime
from kequn.ops.board.models import DayFigure
from kequn.ops.board.services import compute_day
from kequn.ops.governance.models import AuditEntry
from kequn.ops.jobs.models import Job
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.workbench.history import history_for
from kequn.ops.workbench.models import Credit, Settlement, Task, TaskChange
from kequn.ops.workbench.morning import queue_morning
from kequn.ops.workbench.services import plan_day, record_outcome, settle_tasks
from kequn.ops.workbench.today import today_for
from tests.core.small_bank import SmallBank
from tests.ops.bank import customer_id
from tests.ops.test_desk import (
    bank,  # noqa: F401 - fixtures
    next_pictures,
    publish,
    thirty,  # noqa: F401
)

Cast = dict[str, Actor]
pytestmark = pytest.mark.django_db
BOUGHT_ON, LATER = date(2026, 7, 3), date(2026, 7, 6)
WHO = customer_id(28)


def restate(bank: SmallBank, on: date, amounts: dict[int, int]) -> None:
    """Make the new deposits of a day these (customer -> ten thousands), and no others; load the day again and tag it."""
    picture(bank, on, amounts)
    publish(bank, max(r["as_of"] for r in bank.rows["holding"]))


def picture(bank: SmallBank, on: date, amounts: dict[int, int]) -> None:
    bank.rows["holding"] = [r for r in bank.rows["holding"] if r["as_of"] != on]
    next_pictures(bank, on)
    for who, wan in amounts.items():
        if wan:
            bank.hold(who, on, "time", wan * 1_000_000, position_no="2", opened_on=BOUGHT_ON)


def settle(as_of: date | None = None) -> dict[str, int]:
    return settle_tasks(system_actor(), as_of=as_of)


def rows() -> list[Any]:
    models = (Task, Credit, Settlement, TaskChange)
    return [list(m.objects.order_by("pk").values()) for m in models]


@pytest.fixture
def sold(bank: SmallBank) -> Task:
    """A customer's matured money stayed: her task closed by itself and 王芳 has the credit."""
    plan_day(system_actor())
    restate(bank, BOUGHT_ON, {28: 33})
    assert settle() == {"kept": 1, "credited": 1}
    return Task.objects.get(customer_id=WHO)


def test_a_purchase_that_the_corrected_load_does_not_show_gives_its_credit_back_and_its_task_comes_back(
    sold: Task,
    bank: SmallBank,
    cast: Cast,
) -> None:
    restate(bank, BOUGHT_ON, {})
    assert settle() == {"taken_back": 1, "reopened": 1}
    sold.refresh_from_db()
    assert (sold.state, sold.closed_by, sold.closed_why, sold.credited_to, sold.closed_at) == ("open", "", "", "", None)
    assert not Credit.objects.exists()
    assert WHO not in {r.task.customer_id for r in today_for(cast["wangfang"]).rows}, "before the gate was asked"
    plan_day(system_actor())
    assert WHO in {r.task.customer_id for r in today_for(cast["wangfang"]).rows}
    taken = AuditEntry.objects.get(act="credit.taken_back")
    assert (taken.object_id, taken.facts["staff"], taken.facts["was"]) == (str(sold.pk), "R001", "330000.00")
    before = rows()
    assert settle() == {}
    assert rows() == before


def test_the_history_of_the_task_says_it_in_words(sold: Task, bank: SmallBank, cast: Cast) -> None:
    restate(bank, BOUGHT_ON, {})
    settle()
    restate(bank, BOUGHT_ON, {28: 33})
    settle()
    said = [line.said for line in history_for(cast["wangfang"], sold.pk)]
    assert [s.zh for s in said] == [
        "按 2026-07-03 的数据：到期资金已留存，任务自动完成",
        "业绩 330,000.00 元记给 王芳",
        "2026-07-03 的数据更正后没有这笔购买：收回 王芳 的业绩 330,000.00 元",
        f"任务重新打开，{sold.expires_at:%Y-%m-%d} 前有效",
        "按 2026-07-03 的数据：到期资金已留存，任务自动完成",
        "业绩 330,000.00 元记给 王芳",
    ]
    assert said[2].en == "The corrected data of 2026-07-03 do not show the purchase: ¥330,000.00 taken back from 王芳"
    assert history_for(cast["liqiang"], sold.pk)
    with pytest.raises(Exception, match="scope"):
        history_for(cast["chenjing"], sold.pk)


def test_a_task_whose_time_is_over_stays_closed_without_credit(
    sold: Task,
    bank: SmallBank,
    bank_runtime: runtime.Runtime,
) -> None:
    assert sold.expires_at is not None
    bank_runtime.clock = lambda: sold.expires_at + timedelta(hours=1)  # type: ignore[operator]
    restate(bank, BOUGHT_ON, {})
    assert settle() == {"taken_back": 1, "stays_closed": 1}
    sold.refresh_from_db()
    assert (sold.state, sold.closed_by, sold.closed_why, sold.credited_to) == ("expired", "system", "unbought", "")
    assert sold.changes.last().what == "stays_closed"  # type: ignore[union-attr]
    assert settle() == {}


@pytest.mark.parametrize(("wan", "amount"), [(30, 300_000), (36, 330_000), (26, None)])
def test_a_purchase_that_was_smaller_or_larger_changes_the_credit_and_not_the_task(
    sold: Task,
    bank: SmallBank,
    wan: int,
    amount: int | None,
) -> None:
    restate(bank, BOUGHT_ON, {28: wan})
    settle()
    found = [(c.amount_cny, c.staff_no, c.reason, c.day) for c in Credit.objects.all()]
    assert found == ([] if amount is None else [(Decimal(amount), "R001", "owner", BOUGHT_ON)])
    sold.refresh_from_db()
    assert sold.state == ("open" if amount is None else "done")
    assert settle() == {}


def test_money_that_she_takes_out_later_was_bought_all_the_same(sold: Task, bank: SmallBank) -> None:
    restate(bank, LATER, {})
    assert settle() == {}
    assert Credit.objects.get().amount_cny == 330_000


def test_what_a_later_day_shows_is_credited_by_that_day_when_the_earlier_one_is_corrected(
    sold: Task,
    bank: SmallBank,
) -> None:
    restate(bank, LATER, {28: 33})
    restate(bank, BOUGHT_ON, {})
    assert settle() == {"taken_back": 1, "kept": 1, "credited": 1}
    credit = Credit.objects.get()
    assert (credit.day, credit.task_id, credit.amount_cny) == (LATER, sold.pk, 330_000)


def test_a_day_that_the_store_does_not_have_any_more_is_not_asked_again(sold: Task, bank: SmallBank) -> None:
    bank.rows["holding"] = [r for r in bank.rows["holding"] if r["as_of"] != BOUGHT_ON]
    publish(bank, LATER)
    assert settle() == {}
    assert Credit.objects.count() == 1


def test_a_sale_that_its_rm_recorded_stays_recorded_and_is_credited_again_when_it_is_there_again(
    bank: SmallBank,
    cast: Cast,
) -> None:
    plan_day(system_actor())
    task = Task.objects.get(customer_id=WHO)
    record_outcome(cast["wangfang"], task.pk, key="k", contact="connected", intent="deal", amount_cny=Decimal(330_000))
    for amounts, credited in (({28: 33}, "R001"), ({}, ""), ({28: 33}, "R001")):
        restate(bank, BOUGHT_ON, amounts)
        settle()
        task.refresh_from_db()
        assert (task.state, task.closed_by, task.credited_to) == ("done", "staff", credited)
        assert Credit.objects.count() == bool(credited)


def test_the_credit_goes_back_from_who_had_it_and_not_from_who_has_the_customer_now(
    sold: Task,
    bank: SmallBank,
    cast: Cast,
) -> None:
    later = Task.objects.create(
        key="own", customer_id=WHO, staff_no="R002", branch_code="0001", kind="contact", title_zh="联系",
        due_at=runtime.now() + timedelta(days=1), created_at=runtime.now(),
    )  # fmt: skip
    record_outcome(cast["chenjing"], later.pk, key="k", contact="connected", intent="not_interested")
    restate(bank, BOUGHT_ON, {28: 30})
    settle()
    assert Credit.objects.get().staff_no == "R001"
    restate(bank, BOUGHT_ON, {})
    settle()
    assert AuditEntry.objects.get(act="credit.taken_back").facts["staff"] == "R001"


def test_a_second_task_about_the_purchase_comes_back_too_and_earns_what_is_its_own(
    bank: SmallBank,
) -> None:
    plan_day(system_actor())
    moment = runtime.now()
    Task.objects.create(
        key="list", customer_id=WHO, staff_no="R001", branch_code="0001", kind="campaign", campaign="c", offer="renew",
        title_zh="名单", due_at=moment + timedelta(days=9), created_at=moment,
    )  # fmt: skip
    restate(bank, BOUGHT_ON, {28: 33})
    settle()
    # 20 of 33 is not enough to say that the money stayed, but it is a deposit of the list's offer
    restate(bank, BOUGHT_ON, {28: 20})
    settle()
    credit = Credit.objects.get()
    assert (credit.task.kind, credit.amount_cny) == ("campaign", 200_000)
    assert {t.kind: t.state for t in Task.objects.filter(customer_id=WHO)} == {"maturing": "open", "campaign": "done"}
    restate(bank, BOUGHT_ON, {})
    settle()
    assert {t.kind: t.state for t in Task.objects.filter(customer_id=WHO)} == {"maturing": "open", "campaign": "open"}
    assert not Credit.objects.exists()


def divided(bank: SmallBank, wmp: int, fund: int) -> None:
    """Load, as the day's holdings, what the customer placed in two families (ten thousands)."""
    picture(bank, BOUGHT_ON, {})
    for family, wan in (("wmp", wmp), ("fund", fund)):
        if wan:
            bank.hold(28, BOUGHT_ON, family, wan * 1_000_000, product_code=PRODUCT[family], opened_on=BOUGHT_ON)
    publish(bank, BOUGHT_ON)


PRODUCT = {"wmp": "WM203", "fund": "FD401"}


def earned() -> dict[str, tuple[int, dict[str, int]]]:
    """Return what each kind of task earned, and by family, in ten thousands."""
    return {
        c.task.kind: (int(c.amount_cny) // 10_000, {p["family"]: p["fen"] // 1_000_000 for p in c.parts})
        for c in Credit.objects.all()
    }


def test_matured_money_that_goes_into_two_families_is_credited_to_one_task_only(bank: SmallBank) -> None:
    plan_day(system_actor())
    moment = runtime.now()
    Task.objects.create(
        key="list", customer_id=WHO, staff_no="R001", branch_code="0001", kind="campaign", campaign="c", offer="fund_offer",
        title_zh="名单", due_at=moment + timedelta(days=9), created_at=moment,
    )  # fmt: skip
    divided(bank, 20, 13)
    assert settle() == {"kept": 1, "bought": 1, "credited": 1}
    assert earned() == {"maturing": (33, {"wmp": 20, "fund": 13})}
    assert settle() == {}
    # the load was wrong: the fund is matured money all the same
    divided(bank, 10, 30)
    settle()
    assert earned() == {"maturing": (33, {"wmp": 3, "fund": 30})}
    # the deposit matured, but little of it stayed: the list's fund is its own
    divided(bank, 0, 13)
    settle()
    assert earned() == {"campaign": (13, {"fund": 13})}
    divided(bank, 20, 13)
    settle()
    assert earned() == {"maturing": (20, {"wmp": 20}), "campaign": (13, {"fund": 13})}
    assert settle() == {}


def test_a_risk_test_that_was_entered_by_mistake_opens_its_task_again(bank: SmallBank) -> None:
    moment = runtime.now()
    task = Task.objects.create(
        key="t", customer_id=WHO, staff_no="R001", branch_code="0001", kind="retest", title_zh="风评",
        due_at=moment + timedelta(days=9), created_at=moment,
    )  # fmt: skip
    right = dict(bank.rows["customer"][28])
    bank.rows["customer"][28] |= {"risk_tested_on": date(2026, 7, 2), "risk_expires_on": date(2027, 7, 2)}
    next_pictures(bank)
    publish(bank, BOUGHT_ON)
    assert settle() == {"renewed": 1}
    bank.rows["customer"][28] = right
    publish(bank, BOUGHT_ON)
    assert settle() == {"reopened": 1}
    task.refresh_from_db()
    assert (task.state, [c.what for c in task.changes.all()]) == ("open", ["settled", "undone", "reopened"])


def test_the_boards_figures_of_that_day_are_counted_again(
    sold: Task,
    bank: SmallBank,
    bank_runtime: runtime.Runtime,
) -> None:
    bank_runtime.clock = lambda: datetime(2026, 7, 4, 2, tzinfo=UTC)
    closed_on = date(2026, 7, 1)
    for day in (closed_on, BOUGHT_ON):
        compute_day(system_actor(), day)
    figures = DayFigure.objects.filter(staff_no="R001")
    assert figures.get(day=BOUGHT_ON).sales_fen == 33_000_000
    assert figures.get(day=closed_on).done == 1
    restate(bank, BOUGHT_ON, {})
    Job.objects.all().delete()
    settle()
    assert run_waiting() == 2
    assert (figures.get(day=BOUGHT_ON).sales, figures.get(day=BOUGHT_ON).sales_fen) == (0, 0)
    assert figures.get(day=closed_on).done == 0


def test_a_day_that_is_loaded_again_starts_the_morning_where_it_settled_tasks(
    sold: Task,
    bank: SmallBank,
) -> None:
    restate(bank, LATER, {28: 33})
    Job.objects.all().delete()
    queue_morning(date(2026, 6, 30))
    assert not Job.objects.exists(), "nothing was settled by it"
    queue_morning(BOUGHT_ON)
    assert Job.objects.get().params["as_of"] == LATER.isoformat()


# -- any sequence -------------------------------------------------------------------------------------------------------

DAYS = (BOUGHT_ON, LATER, date(2026, 7, 7))
ALONE, TWICE = 28, 26
load = st.tuples(st.sampled_from(DAYS), st.sampled_from((0, 10, 30, 33, 40)), st.sampled_from((0, 12, 31)))


@pytest.mark.slow
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(loads=st.lists(load, min_size=2, max_size=6))
def test_after_any_loads_and_corrections_each_purchase_is_credited_at_most_once_and_as_the_last_load_says(
    bank: SmallBank,
    loads: list[tuple[date, int, int]],
) -> None:
    first = transaction.savepoint()
    pictures = list(bank.rows["holding"])
    shown: dict[date, dict[int, int]] = {}
    try:
        plan_day(system_actor(), as_of=date(2026, 6, 30))
        moment = runtime.now()
        Task.objects.create(
            key="list", customer_id=customer_id(TWICE), staff_no="R001", kind="campaign", campaign="c", offer="renew",
            title_zh="名单", due_at=moment + timedelta(days=9), created_at=moment,
        )  # fmt: skip
        bank.store = runtime.runtime().store
        for on, alone, twice in loads:
            shown[on] = {ALONE: alone, TWICE: twice}
            picture(bank, on, shown[on])
            bank.save()
            settle(max(shown))
            before = rows()
            assert settle(max(shown)) == {}
            assert rows() == before
            _agrees(shown)
    finally:
        bank.rows["holding"] = pictures
        transaction.savepoint_rollback(first)


def _agrees(shown: dict[date, dict[int, int]]) -> None:
    last = shown[max(shown)]
    for who, stake in ((ALONE, 33), (TWICE, 31)):
        earned = list(Credit.objects.filter(customer_id=customer_id(who)))
        assert len({(c.family, c.day) for c in earned}) == len(earned)
        assert sum(c.amount_cny for c in earned) <= max((shown[c.day][who] for c in earned), default=0) * 10_000
        assert {c.task.credited_to for c in earned} <= {"R001"}
        stayed = last[who] * 100 >= stake * 80
        assert not stayed or earned
    for credit in Credit.objects.filter(customer_id=customer_id(ALONE)):
        wan = shown[credit.day][ALONE]
        assert wan * 100 >= 33 * 80
        assert credit.amount_cny == min(wan, 33) * 10_000
    assert Task.objects.exclude(credited_to="").count() == Credit.objects.count()
    assert not Task.objects.filter(state="open").exclude(credited_to="").exists()


# -- any pictures, several families ---------------------------------------------------------------------------------------

FAMILIES = ("time", "wmp", "fund")
PICTURES = tuple(date(2026, 7, 1) + timedelta(days=7 * n) for n in range(4))
"""The first one is before every task."""
bought_then = st.tuples(st.integers(1, 3), st.sampled_from(FAMILIES), st.integers(1, 50))
about = st.tuples(st.integers(0, 2), st.integers(1, 3), st.sampled_from((*FAMILIES, "")), st.integers(1, 80))


@given(bought=st.lists(bought_then, max_size=6), tasks=st.lists(about, max_size=6))
def test_whatever_tasks_there_are_no_more_is_credited_than_was_newly_placed(
    bought: list[tuple[int, str, int]], tasks: list[tuple[int, int, str, int]]
) -> None:
    def placed(since: int, until: int, family: str) -> list[int]:
        """Amounts that are in the picture ``until`` and were placed after the picture ``since``."""
        return [fen for n, of, fen in bought if of == family and since < n <= until]

    def claim(number: int, since: int, settled: int, family: str, stake: int) -> Claim:
        families = (family,) if family else FAMILIES  # "": matured money, wherever it went
        parts = [Part(f, f, sum(placed(since, settled, f)), None) for f in families]
        shown = tuple(sorted((p for p in parts if p.fen), key=lambda p: -p.fen))
        amount = sum(p.fen for p in shown)
        on = PICTURES[settled]
        return Claim(number, on, on, shown, PICTURES[since], amount if family else min(amount, stake))

    made = [
        claim(number, since, settled, family, stake)
        for number, (since, settled, family, stake) in enumerate(sorted(tasks, key=lambda t: t[1]))
        if since < settled
    ]
    together = shares(made, [])
    credited: list[Claim] = []
    one_by_one: dict[int, tuple[Part, ...]] = {}
    for each in made:  # settled in several runs, each knowing what the others credited, it is the same
        for number, parts in shares([each], credited).items():
            one_by_one[number] = parts
            credited.append(replace(each, parts=parts))
    assert together == one_by_one
    for family in FAMILIES:
        for until in range(1, len(PICTURES)):
            earned = sum(
                p.fen for c in credited if c.day <= PICTURES[until] for p in one_by_one[c.id] if p.family == family
            )
            assert earned <= sum(placed(0, until, family))
        days = [c.day for c in credited for p in one_by_one[c.id] if p.family == family]
        assert len(days) == len(set(days))
    for each in made:
        assert sum(p.fen for p in together.get(each.id, ())) <= (each.amount or 0)
