"""The side panel in WeCom: who sits before it, whose chat it is, what is sent and recorded; with the simulator, over HTTP."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pyarrow as pa
import pytest
from django.conf import LazySettings
from django.test import Client

from kequn.channels.wecom.gateway import HttpWecom, SimulatedWecom, WecomDown, signature
from kequn.core.errors import NotAllowed
from kequn.core.gate import rows
from kequn.core.spec.offer import TemplateSpec
from kequn.ops.audiences import contactability
from kequn.ops.catalog import services as catalog
from kequn.ops.delivery.models import Contact
from kequn.ops.governance.models import AuditEntry
from kequn.ops.governance.services import record_consent
from kequn.ops.orgs.actor import system_actor
from kequn.ops.wecom import queries, services
from kequn.ops.workbench.models import FollowUp, Task
from kequn.ops.workbench.services import past_for
from tests.ops.bank import Cast, approve, customer_id

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
HERS, ANOTHERS = "wm_hers", "wm_anothers"


@pytest.fixture
def panel(definitions: None, cast: Cast, settings: LazySettings) -> Iterator[Cast]:
    """Have the simulator stand in for WeCom, and two contacts known: one of each RM's book."""
    settings.WECOM_SIMULATOR = True
    before = services.panel()
    services.install_panel(services.Panel(SimulatedWecom(b"k" * 32), "simulated", "1", "/wecom/simulator/door"))
    services.link_contacts(system_actor(), [(HERS, customer_id(12)), (ANOTHERS, customer_id(13))])
    yield cast
    services.install_panel(before)


@pytest.fixture
def added(panel: Cast, monkeypatch: pytest.MonkeyPatch) -> Cast:
    """Have the first customer consent to WeCom, and be in the RM's contacts there, as the bank's data would say."""
    known = contactability._reachable

    def reachable(finder: object, ids: object) -> pa.Table:
        more = rows("reachable", ordinal=[12], channel=["wecom"], reachable=[True])
        return pa.concat_tables([known(finder, ids), more])  # type: ignore[arg-type]

    monkeypatch.setattr(contactability, "_reachable", reachable)
    record_consent(system_actor(), customer_id(12), channel="wecom", granted=True, source="rm")
    return panel


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


# -- identity -----------------------------------------------------------------------------------------------------------


def test_wecoms_word_signs_in_the_member_of_staff_and_nobody_else(panel: Cast, desk: Desk) -> None:
    phone = Client()
    asked = phone.get("/wecom/")
    door = urlsplit(asked["Location"])
    given = {name: values[0] for name, values in parse_qs(door.query).items()}
    assert (door.path, door.fragment) == ("/wecom/simulator/door", "wechat_redirect")
    assert (given["appid"], given["scope"], given["redirect_uri"]) == (
        "simulated",
        "snsapi_base",
        "http://testserver/wecom/enter",
    )
    back = desk("wangfang").get(asked["Location"].split("#")[0])["Location"]
    assert Client().get(back).status_code == 403  # another browser did not ask
    assert phone.get(back)["Location"] == "/wecom/panel"
    assert phone.get("/tasks/").status_code == 200
    assert phone.get(back).status_code == 403  # once


@pytest.mark.parametrize("code", ["", "R001", "R001.", "R001." + "0" * 32, "M001.{seal}"])
def test_a_code_that_stands_for_no_relationship_manager_lets_nobody_in(panel: Cast, code: str) -> None:
    gateway = SimulatedWecom(b"k" * 32)
    with pytest.raises(NotAllowed):
        services.user_of_code(code.replace("M001.{seal}", gateway.code_for("M001")))
    assert services.user_of_code(gateway.code_for("R001")) == panel["wangfang"].user_id


def test_the_simulators_door_leads_back_to_this_place_alone(panel: Cast, desk: Desk) -> None:
    answer = desk("wangfang").get("/wecom/simulator/door?redirect_uri=https://evil.example/&state=x")
    assert answer["Location"] == "/wecom/panel"


def test_without_wecom_the_panel_asks_for_name_and_password_and_there_is_no_simulator(
    definitions: None, desk: Desk
) -> None:
    services.install_panel(None)
    assert Client().get("/wecom/")["Location"] == "/login/?next=%2Fwecom%2Fpanel"
    for path in ("/wecom/simulator/", "/wecom/simulator/door"):
        assert desk("wangfang").get(path).status_code == 404
    assert 'id="outside"' in text(desk("wangfang").get("/wecom/panel"))


# -- the page -----------------------------------------------------------------------------------------------------------


def test_each_page_signs_its_very_own_address(panel: Cast, desk: Desk) -> None:
    client = desk("wangfang")
    for path in ("/wecom/panel", f"/wecom/c/{customer_id(12)}/?undo=5"):
        found = re.search(r'id="kq-signed" type="application/json">(.*?)</script>', text(client.get(path)))
        assert found is not None
        for kind, made in json.loads(found[1]).items():
            plain = f"jsapi_ticket=simulated-{kind}&noncestr={made['nonceStr']}&timestamp={made['timestamp']}&url=http://testserver{path}"
            assert made["signature"] == hashlib.sha1(plain.encode()).hexdigest()


def test_the_signature_follows_the_published_rule() -> None:
    given = {"nonce": "Wm3WZYTPz0wzccnW", "timestamp": 1414587457}
    ticket = "sM4AOVdWfPE4DxkXGEs8VMCPGGVi4C3VM0P37wVUCFvkVAy_90u5h9nbSlYy3-Sl-HhTdfl2fzFy1AOcHKP7qg"
    made = signature(ticket, url="http://mp.weixin.qq.com?params=value#part", **given)  # type: ignore[arg-type]
    assert made == "0f9de62fce790f9a083d5c99e95740ceb90c27ed"


def test_the_chats_customer_is_shown_and_another_rms_looks_like_nobody(panel: Cast, desk: Desk) -> None:
    client = desk("wangfang")
    found = client.post("/wecom/who", {"contact": HERS})
    assert found["Location"] == f"/wecom/c/{customer_id(12)}/"
    page = text(client.get(found["Location"]))
    assert "张**" in page or "张*" in page
    assert "13900000012" not in page
    strangers = [client.post("/wecom/who", {"contact": contact}) for contact in (ANOTHERS, "wm_nobody", "")]
    strangers.append(client.get(f"/wecom/c/{customer_id(13)}/"))
    plain = {
        re.sub(r'value="[A-Za-z0-9]{64}"|"nonceStr": "\w+"|"signature": "\w+"', "", text(a)) for a in strangers[:3]
    }
    assert {a.status_code for a in strangers} == {404}
    assert len(plain) == 1
    assert all("不在您的名下" in text(a) and customer_id(13) not in text(a) for a in strangers)
    with pytest.raises(NotAllowed):
        queries.customer_of_contact(panel["chenjing"], HERS)


def test_only_the_panel_may_stand_in_a_frame_and_only_beside_a_simulator(
    panel: Cast, desk: Desk, settings: LazySettings
) -> None:
    client = desk("wangfang")
    inside, outside = client.get("/wecom/panel"), client.get("/tasks/")
    assert (inside["X-Frame-Options"], outside["X-Frame-Options"]) == ("SAMEORIGIN", "DENY")
    assert "frame-ancestors 'self'" in inside["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in outside["Content-Security-Policy"]
    settings.WECOM_SIMULATOR, settings.WECOM_SDK_URL = False, "https://sdk.bank.example/ww.js"
    inside = client.get("/wecom/panel")
    assert inside["X-Frame-Options"] == "DENY"
    assert "https://sdk.bank.example/ww.js" in inside["Content-Security-Policy"]
    assert "sdk.bank.example" not in client.get("/tasks/")["Content-Security-Policy"]


# -- sending and recording ----------------------------------------------------------------------------------------------


def test_what_the_gate_does_not_let_pass_is_not_handed_over(panel: Cast, desk: Desk) -> None:
    client, path, given = desk("wangfang"), f"/wecom/c/{customer_id(12)}/", material(panel)
    assert "不可发送" in text(client.get(path))
    assert client.post(f"{path}hand-over", given).status_code == 409
    assert not Contact.objects.filter(channel="wecom").exists()


@pytest.mark.parametrize("intent", ["opt_out", "complaint", "interested"])
def test_what_she_said_in_the_chat_is_recorded_once_whatever_the_gate_says(
    panel: Cast, desk: Desk, intent: str
) -> None:
    client, path = desk("wangfang"), f"/wecom/c/{customer_id(12)}/"
    for _ in range(2):
        made = client.post(f"{path}outcome", {"key": "k1", "outcome": f"connected:{intent}"})
        assert made["Location"].startswith(f"{path}?undo=")
    assert FollowUp.objects.get().intent == intent


def test_what_was_typed_wrongly_in_the_chat_stays_and_leaves_no_task(panel: Cast, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/wecom/c/{customer_id(12)}/"
    refused = client.post(f"{path}outcome", {"key": "k1", "outcome": "connected:deal", "note": "想了解"})
    assert refused.status_code == 422
    assert "想了解" in text(refused)
    assert not Task.objects.filter(customer_id=customer_id(12)).exists()


def test_an_outcome_goes_to_the_task_that_is_open(panel: Cast, desk: Desk) -> None:
    from datetime import timedelta

    from tests.ops.conftest import NOW

    task = Task.objects.create(
        key="t", customer_id=customer_id(12), staff_no="R001", branch_code="0001", kind="campaign", campaign="x", title_zh="到期提醒",
        why_zh="定期明日到期", due_at=NOW + timedelta(days=1), created_at=NOW,
    )  # fmt: skip
    client, path = desk("wangfang"), f"/wecom/c/{customer_id(12)}/"
    page = text(client.get(path))
    assert "定期明日到期" in page
    for _ in range(2):
        made = client.post(f"{path}outcome", {"key": "k", "task": str(task.pk), "outcome": "connected:considering"})
        assert made.status_code == 302
    assert FollowUp.objects.get().task_id == task.pk
    undone = client.post(f"{path}undo/{FollowUp.objects.get().pk}")
    assert undone["Location"] == path
    refused = client.post(
        f"{path}outcome", {"key": "k9", "task": str(task.pk), "outcome": "connected:deal", "note": "他说下周"}
    )
    assert refused.status_code == 422
    assert "他说下周" in text(refused)


def test_the_panel_shows_a_colleagues_record_and_takes_product_and_a_dead_number(panel: Cast, desk: Desk) -> None:
    from kequn.ops.workbench.services import record_outcome, start_contact

    task = start_contact(panel["wangfang"], customer_id(12), key="t", why="回访")
    client, path = desk("wangfang"), f"/wecom/c/{customer_id(12)}/"
    page = text(client.get(path))
    assert 'name="seen" value="0"' in page
    for value in ("declined:", "dead_number:", "wrong_person:"):
        assert f'value="{value}"' in page
    last = record_outcome(panel["wangfang"], task.pk, key="other", contact="no_answer", note="占线")
    form = {"key": "k", "task": str(task.pk), "seen": "0", "outcome": "connected:interested", "product": "FD201"}
    refused = client.post(f"{path}outcome", form)
    assert refused.status_code == 409
    assert "占线" in text(refused)
    assert f'name="seen" value="{last.pk}"' in text(refused)
    assert client.post(f"{path}outcome", form | {"seen": str(last.pk)}).status_code == 302
    assert FollowUp.objects.exclude(pk=last.pk).get().detail.product == "FD201"


def material(cast: Cast) -> dict[str, str]:
    """Have a greeting approved; return what the panel's form sends of it."""
    words = "{{ family_name }}先生/女士，您好。"
    spec = TemplateSpec(name="hello_wecom", title="问候", channel="wecom", body=words, opt_out="不再接收请告知")
    row = catalog.save_definition(cast["zhaomin"], spec)
    catalog.submit_definition(cast["zhaomin"], row.pk)
    approve(cast, "hello_wecom")
    return {"name": "hello_wecom", "fingerprint": spec.fingerprint(), "key": "s1"}


def test_material_is_handed_to_the_chat_and_counted_once(added: Cast, desk: Desk) -> None:
    client, path, given = desk("wangfang"), f"/wecom/c/{customer_id(12)}/", material(added)
    assert "张先生/女士，您好。" in text(client.get(path))
    for _ in range(2):
        answer = client.post(f"{path}hand-over", given)
        assert "张先生/女士，您好。" in json.loads(answer.content)["words"]
    assert Contact.objects.filter(channel="wecom", customer_id=customer_id(12)).count() == 1
    assert AuditEntry.objects.filter(act="material.sent").count() == 1
    line = past_for(added["wangfang"], customer_id(12)).contacts
    assert [(c.channel, c.result, c.who, c.what.zh) for c in line] == [
        ("wecom", "presumed_sent", "王芳", "客户经理发送素材")
    ]
    assert client.post(f"{path}hand-over", given | {"key": ""}).status_code == 422
    assert client.post(f"{path}hand-over", given | {"fingerprint": "0" * 12, "key": "s2"}).status_code == 409
    assert desk("chenjing").post(f"{path}hand-over", given).status_code == 404


# -- WeCom itself -------------------------------------------------------------------------------------------------------


def test_tokens_and_tickets_are_asked_for_once_until_they_run_out() -> None:
    asked: list[str] = []
    clock = [1000.0]

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(
            200,
            json={"errcode": 0, "access_token": "t", "ticket": f"k{len(asked)}", "userid": "R001", "expires_in": 7200},
        )

    wecom = HttpWecom("https://wecom.example", "c", "s", clock=lambda: clock[0], transport=httpx.MockTransport(answer))
    assert wecom.user_of("code") == "R001"
    first = wecom.ticket("corp")
    assert wecom.ticket("corp") == first
    assert asked == ["/cgi-bin/gettoken", "/cgi-bin/auth/getuserinfo", "/cgi-bin/get_jsapi_ticket"]
    clock[0] += 7000
    assert wecom.ticket("corp") != first


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json={"errcode": 40029}),
        httpx.Response(200, json=[]),
    ],
)
def test_a_wecom_that_fails_says_nothing_of_our_secret(answer: httpx.Response) -> None:
    wecom = HttpWecom("https://wecom.example", "c", "very-secret", transport=httpx.MockTransport(lambda _: answer))
    with pytest.raises(WecomDown) as fault:
        wecom.user_of("code")
    assert "very-secret" not in str(fault.value) + repr(fault.value.facts)
    assert fault.value.__cause__ is None
