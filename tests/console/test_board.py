"""The board's pages: what they show, how many questions they ask of the database, and where they stop."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.core.gate.rules import BY_CODE
from kequn.ops.board import services
from kequn.ops.board.models import CoachingNote, Target
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.workbench.models import HeldOutflow, Task
from tests.console.conftest import *  # noqa: F403 - fixtures
from tests.ops.bank import Cast, customer_id
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered
from tests.ops.test_board import YESTERDAY, contact, task

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
PAGES = (
    "/team/", "/team/?period=month", "/team/?period=live", "/team/tasks/", "/team/signals/", "/team/outflows/", "/team/report/",
    "/team/report/?kind=week", "/team/staff/R001/", "/team/staff/R001/part/tasks", "/team/staff/R001/part/signals",
    "/team/staff/R001/reassign", "/targets/", "/coaching/", "/team/exports/", "/approvals/", "/",
)  # fmt: skip
MOST = 10
"""Questions that a page may ask of the database, those of every page (who asks, what waits for her) among them."""


@pytest.fixture
@remembered
def office(bank: object, cast: Cast) -> Cast:
    """Have a day of work in two branches, a second RM, targets and a note."""
    User.objects.create(
        username="r003",
        display_name="周敏",
        role="rm",
        branch=Branch.objects.get(code="0001"),
        staff_no="R003",
        password="!",
    )
    for n in range(30):
        done = task(2 * n, staff="R001" if n % 3 else "R003")
        contact(done, note="客户再考虑考虑", result="connected" if n % 2 else "no_answer")
    task(60, kind="large_out", value_cny=Decimal(900_000), made=NOW - timedelta(hours=3))
    contact(task(1, staff="R002", branch="0002"))
    services.compute_day(system_actor(), YESTERDAY)
    services.set_targets(cast["zhaomin"], "contacts", "2026-06", {"HO": 100})
    services.set_targets(cast["zhaomin"], "contacts", "2026-06", {"0001": 60, "0002": 40})
    services.write_note(cast["liqiang"], "R001", "备注写客户的原话", key="n", about="signal", subject="same_note")
    return cast


@pytest.mark.parametrize("path", PAGES)
def test_a_branch_heads_pages_open_with_few_questions_and_without_the_neighbour(
    office: Cast, desk: Desk, path: str
) -> None:
    client = desk("liqiang")
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "R002" not in text
    assert "陈静" not in text
    assert len(asked) <= MOST, "\n".join(q["sql"][:150] for q in asked)


@pytest.mark.parametrize("path", ["/team/", "/team/?period=month", "/team/?branch=0001", "/team/report/", "/targets/"])
def test_head_offices_pages_open_with_few_questions(office: Cast, desk: Desk, path: str) -> None:
    client = desk("zhaomin")
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    assert len(asked) <= MOST, "\n".join(q["sql"][:150] for q in asked)


def test_the_parts_of_a_colleagues_page_come_when_it_stands_and_only_within_the_branch(
    office: Cast, desk: Desk
) -> None:
    client = desk("liqiang")
    page = client.get("/team/staff/R001/").content.decode()
    for name in ("tasks", "signals"):
        part = f"/team/staff/R001/part/{name}"
        assert f'hx-get="{part}"' in page
        assert desk("chenjing").get(part).status_code == 404
        assert client.get(f"/team/staff/R002/part/{name}").status_code == 404
    assert "重复的备注" in client.get("/team/staff/R001/part/signals").content.decode()
    assert "/tasks/" in client.get("/team/staff/R001/part/tasks").content.decode()
    assert client.get("/team/staff/R001/part/nothing").status_code == 404


def test_the_board_says_how_many_large_outflows_wait_until_the_customer_is_reached(office: Cast, desk: Desk) -> None:
    waiting = "1 笔大额流出还没有联系上客户"
    assert waiting in desk("liqiang").get("/team/").content.decode()
    assert "大额流出还没有" not in desk("zhaomin").get("/team/").content.decode()
    row = Task.objects.get(kind="large_out")
    contact(row, result="no_answer", at=NOW)
    assert waiting in desk("liqiang").get("/team/").content.decode()
    contact(row, at=NOW)
    assert "大额流出还没有" not in desk("liqiang").get("/team/").content.decode()


def test_an_outflow_nobody_may_call_about_is_shown_with_the_reason_and_without_a_task(office: Cast, desk: Desk) -> None:
    HeldOutflow.objects.create(
        key="h", customer_id=customer_id(62), value_cny=Decimal(5_000_000), blocked=["OPTED_OUT"], raised_at=NOW
    )
    HeldOutflow.objects.create(
        key="o", customer_id=customer_id(63), value_cny=Decimal(5_000_000), blocked=["OPTED_OUT"], raised_at=NOW
    )
    assert "2 笔大额流出还没有联系上客户" in desk("liqiang").get("/team/").content.decode()
    page = desk("liqiang").get("/team/outflows/").content.decode()
    assert f'href="/c/{customer_id(62)}/"' in page
    assert "不可去电" in page
    assert BY_CODE["OPTED_OUT"].title.zh in page
    assert customer_id(63) not in page  # of the other branch


def test_head_office_starts_by_branch_and_goes_down(office: Cast, desk: Desk) -> None:
    client = desk("zhaomin")
    text = client.get("/team/").content.decode()
    assert "网点0001" in text
    assert "王芳" not in text
    assert "王芳" in client.get("/team/?branch=0001").content.decode()
    assert client.get("/team/?branch=nothing").status_code == 404
    assert "100" in client.get("/team/?period=month&on=2026-06-30").content.decode()


def test_what_was_overdue_says_of_which_evening_and_the_lists_behind_it_say_they_are_of_now(
    office: Cast, desk: Desk
) -> None:
    client = desk("liqiang")
    evening = f"截至 {YESTERDAY} 当晚；任务清单显示的是现在"
    assert evening in client.get("/team/").content.decode()
    assert "当晚" not in client.get("/team/?period=live").content.decode()
    assert "现在的；看板上的数字是当晚的" in client.get("/team/staff/R001/").content.decode()
    assert "这里是现在的任务" in client.get("/team/tasks/").content.decode()


def test_the_neighbours_doors_are_not_there(office: Cast, desk: Desk) -> None:
    client = desk("liqiang")
    for path in ("?branch=0002", "staff/R002/", "staff/R002/reassign", "report/?branch=0002", "signals/?branch=0002"):
        assert client.get(f"/team/{path}").status_code == 404, path
    assert client.post("/targets/branches/0002", {"floor_m2": "100"}).status_code == 404
    assert client.get("/team/staff/R001/").status_code == 200


def test_an_rm_sees_her_own_figures_and_answers_her_note(office: Cast, desk: Desk) -> None:
    client = desk("wangfang")
    assert client.get("/team/").status_code == 403
    assert client.get("/team/staff/R001/").status_code == 200
    assert client.get("/team/staff/R003/").status_code == 404
    assert "备注写客户的原话" in client.get("/coaching/").content.decode()
    assert "备注写客户的原话" not in desk("chenjing").get("/coaching/").content.decode()


ROUTES = (
    "/team/", "/team/tasks/", "/team/signals/", "/team/outflows/", "/team/report/", "/team/report/file", "/team/staff/R001/",
    "/team/staff/R001/part/tasks", "/team/staff/R001/reassign", "/team/staff/R001/leave", "/team/reassignments/999/undo",
    "/team/exports/", "/targets/", "/targets/set", "/targets/upload", "/targets/999/remove", "/targets/branches/0001", "/coaching/",
    "/coaching/new", "/coaching/999/answer",
)  # fmt: skip


@pytest.mark.parametrize("who", ["zhaomin", "zhoulv", "sunli", "admin", "liqiang", "wangfang", "chenjing"])
def test_no_page_of_the_board_breaks_for_anybody(office: Cast, desk: Desk, who: str) -> None:
    client = desk(who)
    for path in ROUTES:
        for answer in (
            client.get(path),
            client.post(path, {}),
            client.get(f"{path}?export=xlsx&branch=0002&page=9&on=never&days=x"),
        ):
            assert answer.status_code < 500, (who, path, answer.status_code)
            if who == "chenjing":
                assert "王芳" not in answer.content.decode(errors="replace"), path


def test_a_branch_head_goes_from_the_board_to_a_note_and_a_moved_task(office: Cast, desk: Desk) -> None:
    client = desk("liqiang")
    moved = client.post(
        "/team/staff/R001/reassign",
        {"do": "move", "key": "k", "reason": "病假", "to": "R003", "which": "all"},
        follow=True,
    )
    assert "已转交 21 项任务" in moved.content.decode()
    again = client.post("/team/staff/R001/reassign", {"do": "move", "key": "k2", "reason": "病假", "to": "R003"})
    assert again.status_code == 409
    sent = client.post(
        "/coaching/new", {"staff": "R001", "text": "电话 13900001234", "key": "c", "about": "work"}, follow=True
    )
    assert "13900001234" not in sent.content.decode()
    assert '<option value="task"' not in client.get("/coaching/").content.decode()
    lost = client.post("/coaching/new", {"staff": "R001", "text": "这一户谈得好", "key": "d", "about": "task"})
    assert (lost.status_code, "这一户谈得好" in lost.content.decode()) == (422, True)
    task = Task.objects.filter(state="open").first()
    link = f"/coaching/?staff={task.staff_no}&amp;about=task&amp;subject={task.pk}"
    assert link in client.get(f"/tasks/{task.pk}/").content.decode()
    form = client.get(link.replace("&amp;", "&")).content.decode()
    assert '<option value="task" selected>' in form
    assert f'name="subject" value="{task.pk}"' in form
    said = {"staff": "R001", "text": "这一户谈得好", "key": "d", "about": "task", "subject": str(task.pk)}
    assert f'href="/tasks/{task.pk}/"' in client.post("/coaching/new", said, follow=True).content.decode()
    to_herself = client.post(f"/coaching/{CoachingNote.objects.latest('pk').pk}/answer", {"do": "read"})
    assert "没有写给您的这条辅导记录" in to_herself.content.decode()
    refused = client.post("/targets/set", {"metric": "contacts", "period": "2026-06", "of_R001": "10", "of_R003": "20"})
    assert refused.status_code == 409
    assert 'value="20"' in refused.content.decode()
    assert (
        client.post(
            "/targets/set", {"metric": "contacts", "period": "2026-06", "of_R001": "40", "of_R003": "20"}
        ).status_code
        == 302
    )
    report = client.post("/team/report/file", {"kind": "day", "on": "2026-06-30"})
    assert report.status_code in (200, 302)


def test_the_file_of_the_board_is_of_ones_own_branches(office: Cast, desk: Desk) -> None:
    answer = desk("liqiang").get("/team/?export=xlsx")
    assert answer.status_code == 200
    names = zipfile.ZipFile(io.BytesIO(answer.content))
    text = "".join(names.read(n).decode() for n in names.namelist() if n.endswith(".xml"))
    assert "王芳" in text
    assert "陈静" not in text
    assert "李强" in text


def test_the_target_of_one_who_left_is_on_the_form_and_is_taken_back_with_a_word(office: Cast, desk: Desk) -> None:
    client = desk("liqiang")
    wanted = {"metric": "contacts", "period": "2026-06", "of_R001": "40", "of_R003": "20"}
    assert client.post("/targets/set", wanted).status_code == 302
    User.objects.filter(staff_no="R003").update(is_active=False)
    page = client.get("/targets/?metric=contacts&period=2026-06").content.decode()
    assert "R003（已不在本网点）" in page
    assert 'name="of_R003" value="20"' in page
    hers = Target.objects.get(staff_no="R003")
    refused = client.post(f"/targets/{hers.pk}/remove")
    assert (refused.status_code, "的分解比目标少 20" in refused.content.decode()) == (409, True)
    assert client.post(f"/targets/{hers.pk}/remove", {"note": "离职，缺口下月补"}).status_code == 302
    assert not Target.objects.filter(staff_no="R003").exists()


def test_the_row_of_one_who_left_leads_to_her_page_and_her_tasks_to_others(office: Cast, desk: Desk) -> None:
    User.objects.filter(staff_no="R001").update(is_active=False)
    client = desk("liqiang")
    board = client.get("/team/").content.decode()
    assert 'href="/team/staff/R001/">王芳</a>' in board
    page = client.get("/team/staff/R001/").content.decode()
    assert ("账号已停用" in page, "写辅导" in page) == (True, False)
    for path in ("/team/staff/R001/part/tasks", "/team/staff/R001/part/signals"):
        assert client.get(path).status_code == 200
    plan = client.get("/team/staff/R001/reassign").content.decode()
    assert ("周敏" in plan, "登记休假" in plan) == (True, False)
    wanted = {"do": "move", "key": "k", "reason": "离职", "to": "R003", "which": "all"}
    assert "已转交 21 项任务" in client.post("/team/staff/R001/reassign", wanted, follow=True).content.decode()
    assert desk("chenjing").get("/team/staff/R001/").status_code == 404


def test_a_city_head_sees_her_branches_with_their_output_and_finds_any_of_them(office: Cast, desk: Desk) -> None:
    city = Branch.objects.get(code="C1")
    User.objects.create(
        username="city", display_name="分行长", role="branch_head", branch=city, password="!", staff_no="B900"
    )
    Branch.objects.bulk_create(
        Branch(code=f"9{n:03}", name=f"远郊{n}", level="branch", parent=city, path=f"/HO/C1/9{n:03}/")
        for n in range(70)
    )
    client = desk("city")
    board = client.get("/team/").content.decode()
    assert "branch=0001" in board
    assert ("人均成交金额" in board, "每平方米本月 AUM 增量" in board) == (True, True)
    page = client.get("/targets/").content.decode()
    assert ("还有 12 个网点没有列出" in page, "/targets/branches/9069" in page) == (True, False)
    page = client.get("/targets/?find=9069").content.decode()
    assert ("没有列出" in page, "/targets/branches/9069" in page) == (False, True)
