"""What the gate closes is sold on no page: the rules with their cures stand where the offer would have been."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from kequn.ops.catalog import queries as catalog
from kequn.ops.governance.services import suppress
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.services import issue_token
from kequn.ops.runtime import now
from kequn.ops.workbench import gating, talks
from kequn.ops.workbench.models import Task
from tests.ops.bank import Cast, customer_id
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
WHO = customer_id(100)
"""Of the lowest risk level: a fund is beyond her."""
NO = "超出风险承受能力 → 改推同级或更低风险的产品。"
SOLD = ("您好,我是客群银行客户经理", "可了解稳健型基金", "推荐方案", "必须说到")


def put(customer: str = WHO, **fields: Any) -> Task:
    base = {
        "key": f"{customer}-{fields.get('kind', '')}", "customer_id": customer, "staff_no": "R001", "branch_code": "0001",
        "kind": "campaign", "campaign": "x", "title_zh": "到期提醒", "why_zh": "定期明日到期", "offer": "fund_offer",
        "talk_track": catalog.current("talk_track", "fund_talk").fingerprint, "due_at": now(), "created_at": now(),
        "is_main": not fields, "said_zh": "想听听您的打算",
    }  # fmt: skip
    return Task.objects.create(**base | fields)


def page(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def rest(who: str, path: str) -> Any:
    bearer = {"Authorization": f"Bearer {issue_token(system_actor(), who, label='test')}"}
    return Client().get(f"/api/v1{path}", headers=bearer).json()


@pytest.mark.parametrize("where", ["/tasks/{task}/", "/c/{who}/?offer=fund_offer", "/wecom/c/{who}/"])
def test_what_the_gate_blocks_is_not_sold_and_says_why(definitions: None, cast: Cast, desk: Desk, where: str) -> None:
    blocked, fit = put(), put(customer_id(12))
    client = desk("wangfang")
    shown = page(client, where.format(task=blocked.pk, who=WHO))
    assert NO in shown
    assert not [words for words in SOLD if words in shown]
    if "offer=" not in where:  # it is of the talk track that no product is named
        shown = page(client, where.format(task=fit.pk, who=fit.customer_id))
        assert "可了解稳健型基金" in shown
        assert "推荐方案" in shown


def test_rest_gives_the_codes_with_their_cures_and_no_words(definitions: None, cast: Cast) -> None:
    talk = rest("wangfang", f"/customers/{WHO}/talk/fund_offer")
    assert (talk["track"], talk["why"], talk["codes"], talk["disclosure"]) == (None, "blocked", ["UNSUITABLE"], None)
    assert [c["en"] for c in talk["cures"]] == ["Offer a product of the same or a lower level."]


def test_an_offer_that_waits_for_a_risk_test_leads_to_the_test(
    definitions: None, cast: Cast, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = put()
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    test = put(kind="retest", offer="", talk_track="")
    assert f'href="/tasks/{test.pk}/">预约重测' not in page(client, path), "another test does not make her fit"
    monkeypatch.setattr(talks, "offer_codes", lambda *_: ("NO_CONSENT", "RISK_TEST_EXPIRED"))
    shown = page(client, path)
    assert "没有同意 → 在客户下次办理业务时征求同意。 · 风险测评已过期 → 邀请客户重新测评（服务通知）。" in shown
    assert f'href="/tasks/{test.pk}/">预约重测' in shown
    shown = page(client, f"/c/{WHO}/?offer=fund_offer")
    assert f'href="/tasks/{test.pk}/">预约重测' in shown


def test_the_hour_and_the_caps_close_the_way_and_not_the_words(definitions: None, cast: Cast) -> None:
    assert gating.offer_codes(customer_id(12), "fund_offer", "visit") == ()
    assert gating.offer_codes(WHO, "fund_offer", "call") == ("UNSUITABLE",)
    assert gating.offer_codes("f" * 32, "fund_offer", "call") == ("UNKNOWN_CUSTOMER",)
    assert gating.offer_codes(WHO, "no_such_offer", "call") == ()


def test_without_a_contact_policy_nothing_is_sold_and_the_task_still_stands(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    from kequn.ops.catalog.models import DefinitionVersion

    task = put(customer_id(12))
    DefinitionVersion.objects.filter(kind="contact_policy").update(is_current=False)
    shown = page(desk("wangfang"), f"/tasks/{task.pk}/")
    assert "还没有批准的触达策略" in shown
    assert not [words for words in SOLD if words in shown]
    assert 'id="outcome"' in shown


def test_a_refused_contact_says_each_rule_with_its_cure_in_the_readers_language(
    definitions: None, cast: Cast, desk: Desk
) -> None:
    client = desk("wangfang")
    refused = client.post(f"/c/{WHO}/contact", {"key": "k", "why": "推荐", "offer": "fund_offer"})
    assert refused.status_code == 422
    assert NO in refused.content.decode()
    client.cookies["django_language"] = "en"
    refused = client.post(f"/c/{WHO}/contact", {"key": "k", "why": "推荐", "offer": "fund_offer"})
    assert "Beyond the customer&#x27;s risk level → Offer a product of the same or a lower level." in (
        refused.content.decode()
    )


def test_the_sheet_prints_no_words_for_what_may_not_be_done(definitions: None, cast: Cast, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/c/{customer_id(12)}/sheet"
    assert "可对客户说" in page(client, path)
    suppress(system_actor(), customer_id(12), reason="legal")
    shown = page(client, path)
    assert "可对客户说" not in shown
    assert "现在不可以: 不可营销（其他） → 无需处理。" in shown


# -- what is held -------------------------------------------------------------------------------------------------------


@pytest.fixture
@remembered
def held(definitions: None, cast: Cast) -> Task:
    return put(
        customer_id(12),
        is_held=True,
        is_main=False,
        blocked={"call": ["NO_CONSENT", "COMPLAINT"], "wecom": ["NO_ADDRESS"]},
        title_zh="被拦下的",
        why_zh="被拦下",
    )


@pytest.mark.parametrize(
    "where", ["/", "/tasks/", "/tasks/?due=today", "/results/", "/c/{who}/", "/c/{who}/sheet", "/wecom/c/{who}/"]
)
def test_a_held_task_stands_in_no_list(held: Task, desk: Desk, where: str) -> None:
    client, address = desk("wangfang"), where.format(who=held.customer_id)
    assert "被拦下" not in page(client, address)
    Task.objects.filter(pk=held.pk).update(is_held=False, is_main=True)
    assert "被拦下" in page(client, address)


def test_held_tasks_have_a_list_of_their_own_and_say_why(held: Task, desk: Desk) -> None:
    client = desk("wangfang")
    assert "按规则暂停的任务 1" in page(client, "/tasks/")
    shown = page(client, "/tasks/?due=held")
    assert "被拦下的" in shown
    assert "没有同意 → 在客户下次办理业务时征求同意。 · 投诉冷静期 → 办结投诉并等待冷静期结束。" in shown


def test_a_held_task_says_why_and_offers_neither_number_nor_words(held: Task, desk: Desk) -> None:
    client = desk("wangfang")
    shown = page(client, f"/tasks/{held.pk}/")
    assert "电话: 没有同意 → 在客户下次办理业务时征求同意。 · 投诉冷静期 →" in shown
    assert "企业微信: 渠道不可达 → 补充联系方式。" in shown
    assert not [words for words in (*SOLD[:2], "看电话号码", "想听听您的打算") if words in shown]
    assert 'id="material"' not in shown
    assert 'id="outcome"' in shown, "a contact that came about is recorded all the same"
    Task.objects.filter(pk=held.pk).update(is_held=False)
    shown = page(client, f"/tasks/{held.pk}/")
    assert "看电话号码" in shown
    assert "想听听您的打算" in shown


def test_rest_lists_what_may_be_done_and_what_is_held_to_who_asks(held: Task) -> None:
    put(customer_id(14))
    assert [t["customer_id"] for t in rest("wangfang", "/tasks")] == [customer_id(14)]
    found = rest("wangfang", "/tasks?held=true")[0]
    assert (found["is_held"], found["blocked"]["wecom"], found["said_zh"]) == (True, ["NO_ADDRESS"], "想听听您的打算")


def test_rest_names_the_customers_tasks_in_both_languages(definitions: None, cast: Cast) -> None:
    put(title_en="Maturity", why_en="A deposit comes due tomorrow")
    found = rest("wangfang", f"/customers/{WHO}/standing")["tasks"][0]
    assert (found["title_en"], found["why_en"]) == ("Maturity", "A deposit comes due tomorrow")
