"""What pages do: show, refuse in place without losing what was typed, escape everything, keep their state in the address."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from python_calamine import CalamineWorkbook

from kequn.ops.audiences.models import Export, SegmentVersion
from kequn.ops.campaigns.models import Campaign
from kequn.ops.governance.models import Approval, AuditEntry, ConsentEntry
from kequn.ops.jobs.services import run_waiting
from kequn.ops.orgs.models import User
from kequn.ops.workbench.models import Task
from tests.console.conftest import HOSTILE, Things
from tests.ops.bank import customer_id

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
HTMX = {"HX-Request": "true"}


def text(answer: object) -> str:
    return answer.content.decode()  # type: ignore[attr-defined]


def field(answer: object, name: str) -> str:
    found = re.search(rf'name="{re.escape(name)}"[^>]*value="([^"]*)"', text(answer))
    return found[1] if found else ""


# -- signing in ---------------------------------------------------------------------------------------------------------


def test_a_person_signs_in_and_reads_her_own_language(cast: object, client: Client) -> None:
    user = User.objects.get(username="zhaomin")
    user.set_password("a-good-long-password")
    user.language = "en"
    user.save()
    answer = client.post("/login/", {"username": "zhaomin", "password": "a-good-long-password", "next": "/segments/"})
    assert answer["Location"] == "/segments/"
    assert "Segments" in text(client.get("/segments/"))


def test_wrong_passwords_are_refused_in_place_and_lock_after_ten(cast: object, client: Client) -> None:
    for _ in range(9):
        assert "用户名或密码不对" in text(client.post("/login/", {"username": "zhaomin", "password": "no"}))
    assert "已暂时锁定" in text(client.post("/login/", {"username": "zhaomin", "password": "no"}))


def test_nobody_is_sent_to_another_host_after_signing_in_or_switching_language(desk: Desk) -> None:
    client = desk("zhaomin")
    assert client.post("/language/", {"language": "en", "next": "//evil.example/"})["Location"] == "/"
    assert User.objects.get(username="zhaomin").language == "en"


def test_the_language_stays_on_the_page_that_was_open(desk: Desk) -> None:
    answer = desk("zhaomin").post("/language/", {"language": "en", "next": "/segments/?q=a"})
    assert answer["Location"] == "/segments/?q=a"
    assert answer.cookies["django_language"].value == "en"


def test_one_changes_ones_password_only_with_the_old_one(desk: Desk) -> None:
    client = desk("zhaomin")
    answer = client.post(
        "/password/", {"old_password": "x", "new_password1": "another-long-one", "new_password2": "another-long-one"}
    )
    assert answer.status_code == 200
    assert "errorlist" in text(answer)


# -- hostile content ----------------------------------------------------------------------------------------------------


def test_a_script_in_a_title_is_shown_and_never_run(things: Things, desk: Desk) -> None:
    maker, checker = desk("zhaomin"), desk("zhoulv")
    for client, path in (
        (maker, "/segments/"), (maker, "/segments/hostile/"), (maker, "/segments/hostile/edit"), (maker, "/segments/hostile/rule"),
        (maker, "/campaigns/new"), (maker, "/search/?q=alert"), (checker, "/approvals/"), (checker, "/"),
    ):  # fmt: skip
        page = text(client.get(path))
        assert '<script>alert("x")' not in page, path
    assert "&lt;script&gt;" in text(maker.get("/segments/"))


@pytest.mark.parametrize(
    "path", ["/search/?q=", "/tags/?q=", "/segments/?q=", "/catalog/?q=", "/audit/?who=", "/jobs/?state="]
)
def test_what_is_typed_into_a_search_comes_back_escaped(path: str, things: Things, desk: Desk) -> None:
    answer = desk("zhoulv" if "audit" in path else "zhaomin").get(path + "<script>alert(1)</script>' OR 1=1")
    assert answer.status_code == 200
    assert "<script>alert(1)" not in text(answer)


@pytest.mark.parametrize(
    "query",
    ["?page=-1", "?page=x", "?page=999999", "?sort=password", "?sort=-", "?sort=spec__x", "?v=abc", "?v=99999999"],
)
def test_a_wrong_page_or_order_is_as_good_as_none(query: str, things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    for path in ("/segments/", "/jobs/", "/sources/loads/", "/campaigns/fund_july/touches", "/segments/rich/members"):
        assert client.get(path + query).status_code in (200, 404), path


# -- tables and files ---------------------------------------------------------------------------------------------------


def test_a_list_sorts_and_filters_by_its_address(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    up, down = text(client.get("/segments/?sort=name")), text(client.get("/segments/?sort=-name"))
    assert up.index(">rich<") < up.index(">women<")
    assert down.index(">women<") < down.index(">rich<")
    assert ">women<" not in text(client.get("/segments/?q=rich"))
    assert 'aria-sort="ascending"' in up


def test_a_list_leaves_as_a_workbook_with_its_takers_name_and_no_formula(things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").get("/segments/?export=xlsx")
    assert answer["Content-Disposition"].startswith("attachment")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert "M001" in rows[1][0]
    assert HOSTILE in {row[0] for row in rows[4:]}
    assert AuditEntry.objects.filter(act="list.exported", username="zhaomin").exists()


def test_who_may_not_export_gets_no_file_and_sees_no_button(things: Things, desk: Desk) -> None:
    client = desk("admin")
    assert client.get("/segments/?export=xlsx").status_code == 403
    assert "export=xlsx" not in text(client.get("/segments/"))


def test_members_are_exported_by_a_job_and_taken_once_by_their_owner_alone(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    asked = re.search(r'"(/team/exports/\?what=members[^"]+)"', text(client.get("/segments/rich/")))
    assert asked
    form = text(client.get(unescape(asked[1])))
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form))
    given = hidden | {"what": "members", "purpose": "复盘", "format": "csv"}
    assert client.post("/team/exports/", given)["Location"] == "/team/exports/"
    run_waiting()
    assert not Export.objects.filter(purpose="复盘").exists(), "nobody allowed it yet"
    waiting = Approval.objects.get(kind="desk_export", state="waiting")
    desk("zhoulv").post(f"/approvals/{waiting.pk}/", {"decision": "approve", "reason": "限复盘"})
    run_waiting()
    number = re.search(r"/exports/(\d+)/file", text(client.get("/exports/")))
    assert number
    file = client.post(f"/exports/{number[1]}/file")
    assert b"M001" in b"".join(file.streaming_content)  # type: ignore[attr-defined]
    for close in file._resource_closers:  # closing the answer itself would close the test's database too
        close()
    assert desk("sunli").post(f"/exports/{number[1]}/file").status_code == 404


# -- the builder --------------------------------------------------------------------------------------------------------


RULE = {"kind:0": "all", "kind:0.0": "tag", "tag:0.0": "asset_aum_eod", "cmp:0.0": ">=", "val:0.0": "11000"}


def test_the_builder_counts_what_is_not_saved(things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").post("/segments/new", RULE | {"do": "preview"}, headers=HTMX)
    assert answer.status_code == 200
    size = int(re.search(r'id="size">([\d,]+)<', text(answer))[1].replace(",", ""))  # type: ignore[index]
    narrower = desk("zhaomin").post("/segments/new", RULE | {"val:0.0": "14000"}, headers=HTMX)
    assert 0 < int(re.search(r'id="size">([\d,]+)<', text(narrower))[1].replace(",", "")) < size  # type: ignore[index]
    assert not SegmentVersion.objects.filter(name="draft_segment").exists()


def test_a_button_changes_one_node_and_leaves_the_others(things: Things, desk: Desk) -> None:
    form = RULE | {"kind:0.1": "tag", "tag:0.1": "demo_gender", "cmp:0.1": "=", "val:0.1": "F"}
    answer = desk("zhaomin").post("/segments/new", form | {"do": "del:0.0"}, headers=HTMX)
    assert "demo_gender" in field(answer, "tag:0.0")
    assert "asset_aum_eod" not in field(answer, "tag:0.0")
    assert answer["HX-Reswap"] == "outerHTML"


def test_saving_needs_a_title_and_a_good_name_and_loses_nothing(things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").post("/segments/new", RULE | {"do": "save", "name": "Bad Name", "title": "高资产"})
    assert answer.status_code == 422
    assert field(answer, "title") == "高资产"
    assert field(answer, "val:0.0") == "11000"
    assert "标识只能用小写字母" in text(answer)


def test_a_fault_stands_at_its_condition_with_a_suggestion(things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").post(
        "/segments/new", RULE | {"do": "save", "tag:0.0": "asset_aum_eodd", "name": "x", "title": "x"}
    )
    assert answer.status_code == 422
    assert re.search(r"kq-cond-error[^<]*>[^<]*asset_aum_eod", text(answer))


def test_what_somebody_else_saved_meanwhile_is_not_overwritten(things: Things, desk: Desk) -> None:
    maker = desk("zhaomin")
    base = field(maker.get("/segments/rich/edit"), "base")
    labels = {"title": "资产较高", "name": "rich", "base": base, "do": "save"}
    assert desk("sunli").post("/segments/rich/edit", RULE | labels | {"val:0.0": "12500"}).status_code == 302
    late = maker.post("/segments/rich/edit", RULE | labels | {"val:0.0": "13000"})
    assert late.status_code == 409
    assert "孙立" in text(late)


def test_a_title_that_somebody_changed_meanwhile_is_not_overwritten(things: Things, desk: Desk) -> None:
    """The rule stays the same, so that there is no new version: who and when are told all the same."""
    maker, other = desk("zhaomin"), desk("sunli")
    rule = RULE | {"name": "richer", "title": "富裕", "do": "save"}
    assert maker.post("/segments/new", rule).status_code == 302
    base = field(maker.get("/segments/richer/edit"), "base")
    assert other.post("/segments/richer/edit", rule | {"base": base, "title": "甲"}).status_code == 302
    late = maker.post("/segments/richer/edit", rule | {"base": base, "title": "乙"})
    assert late.status_code == 409
    assert re.search(r"您编辑期间，孙立 已保存版本 \w{12}（07-01 10:00）", text(late))
    assert SegmentVersion.objects.get(name="richer").spec.title.zh == "甲"
    now_seen = field(maker.get("/segments/richer/edit"), "base")
    assert maker.post("/segments/richer/edit", rule | {"base": now_seen, "title": "乙"}).status_code == 302


def test_yaml_goes_out_and_comes_back_the_same(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    yaml = client.get("/segments/rich/yaml").content
    answer = client.post("/segments/import", {"file": SimpleUploadedFile("rich.yaml", yaml)})
    assert field(answer, "name") == "rich"
    assert field(answer, "val:0.0") == "11000"


@pytest.mark.parametrize(
    "written", ["", "a: [", "kind: offer\nname: x\ntitle: x\nproduct: y", "\x00", "kind: segment\nname: x\nname: y"]
)
def test_bad_yaml_is_refused_with_its_place(written: str, things: Things, desk: Desk) -> None:
    answer = desk("zhaomin").post("/segments/import", {"text": written})
    assert answer.status_code == 422
    assert "kq-note-bad" in text(answer)


def test_a_list_is_uploaded_matched_and_usable(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    given = {"title": "网点名单", "name": "from_branch", "purpose": "回访", "expires_on": "2026-08-31"}
    bad = client.post("/lists/new", given | {"file": SimpleUploadedFile("a.csv", b"nothing\nhere\n")})
    assert bad.status_code == 422
    assert field(bad, "title") == "网点名单"


# -- campaigns and approvals --------------------------------------------------------------------------------------------


def test_the_wizard_carries_everything_from_step_to_step(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    first = client.post(
        "/campaigns/new", {"title": "八月", "name": "august", "goal": "fund_interest", "do": "to:audience"}
    )
    assert 'name="name" value="august"' in text(first)
    given = {
        "title": "八月", "name": "august", "goal": "fund_interest", "segment": "rich", "offer": "fund_offer", "plays.0.channel": "sms",
        "plays.0.template": "fund_sms", "evaluation": "holdout", "rate": "0.2", "purpose": "marketing", "window_days": "30",
        "budget_cny": "50000", "start_on": "2026-08-01", "end_on": "2026-08-31", "priority": "60",
    }  # fmt: skip
    check = client.post("/campaigns/new", given | {"do": "to:check"})
    assert "可触达" in text(check)
    wrong = client.post("/campaigns/new", given | {"end_on": "2026-07-01", "do": "save"})
    assert wrong.status_code == 422
    assert "结束日期早于开始日期" in text(wrong)
    assert client.post("/campaigns/new", given | {"do": "save"})["Location"] == "/campaigns/august/"
    assert Campaign.objects.get(name="august").spec.holdout.rate == 0.2
    assert client.post("/campaigns/new", given | {"do": "save"}).status_code == 409


def test_a_campaign_is_stopped_for_a_reason_and_started_again_by_a_checker(things: Things, desk: Desk) -> None:
    maker, checker = desk("zhaomin"), desk("zhoulv")
    assert maker.post("/campaigns/fund_july/act", {"do": "stop"}).status_code == 409
    assert maker.post("/campaigns/fund_july/act", {"do": "stop", "reason": "文案有误"}).status_code == 302
    assert "文案有误" in text(maker.get("/campaigns/fund_july/"))
    assert maker.post("/campaigns/fund_july/act", {"do": "resume"}).status_code == 403
    assert checker.post("/campaigns/fund_july/act", {"do": "resume"}).status_code == 302


def test_a_refusal_needs_a_reason_and_is_kept_in_the_form(things: Things, desk: Desk) -> None:
    client, number = desk("zhoulv"), things.values["approval_id"]
    answer = client.post(f"/approvals/{number}/", {"decision": "refuse", "reason": " "})
    assert answer.status_code == 409
    assert "退回要写明原因" in text(answer)
    assert client.post(f"/approvals/{number}/", {"decision": "refuse", "reason": "标题不当"}).status_code == 302


def test_a_maker_is_told_that_she_cannot_decide_her_own(things: Things, desk: Desk) -> None:
    page = text(desk("zhaomin").get(f"/approvals/{things.values['approval_id']}/"))
    assert 'value="approve"' not in page
    assert (
        desk("zhaomin").post(f"/approvals/{things.values['approval_id']}/", {"decision": "approve"}).status_code == 403
    )


def test_content_is_written_checked_and_shown_with_its_marks(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    given = {
        "title": "促销",
        "name": "promo",
        "channel": "sms",
        "language": "zh",
        "body": "保本保息，<b>稳赚</b> {{ family_name }}",
        "opt_out": "拒收请回复R",
    }
    answer = client.post("/catalog/new/template", given | {"do": "save"}, follow=True)
    page = text(answer)
    assert 'class="kq-lint"' in page
    assert "<b>稳赚" not in page
    refused = client.post("/catalog/new/template", given | {"do": "submit"})
    assert refused.status_code == 422
    assert "保本保息" in text(refused)
    assert client.post("/catalog/new/template", given | {"name": "Bad"}).status_code == 422


# -- customers ----------------------------------------------------------------------------------------------------------

SEARCHES = [("wangfang", "/c/"), ("wangfang", "/search/"), ("zhoulv", "/consent/")]


def test_a_number_is_shown_only_for_a_reason_and_leaves_a_trace(things: Things, desk: Desk) -> None:
    client, who = desk("wangfang"), customer_id(0)
    assert "13900000000" not in text(client.get(f"/c/{who}/"))
    assert client.post(f"/c/{who}/reveal", {"field": "phone", "reason": ""}).status_code == 409
    assert "13900000000" in text(client.post(f"/c/{who}/reveal", {"field": "phone", "reason": "回电"}))
    assert "13900000000" not in text(client.get(f"/c/{who}/"))
    assert AuditEntry.objects.filter(act="customer.revealed", object_id=who).count() == 1


def test_an_outcome_is_recorded_once_and_leads_to_the_next_task(things: Things, desk: Desk) -> None:
    client, number = desk("wangfang"), things.values["task_id"]
    key = field(client.get(f"/tasks/{number}/"), "key")
    done = client.post(f"/tasks/{number}/", {"key": key, "outcome": "connected:interested"})
    assert "undo=" in done["Location"]
    assert client.post(f"/tasks/{number}/", {"key": key, "outcome": "connected:interested"}).status_code == 302
    assert Task.objects.get(pk=number).attempts == 1


def test_an_incomplete_outcome_keeps_what_was_written(things: Things, desk: Desk) -> None:
    client, number = desk("wangfang"), things.values["task_id"]
    answer = client.post(f"/tasks/{number}/", {"key": "k9", "outcome": "connected:deal", "note": "下周来"})
    assert answer.status_code == 422
    assert "成交要填金额" in text(answer)
    assert "下周来" in text(answer)
    for wrong in ({"amount": "abc"}, {"next_at": "9999-99-99T10:00"}):
        assert client.post(f"/tasks/{number}/", {"key": "k9", "outcome": "connected:deal", **wrong}).status_code == 422


def test_a_withdrawal_counts_at_once_on_every_channel(things: Things, desk: Desk) -> None:
    who = customer_id(1)
    answer = desk("zhoulv").post(f"/consent/{who}/", {"channel": "all", "granted": "0", "source": "phone"})
    assert answer.status_code == 302
    assert ConsentEntry.objects.filter(customer_id=who, granted=False).count() == 6
    assert (
        desk("zhaomin").post(f"/consent/{who}/", {"channel": "sms", "granted": "1", "source": "phone"}).status_code
        == 403
    )


def test_a_customer_is_found_by_her_whole_number_and_no_part_of_it(things: Things, desk: Desk) -> None:
    for username, path in SEARCHES:
        found = desk(username).post(path, {"q": "13900000002"})
        assert found.status_code == 200, path
        assert f"/{customer_id(2)}/" in text(found), path
        assert f"/{customer_id(2)}/" not in text(desk(username).post(path, {"q": "1390000000"})), path
    assert customer_id(3) not in text(desk("wangfang").post("/search/", {"q": "13900000003"}))


@pytest.mark.parametrize(("username", "path"), SEARCHES)
def test_no_address_finds_a_customer(username: str, path: str, things: Things, desk: Desk) -> None:
    client = desk(username)
    page = text(client.get(path))
    for given in ("13900000002", "C0000002", customer_id(2)):
        assert text(client.get(path, {"q": given})).count(f"/{customer_id(2)}/") == page.count(f"/{customer_id(2)}/")
    for form in re.findall(r"<form[^>]*>(?:(?!</form>).)*name=\"q\"", page, re.S):
        assert 'method="post"' in form
        assert "csrfmiddlewaretoken" in form


@pytest.mark.parametrize(("username", "path"), SEARCHES)
def test_what_is_asked_of_a_customer_search_comes_back_escaped(
    username: str, path: str, things: Things, desk: Desk
) -> None:
    answer = desk(username).post(path, {"q": "<script>alert(1)</script>' OR 1=1"})
    assert answer.status_code == 200
    assert "<script>alert(1)" not in text(answer)


def test_words_are_found_by_address_too(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    assert "/segments/rich/" in text(client.get("/search/?q=rich"))
    assert "/segments/rich/" in text(client.post("/search/", {"q": "rich"}))


# -- the rest -----------------------------------------------------------------------------------------------------------


def test_a_job_is_polled_until_it_ends_and_sends_on(things: Things, desk: Desk) -> None:
    client, number = desk("zhaomin"), things.values["job_id"]
    waiting = text(client.get(f"/jobs/{number}/?next=/exports/"))
    assert "every 1s" in waiting
    run_waiting()
    assert client.get(f"/jobs/{number}/?next=/exports/", headers=HTMX)["HX-Redirect"] == "/exports/"
    assert "every 1s" not in text(client.get(f"/jobs/{number}/"))
    assert client.get(f"/jobs/{number}/?next=//evil.example/").status_code == 200


def test_an_error_is_a_page_for_people_and_a_part_for_scripts(things: Things, desk: Desk) -> None:
    client = desk("zhaomin")
    page, part = client.get("/segments/nothing_such/"), client.get("/segments/nothing_such/", headers=HTMX)
    assert page.status_code == part.status_code == 422
    assert "<html" in text(page)
    assert "<html" not in text(part)
    assert "没有客群 nothing_such" in text(page)


def test_people_are_added_and_bad_input_stays_in_the_form(things: Things, desk: Desk) -> None:
    client = desk("admin")
    given = {
        "username": "newone",
        "display_name": "新人",
        "role": "rm",
        "branch_code": "0001",
        "staff_no": "R009",
        "password": "short",
    }
    answer = client.post("/people/new", given)
    assert answer.status_code == 422
    assert field(answer, "display_name") == "新人"
    assert client.post("/people/new", given | {"password": "a-long-enough-one"}).status_code == 302
    assert client.post("/people/new", given | {"username": "<b>"}).status_code == 422


def test_the_trail_is_checked_from_its_page(things: Things, desk: Desk) -> None:
    assert "链条完整" in text(desk("zhoulv").get("/audit/?check=1"))


def test_a_chart_says_in_words_what_it_shows(things: Things, desk: Desk) -> None:
    page = text(desk("zhaomin").get("/segments/rich/"))
    charts = [
        json.loads(c.replace("&quot;", '"').replace("&#x27;", "'")) for c in re.findall(r'data-chart="([^"]*)"', page)
    ]
    assert charts
    assert all(c["label"] for c in charts)


def test_a_list_page_asks_few_questions(things: Things, desk: Desk, django_assert_max_num_queries: object) -> None:
    client = desk("zhaomin")
    for path, most in (("/segments/", 12), ("/campaigns/", 12), ("/jobs/", 12), ("/approvals/", 12), ("/catalog/", 10)):
        with django_assert_max_num_queries(most):  # type: ignore[operator]
            client.get(path)
