"""A working day on which things are not as they should be: nothing lost, nothing doubled, and clear words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.ops.board.models import DayFigure
from kequn.ops.board.services import compute_day
from kequn.ops.customers.models import Person
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.workbench import portrait, services
from kequn.ops.workbench.models import FollowUp, Task
from tests.ops.bank import Cast, customer_id
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
WHO = customer_id(12)
HER_PAGES = (
    "/", "/tasks/", "/tasks/?due=overdue", "/tasks/?state=done", "/results/", "/c/", "/visits/", "/circles/", "/stock-takes/",
    "/search/?q=138",
)  # fmt: skip


@pytest.fixture
@remembered
def task(definitions: None, cast: Cast) -> Task:
    return services.start_contact(cast["wangfang"], WHO, key="k", why="回访")


def text(answer: Any) -> str:
    found: str = answer.content.decode()
    return found


def mistaken(n: int) -> None:
    """Send 王芳 ``n`` tasks about fifty of her customers by mistake."""
    Task.objects.bulk_create(
        Task(
            key=f"mistake:{i}", customer_id=customer_id(2 * (i % 50)), staff_no="R001", branch_code="0001", kind="campaign",
            campaign="wrong", title_zh="误发名单", due_at=NOW + timedelta(days=3), created_at=NOW, is_main=i < 50, score=i,
        )
        for i in range(n)
    )  # fmt: skip


# -- the back button ----------------------------------------------------------------------------------------------------


def test_back_after_submit_and_submit_again_is_one_record_and_goes_on_where_it_went(task: Task, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    form = {"key": "a", "seen": "0", "outcome": "connected:not_interested", "note": "不需要"}
    first = client.post(path, form)
    assert first.status_code == 302
    back = text(client.get(path))
    assert "不需要" in back or "无意向" in back
    assert 'id="outcome"' not in back, "a task that is done takes no result"
    again = client.post(path, form)
    assert (again.status_code, again["Location"]) == (302, first["Location"])
    assert FollowUp.objects.count() == 1


def test_back_after_submit_and_another_result_says_what_was_recorded_and_keeps_what_was_typed(
    task: Task, desk: Desk
) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    client.post(path, {"key": "a", "seen": "0", "outcome": "connected:not_interested"})
    refused = client.post(path, {"key": "a", "seen": "0", "outcome": "connected:interested", "note": "又想要了"})
    assert refused.status_code == 409
    assert "无意向" in text(refused)
    assert [f.intent for f in FollowUp.objects.all()] == ["not_interested"]


def test_back_after_undo_does_not_bring_the_record_back(task: Task, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    form = {"key": "a", "seen": "0", "outcome": "no_answer:"}
    client.post(path, form)
    client.post(f"/outcomes/{FollowUp.objects.get().pk}/undo")
    assert client.post(path, form).status_code == 409
    assert not FollowUp.objects.filter(undone_at__isnull=True).exists()


# -- customers and people who are not there any more --------------------------------------------------------------------


def test_a_task_whose_customer_left_the_bank_says_so_on_every_page_and_loses_no_record(
    task: Task, desk: Desk, cast: Cast
) -> None:
    services.record_outcome(cast["wangfang"], task.pk, key="before", contact="no_answer", note="占线")
    Person.objects.filter(pk=WHO).delete()
    client = desk("wangfang")
    page = text(client.get(f"/tasks/{task.pk}/"))
    assert "已不在您的范围内" in page
    assert 'id="outcome"' not in page
    for path in HER_PAGES:
        assert client.get(path).status_code == 200, path
    assert client.get(f"/c/{WHO}/").status_code == 404
    services.settle_tasks(system_actor())
    assert FollowUp.objects.get().note == "占线"


def test_a_customer_whom_the_data_call_closed_is_not_offered_to_be_talked_to(
    task: Task, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, hers, page = desk("wangfang"), f"/c/{WHO}/", f"/tasks/{task.pk}/"
    assert all('id="material"' in text(client.get(path)) for path in (hers, page))
    found = portrait.standing_of
    monkeypatch.setattr(portrait, "standing_of", lambda *given: dataclasses.replace(found(*given), has_left=True))
    for path in (hers, page):
        shown = text(client.get(path))
        assert "客户已销户或已故：不再联系。" in shown
        assert 'id="material"' not in shown
    shown = text(client.get(page))
    assert "看电话号码" not in shown
    assert 'id="outcome"' in shown, "who called her before the data came still writes down what she heard"


def test_a_manager_without_customers_has_empty_pages_with_words(definitions: None, cast: Cast, desk: Desk) -> None:
    Person.objects.filter(rm_no="R001").update(rm_no="R002")
    client = desk("wangfang")
    for path in HER_PAGES:
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert customer_id(0) not in text(answer)
    assert "您名下还没有客户" in text(client.get("/")), "not that all of today is done"
    assert services.plan_day(system_actor()).counts.get("today", 0) == 0


# -- a list sent to the wrong hands -------------------------------------------------------------------------------------


def test_five_thousand_tasks_by_mistake_leave_her_pages_short_and_fast(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    mistaken(5_000)
    client = desk("wangfang")
    for path in HER_PAGES:
        client.get(path)
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < 300_000, path
        assert len([q for q in asked if q["sql"].startswith("SELECT")]) <= 20, path
    assert text(client.get("/")).count("误发名单") <= 20 * 3


def test_five_thousand_tasks_by_mistake_are_taken_back_at_once_by_ending_the_campaign_or_given_away(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    mistaken(5_000)
    head = desk("liqiang")
    for path in ("/team/", "/team/tasks/", "/team/staff/R001/", "/team/staff/R001/reassign"):
        assert head.get(path).status_code == 200, path
    assert services.cancel_tasks(system_actor(), "wrong") == 5_000
    assert services.cancel_tasks(system_actor(), "wrong") == 0
    assert not Task.objects.filter(state="open").exists()
    assert set(Task.objects.values_list("closed_why", flat=True)) == {"campaign"}


# -- a branch that is not there any more --------------------------------------------------------------------------------


@pytest.fixture
@remembered
def without_a_branch(task: Task, cast: Cast) -> Task:
    """王芳's branch is merged: its staff sit in the other one, its customers and tasks still carry the old code."""
    services.record_outcome(cast["wangfang"], task.pk, key="before", contact="no_answer", note="占线")
    User.objects.filter(branch__code="0001").update(branch=Branch.objects.get(code="0002"))
    Branch.objects.get(code="0001").delete()
    return task


def test_the_staff_of_a_deleted_branch_go_on_with_their_customers(without_a_branch: Task, desk: Desk) -> None:
    client = desk("wangfang")
    for path in (*HER_PAGES, f"/tasks/{without_a_branch.pk}/", f"/c/{WHO}/", f"/c/{WHO}/part/past"):
        assert client.get(path).status_code == 200, path
    assert "占线" in text(client.get(f"/c/{WHO}/part/past"))
    form = {"key": "b", "outcome": "connected:considering", "next_in": "1d"}
    assert client.post(f"/tasks/{without_a_branch.pk}/", form).status_code == 302
    assert FollowUp.objects.count() == 2


def test_the_board_counts_a_deleted_branch_under_its_code_and_head_office_sees_it(
    without_a_branch: Task, desk: Desk
) -> None:
    compute_day(system_actor(), NOW.date() - timedelta(days=1))
    services.plan_day(system_actor())
    for name, paths in (("zhaomin", ("/team/", "/team/?by=branch")), ("liqiang", ("/team/", "/team/tasks/"))):
        client = desk(name)
        for path in paths:
            assert client.get(path).status_code == 200, (name, path)
    assert DayFigure.objects.filter(branch_code="0001", staff_no="R001").exists()
    assert "0001" in text(desk("zhaomin").get("/team/?by=branch"))
    assert Task.objects.get(pk=without_a_branch.pk).branch_code == "0001"


def test_a_branch_with_staff_is_not_deleted_by_mistake(cast: Cast) -> None:
    with pytest.raises(Exception, match="protected"):
        Branch.objects.get(code="0001").delete()
    assert Branch.objects.filter(code="0001").exists()
