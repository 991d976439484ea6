"""The first page of a relationship manager: what stands on it, in both languages, and what never does."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.core.spec.desk import DeskPolicySpec
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import services as catalog
from kequn.ops.runtime import now
from kequn.ops.workbench.models import StaffDay, Task
from kequn.ops.workbench.services import record_outcome
from tests.ops.bank import Cast, approve, customer_id

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]


def page(client: Client, address: str = "/") -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def put(n: int, **fields: Any) -> Task:
    """Give 王芳 a task with her n-th customer."""
    base = {
        "key": f"t{n}-{fields.get('kind', '')}", "customer_id": customer_id(2 * n), "staff_no": "R001", "branch_code": "0001",
        "kind": "maturing", "title_zh": "产品即将到期", "why_zh": f"第 {n} 件 2026-07-03 到期", "why_en": f"No {n} comes due",
        "said_zh": "可对客户说的话", "due_at": now(), "created_at": now(), "is_main": True, "score": 1000 - n,
        "planned_for": bank_today(), "value_cny": Decimal(200_000),
    }  # fmt: skip
    return Task.objects.create(**base | fields)


def test_the_three_most_urgent_stand_on_top_and_what_waits_behind_the_list_is_said(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    for n in range(25):
        put(n)
    client = desk("wangfang")
    shown = page(client)
    assert [int(n) for n in re.findall(r"第 (\d+) 件", shown)] == list(range(20))
    assert shown.index("最急的三件") < shown.index("第 2 件") < shown.index("接下来") < shown.index("第 3 件")
    assert "今日 25 位客户" in shown
    assert "后面还有 5 位今天的客户" in shown
    assert "20.0 万" in shown
    assert "张**" in shown or "张*" in shown
    assert "13900000000" not in shown


def test_the_list_is_as_long_as_the_banks_policy_says(definitions: None, cast: Cast, desk: Desk) -> None:
    for n in range(25):
        put(n)
    row = catalog.save_definition(cast["zhaomin"], DeskPolicySpec(name="desk", title="工作台", list_length=22))
    catalog.submit_definition(cast["zhaomin"], row.pk)
    approve(cast, "desk")
    assert len(re.findall(r"第 \d+ 件", page(desk("wangfang")))) == 22
    StaffDay.objects.create(day=bank_today(), staff_no="R001", capacity=24, given=24, later=0)
    shown = page(desk("wangfang"))
    assert len(re.findall(r"第 \d+ 件", shown)) == 24
    assert "后面还有 1 位" in shown


def test_an_appointment_says_when_about_what_and_how_much_and_is_counted_as_one(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    task, other = put(0), put(1)
    at = now() + timedelta(hours=5)
    said = {"contact": "connected", "intent": "appointment", "next_at": at, "amount_cny": Decimal(300_000)}
    record_outcome(cast["wangfang"], task.pk, key="k", product="FD201", **said)
    record_outcome(cast["wangfang"], other.pk, key="l", contact="no_answer", next_at=at)
    client = desk("wangfang")
    shown = page(client)
    assert "客户预约于 2026-07-01 15:00 办理" in shown
    assert "，金额 30.0 万元。" in shown
    assert "上次联系时约定 2026-07-01 15:00 再联系。" in shown
    assert "约定时间 2026-07-01 15:00" in shown
    assert "有效至" not in shown
    assert not re.findall(r"第 (\d+) 件", shown)
    assert 'href="?kind=appointment">预约 1<' in shown
    alone = page(client, "/?kind=appointment")
    assert "客户预约于" in alone
    assert "再联系" not in alone
    client.cookies["django_language"] = "en"
    assert "The customer has an appointment at 2026-07-01 15:00 about" in page(client)


def test_saving_goes_on_behind_the_task_and_comes_back_only_when_all_were_tried(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    client, rows = desk("wangfang"), [put(n) for n in range(4)]
    went, at = [], rows[1].pk
    for turn in range(6):
        target = client.post(f"/tasks/{at}/", {"key": str(turn), "outcome": "no_answer:"})["Location"]
        at = int(re.findall(r"/tasks/(\d+)/", target)[0])
        went.append(at)
    assert went == [rows[n].pk for n in (2, 3, 0, 1, 2, 3)]
    assert f'data-next href="/tasks/{rows[2].pk}/"' in page(client, f"/tasks/{rows[1].pk}/")


def test_the_page_takes_eight_questions_however_many_tasks_there_are(definitions: None, cast: Cast, desk: Desk) -> None:
    for n in range(24):
        task = put(n)
        put(n, kind="birthday", is_main=False)
        if n % 2:
            record_outcome(cast["wangfang"], task.pk, key="k", contact="no_answer", next_at=now() + timedelta(hours=1))
    StaffDay.objects.create(day=bank_today(), staff_no="R001", capacity=20, given=20, later=0)
    client = desk("wangfang")
    client.get("/")
    with CaptureQueriesContext(connection) as asked:
        assert "约定时间" in page(client)
    assert len(asked) <= 8, [q["sql"][:90] for q in asked]


def test_what_may_not_be_offered_says_why_and_leads_to_what_can_be_done(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    offer = {"zh": "进取基金 R4", "en": "Bold fund R4"}
    put(
        0,
        kind="churn",
        facts={"offer": offer},
        blocked={"offer": ["RISK_TEST_EXPIRED"], "call": ["NO_CONSENT"]},
        channel="wecom",
    )
    test = put(0, kind="retest", is_main=False)
    shown = page(desk("wangfang"))
    assert "暂不可推荐“进取基金 R4”" in shown
    assert "风险测评已过期" in shown
    assert f'href="/tasks/{test.pk}/">预约重测' in shown
    assert "仅可用企业微信 (没有同意 → 在客户下次办理业务时征求同意。)" in shown
    assert "另有: 重做风评" in shown


def test_what_the_gate_closed_and_what_had_no_room_is_counted_with_its_reason(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    put(0)
    put(1, is_held=True, is_main=False)
    put(2, planned_for=bank_today().replace(year=2027))
    StaffDay.objects.create(
        day=bank_today(), staff_no="R001", capacity=20, given=1, later=7,
        held={"COMPLAINT": [customer_id(20), customer_id(22)], "NO_CONSENT": [customer_id(20), customer_id(21)]},
    )  # fmt: skip
    shown = page(desk("wangfang"))
    assert re.findall(r"第 (\d+) 件", shown) == ["0"]
    assert "另有 7 位客户今天排不下，顺延到下一个工作日。 每天 20 个位置，其中 6 个留给当天的约定和新情况。" in shown
    assert "另有 3 位客户今早有时机，但按规则不能联系，未列入今日" in shown
    assert "按规则暂停的任务 1<" in page(desk("wangfang"), "/tasks/")
    assert "投诉冷静期 · 2 → 办结投诉并等待冷静期结束。" in shown
    assert shown.count(f'href="/c/{customer_id(20)}/"') == 2
    assert f'href="/c/{customer_id(21)}/"' not in shown, "another one's customer by now"


def test_one_kind_can_be_looked_at_alone_and_a_strange_one_shows_all(definitions: None, cast: Cast, desk: Desk) -> None:
    put(0)
    put(1, kind="churn")
    client = desk("wangfang")
    assert re.findall(r"第 (\d+) 件", page(client, "/?kind=churn")) == ["1"]
    assert re.findall(r"第 (\d+) 件", page(client, "/?kind=<script>")) == ["0", "1"]


def test_another_rm_a_marketer_and_an_empty_day_see_none_of_it(definitions: None, cast: Cast, desk: Desk) -> None:
    put(0)
    assert "第 0 件" not in page(desk("chenjing"))
    assert "今天的都做完了" in page(desk("chenjing"))
    assert "第 0 件" not in page(desk("zhaomin"))


def test_after_the_last_task_the_day_says_so_and_offers_the_undo(definitions: None, cast: Cast, desk: Desk) -> None:
    task = put(0)
    client = desk("wangfang")
    form = {"key": "k", "outcome": "connected:not_interested"}
    shown = client.post(f"/tasks/{task.pk}/", form, follow=True).content.decode()
    assert "今天的都做完了" in shown
    assert "撤销" in shown
    assert "已完成 1" in re.sub(r"\s+", " ", shown)
