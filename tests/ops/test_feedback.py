"""What the front line tells head office: wrong entries, questions, insights; who sees them, and what becomes of them."""

from __future__ import annotations

import threading
from decimal import Decimal

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed
from kequn.core.spec.campaign import PlaybookSpec
from kequn.ops.audiences.queries import segment_named
from kequn.ops.campaigns import services as campaigns
from kequn.ops.catalog import services as catalog
from kequn.ops.catalog.models import DefinitionVersion
from kequn.ops.customers.services import clean
from kequn.ops.delivery import services as delivery
from kequn.ops.feedback import queries, services, states
from kequn.ops.feedback.models import Feedback, WrongEntry
from kequn.ops.governance.models import AuditEntry
from kequn.ops.insights.queries import notes_for
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.services import record_outcome
from tests.ops.bank import Cast, approved_campaign
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db


def waiting(tasks: Cast) -> tuple[int, int]:
    """Return what waits for head office's answer, and what answers the RM has not seen."""
    return queries.waiting_feedback(tasks["zhaomin"]).count(), queries.unseen_answers(tasks["wangfang"]).count()


@pytest.fixture
@remembered
def tasks(definitions: None, cast: Cast) -> Cast:
    """Launch the campaign and hand its RM tasks over."""
    campaign = approved_campaign(cast)
    campaigns.freeze_campaign(cast["zhaomin"], campaign.pk)
    campaigns.launch_campaign(cast["zhaomin"], campaign.pk)
    delivery.dispatch_once()
    return cast


def mine(n: int = 1, staff_no: str = "R001") -> list[Task]:
    found = list(Task.objects.filter(staff_no=staff_no, state="open").order_by("pk")[:n])
    assert len(found) == n
    return found


# -- wrong entries ------------------------------------------------------------------------------------------------------


def test_a_wrong_entry_closes_its_task_and_keeps_the_reason(tasks: Cast) -> None:
    task = mine()[0]
    row = services.mark_wrong(tasks["wangfang"], task.pk, "moved_away", key="k")
    task.refresh_from_db()
    assert (task.state, task.closed_by, task.closed_why) == ("cancelled", "staff", "wrong_entry")
    assert (row.campaign, row.reason, row.staff_no, row.branch_code) == ("fund_july", "moved_away", "R001", "0001")
    assert services.mark_wrong(tasks["wangfang"], task.pk, "moved_away", key="k") == row
    assert AuditEntry.objects.filter(act="list.marked_wrong", object_id=str(task.pk)).count() == 1
    with pytest.raises(Conflict):
        services.mark_wrong(tasks["wangfang"], task.pk, "duplicate", key="another")
    assert WrongEntry.objects.count() == 1


def test_a_mark_is_taken_back_by_its_author_alone_and_the_task_is_open_again(tasks: Cast) -> None:
    task = mine()[0]
    row = services.mark_wrong(tasks["wangfang"], task.pk, "duplicate", key="k")
    with pytest.raises(NotAllowed):
        services.unmark_wrong(tasks["chenjing"], row.pk)
    for _ in range(2):
        services.unmark_wrong(tasks["wangfang"], row.pk)
        task.refresh_from_db()
        assert (task.state, task.closed_by) == ("open", "")
    assert not queries.wrong_entries_for(tasks["wangfang"]).exists()
    services.mark_wrong(tasks["wangfang"], task.pk, "duplicate", key="k2")
    assert queries.wrong_entries_for(tasks["zhaomin"]).count() == 1


@pytest.mark.parametrize(("reason", "text"), [("bored", ""), ("other", ""), ("other", "   ")])
def test_a_mark_that_says_nothing_is_refused_and_changes_nothing(tasks: Cast, reason: str, text: str) -> None:
    task = mine()[0]
    with pytest.raises(InvalidSpec):
        services.mark_wrong(tasks["wangfang"], task.pk, reason, key="k", text=text)
    task.refresh_from_db()
    assert task.state == "open"


def test_nobody_marks_the_entry_of_another(tasks: Cast) -> None:
    task = mine()[0]
    for who in ("chenjing", "liqiang", "zhaomin"):
        with pytest.raises(NotAllowed):
            services.mark_wrong(tasks[who], task.pk, "duplicate", key="k")


def test_figures_of_a_list_count_what_was_looked_at_and_are_honest_about_few(tasks: Cast) -> None:
    head, branch, other = tasks["zhaomin"], tasks["liqiang"], tasks["chenjing"]
    some = mine(5)
    record_outcome(tasks["wangfang"], some[0].pk, key="a", contact="no_answer")
    record_outcome(tasks["wangfang"], some[1].pk, key="b", contact="no_answer")
    services.mark_wrong(tasks["wangfang"], some[1].pk, "wrong_number", key="c")
    services.mark_wrong(tasks["wangfang"], some[2].pk, "wrong_number", key="d")
    services.mark_wrong(tasks["wangfang"], some[3].pk, "holds_it", key="e")
    services.mark_wrong(other, mine(1, "R002")[0].pk, "other", key="f", text="客户说打错了 13900001111")
    found = queries.list_figures(head, "fund_july")
    assert (found.looked_at, found.wrong, found.is_small) == (5, 4, True)
    assert found.given == Task.objects.filter(campaign="fund_july").count()
    assert found.reasons == (("wrong_number", 2), ("holds_it", 1), ("other", 1))
    assert found.branches == (("0001", 3, 4), ("0002", 1, 1))
    assert found.share is not None
    assert (round(found.share.low, 3), round(found.share.high, 3)) == (0.376, 0.964)  # Wilson, 4 of 5
    assert queries.list_figures(branch, "fund_july").branches == (("0001", 3, 4),)
    assert queries.list_figures(other, "fund_july").wrong == 1
    assert [f.wrong for f in queries.lists_in_doubt(head)] == [4]
    kept = queries.wrong_entries_for(head).get(reason="other")
    assert (kept.text, kept.flags) == ("客户说打错了 ***", ["number"])


@pytest.mark.django_db(transaction=True)
def test_two_phones_marking_one_entry_leave_one_mark(tasks: Cast) -> None:
    task, gate, faults = mine()[0], threading.Barrier(2), []

    def mark(key: str) -> None:
        gate.wait()
        try:
            services.mark_wrong(tasks["wangfang"], task.pk, "duplicate", key=key)
        except Conflict as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=mark, args=(key,)) for key in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert WrongEntry.objects.filter(undone_at__isnull=True).count() == 1
    assert len(faults) == 1


# -- questions and insights ---------------------------------------------------------------------------------------------


def insight(cast: Cast, who: str = "wangfang", **fields: str) -> Feedback:
    given = {"key": "i", "campaign": "fund_july", "about": "东街商户", **fields}
    return services.send_feedback(cast[who], "insight", "下午三点后才有空接电话", **given)


def test_an_rm_sees_her_own_a_branch_head_her_branch_head_office_all(tasks: Cast) -> None:
    hers = insight(tasks)
    theirs = services.send_feedback(tasks["liqiang"], "question", "名单口径是什么?", key="q", segment="rich")
    others = insight(tasks, "chenjing")
    assert hers.segment == "rich"
    assert list(queries.feedback_for(tasks["wangfang"])) == [hers]
    assert set(queries.feedback_for(tasks["liqiang"])) == {hers, theirs}
    for who in ("zhaomin", "sunli"):
        assert set(queries.feedback_for(tasks[who])) == {hers, theirs, others}
    with pytest.raises(NotAllowed):
        queries.feedback_one(tasks["chenjing"], hers.pk)
    for who in ("zhoulv", "admin"):
        with pytest.raises(NotAllowed):
            queries.feedback_for(tasks[who])


def test_one_writes_only_on_what_one_sees(tasks: Cast) -> None:
    assert [s.name for s in queries.campaigns_to_write_on(tasks["wangfang"])] == ["fund_july"]
    for fields in ({"campaign": "nothing_such"}, {"segment": "rich"}):
        with pytest.raises(NotAllowed):
            services.send_feedback(tasks["wangfang"], "question", "为什么?", key="k", **fields)
    for kind, text, about in (
        ("question", " ", "东街"),
        ("insight", " ", "东街"),
        ("insight", "有事", ""),
        ("praise", "好", "x"),
    ):
        with pytest.raises(InvalidSpec):
            services.send_feedback(tasks["wangfang"], kind, text, key="k", about=about)
    assert not Feedback.objects.exists()


def test_the_author_sees_the_answer_once_as_new(tasks: Cast) -> None:
    row = services.send_feedback(tasks["wangfang"], "question", "为什么有他?", key="q", campaign="fund_july")
    assert services.send_feedback(tasks["wangfang"], "question", "为什么有他?", key="q", campaign="fund_july") == row
    again = services.send_feedback(tasks["wangfang"], "question", "为什么有他?", key="other", campaign="fund_july")
    assert again == row  # the same words under another key: the button was pressed again after going back
    assert waiting(tasks) == (1, 0)
    row = services.answer_feedback(tasks["zhaomin"], row.pk, "按上月末余额选取")
    assert (row.state, row.answered_by) == ("answered", "赵敏")
    assert waiting(tasks) == (0, 1)
    services.mark_seen(tasks["liqiang"], row)
    assert queries.unseen_answers(tasks["wangfang"]).count() == 1
    services.mark_seen(tasks["wangfang"], row)
    assert queries.unseen_answers(tasks["wangfang"]).count() == 0


def test_the_second_of_two_answers_is_a_conflict_that_names_the_first(tasks: Cast) -> None:
    row = insight(tasks)
    services.answer_feedback(tasks["zhaomin"], row.pk, "请补充", expected="new")
    with pytest.raises(Conflict, match="赵敏"):
        services.answer_feedback(tasks["sunli"], row.pk, "不采纳", state="declined", expected="new")
    with pytest.raises(Conflict, match="赵敏"):
        services.adopt_insight(tasks["sunli"], row.pk, answer="采纳", expected="new")
    row.refresh_from_db()
    assert (row.state, row.answer) == ("answered", "请补充")
    assert not notes_for(tasks["zhaomin"], "segment", "rich").exists()
    assert services.adopt_insight(tasks["sunli"], row.pk, answer="采纳", expected="answered").state == "adopted"


def test_a_question_is_answered_not_adopted_and_nobody_answers_without_the_right(tasks: Cast) -> None:
    row = services.send_feedback(tasks["wangfang"], "question", "为什么有他?", key="q", campaign="fund_july")
    for call in (
        lambda: services.answer_feedback(tasks["zhaomin"], row.pk, "不", state="declined"),
        lambda: services.adopt_insight(tasks["zhaomin"], row.pk, answer="好"),
        lambda: services.answer_feedback(tasks["zhaomin"], row.pk, "  "),
    ):
        with pytest.raises(InvalidSpec):
            call()
    with pytest.raises(NotAllowed):
        services.answer_feedback(tasks["liqiang"], row.pk, "因为")
    row.refresh_from_db()
    assert row.state == "new"


def test_an_adopted_insight_becomes_note_segment_and_playbook_in_its_authors_name(tasks: Cast) -> None:
    maker = tasks["zhaomin"]
    row = insight(tasks)
    with pytest.raises(Conflict):
        services.draft_segment(maker, row.pk, name="east_street")
    row = services.adopt_insight(maker, row.pk, answer="谢谢，已采纳")
    note = notes_for(maker, "segment", "rich").get()
    assert (note.pk, note.author_name, note.author_id) == (row.note_id, "王芳", tasks["wangfang"].user_id)
    assert note.text == "东街商户：下午三点后才有空接电话"
    for wrong in ("", "东街", "East street"):
        with pytest.raises(InvalidSpec) as fault:
            services.draft_segment(maker, row.pk, name=wrong)
        assert fault.value.where.field == "name"
    for _ in range(2):
        row = services.draft_segment(maker, row.pk, name="east_street")
    spec = segment_named(maker, "east_street").spec
    assert (spec.owner, spec.title.zh, spec.where.segment) == ("王芳", "东街商户", "rich")
    assert "王芳" in str(spec.description)
    with pytest.raises(Conflict):
        services.draft_segment(maker, row.pk, name="another_name")
    catalog.save_definition(maker, PLAYBOOK)
    for wrong in ("", "东街"):
        with pytest.raises(InvalidSpec) as fault:
            services.draft_playbook(maker, row.pk, playbook=wrong)
        assert fault.value.where.field == "playbook"
    for _ in range(2):
        row = services.draft_playbook(maker, row.pk, playbook="funds")
    version = DefinitionVersion.objects.get(pk=row.playbook_version)
    assert version.state == "draft"
    assert version.spec.what.zh.startswith("闲钱较多\n专家判断（王芳，2026-07-01）")
    assert DefinitionVersion.objects.filter(kind="playbook", name="funds").count() == 2


PLAYBOOK = PlaybookSpec.model_validate(
    {
        "name": "funds", "title": "基金打法", "why": {"metric": "fund_interest", "hypothesis": "有人讲清楚就会看"}, "where": "rich",
        "who": "客户经理", "what": "闲钱较多", "how": [{"channel": "sms", "template": "fund_sms"}], "offer": "fund_offer",
        "how_much_cny": Decimal(5000), "when": "月初",
    }
)  # fmt: skip


# -- words --------------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80), st.from_regex(r"\A1[3-9]\d[ -]?\d{4}[ -]?\d{4}\Z"), st.text(max_size=80))
def test_a_phone_number_never_stays_in_what_people_type(before: str, phone: str, after: str) -> None:
    kept = clean(f"{before} {phone} {after}", longest=1000)
    digits = "".join(c for c in phone if c.isdigit())
    assert digits not in "".join(c for c in kept.text if (c.isascii() and c.isdigit()) or c == "*")
    assert "number" in kept.flags


@pytest.mark.parametrize(
    "text", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "</b>"]
)
def test_markup_is_kept_as_text_and_flagged(text: str) -> None:
    assert clean(text, longest=200).text == text
    assert clean(text, longest=200).flags == ("markup",)
    assert clean("利率 < 3 且 a > b, 约 50 万", longest=200).flags == ()


def test_every_state_of_feedback_can_end() -> None:
    assert set(states.TRANSITIONS) == set(states.STATES)
    for state, following in states.TRANSITIONS.items():
        assert states.NEW not in following
        assert state not in following
