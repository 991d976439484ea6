"""The branch board: figures of a day, how they add up, and who sees them."""

from __future__ import annotations

import zipfile
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db import transaction
from django.db.models import F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, SeveralErrors
from kequn.core.insight.kpis import definition
from kequn.ops import runtime
from kequn.ops.audiences.services import take_export
from kequn.ops.board import queries, reporting, services
from kequn.ops.board.contracts import Line
from kequn.ops.board.figures import FIGURES, title_in
from kequn.ops.board.models import BoardDay, DayFigure
from kequn.ops.board.periods import period_around
from kequn.ops.customers.models import Person, Reveal
from kequn.ops.customers.services import store_people
from kequn.ops.governance import services as governance
from kequn.ops.governance.models import Approval
from kequn.ops.governance.queries import approvals_for
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.ownership.absences import record_absence
from kequn.ops.ownership.models import CalendarDay
from kequn.ops.ownership.services import reassign_customers
from kequn.ops.workbench.history import history_for
from kequn.ops.workbench.models import Credit, FollowUp, Task
from kequn.ops.workbench.queries import tasks_for
from kequn.ops.workbench.services import assign_task, record_outcome
from tests.ops.bank import POLICY, Cast, approved_campaign, customer_id, person
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db

YESTERDAY = date(2026, 6, 30)
MORNING = datetime(2026, 6, 30, 2, 0, tzinfo=UTC)


def task(n: int, *, staff: str = "R001", branch: str = "0001", made: datetime = MORNING, **fields: object) -> Task:
    """Make one task of the customer with ordinal ``n``."""
    base = {
        "key": f"t{n}-{made:%m%d%H%M%S}", "customer_id": customer_id(n), "staff_no": staff, "branch_code": branch,
        "kind": "campaign", "title_zh": "任务", "due_at": made + timedelta(days=3), "created_at": made,
    }  # fmt: skip
    return Task.objects.create(**base | fields)


def contact(
    of: Task, *, at: datetime = MORNING, result: str = "connected", intent: str = "", **fields: object
) -> FollowUp:
    """Record one contact on a task."""
    said = intent or ("considering" if result == "connected" else "")
    base = {
        "key": f"f{of.pk}-{FollowUp.objects.count()}", "task": of, "customer_id": of.customer_id, "staff_no": of.staff_no,
        "contact": result, "intent": said, "at": at,
    }  # fmt: skip
    return FollowUp.objects.create(**base | fields)


def day(cast: Cast, who: str = "liqiang", on: date = YESTERDAY, **asked: object) -> queries.Board:
    return queries.board_for(cast[who], period_around("day", on), **asked)


@pytest.fixture
@remembered
def worked(bank: runtime.Runtime, cast: Cast) -> Cast:
    """Have one day of work in two branches, computed."""
    mine = [task(2 * n) for n in range(6)]
    contact(mine[0], intent="deal", amount_cny=Decimal("50000.50"))
    contact(mine[1], result="no_answer")
    contact(mine[2], intent="appointment", next_at=NOW + timedelta(days=1))
    Task.objects.filter(pk=mine[0].pk).update(state="done", closed_at=MORNING)
    theirs = task(1, staff="R002", branch="0002", made=MORNING - timedelta(days=9), due_at=MORNING)
    contact(theirs)
    Credit.objects.create(
        task=mine[0], customer_id=mine[0].customer_id, product_code="FD201", amount_cny=Decimal(40_000), day=YESTERDAY, staff_no="R001",
        branch_code="0001", reason="contact", at=NOW,
    )  # fmt: skip
    services.compute_day(system_actor(), YESTERDAY)
    return cast


def test_a_day_is_counted_by_member_of_staff(worked: Cast) -> None:
    board = day(worked)
    mine = next(line for line in board.lines if line.key == "R001")
    assert mine.name == "王芳"
    wanted = {"assigned": 6, "done": 1, "contacts": 3, "effective": 2, "appointments": 1, "deals": 1, "deals_fen": 5_000_050, "sales": 1,
              "sales_fen": 4_000_000,
              "book": 300, "covered_30": 2, "age_0": 5, "age_8": 0, "overdue": 0}  # fmt: skip
    assert {code: mine.figures[code] for code in wanted} == wanted
    assert mine.figures["aum_fen"] == sum(1_000_000 + n * 10_000 for n in range(0, 600, 2))
    assert board.data_on == YESTERDAY


def test_what_the_data_cannot_tell_is_unknown_and_not_nought(worked: Cast) -> None:
    figures = day(worked).total.figures
    assert figures["matured_fen"] is None
    assert figures["aum_gain_fen"] is None


def test_what_stayed_after_maturity_is_not_called_what_was_bought_again() -> None:
    board, kpi = title_in("kept_rate"), definition("maturity_retention").title
    assert (board.zh, kpi.zh) == ("到期留存率", "到期承接率")
    assert board.en != kpi.en


def test_computing_a_day_again_changes_nothing(worked: Cast) -> None:
    before = list(DayFigure.objects.order_by("staff_no").values_list())
    services.compute_day(system_actor(), YESTERDAY)
    after = list(DayFigure.objects.order_by("staff_no").values_list())
    assert [row[1:] for row in before] == [row[1:] for row in after]
    assert BoardDay.objects.count() == 1


def a_colleague() -> None:
    """R003 comes to the branch of 王芳."""
    branch = Branch.objects.get(code="0001")
    User.objects.create(
        username="zhoumin", display_name="周敏", role="rm", branch=branch, staff_no="R003", password="!"
    )


def kept_figures() -> list[dict[str, Any]]:
    """All that is kept of yesterday, by member of staff and branch."""
    figures = DayFigure.objects.filter(day=YESTERDAY).order_by("staff_no")
    return list(figures.values(*FIGURES, "staff_no", "branch_code"))


@pytest.mark.parametrize("with_owner", [True, False])
def test_a_day_counted_late_leaves_customers_in_the_branch_they_were_of(
    with_owner: bool, worked: Cast, bank_runtime: runtime.Runtime
) -> None:
    before = kept_figures()
    bank_runtime.clock = lambda: NOW + timedelta(days=1)
    new = {"branch_code": "0002"} | ({"rm_no": "R002"} if with_owner else {})
    store_people(system_actor(), [person(i) | new for i in range(100, 120, 2)], load_id="later")
    services.compute_day(system_actor(), YESTERDAY)
    assert kept_figures() == before
    services.compute_day(system_actor(), NOW.date())
    books = DayFigure.objects.filter(day=NOW.date(), book__gt=0).values_list("staff_no", "branch_code", "book")
    assert set(books) == {("R001", "0001", 300), ("R002", "0002", 300)}
    bank_runtime.clock = lambda: NOW + timedelta(days=2)
    services.compute_day(system_actor(), NOW.date() + timedelta(days=1))
    books = DayFigure.objects.filter(day=NOW.date() + timedelta(days=1), book__gt=0)
    moved = {("R002", "0002", 310)} if with_owner else {("R001", "0002", 10), ("R002", "0002", 300)}
    assert set(books.values_list("staff_no", "branch_code", "book")) == {("R001", "0001", 290), *moved}


def test_a_day_computed_again_stays_with_who_had_the_customers_and_the_tasks_that_evening(worked: Cast) -> None:
    a_colleague()
    before = kept_figures()
    open_, done = customer_id(2), customer_id(0)
    reassign_customers(worked["liqiang"], [open_, done, customer_id(300)], "R003", reason="分户")
    assert Task.objects.get(customer_id=open_).staff_no == "R003"
    assert Task.objects.get(customer_id=done).staff_no == "R001", "a task that was done stays hers"
    services.compute_day(system_actor(), YESTERDAY)
    assert kept_figures() == before


def test_a_day_that_is_counted_late_gives_open_tasks_to_who_had_them_that_evening(worked: Cast) -> None:
    a_colleague()
    before = kept_figures()
    services.reassign_work(worked["liqiang"], "R001", key="k", reason="病假", to_staff="R003")
    some = Task.objects.filter(staff_no="R003").earliest("pk")
    assign_task(worked["liqiang"], some.pk, "R001")
    assign_task(worked["liqiang"], some.pk, "R003")
    BoardDay.objects.all().delete()
    services.compute_day(system_actor(), YESTERDAY)
    assert kept_figures() == before


def test_a_correction_changes_what_was_sold_and_nothing_else(worked: Cast, bank: runtime.Runtime) -> None:
    figures = DayFigure.objects.filter(day=YESTERDAY, staff_no="R001", branch_code="0001")
    before = figures.values(*FIGURES).get()
    Person.objects.filter(rm_no="R001").update(rm_no="R002", branch_code="0002")
    Task.objects.filter(staff_no="R001", state="open").update(staff_no="R002")
    Credit.objects.update(amount_cny=Decimal(30_000))
    services.queue_corrections([YESTERDAY, date(2026, 6, 1)])
    assert run_waiting() == 2
    assert figures.values(*FIGURES).get() == before | {"sales_fen": 3_000_000}
    assert not BoardDay.objects.filter(day=date(2026, 6, 1)).exists(), "a day that was never kept is not begun"


def test_days_that_the_worker_missed_are_made_up_for(worked: Cast, bank_runtime: runtime.Runtime) -> None:
    assert services.queue_missing_days(system_actor()) == 0
    bank_runtime.clock = lambda: NOW + timedelta(days=4)
    assert services.queue_missing_days(system_actor()) == 4
    assert run_waiting() == 4
    month = queries.board_for(worked["liqiang"], period_around("month", date(2026, 7, 4)))
    assert (month.until, month.missing_days) == (date(2026, 7, 4), 0)
    assert services.queue_missing_days(system_actor()) == 0


def test_a_day_that_is_not_over_is_not_kept(bank: runtime.Runtime, cast: Cast) -> None:
    with pytest.raises(InvalidSpec):
        services.compute_day(system_actor(), NOW.date())


def test_the_day_so_far_is_counted_live(worked: Cast) -> None:
    contact(task(20, made=NOW), at=NOW)
    board = queries.board_for(worked["liqiang"], period_around("day", NOW.date()), live=True)
    assert (board.total.figures["contacts"], board.total.figures["assigned"], board.total.figures["aum_fen"]) == (
        1,
        1,
        None,
    )


def test_what_is_due_later_today_is_not_late_yet(worked: Cast) -> None:
    before = queries.board_for(worked["liqiang"], period_around("day", NOW.date()), live=True)
    for hours in (-1, 1):
        task(20 + 2 * hours, made=NOW - timedelta(days=1), due_at=NOW + timedelta(hours=hours))
    board = queries.board_for(worked["liqiang"], period_around("day", NOW.date()), live=True)
    assert board.total.figures["overdue"] == (before.total.figures["overdue"] or 0) + 1
    assert board.total.figures["overdue"] == tasks_for(worked["liqiang"], due="overdue").count()


def test_a_contact_from_paper_counts_on_its_own_day(worked: Cast) -> None:
    before = kept_figures()
    said = {"contact": "connected", "intent": "deal", "amount_cny": Decimal("12.34"), "at": MORNING}
    open_ = Task.objects.filter(staff_no="R001", state="open").earliest("pk")
    record_outcome(worked["wangfang"], open_.pk, key="paper", **said)
    assert run_waiting() == 1
    for row, was in zip(kept_figures(), before, strict=True):
        more = {"contacts": 1, "effective": 1, "deals": 1, "deals_fen": 1234} if row["staff_no"] == "R001" else {}
        more |= {"done": 1} if more and Task.objects.get(pk=open_.pk).closed_at == MORNING else {}
        assert row == was | {code: was[code] + n for code, n in more.items()}


def test_the_neighbouring_branch_is_invisible(worked: Cast) -> None:
    assert {line.key for line in day(worked).lines} == {"R001"}
    for asked in ({"branch": "0002"}, {"branch": "nowhere"}):
        with pytest.raises(NotAllowed):
            day(worked, **asked)
    assert day(worked, staff_no="R002").lines == ()


def test_an_rm_sees_her_own_line_and_no_other(worked: Cast) -> None:
    assert [line.key for line in day(worked, "wangfang").lines] == ["R001"]
    with pytest.raises(NotAllowed):
        day(worked, "wangfang", staff_no="R002")


def test_head_office_sees_every_branch_and_the_whole(worked: Cast) -> None:
    board = day(worked, "zhaomin", by="branch")
    assert {line.key: line.figures["contacts"] for line in board.lines} == {"0001": 3, "0002": 1}
    assert board.total.figures["contacts"] == 4
    assert {line.key: line.figures["age_8"] for line in board.lines} == {"0001": 0, "0002": 1}
    assert {line.key: line.figures["overdue"] for line in board.lines} == {"0001": 0, "0002": 1}


def test_nobody_without_the_right_opens_the_board(worked: Cast) -> None:
    with pytest.raises(NotAllowed):
        day(worked, "admin")


# -- targets ------------------------------------------------------------------------------------------------------------

JULY = "2026-07"


def test_targets_are_broken_down_from_head_office_to_branch_to_rm(bank: runtime.Runtime, cast: Cast) -> None:
    head, branch = cast["zhaomin"], cast["liqiang"]
    services.set_targets(head, "sales_fen", JULY, {"HO": 1_000_000})
    services.set_targets(head, "sales_fen", JULY, {"0001": 600_000, "0002": 400_000})
    left = queries.left_of(branch, "sales_fen", JULY)
    assert left is not None
    assert left.left == 60_000_000
    services.set_targets(branch, "sales_fen", JULY, {"R001": 600_000})
    assert queries.left_of(branch, "sales_fen", JULY).left == 0  # type: ignore[union-attr]
    assert [t.staff_no for t in queries.targets_for(cast["wangfang"])] == ["R001"]
    assert queries.left_of(head, "sales_fen", JULY).left == 0  # type: ignore[union-attr]


@pytest.mark.parametrize("parts", [{"0001": 60, "0002": 39}, {"0001": 60, "0002": 41}])
def test_parts_that_do_not_come_out_even_need_a_note(bank: runtime.Runtime, cast: Cast, parts: dict[str, int]) -> None:
    services.set_targets(cast["zhaomin"], "contacts", JULY, {"HO": 100})
    with pytest.raises(Conflict, match=r"(short of|exceed) its target by 1\."):
        services.set_targets(cast["zhaomin"], "contacts", JULY, parts)
    assert not queries.targets_for(cast["liqiang"]).exists()
    services.set_targets(cast["zhaomin"], "contacts", JULY, parts, note="留一户机动")
    assert queries.targets_for(cast["liqiang"]).get().note == "留一户机动"


def test_a_target_that_was_broken_down_does_not_change_without_its_parts(bank: runtime.Runtime, cast: Cast) -> None:
    services.set_targets(cast["zhaomin"], "contacts", JULY, {"0001": 50})
    services.set_targets(cast["liqiang"], "contacts", JULY, {"R001": 50})
    with pytest.raises(Conflict):
        services.set_targets(cast["zhaomin"], "contacts", JULY, {"0001": 70})
    with pytest.raises(Conflict):
        services.remove_target(cast["zhaomin"], queries.targets_for(cast["zhaomin"]).get(staff_no="").pk)


def test_nobody_sets_targets_outside_her_branches_or_her_own(bank: runtime.Runtime, cast: Cast) -> None:
    for key in ("0002", "R002", "0001", "HO", "nobody"):
        with pytest.raises(NotAllowed):
            services.set_targets(cast["liqiang"], "contacts", JULY, {key: 1})
    with pytest.raises(NotAllowed):
        services.set_targets(cast["wangfang"], "contacts", JULY, {"R001": 1})
    services.set_targets(cast["zhaomin"], "contacts", JULY, {"0002": 9})
    assert not queries.targets_for(cast["liqiang"]).exists()


def test_a_file_of_targets_is_taken_whole_or_not_at_all(bank: runtime.Runtime, cast: Cast) -> None:
    head = "metric,period,branch_code,staff_no,amount\n"
    good = head + 'contacts,2026-07,0001,,"1,200"\ncontacts,2026-Q3,0002,,300\n'
    bad = good + "contacts,2026-13,0001,,5\nsmiles,2026-07,0001,,5\ncontacts,2026-07,0001,,many\n"
    with pytest.raises(SeveralErrors) as found:
        services.load_targets(cast["zhaomin"], bad.encode(), "targets.csv")
    assert [e.where.line for e in found.value.errors] == [4, 5, 6]
    assert not queries.targets_for(cast["zhaomin"]).exists()
    assert services.load_targets(cast["zhaomin"], good.encode(), "targets.csv") == 2
    assert queries.targets_for(cast["zhaomin"], period=JULY).get().amount == 1200


def test_a_campaigns_list_goes_down_with_targets_by_branch(definitions: None, cast: Cast) -> None:
    approved_campaign(cast)
    services.set_campaign_targets(cast["zhaomin"], "fund_july", {"0001": 40, "0002": 30})
    services.set_campaign_targets(cast["liqiang"], "fund_july", {"R001": 40})
    assert {t.amount for t in queries.targets_for(cast["zhaomin"], campaign="fund_july")} == {40, 30}
    with pytest.raises(InvalidSpec):
        services.set_campaign_targets(cast["zhaomin"], "fund_july", {"0001": 1}, metric="new_customers")


@pytest.mark.parametrize("how", ["disabled", "transferred"])
def test_what_a_leaver_was_to_reach_is_given_to_others_and_taken_back(team: Cast, how: str) -> None:
    head = team["liqiang"]
    services.set_targets(team["zhaomin"], "contacts", JULY, {"0001": 60})
    services.set_targets(head, "contacts", JULY, {"R001": 30, "R003": 30})
    user = User.objects.filter(staff_no="R001")
    if how == "disabled":
        user.update(is_active=False)
    else:
        user.update(branch=Branch.objects.get(code="0002"))
    with pytest.raises(Conflict, match="exceed its target by 30"):
        services.set_targets(head, "contacts", JULY, {"R003": 60})
    services.set_targets(head, "contacts", JULY, {"R001": 0, "R003": 60})
    hers = queries.targets_for(head).get(staff_no="R001")
    assert (hers.amount, hers.branch_code, queries.left_of(head, "contacts", JULY).left) == (0, "0001", 0)  # type: ignore[union-attr]
    services.remove_target(head, hers.pk)
    assert set(queries.targets_for(head).values_list("staff_no", flat=True)) == {"", "R003"}
    with pytest.raises(NotAllowed):
        services.set_targets(head, "contacts", JULY, {"R001": 1})
    with pytest.raises(NotAllowed):
        services.set_targets(team["zhaomin"], "contacts", "2026-08", {"R009": 1})


def test_a_part_is_not_taken_back_without_a_word_on_what_is_missing(team: Cast) -> None:
    head = team["liqiang"]
    services.set_targets(team["zhaomin"], "contacts", JULY, {"0001": 60})
    services.set_targets(head, "contacts", JULY, {"R001": 30, "R003": 30})
    hers = queries.targets_for(head).get(staff_no="R001")
    with pytest.raises(Conflict, match=r"short of its target by 30\."):
        services.remove_target(head, hers.pk)
    assert queries.targets_for(head).count() == 3
    with pytest.raises(NotAllowed):
        services.remove_target(head, queries.targets_for(head).get(staff_no="").pk)
    services.remove_target(head, hers.pk, note="岗位空缺，下月补")
    assert queries.targets_for(head).count() == 2


def test_a_target_that_is_set_above_others_takes_them_as_its_parts(bank: runtime.Runtime, cast: Cast) -> None:
    head = cast["zhaomin"]
    services.set_targets(head, "contacts", JULY, {"0001": 60, "0002": 50})
    services.set_targets(cast["liqiang"], "contacts", JULY, {"R001": 60})
    with pytest.raises(Conflict, match="HO exceed its target by 10"):
        services.set_targets(head, "contacts", JULY, {"HO": 100})
    services.set_targets(head, "contacts", JULY, {"HO": 110})
    assert queries.left_of(head, "contacts", JULY).given == 110  # type: ignore[union-attr]
    with pytest.raises(Conflict, match="C1 exceed its target by 20"):
        services.set_targets(head, "contacts", JULY, {"C1": 90, "HO": 90})
    services.set_targets(head, "contacts", JULY, {"C1": 110})
    parents = {t.staff_no or t.branch_code: t.parent and t.parent.branch_code for t in queries.targets_for(head)}
    assert parents == {"HO": None, "C1": "HO", "0001": "C1", "0002": "C1", "R001": "0001"}


@given(st.lists(st.integers(0, 500), min_size=2, max_size=2), st.integers(0, 1000))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_left_and_what_is_given_make_the_target(cast: Cast, parts: list[int], amount: int) -> None:
    given_ = dict(zip(("0001", "0002"), parts, strict=True))
    with transaction.atomic():
        services.set_targets(cast["zhaomin"], "contacts", JULY, {"HO": amount})
        services.set_targets(cast["zhaomin"], "contacts", JULY, given_, note="试算")
        left = queries.left_of(cast["zhaomin"], "contacts", JULY)
        assert left is not None
        assert left.left + sum(parts) == left.amount == amount
        transaction.set_rollback(True)


# -- quality signals ----------------------------------------------------------------------------------------------------


def signals(cast: Cast, who: str = "liqiang", **asked: object) -> dict[str, queries.Signal]:
    return {s.code: s for s in queries.signals_for(cast[who], YESTERDAY, YESTERDAY, **asked) if s.staff_no == "R001"}


def records(n: int, **fields: object) -> None:
    """Record ``n`` contacts of one morning, five minutes apart."""
    for i in range(n):
        each = {
            "at": MORNING + timedelta(minutes=5 * i),
            "note": f"第{i}次联系，客户{'甲乙丙丁戊己庚辛壬癸'[i % 10]}{i // 10 * '很'}在意收益",
        }
        contact(task(2 * i), **each | {k: v(i) if callable(v) else v for k, v in fields.items()})


def test_a_small_sample_says_that_it_is_one(bank: runtime.Runtime, cast: Cast) -> None:
    records(19, note="客户再考虑考虑")
    found = signals(cast)
    assert all(s.is_small or s.why_not for s in found.values())
    assert all(s.share is None and not s.examples for s in found.values())


def test_repeated_notes_are_counted_with_the_words_themselves(bank: runtime.Runtime, cast: Cast) -> None:
    records(
        30, note=lambda i: f"客户再考虑考虑。{i}" if i < 20 else f"约了周{'一二三四五六七八九十'[i - 20]}来网点面谈"
    )
    found = signals(cast)["same_note"]
    assert (found.n, found.found, found.customers) == (30, 20, 20)
    assert found.share is not None
    assert found.share.low < 20 / 30 < found.share.high
    assert "20 次" in found.examples[0].zh
    assert queries.is_noted(found)


def test_records_within_seconds_and_at_night_are_found(definitions: None, cast: Cast) -> None:
    records(25, at=lambda i: MORNING + timedelta(seconds=5 * i))
    assert signals(cast)["burst"].found == 24
    Task.objects.update(key=F("pk"))
    records(25, at=lambda i: MORNING + timedelta(hours=12, minutes=i))  # 22:00 in Shanghai
    assert signals(cast)["off_hours"].found == 25


@pytest.mark.parametrize(
    ("start", "end", "found"), [(0, 8, 0), (12, 14, 0), (9, 9, 0), (21, 8, 0), (9, 11, 25), (22, 12, 25), (12, 10, 0), (12, 11, 25)]
)  # fmt: skip
def test_only_what_was_recorded_at_the_policys_quiet_hours_is_a_signal(
    bank: runtime.Runtime, cast: Cast, monkeypatch: pytest.MonkeyPatch, start: int, end: int, found: int
) -> None:
    policy = POLICY.model_copy(update={"quiet_from": time(start), "quiet_until": time(end)})
    monkeypatch.setattr("kequn.ops.board.quality.catalog.policy", lambda: policy)
    records(25, at=lambda i: MORNING + timedelta(minutes=i))  # from 10:00 on in Shanghai
    assert (signals(cast)["off_hours"].n, signals(cast)["off_hours"].found) == (25, found)


def test_without_any_trace_of_calls_nothing_is_said_about_them(bank: runtime.Runtime, cast: Cast) -> None:
    records(30)
    found = signals(cast)["no_call"]
    assert found.why_not is not None
    assert found.found == 0


def test_a_shown_number_is_the_trace_of_a_call(bank: runtime.Runtime, cast: Cast) -> None:
    records(30)
    for i in range(10):
        Reveal.objects.create(
            customer_id=customer_id(2 * i), field="phone", user_id=cast["wangfang"].user_id, reason="拨打", at=MORNING
        )
    found = signals(cast)["no_call"]
    assert (found.n, found.found) == (30, 20)


def test_everybody_not_answering_is_a_signal_only_in_a_large_sample(bank: runtime.Runtime, cast: Cast) -> None:
    records(40, result="no_answer")
    found = signals(cast)["no_answer"]
    assert (found.found, queries.is_noted(found)) == (40, True)


def test_signals_of_the_neighbouring_branch_stay_there(bank: runtime.Runtime, cast: Cast) -> None:
    contact(task(1, staff="R002", branch="0002"))
    assert queries.signals_for(cast["liqiang"], YESTERDAY, YESTERDAY) == []
    with pytest.raises(NotAllowed):
        queries.signals_for(cast["liqiang"], YESTERDAY, YESTERDAY, branch="0002")


# -- handing work over --------------------------------------------------------------------------------------------------


@pytest.fixture
@remembered
def team(bank: runtime.Runtime, cast: Cast) -> Cast:
    """Put two more RMs beside 王芳, with room for 3 and 10 tasks a day, and give her seven open tasks."""
    branch = Branch.objects.get(code="0001")
    for staff_no, name, room in (("R003", "周敏", 3), ("R004", "何平", 10)):
        User.objects.create(
            username=staff_no.lower(),
            display_name=name,
            role="rm",
            branch=branch,
            staff_no=staff_no,
            password="!",
            capacity=room,
        )
    for n in range(7):
        task(2 * n, made=NOW - timedelta(days=1))
    return cast


def test_a_sick_colleagues_work_is_split_by_the_room_that_others_have(team: Cast) -> None:
    plan = queries.plan_reassignment(team["liqiang"], "R001")
    assert {staff: len(ids) for staff, ids in plan.moves.items()} == {"R004": 7}
    for n in range(8):
        task(100 + 2 * n, staff="R004", due_at=NOW + timedelta(hours=1), made=NOW - timedelta(days=1))
    plan = queries.plan_reassignment(team["liqiang"], "R001")
    assert {staff: len(ids) for staff, ids in plan.moves.items()} == {"R003": 4, "R004": 3}
    assert plan.over == {"R003": 1, "R004": 1}
    assert plan == queries.plan_reassignment(team["liqiang"], "R001")


def test_a_head_is_told_of_work_with_customers_of_other_branches_and_of_nobody_elses(team: Cast) -> None:
    seen = tasks_for(team["liqiang"], staff_no="R001").count()
    assert queries.team_member(team["liqiang"], "R001").open_anywhere == seen
    task(1, branch="0002")
    task(3, staff="R002", branch="0002")
    assert queries.team_member(team["liqiang"], "R001").open_anywhere == seen + 1
    assert queries.team_member(team["liqiang"], "R002") is None


def test_moved_tasks_keep_their_history_and_can_be_given_back(team: Cast) -> None:
    head = team["liqiang"]
    first = Task.objects.filter(staff_no="R001").earliest("pk")
    contact(first, result="no_answer")
    made = services.reassign_work(head, "R001", key="k", reason="病假")
    assert services.reassign_work(head, "R001", key="k", reason="病假") == made
    assert not Task.objects.filter(staff_no="R001").exists()
    assert first.follow_ups.count() == 1
    Task.objects.filter(pk=first.pk).update(state="done", closed_at=NOW)
    assert services.undo_reassignment(head, made.pk) == 6
    assert services.undo_reassignment(head, made.pk) == 0
    assert Task.objects.filter(staff_no="R001").count() == 6
    assert [line.said.zh for line in history_for(head, first.pk)] == ["由王芳转给何平：病假（李强）"]
    other = Task.objects.filter(staff_no="R001").earliest("pk")
    assign_task(head, other.pk, "R003")
    said = [line.said for line in history_for(head, other.pk)]
    assert [s.zh for s in said] == [
        "由王芳转给何平：病假（李强）", "由何平转给王芳：撤销转交（李强）", "由王芳转给周敏：网点转交（李强）",
    ]  # fmt: skip
    assert said[2].en == "From 王芳 to 周敏: Given by the branch (李强)"


def test_who_is_away_gets_nothing_and_nothing_leaves_the_branch(team: Cast) -> None:
    head = team["liqiang"]
    record_absence(head, "R004", kind="sick", first_day=NOW.date(), last_day=NOW.date())
    plan = queries.plan_reassignment(head, "R001")
    assert {staff: len(ids) for staff, ids in plan.moves.items()} == {"R003": 7}
    with pytest.raises(Conflict):
        queries.plan_reassignment(head, "R001", to_staff="R004")
    with pytest.raises(NotAllowed):
        queries.plan_reassignment(head, "R001", to_staff="R002")
    with pytest.raises(NotAllowed):
        services.reassign_work(head, "R002", key="k", reason="看看")
    theirs = task(1, staff="R002", branch="0002")
    with pytest.raises(NotAllowed):
        services.reassign_work(head, "R001", key="k", reason="看看", task_ids=[theirs.pk])
    with pytest.raises(InvalidSpec):
        services.reassign_work(head, "R001", key="k", reason=" ")


def test_on_a_day_off_the_room_of_the_next_working_day_counts(team: Cast, bank_runtime: runtime.Runtime) -> None:
    head = team["liqiang"]
    bank_runtime.clock = lambda: NOW + timedelta(days=3)  # a Saturday
    monday = date(2026, 7, 6)
    record_absence(head, "R004", kind="sick", first_day=monday, last_day=monday)
    task(100, staff="R003", due_at=datetime(2026, 7, 6, 8, tzinfo=UTC))
    found = {c.staff_no: (c.works, c.capacity, c.due, c.day) for c in queries.colleagues_of(head, "R001")}
    assert found == {"R003": (True, 3, 1, monday), "R004": (False, 0, 0, monday)}
    made = services.reassign_work(head, "R001", key="k", reason="病假", to_staff="R003")
    assert {staff: len(ids) for staff, ids in made.moves.items()} == {"R003": 7}
    with pytest.raises(Conflict, match="at work"):
        queries.plan_reassignment(head, "R003", to_staff="R004")


@pytest.mark.parametrize("how", ["disabled", "transferred"])
def test_what_a_leaver_left_open_is_handed_over(team: Cast, how: str) -> None:
    user, head = User.objects.filter(staff_no="R001"), team["liqiang"]
    if how == "disabled":
        user.update(is_active=False)
    else:
        user.update(branch=Branch.objects.get(code="0002"))
    assert queries.person_on_board(head, "R001").display_name == "王芳"
    made = services.reassign_work(head, "R001", key="k", reason="离职")
    assert {staff: len(ids) for staff, ids in made.moves.items()} == {"R004": 7}
    for stranger in ("R002", "", "R999"):
        with pytest.raises(NotAllowed):
            queries.person_on_board(head, stranger)
        with pytest.raises(NotAllowed):
            services.reassign_work(head, stranger, key="x", reason="看看")
    if how == "disabled":
        with pytest.raises(NotAllowed):
            services.reassign_work(head, "R003", key="y", reason="看看", to_staff="R001")


# -- coaching -----------------------------------------------------------------------------------------------------------


def test_a_coaching_note_is_read_by_the_two_and_their_superior_alone(team: Cast) -> None:
    head, rm = team["liqiang"], team["wangfang"]
    note = services.write_note(
        head, "R001", "备注请写客户原话，电话 13900001234 不要写", key="k", about="signal", subject="same_note"
    )
    assert services.write_note(head, "R001", "再点一次", key="k") == note
    assert "13900001234" not in note.text
    assert queries.unread_for(rm) == 1
    services.answer_note(rm, note.pk, "明白，今天改", key="a")
    assert queries.unread_for(rm) == 0
    assert [a.text for a in queries.note_for(head, note.pk).answers.all()] == ["明白，今天改"]
    city = User.objects.create(
        username="city",
        display_name="分行长",
        role="branch_head",
        branch=Branch.objects.get(code="C1"),
        password="!",
        staff_no="B900",
    ).actor()
    assert queries.note_for(city, note.pk) == note
    with pytest.raises(NotAllowed):
        services.answer_note(city, note.pk, "我也说一句", key="b")
    peer = User.objects.create(
        username="peer",
        display_name="副职",
        role="branch_head",
        branch=Branch.objects.get(code="0001"),
        password="!",
        staff_no="B901",
    ).actor()
    third = User.objects.get(staff_no="R003").actor()
    for stranger in (peer, third, team["chenjing"], team["zhaomin"], team["admin"]):
        assert not queries.notes_for(stranger).exists()
        with pytest.raises(NotAllowed):
            queries.note_for(stranger, note.pk)


def test_a_head_writes_to_rms_of_her_branches_about_what_she_may_see(team: Cast) -> None:
    theirs = task(1, staff="R002", branch="0002")
    with pytest.raises(NotAllowed):
        services.write_note(team["liqiang"], "R002", "加油", key="k")
    with pytest.raises(NotAllowed):
        services.write_note(team["liqiang"], "R001", "加油", key="k", about="task", subject=str(theirs.pk))
    with pytest.raises(NotAllowed):
        services.write_note(team["wangfang"], "R001", "加油", key="k")
    with pytest.raises(InvalidSpec):
        services.write_note(team["liqiang"], "R001", " ", key="k")
    note = services.write_note(team["liqiang"], "R001", "加油", key="k")
    assert services.acknowledge_note(team["wangfang"], note.pk).read_at == NOW
    with pytest.raises(NotAllowed):
        services.acknowledge_note(team["liqiang"], note.pk)


# -- escalations --------------------------------------------------------------------------------------------------------


def test_a_large_outflow_stands_before_the_branch_head_until_the_customer_was_reached(team: Cast) -> None:
    head = team["liqiang"]
    mine = task(40, kind="large_out", value_cny=Decimal(800_000), made=NOW - timedelta(hours=2))
    task(42, kind="large_out", value_cny=Decimal(100_000), made=NOW - timedelta(hours=2))
    task(41, staff="R002", branch="0002", kind="large_out", value_cny=Decimal(900_000), made=NOW - timedelta(hours=2))
    assert [(e.task_id, e.state) for e in queries.escalations_for(head)] == [(mine.pk, "waiting")]
    contact(mine, result="no_answer", at=NOW - timedelta(hours=1))
    assert queries.escalations_for(head)[0].state == "tried"
    contact(mine, at=NOW)
    assert queries.escalations_for(head)[0].state == "reached"
    services.set_branch_fact(head, "0001", escalate_above_cny=Decimal(50_000))
    assert len(queries.escalations_for(head)) == 2
    with pytest.raises(NotAllowed):
        services.set_branch_fact(head, "0002", floor_m2=Decimal(100))
    with pytest.raises(InvalidSpec):
        services.set_branch_fact(head, "0001", floor_m2=Decimal(0))


# -- taking lists out ---------------------------------------------------------------------------------------------------


def test_a_small_list_is_written_at_once_and_a_large_one_waits_for_the_branch_head(team: Cast) -> None:
    rm, head = team["wangfang"], team["liqiang"]
    small = services.request_desk_export(rm, "tasks", key="a", purpose="外访带走")
    assert (small.state, small.rows, small.export_id is not None) == ("approved", 7, True)
    large = services.request_desk_export(rm, "customers", key="b", purpose="盘点")
    assert services.request_desk_export(rm, "customers", key="b", purpose="盘点") == large
    assert (large.state, large.rows, large.export_id) == ("waiting", 300, None)
    waiting = approvals_for(head, state="waiting").get()
    with pytest.raises(NotAllowed):
        governance.decide(rm, waiting.pk, approve=True)
    governance.decide(head, waiting.pk, approve=True)
    large.refresh_from_db()
    assert large.state == "approved"
    assert run_waiting() == 2
    path = take_export(rm, large.export_id)
    text = "".join(
        zipfile.ZipFile(path).read(n).decode() for n in zipfile.ZipFile(path).namelist() if n.endswith(".xml")
    )
    assert "盘点" in text
    assert "R001" in text
    assert "13900000002" not in text
    with pytest.raises(NotAllowed):
        take_export(head, large.export_id)


def test_what_is_refused_does_not_leave_and_nobody_allows_her_own(team: Cast) -> None:
    head = team["liqiang"]
    asked = services.request_desk_export(head, "customers", key="a", purpose="核对")
    waiting = Approval.objects.get(name=str(asked.pk), kind="desk_export")
    with pytest.raises(NotAllowed):
        governance.decide(head, waiting.pk, approve=True)
    governance.decide(team["zhoulv"], waiting.pk, approve=False, reason="用途不清")
    asked.refresh_from_db()
    assert (asked.state, asked.export_id) == ("refused", None)
    assert run_waiting() == 0
    with pytest.raises(NotAllowed):
        services.desk_sheets(head, {"request": asked.pk})


def test_a_branch_head_allows_exports_of_her_branch_and_nothing_else(definitions: None, team: Cast) -> None:
    head = team["liqiang"]
    theirs = services.request_desk_export(team["chenjing"], "customers", key="a", purpose="盘点")
    other = Approval.objects.get(name=str(theirs.pk), kind="desk_export")
    submitted = Approval.objects.create(
        kind="segment",
        name="s",
        fingerprint="f",
        title="客群",
        maker_id=team["wangfang"].user_id,
        maker_name="王芳",
        submitted_at=NOW,
    )
    for approval in (other, submitted):
        with pytest.raises(NotAllowed):
            governance.decide(head, approval.pk, approve=True)
    assert not approvals_for(head).exists()
    assert not queries.desk_exports_for(head).exists()


def test_a_list_that_grew_after_it_was_allowed_is_not_written(team: Cast) -> None:
    rm = team["wangfang"]
    asked = services.request_desk_export(rm, "tasks", key="a", purpose="外访")
    for n in range(60):
        task(100 + 2 * n, made=NOW)
    with pytest.raises(Conflict):
        services.desk_sheets(rm, {"request": asked.pk})


# -- sums ---------------------------------------------------------------------------------------------------------------

PLACES = (("R001", "0001"), ("R003", "0001"), ("", "0001"), ("R002", "0002"))
DAYS = (date(2026, 6, 28), date(2026, 6, 29), date(2026, 6, 30))


@given(st.data())
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_people_add_up_to_branches_and_the_bank_and_days_to_the_month(cast: Cast, data: st.DataObject) -> None:
    numbers = st.integers(0, 10**6)
    with transaction.atomic():
        for on in DAYS:
            BoardDay.objects.create(day=on, computed_at=NOW, data_on=on, known=["aum", "gain", "matured", "customer"])
            DayFigure.objects.bulk_create(
                DayFigure(day=on, staff_no=staff, branch_code=branch, **{code: data.draw(numbers) for code in FIGURES})
                for staff, branch in PLACES
            )
        june = period_around("month", DAYS[0])
        bank = queries.board_for(cast["zhaomin"], june, by="branch")
        branches = {line.key: queries.board_for(cast["zhaomin"], june, branch=line.key) for line in bank.lines}
        days = [queries.board_for(cast["zhaomin"], period_around("day", on), by="branch") for on in DAYS]
        for code, about in FIGURES.items():
            assert bank.total.figures[code] == sum(line.figures[code] or 0 for line in bank.lines)
            for line in bank.lines:
                people = branches[line.key]
                assert (
                    line.figures[code] == people.total.figures[code] == sum(p.figures[code] or 0 for p in people.lines)
                )
            of_days = [b.total.figures[code] or 0 for b in days]
            assert bank.total.figures[code] == (sum(of_days) if about.kind == "flow" else of_days[-1])
        head = queries.board_for(cast["liqiang"], june)
        assert head.total.figures == branches["0001"].total.figures
        transaction.set_rollback(True)


def test_what_a_quarter_gained_is_the_sum_of_its_months(cast: Cast, bank_runtime: runtime.Runtime) -> None:
    bank_runtime.clock = lambda: datetime(2026, 10, 1, 2, tzinfo=UTC)
    kept = {
        date(2026, 7, 30): 1, date(2026, 7, 31): 9_000, date(2026, 8, 31): 8_000, date(2026, 9, 29): 5,
        date(2026, 9, 30): 13_000,
    }  # fmt: skip
    for on, gained in kept.items():
        BoardDay.objects.create(day=on, computed_at=NOW, data_on=on, known=["aum", "gain"])
        DayFigure.objects.create(day=on, staff_no="R001", branch_code="0001", aum_gain_fen=gained, aum_fen=on.month)
    services.set_targets(cast["liqiang"], "aum_gain_fen", "2026-Q3", {"R001": 300})
    quarter = queries.board_for(cast["liqiang"], period_around("quarter", date(2026, 9, 30)), staff_no="R001")
    assert (quarter.total.figures["aum_gain_fen"], quarter.total.figures["aum_fen"]) == (30_000, 9)
    assert [(p.done, p.target, p.share) for p in queries.paces(quarter)] == [(30_000, 30_000, 1)]
    month = queries.board_for(cast["liqiang"], period_around("month", date(2026, 9, 30)))
    week = queries.board_for(cast["liqiang"], period_around("week", date(2026, 9, 30)))
    assert month.total.figures["aum_gain_fen"] == week.total.figures["aum_gain_fen"] == 13_000
    assert [title_in("aum_gain_fen", span).zh for span in ("day", "quarter")] == ["本月 AUM 增量", "本季 AUM 增量"]
    BoardDay.objects.filter(day=date(2026, 8, 31)).update(known=["aum"])
    quarter = queries.board_for(cast["liqiang"], period_around("quarter", date(2026, 9, 30)))
    assert quarter.total.figures["aum_gain_fen"] is None, "one month's part is not known"


def test_after_a_holiday_nobody_is_behind_before_a_day_was_worked(cast: Cast, bank_runtime: runtime.Runtime) -> None:
    bank_runtime.clock = lambda: datetime(2026, 10, 10, 2, tzinfo=UTC)
    services.set_targets(cast["liqiang"], "contacts", "2026-10", {"R001": 150})
    BoardDay.objects.create(day=date(2026, 10, 7), computed_at=NOW, known=[])

    def pace() -> tuple[float, str]:
        board = queries.board_for(cast["liqiang"], period_around("month", date(2026, 10, 9)), staff_no="R001")
        found = queries.paces(board)
        return found[0].passed, found[0].grade

    assert pace() == (0, "none")
    BoardDay.objects.create(day=date(2026, 10, 9), computed_at=NOW, known=[])
    DayFigure.objects.create(day=date(2026, 10, 9), staff_no="R001", branch_code="0001", contacts=20)
    assert pace() == (2 / 17, "ok"), "the 8th and 9th of 17 working days"
    CalendarDay.objects.create(day=date(2026, 10, 10), works=True, name="国庆调休")
    assert pace() == (2 / 18, "ok")


def test_each_branch_has_its_output_per_head_and_per_square_metre_and_so_has_the_file(worked: Cast) -> None:
    services.set_branch_fact(worked["zhaomin"], "0001", floor_m2=Decimal("160"))
    city = User.objects.create(
        username="city", display_name="分行长", role="branch_head", branch=Branch.objects.get(code="C1"), password="!",
        staff_no="B900",
    ).actor()  # fmt: skip
    board = day(worked, by="")
    assert (board.by, board.total.per("sales_per_head"), board.total.per("sales_per_m2")) == (
        "staff",
        4_000_000,
        25_000,
    )
    for actor, branch in ((city, ""), (worked["zhaomin"], ""), (worked["zhaomin"], "C1")):
        board = queries.board_for(actor, period_around("day", YESTERDAY), by="", branch=branch)
        per = {b.key: (b.per("sales_per_head"), b.per("sales_per_m2"), b.per("gain_per_head")) for b in board.lines}
        assert (board.by, per) == ("branch", {"0001": (4_000_000, 25_000, None), "0002": (0, None, None)})
        assert board.total.per("sales_per_m2") is None, "of one branch the floor is not known"
    services.set_branch_fact(city, "0002", floor_m2=Decimal("240"))
    board = queries.board_for(city, period_around("day", YESTERDAY), by="")
    assert (board.total.per("sales_per_head"), board.total.per("sales_per_m2")) == (2_000_000, 10_000)
    assert queries.board_for(city, period_around("day", YESTERDAY), by="", branch="0001").by == "staff"
    sheet = services.report_sheets(city, {"day": YESTERDAY.isoformat(), "kind": "day"})[1]
    total = dict(zip(sheet.header, list(sheet.rows)[-1], strict=True))
    assert total["每平方米成交金额 Sales amount per m²"] == 100
    assert total["人均成交金额 Sales amount per RM"] == 20_000


def test_a_day_without_figures_is_told_and_not_taken_for_nought(worked: Cast) -> None:
    month = queries.board_for(worked["liqiang"], period_around("month", YESTERDAY))
    assert month.missing_days == 29
    assert month.total.figures["contacts"] == 3
    assert queries.board_for(worked["liqiang"], period_around("day", YESTERDAY - timedelta(days=1))).computed_at is None


def test_of_three_hundred_branches_that_chance_alone_tells_apart_hardly_any_is_named() -> None:
    chance = np.random.default_rng(7)
    reports = []
    for _ in range(20):
        found = chance.binomial(200, 0.5, 300).tolist()
        reports.append([Line(f"{n:04}", f"网点{n}", {"contacts": 200, "effective": k}) for n, k in enumerate(found)])
    named = [len(list(reporting._reached(lines))) for lines in reports]
    assert sum(n > 0 for n in named) <= 3, named
    odd = Line("0999", "网点999", {"contacts": 200, "effective": 140})
    assert "网点999" in {w.zh.split()[0] for w in reporting._reached([*reports[0], odd])}
    nobody = Line("", "", {"contacts": 500, "effective": 0})
    assert [w.zh.split()[0] for w in reporting._reached([odd, nobody])] == ["网点999"], (
        "work of nobody is compared with"
    )


def test_the_report_compares_only_what_chance_does_not_explain(bank: runtime.Runtime, cast: Cast) -> None:
    branch = Branch.objects.get(code="0001")
    for number, name in (("R003", "周敏"), ("R004", "何平")):
        User.objects.create(
            username=number.lower(), display_name=name, role="rm", branch=branch, staff_no=number, password="!"
        )
    for n in range(90):
        each = task(2 * n, staff=("R001", "R003")[n % 2] if n < 80 else "R004")
        contact(each, result="connected" if (n % 2 and n < 80) or n % 10 == 0 else "no_answer", note=f"第{n}次")
    services.compute_day(system_actor(), YESTERDAY)
    found = queries.report_for(cast["liqiang"], "day", YESTERDAY)
    words = " ".join(w.zh for w in found.words)
    assert "王芳 接通率 20%（8/40）" in words
    assert "样本太小，不作比较（不足 20 次联系）：何平" in words
    assert "何平 接通率" not in words
    sheets = services.report_sheets(cast["liqiang"], {"day": YESTERDAY.isoformat(), "kind": "day"})
    told = dict(sheets[0].rows)
    assert told["制表人 / author"] == "李强"
    assert told["数据日期 / data date"] == "2026-06-30"
    assert told["范围 / scope"].startswith("0001")
    with pytest.raises(NotAllowed):
        services.report_sheets(cast["liqiang"], {"day": YESTERDAY.isoformat(), "branch": "0002"})
