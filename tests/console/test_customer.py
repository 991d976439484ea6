"""The customer's page and the contact form: few questions, nothing doubled, nothing lost, nothing internal said."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.ops.customers.models import Person
from kequn.ops.ownership.services import record_absence
from kequn.ops.workbench import services
from kequn.ops.workbench.models import FollowUp, Task
from tests.ops.bank import Cast, customer_id
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
MOST = 10
WRITES = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "INSERT", "UPDATE")
WHO = customer_id(12)


@pytest.fixture
@remembered
def task(definitions: None, cast: Cast) -> Task:
    return services.start_contact(
        cast["wangfang"], WHO, key="k", why="回访", offer="fund_offer", talk_track="fund_talk"
    )


def text(answer: Any) -> str:
    return answer.content.decode()


def questions(client: Client, path: str) -> list[str]:
    """Return the reads of one page: the trail's entry of who looked at whom is a write of its own."""
    client.get(path)
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(path)
    assert answer.status_code == 200
    return [q["sql"] for q in asked if not q["sql"].startswith(WRITES) and "governance_audithead" not in q["sql"]]


@pytest.mark.parametrize("path", [f"/c/{WHO}/", f"/c/{WHO}/part/money", f"/c/{WHO}/part/advice", f"/c/{WHO}/part/past"])
def test_no_part_of_the_page_asks_more_than_a_few_questions(task: Task, desk: Desk, path: str) -> None:
    asked = questions(desk("wangfang"), path)
    assert len(asked) <= MOST, "\n".join(asked)


def test_all_parts_of_the_page_stand_and_tell_ground_from_what_may_be_said(task: Task, desk: Desk) -> None:
    client = desk("wangfang")
    page = text(client.get(f"/tasks/{task.pk}/"))
    assert "可对客表述" in page
    assert "内部依据" in page
    assert "您好,我是客群银行客户经理" in page
    for part, words in (("advice", "能不能联系"), ("money", "资产与负债"), ("past", "没有未了事项")):
        assert words in text(client.get(f"/c/{WHO}/part/{part}"))
    assert client.get(f"/c/{WHO}/part/nothing").status_code == 404
    assert desk("chenjing").get(f"/c/{WHO}/part/money").status_code == 404


def test_a_note_with_a_number_or_a_script_is_kept_harmless_and_its_writer_is_told(task: Task, desk: Desk) -> None:
    client = desk("wangfang")
    form = {"key": "a", "outcome": "connected:considering", "note": "<script>x</script> 打13912345678", "next_in": "1d"}
    page = text(client.post(f"/tasks/{task.pk}/", form, follow=True))
    assert "备注里的号码已隐去" in page
    assert "代码字样" in page
    kept = FollowUp.objects.get()
    assert kept.note == "<script>x</script> 打***"
    assert kept.next_at is not None
    past = text(client.get(f"/c/{WHO}/part/past"))
    assert "&lt;script&gt;" in past
    assert "<script>x" not in past


def test_a_next_time_of_one_tap_leaves_out_closed_days_and_ones_own_leave(
    task: Task, desk: Desk, bank_runtime: Any, cast: Cast
) -> None:
    friday = NOW + timedelta(days=2)
    bank_runtime.clock = lambda: friday
    monday = (friday + timedelta(days=3)).date()
    record_absence(cast["liqiang"], "R001", kind="leave", first_day=monday, last_day=monday)
    client = desk("wangfang")
    page = text(client.get(f"/tasks/{task.pk}/"))
    assert "下个工作日 10 点 · 07-07" in page
    assert "三天后 10 点 · 07-07" in page
    assert "一周后 10 点 · 07-10" in page
    form = {"key": "a", "outcome": "connected:appointment", "next_in": "1d"}
    assert client.post(f"/tasks/{task.pk}/", form).status_code == 302
    assert FollowUp.objects.get().next_at == NOW + timedelta(days=6)


def test_the_form_sent_again_is_one_record_and_with_another_result_is_refused(task: Task, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    form = {"key": "a", "outcome": "no_answer:"}
    assert client.post(path, form).status_code == 302
    assert client.post(path, form).status_code == 302
    again = client.post(path, form | {"outcome": "connected:interested", "note": "没说完的话"})
    assert again.status_code == 409
    assert "没说完的话" in text(again)
    assert FollowUp.objects.count() == 1


def test_a_colleagues_record_meanwhile_is_shown_before_ones_own_is_kept(task: Task, desk: Desk, cast: Cast) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    assert 'name="seen" value="0"' in text(client.get(path))
    services.record_outcome(cast["wangfang"], task.pk, key="other", contact="no_answer", note="占线")
    form = {"key": "a", "seen": "0", "outcome": "connected:interested", "note": "我写的"}
    refused = client.post(path, form)
    assert refused.status_code == 409
    page = text(refused)
    assert "占线" in page
    assert "我写的" in page
    last = FollowUp.objects.get().pk
    assert f'name="seen" value="{last}"' in page
    assert client.post(path, form | {"seen": str(last)}).status_code == 302


def test_a_task_whose_customer_is_not_hers_any_more_says_so_and_takes_nothing(task: Task, desk: Desk) -> None:
    Person.objects.filter(pk=WHO).update(rm_no="R002", branch_code="0002")
    page = text(desk("wangfang").get(f"/tasks/{task.pk}/"))
    assert "已不在您的范围内" in page
    assert 'id="outcome"' not in page


def test_a_refusal_at_the_counter_is_recorded_on_the_customers_page_without_a_task(
    definitions: None, desk: Desk
) -> None:
    client, path = desk("wangfang"), f"/c/{WHO}/"
    assert f'action="{path}outcome"' in text(client.get(path))
    wrong = client.post(f"{path}outcome", {"key": "a", "channel": "visit", "outcome": "connected:deal", "note": "留着"})
    assert wrong.status_code == 422
    assert "留着" in text(wrong)
    form = {"key": "a", "channel": "visit", "outcome": "connected:opt_out"}
    assert "已记录" in text(client.post(f"{path}outcome", form, follow=True))
    kept = FollowUp.objects.get()
    assert (kept.intent, kept.detail.channel) == ("opt_out", "visit")
    assert client.post(f"/c/{customer_id(13)}/outcome", form).status_code == 404


def test_a_customer_with_a_task_has_her_outcomes_there(task: Task, desk: Desk) -> None:
    assert f'action="/c/{WHO}/outcome"' not in text(desk("wangfang").get(f"/c/{WHO}/"))


def test_an_expired_or_retired_talk_track_is_not_shown(task: Task, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from kequn.ops.workbench import talks

    monkeypatch.setattr(talks.catalog, "is_approved_version", lambda *_: False)
    page = text(desk("wangfang").get(f"/tasks/{task.pk}/"))
    assert "这一版话术已停用" in page
    assert "您好,我是客群银行客户经理" not in page


def test_results_are_typed_in_a_grid_all_or_none(task: Task, desk: Desk) -> None:
    client, n = desk("wangfang"), task.pk
    assert client.get("/results/").status_code == 200
    wrong = client.post(
        "/results/", {"key": "g", "task": str(n), f"outcome-{n}": "connected:deal", f"note-{n}": "留着"}
    )
    assert wrong.status_code == 422
    assert "留着" in text(wrong)
    for amount, said in (("1e9", "不是金额"), ("9" * 20, "金额不能超过 10,000,000,000 元"), ("1.005", "超过两位小数")):
        wrong = client.post(
            "/results/", {"key": "g", "task": str(n), f"outcome-{n}": "connected:deal", f"amount-{n}": amount}
        )
        assert (wrong.status_code, said in text(wrong)) == (422, True)
    far = {"key": "g", "task": str(n), f"outcome-{n}": "connected:appointment", f"next_at-{n}": "2031-07-01T10:00"}
    assert "下次联系最远约在 366 天以内" in text(client.post("/results/", far))
    good = {"key": "g", "task": str(n), f"outcome-{n}": "connected:deal", f"amount-{n}": "5,000"}
    assert client.post("/results/", good).status_code == 302
    assert FollowUp.objects.get().amount_cny == 5_000


def test_the_form_says_what_of_an_amount_a_time_or_a_note_cannot_be_and_keeps_it(task: Task, desk: Desk) -> None:
    client, path = desk("wangfang"), f"/tasks/{task.pk}/"
    for fields, said in (
        ({"amount": "1e9"}, "不是金额"),
        ({"amount": "9" * 20}, "金额不能超过 10,000,000,000 元"),
        ({"amount": "5000", "note": "长" * 501}, "最多 500 字"),
        ({"amount": "5000", "next_at": "2031-07-01T10:00"}, "下次联系最远约在 366 天以内"),
    ):
        wrong = client.post(path, {"key": "k", "outcome": "connected:deal", **fields})
        page = text(wrong)
        assert (wrong.status_code, page.count("KQ-invalid_spec")) == (422, 1)
        assert said in page.split("kq-note-bad", 1)[1].split("KQ-")[0]
        assert all(value in page for value in fields.values())
    assert not FollowUp.objects.exists()
    odd = text(client.post(path, {"key": "k", "outcome": "waved:"}))
    assert "联系结果" in odd
    assert "<code>contact</code>" not in odd


def test_the_grid_says_what_a_colleague_recorded_meanwhile_and_takes_the_product(
    task: Task, desk: Desk, cast: Cast
) -> None:
    client, n = desk("wangfang"), task.pk
    assert f'name="seen-{n}" value="0"' in text(client.get("/results/"))
    services.record_outcome(cast["wangfang"], n, key="other", contact="no_answer")
    typed = {
        f"outcome-{n}": "connected:deal",
        f"amount-{n}": "5000",
        f"product-{n}": "FD201",
        f"note-{n}": "<b>13912345678",
    }
    form = {"key": "g", "task": str(n), f"seen-{n}": "0", **typed}
    refused = client.post("/results/", form)
    assert refused.status_code == 422
    last = FollowUp.objects.get()
    page = text(refused)
    assert f'name="seen-{n}" value="{last.pk}"' in page
    assert '<option value="FD201" selected>' in page
    assert "王芳 · 未接" in page
    done = text(client.post("/results/", form | {f"seen-{n}": str(last.pk)}, follow=True))
    assert "备注里的号码已隐去" in done
    assert "代码字样" in done
    assert FollowUp.objects.exclude(pk=last.pk).get().detail.product == "FD201"


def test_the_writer_of_a_file_is_told_which_notes_are_not_kept_as_written(task: Task, desk: Desk) -> None:
    client = desk("wangfang")
    at = (NOW - timedelta(days=1)).strftime("%Y-%m-%d %H:%M")
    lines = f"客户号,联系结果,联系时间,备注\nC0000012,未接,{at},改打13912345678\nC0000014,未接,{at},占线\n"
    page = client.post("/results/upload", {"file": SimpleUploadedFile("paper.csv", lines.encode())})
    assert "第 2 行 · 备注里的号码会隐去" in text(page)
    assert "第 3 行 · " not in text(page)
    done = client.post("/results/upload", {"packed": page.context["packed"], "take": "1"}, follow=True)
    assert "备注里的号码已隐去" in text(done)


def test_a_result_file_is_looked_at_then_taken_in_and_its_faults_come_as_a_file(task: Task, desk: Desk) -> None:
    client = desk("wangfang")
    at = (NOW - timedelta(days=1)).strftime("%Y-%m-%d %H:%M")
    lines = f"客户号,联系结果,客户意向,联系时间\nC0000012,接通,有意向,{at}\nC0000013,接通,有意向,{at}\n"
    upload = SimpleUploadedFile("纸.csv", lines.encode("gb18030"))
    page = client.post("/results/upload", {"file": upload})
    assert "可录入 1 行，不能录入 1 行" in text(page)
    packed = page.context["packed"]
    faults = client.post("/results/upload", {"packed": packed, "faults": "1"})
    assert "不是您名下的客户" in text(faults)
    assert "C0000013" not in text(faults)
    for name, content, words in (
        ("空.csv", b"", "文件是空的"), ("乱.csv", b"\x00\xff\x01", "文件既不是 Excel 工作簿，也不是文本"),
        ("缺.csv", "客户号,备注\nC1,x".encode(), "文件缺少这些列：联系结果, 联系时间"),
        ("头.csv", lines.split("\n", maxsplit=1)[0].encode(), "没有数据行"),
        ("乱.xlsx", b"garbage", "没有数据行"), ("坏.xlsx", b"PK\x03\x04garbage", "工作簿已损坏"),
    ):  # fmt: skip
        wrong = client.post("/results/upload", {"file": SimpleUploadedFile(name, content)})
        assert text(wrong).count("KQ-") == 1
        said = text(wrong).split("kq-note-bad", 1)[1].split("KQ-")[0]
        assert (wrong.status_code, words in said) == (422, True)
        assert not re.search(r"The |Take |Upload |Save ", said)
        assert "可录入" not in text(wrong)
    client.cookies["django_language"] = "en"
    english = client.post("/results/upload", {"packed": packed, "faults": "1"})
    assert "Not a customer of yours, or a wrong number" in text(english)
    client.cookies["django_language"] = "zh-hans"
    assert client.post("/results/upload", {"packed": packed, "take": "1"}).status_code == 302
    assert FollowUp.objects.count() == 1
    assert client.post("/results/upload", {"packed": "forged", "take": "1"}).status_code == 422
    assert "客户号,联系结果" in text(client.get("/results/template"))
