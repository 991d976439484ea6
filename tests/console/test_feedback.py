"""Pages of feedback: two taps on a task, the inbox, an answer that loses nothing of a second one."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.test import Client

from kequn.ops.feedback import services
from kequn.ops.feedback.models import Feedback, WrongEntry
from kequn.ops.workbench.models import Task
from tests.console.conftest import HOSTILE, Things
from tests.ops.bank import Cast

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


def test_the_task_page_marks_an_entry_with_one_press_of_a_reason(things: Things, desk: Desk) -> None:
    client, task_id = desk("wangfang"), things.values["task_id"]
    page = text(client.get(f"/tasks/{task_id}/"))
    form = page.split(f'action="/tasks/{task_id}/wrong"', 1)[1].split("</form>")[0]
    key = re.search(r'name="key" value="(\w+)"', form)
    assert key is not None
    assert form.count('name="reason"') == 8
    for _ in range(2):
        answer = client.post(f"/tasks/{task_id}/wrong", {"key": key[1], "reason": "moved_away"}, follow=True)
        assert answer.status_code == 200
    assert WrongEntry.objects.filter(task_id=task_id).count() == 1
    assert "已搬离本地" in text(answer)
    entry = WrongEntry.objects.get(task_id=task_id)
    assert "/wrong" in text(client.post(f"/feedback/wrong/{entry.pk}/undo", follow=True))
    assert Task.objects.get(pk=task_id).state == "open"


def test_another_reason_needs_words_and_the_card_says_so(things: Things, desk: Desk) -> None:
    client, task_id = desk("wangfang"), things.values["task_id"]
    refused = client.post(f"/tasks/{task_id}/wrong", {"key": "kept", "reason": "other", "text": " "})
    card = text(refused).split('id="wrong" open', 1)[1].split("</form>")[0]
    assert refused.status_code == 422
    assert "请写明哪里不准" in card
    assert 'value="kept"' in card
    assert text(refused).count("请写明哪里不准") == 1
    Task.objects.filter(pk=task_id).update(campaign="")
    assert 'id="wrong"' not in text(client.get(f"/tasks/{task_id}/"))


def test_what_the_front_line_types_is_shown_escaped_and_flagged(things: Things, desk: Desk) -> None:
    number = things.values["feedback_id"]
    for who, path in (("zhaomin", f"/feedback/{number}/"), ("zhaomin", "/feedback/"), ("sunli", "/feedback/lists/fund_july/"),
                      ("zhaomin", "/campaigns/fund_july/"), ("wangfang", f"/feedback/{number}/")):  # fmt: skip
        page = text(desk(who).get(path))
        assert HOSTILE not in page, path
        assert "&lt;script&gt;" in page, path
    assert "含代码字样" in text(desk("sunli").get("/feedback/lists/fund_july/"))


def test_the_campaign_page_says_that_few_were_looked_at(things: Things, desk: Desk) -> None:
    for path in ("/campaigns/fund_july/", "/feedback/lists"):
        page = text(desk("zhaomin").get(path))
        assert "样本太小" in page
        assert "其他" in page


def test_a_second_answer_is_refused_with_the_first_beside_it(things: Things, desk: Desk) -> None:
    path = f"/feedback/{things.values['feedback_id']}/"
    assert 'name="expected" value="new"' in text(desk("sunli").get(path))
    assert (
        desk("zhaomin").post(f"{path}answer", {"do": "answered", "answer": "先谢谢", "expected": "new"}).status_code
        == 302
    )
    late = desk("sunli").post(f"{path}answer", {"do": "declined", "answer": "我的长回复", "expected": "new"})
    assert late.status_code == 409
    assert "先谢谢" in text(late)
    assert "我的长回复" in text(late)
    assert "赵敏" in text(late)
    assert Feedback.objects.get().answer == "先谢谢"


def test_the_author_is_told_of_the_answer_until_she_reads_it(things: Things, desk: Desk, cast: Cast) -> None:
    client, number = desk("wangfang"), things.values["feedback_id"]
    assert "总行的新回复" not in text(client.get("/feedback/"))
    services.answer_feedback(cast["zhaomin"], number, "好")
    assert "总行的新回复" in text(client.get("/me/"))
    assert "总行的新回复" not in text(client.get(f"/feedback/{number}/"))


def test_a_refused_form_keeps_what_was_typed(things: Things, desk: Desk) -> None:
    answer = desk("wangfang").post("/feedback/new", {"kind": "insight", "text": "为什么有这么多人", "key": "kk"})
    assert answer.status_code == 422
    assert "为什么有这么多人" in text(answer)
    assert 'value="kk"' in text(answer)


def test_a_question_needs_no_list_and_no_group(things: Things, desk: Desk) -> None:
    answer = desk("wangfang").post("/feedback/new", {"kind": "question", "text": "开门红从哪天算起", "key": "kk"})
    assert answer.status_code == 302
    assert "开门红从哪天算起" in text(desk("zhaomin").get(answer["Location"]))


def test_from_adoption_to_the_segment_in_the_builder(things: Things, desk: Desk) -> None:
    client, path = desk("zhaomin"), f"/feedback/{things.values['feedback_id']}/"
    client.post(f"{path}answer", {"do": "adopted", "answer": "采纳", "expected": "new", "segment": "rich"})
    assert "王芳" in text(client.get("/segments/rich/"))
    for wrong in ("", "街区"):
        refused = client.post(f"{path}draft", {"do": "segment", "name": wrong, "title": "东街的人"})
        assert (refused.status_code, "标识" in text(refused)) == (422, True)
        assert 'value="东街的人"' in text(refused)
    assert client.post(f"{path}draft", {"do": "playbook", "playbook": ""}).status_code == 422
    made = client.post(f"{path}draft", {"do": "segment", "name": "street", "title": "街区"})
    assert made["Location"] == "/segments/street/edit"
    assert client.get(made["Location"]).status_code == 200
    assert desk("wangfang").post(f"{path}draft", {"do": "segment", "name": "x"}).status_code == 403
