"""The first page of a relationship manager: what stands on it, in both languages, and what never does."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.ops.audiences.queries import bank_today
from kequn.ops.runtime import now
from kequn.ops.workbench.models import StaffDay, Task
from tests.ops.bank import Cast, customer_id

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


def test_the_three_most_urgent_stand_on_top_and_twenty_is_the_most(definitions: None, cast: Cast, desk: Desk) -> None:
    for n in range(25):
        put(n)
    client = desk("wangfang")
    shown = page(client)
    assert [int(n) for n in re.findall(r"第 (\d+) 件", shown)] == list(range(20))
    assert shown.index("最急的三件") < shown.index("第 2 件") < shown.index("接下来") < shown.index("第 3 件")
    assert "今日 25 位客户" in shown
    assert "20.0 万" in shown
    assert "张**" in shown or "张*" in shown
    assert "13900000000" not in shown


def test_the_page_takes_ten_questions_however_many_tasks_there_are(definitions: None, cast: Cast, desk: Desk) -> None:
    for n in range(24):
        put(n, attempts=n % 2)
        put(n, kind="birthday", is_main=False)
    client = desk("wangfang")
    client.get("/")
    with CaptureQueriesContext(connection) as asked:
        page(client)
    assert len(asked) <= 10, [q["sql"][:90] for q in asked]


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
    assert "仅可用企业微信 (没有同意)" in shown
    assert "另有: 重做风评" in shown


def test_what_the_gate_closed_and_what_had_no_room_is_counted_with_its_reason(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    put(0)
    put(1, is_held=True, is_main=False)
    put(2, planned_for=bank_today().replace(year=2027))
    StaffDay.objects.create(
        day=bank_today(), staff_no="R001", capacity=20, given=1, later=7, held={"COMPLAINT": 2, "SUPPRESSED": 1}
    )
    shown = page(desk("wangfang"))
    assert re.findall(r"第 (\d+) 件", shown) == ["0"]
    assert "另有 7 位客户今天排不下" in shown
    assert "另有 3 个时机按规则不能联系" in shown
    assert "投诉冷静期 · 2" in shown


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
