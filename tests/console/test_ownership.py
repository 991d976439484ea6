"""The pages of who has whom: who opens which, what is done there, and what a colleague of another branch does not see."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from kequn.console.ownership.urls import patterns
from kequn.core.errors import NotAllowed
from kequn.core.spec.offer import TemplateSpec
from kequn.ops.board.exporting import desk_sheets
from kequn.ops.board.services import request_desk_export
from kequn.ops.catalog.services import save_definition, submit_definition
from kequn.ops.customers.models import Person
from kequn.ops.customers.services import store_people
from kequn.ops.delivery import services as delivery
from kequn.ops.governance.models import Approval, AuditEntry
from kequn.ops.governance.services import decide
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from kequn.ops.orgs.rights import RIGHTS
from kequn.ops.ownership.models import Absence, Capacity, Notice, OwnerChange, WecomMove
from kequn.ops.ownership.services import reassign_customers
from kequn.ops.workbench.services import settle_notices
from tests.console.conftest import Things
from tests.console.test_access import address
from tests.ops.bank import Cast, approve, customer_id, person
from tests.ops.conftest import CAST, NOW
from tests.ops.test_material import Phone

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
ROLES = {name: row[1] for name, row in CAST.items()} | {"yuancheng": "remote_agent"}


@pytest.fixture
def agent(cast: Cast) -> None:
    User.objects.create(
        username="yuancheng", display_name="袁程", role="remote_agent", branch=Branch.objects.get(code="HO"),
        staff_no="Y001", password="!",
    )  # fmt: skip


def test_each_page_opens_for_its_rights_in_both_languages_and_survives_an_empty_form(
    things: Things, agent: None, desk: Desk
) -> None:
    for username, role in ROLES.items():
        client = desk(username)
        for pattern in patterns:
            rights: Any = pattern.callback.rights
            for language in ("zh-hans", "en"):
                client.cookies["django_language"] = language
                answer = client.get(address(pattern, things))
                allowed = bool(RIGHTS[role] & set(rights))
                assert (answer.status_code != 403) == allowed, (username, pattern.name, answer.status_code)
                assert answer.status_code < 500
                assert "<script>alert" not in answer.content.decode()
            assert client.post(address(pattern, things), {}).status_code < 500, (username, pattern.name)


def test_an_rm_claims_from_the_page_and_sees_the_name_only_then(things: Things, desk: Desk) -> None:
    client, whom = desk("wangfang"), customer_id(598)
    page = client.get("/unclaimed/").content.decode()
    assert whom in page
    assert "张" not in page.split("kq-main")[1]
    assert client.get(f"/c/{whom}/").status_code == 404
    assert desk("chenjing").post("/unclaimed/claim", {"customer_id": whom}).status_code == 404
    assert client.post("/unclaimed/claim", {"customer_id": whom}).status_code == 302
    assert client.get(f"/c/{whom}/owners").status_code == 200
    assert desk("chenjing").get(f"/c/{whom}/owners").status_code == 404


def test_where_nobody_waits_the_page_names_the_floor_below_which_nobody_is_assigned(things: Things, desk: Desk) -> None:
    Person.objects.filter(rm_no="").update(rm_no="R001")
    client = desk("liqiang")
    assert "资产 50,000 元以上的客户都有管户；不到的" in client.get("/unclaimed/").content.decode()
    client.cookies["django_language"] = "en"
    assert "assets of ¥50,000 or more has a manager" in client.get("/unclaimed/").content.decode()


def test_a_branch_head_draws_looks_and_applies(things: Things, desk: Desk) -> None:
    client = desk("liqiang")
    made = client.post("/owners/plans", {"rules": "", "most": ""})
    assert made.status_code == 302
    page = client.get(made["Location"]).content.decode()
    assert all(name in page for name in ("王芳", "李强", "系统默认"))
    assert "liqiang" not in page
    assert Person.objects.get(pk=customer_id(598)).rm_no == ""
    assert client.post(made["Location"] + "act", {"act": "apply"}).status_code == 302
    run_waiting()
    assert Person.objects.get(pk=customer_id(598)).rm_no == "R001"
    assert OwnerChange.objects.filter(reason="assigned").count() == 1
    assert client.post("/owners/plans", {"most": "many"}).status_code == 422


def test_leave_is_entered_on_the_page_with_the_form_kept_when_refused(things: Things, desk: Desk) -> None:
    client = desk("liqiang")
    form = {"staff": "R001", "kind": "leave", "first_day": "2026-07-06", "last_day": "2026-07-02", "note": "年假"}
    refused = client.post("/owners/leave", form)
    assert refused.status_code == 422
    assert "年假" in refused.content.decode()
    assert client.post("/owners/leave", form | {"last_day": "2026-07-08"}).status_code == 302
    assert Absence.objects.get().last_day.isoformat() == "2026-07-08"
    assert client.post("/owners/leave", form | {"staff": "R002", "last_day": "2026-07-08"}).status_code == 404


def test_a_customers_history_tells_of_which_branch_she_was(things: Things, desk: Desk) -> None:
    page = f"/c/{customer_id(40)}/owners"
    client = desk("wangfang")
    assert "网点变更" not in client.get(page).content.decode()
    store_people(system_actor(), [person(40) | {"branch_code": "0002"}], load_id="later")
    said = client.get(page).content.decode().split("网点变更")[1]
    names = dict(Branch.objects.values_list("code", "name"))
    assert said.index(names["0001"]) < said.index(names["0002"])


def test_two_who_set_one_capacity_are_told(things: Things, desk: Desk) -> None:
    client = desk("liqiang")
    assert client.get("/owners/staff/R002/").status_code == 404
    seen = {"seen": "None|None||"}
    assert client.post("/owners/staff/R001/", seen | {"book_limit": "350", "skills": "小微、养老"}).status_code == 302
    assert client.post("/owners/staff/R001/", seen | {"book_limit": "360"}).status_code == 409
    assert Capacity.objects.get(staff_no="R001").book_limit == 350


def test_the_pool_is_shown_over_each_ones_own_scope_and_taken_as_a_workbook(things: Things, desk: Desk) -> None:
    head = desk("liqiang").get("/pools/retention/")
    assert head.status_code == 200
    assert "陈静" not in head.content.decode()
    assert "王芳" in head.content.decode()
    assert "wealth_ready" not in head.content.decode()
    assert "陈静" in desk("zhaomin").get("/pools/retention/").content.decode()
    hers = desk("wangfang").get("/pools/retention/").content.decode()
    assert re.search(r"按 \d{4}-\d\d-\d\d 的管户", hers)
    assert "按现在的管户" in hers
    book = desk("liqiang").get("/pools/retention/?export=xlsx")
    assert book["Content-Type"].endswith("sheet")


def test_wecom_moves_are_listed_to_be_done_and_entered_when_they_are(things: Things, cast: Cast, desk: Desk) -> None:
    long_ago = NOW - timedelta(days=2)
    rows = [
        WecomMove.objects.create(
            customer_id=customer_id(n), branch_code="0001", from_staff="R009", to_staff="R001", call="c", planned_at=at,
            earliest_at=at + timedelta(days=1), by="liqiang",
        )
        for n, at in ((590, long_ago), (592, long_ago), (594, NOW))
    ]  # fmt: skip
    client = desk("liqiang")
    assert '<div class="kq-tile-value">3</div>' in client.get("/owners/").content.decode()
    page = client.get("/owners/wecom").content.decode()
    assert page.count('name="move"') == 3
    assert "不会自动迁移" in page
    assert client.post("/owners/wecom", {"move": [rows[0].pk, rows[1].pk], "state": "moved"}).status_code == 302
    assert (
        client.post("/owners/wecom", {"move": [rows[2].pk], "state": "moved"}).status_code == 409
    )  # she may refuse yet
    assert sorted(WecomMove.objects.values_list("state", flat=True)) == ["moved", "moved", "waiting"]
    assert client.get("/owners/wecom?state=moved").content.decode().count(">R009<") == 2


@pytest.mark.parametrize(
    ("who", "path", "what"),
    [
        ("liqiang", "/owners/idle?stage=warned", "what=idle&state=warned"),
        ("liqiang", "/owners/notices?state=owed", "what=notices&state=owed"),
        ("liqiang", "/owners/wecom?", "what=wecom&state=waiting"),
        ("liqiang", "/owners/conflicts?", "what=conflicts"),
        ("liqiang", "/owners/changes?reason=assigned", "what=changes&reason=assigned"),
        ("zhaomin", "/campaigns/fund_july/touches?state=ready", "what=touches&campaign=fund_july&state=ready"),
    ],
)
def test_a_list_of_customers_is_asked_for_and_never_given_by_its_page(
    things: Things, desk: Desk, who: str, path: str, what: str
) -> None:
    answer = desk(who).get(f"{path}&export=xlsx")
    assert answer.status_code == 302
    assert answer["Location"] == f"/team/exports/?{what}"
    assert desk(who).get(answer["Location"]).status_code == 200
    assert not AuditEntry.objects.filter(act="list.exported").exists()


def test_each_list_is_written_for_whom_it_was_allowed(things: Things, cast: Cast) -> None:
    people = [customer_id(n) for n in (590, 592, 594)]
    Person.objects.filter(pk__in=people).update(rm_no="R009", bank_rm_no="R009")
    reassign_customers(cast["liqiang"], people, "R001", reason="调岗")
    changes = request_desk_export(cast["liqiang"], "changes", key="c", purpose="核对")
    assert (changes.rows, changes.state) == (3, "approved")
    _about, rows = desk_sheets(cast["liqiang"], {"request": changes.pk})
    assert {row[0] for row in rows.rows} == {"****0590", "****0592", "****0594"}
    assert {row[5] for row in rows.rows} == {"调整管户"}
    notices = request_desk_export(cast["wangfang"], "notices", key="n", purpose="逐户告知", params={"state": "owed"})
    assert len(desk_sheets(cast["wangfang"], {"request": notices.pk})[1].rows) == 3
    touches = request_desk_export(cast["zhaomin"], "touches", key="t", purpose="核对", params={"campaign": "fund_july"})
    assert touches.state == "waiting"
    decide(cast["zhoulv"], Approval.objects.get(name=str(touches.pk), kind="desk_export").pk, approve=True)
    written = desk_sheets(cast["zhaomin"], {"request": touches.pk})[1].rows
    assert len(written) == touches.rows
    assert {row[:2] for row in written} == {("", "")}  # head office sees codes, no names
    with pytest.raises(NotAllowed):
        request_desk_export(cast["zhaomin"], "changes", key="x", purpose="核对")


def test_a_notice_is_looked_at_sent_and_followed_on_the_page(things: Things, cast: Cast, desk: Desk) -> None:
    User.objects.filter(username="wangfang").update(phone="0999-00100101")
    who, late = customer_id(598), customer_id(596)
    Person.objects.filter(pk__in=[who, late]).update(rm_no="R009", bank_rm_no="R009")
    words = TemplateSpec(
        name="new_manager", title="换管户告知", channel="sms", serves="owner_notice",
        body="【客群银行】您的客户经理是{{ rm_name }},电话{{ rm_phone }}。",
    )  # fmt: skip
    row = save_definition(cast["zhaomin"], words)
    submit_definition(cast["zhaomin"], row.pk)
    approve(cast, words.name)
    reassign_customers(cast["liqiang"], [who, late], "R001", reason="调整")
    ids = [str(pk) for pk in Notice.objects.values_list("pk", flat=True)]
    client, phone = desk("wangfang"), Phone()
    delivery.register("sms", phone)
    try:
        assert "给勾选的发告知" in client.get("/owners/notices").content.decode()
        page = client.post("/owners/notices/send", {"notice": ids}).content.decode()
        assert page.count("您的客户经理是王芳,电话0999-00100101。") == 2
        assert "确认发送给 2 位" in page
        form = {"notice": ids, "text": words.name, "fingerprint": row.fingerprint}
        assert client.post("/owners/notices/send", form | {"fingerprint": "older0000000"}).status_code == 409
        assert "2 位已交发送" in client.post("/owners/notices/send", form).content.decode()
        assert client.get("/owners/notices").content.decode().count("发送中") == 2
        again = client.post("/owners/notices/send", {"notice": ids}).content.decode()
        assert "给这位客户的告知正在发送" in again
        assert "确认发送" not in again
        delivery.dispatch_once()
        settle_notices(system_actor())
    finally:
        delivery.unregister("sms")
    assert sum("0999-00100101" in m.body for m in phone.sent) == 2
    assert client.get("/owners/notices?state=told").content.decode().count("消息凭证") == 2
    assert desk("chenjing").post("/owners/notices/send", {"notice": ids}).status_code == 404
    assert client.post("/owners/notices/send", {}).status_code == 422
    assert desk("zhaomin").post("/owners/notices/send", {"notice": ids}).status_code == 403
