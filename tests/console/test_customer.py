"""The customer's page and the contact form: few questions, nothing doubled, nothing lost, nothing internal said."""

from __future__ import annotations

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
    good = {"key": "g", "task": str(n), f"outcome-{n}": "connected:deal", f"amount-{n}": "5,000"}
    assert client.post("/results/", good).status_code == 302
    assert FollowUp.objects.get().amount_cny == 5_000


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
    client.cookies["django_language"] = "en"
    english = client.post("/results/upload", {"packed": packed, "faults": "1"})
    assert "Not a customer of yours, or a wrong number" in text(english)
    client.cookies["django_language"] = "zh-hans"
    assert client.post("/results/upload", {"packed": packed, "take": "1"}).status_code == 302
    assert FollowUp.objects.count() == 1
    assert client.post("/results/upload", {"packed": "forged", "take": "1"}).status_code == 422
    assert "客户号,联系结果" in text(client.get("/results/template"))
