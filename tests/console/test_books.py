"""The pages of a book at work: the list, circles, stock-taking, visits, the sheet; and who may not see them."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.ops.board.models import DeskExport
from kequn.ops.books import queries, services
from kequn.ops.books.models import CircleMember, Correction, SavedView, StockTakeLine, Visit, VisitPlan
from kequn.ops.books.queries import read_filter
from kequn.ops.customers.models import Person
from kequn.ops.governance.models import Approval, AuditEntry
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.queries import actor_named
from kequn.ops.orgs.services import issue_token
from kequn.ops.workbench.models import FollowUp
from tests.ops.bank import Cast
from tests.ops.booked_bank import book_built, books, customer_id  # noqa: F401 - fixtures
from tests.ops.conftest import NOW
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
HOSTILE = "<script>alert(1)</script> 13900001111"
MOST_QUERIES = 10


@dataclass(frozen=True, slots=True)
class Made:
    """What the book of 王芳 holds."""

    circle: int
    round: int
    line: int
    plan: int
    visit: int
    view: int


@pytest.fixture
@remembered
def made(books: Cast) -> Made:  # noqa: F811
    rm = books["wangfang"]
    circle = services.create_circle(rm, "东门市场", place=HOSTILE, note=HOSTILE)
    services.add_to_circle(rm, circle.pk, [customer_id(1), customer_id(2)])
    round_ = services.open_stock_take(rm, key="k", title=HOSTILE, deadline=NOW.date())
    plan = services.plan_visits(
        rm, key="k", title=HOSTILE, on=NOW.date(), customer_ids=[customer_id(1), customer_id(2)], note=HOSTILE
    )
    view = services.save_view(rm, "我的", "aum_min=1")
    line = round_.lines.get(position=1)
    return Made(circle.pk, round_.pk, line.pk, plan.pk, plan.visits.get(position=1).pk, view.pk)


def pages(made: Made) -> list[str]:
    return [
        "/c/", "/c/more", "/circles/", f"/circles/{made.circle}/", "/stock-takes/", "/stock-takes/new", f"/stock-takes/{made.round}/",
        f"/stock-takes/{made.round}/work", "/corrections/", "/visits/", "/visits/new", f"/visits/{made.plan}/",
        f"/c/{customer_id(1)}/sheet",
    ]  # fmt: skip


def test_her_pages_open_mask_numbers_and_run_no_script(made: Made, desk: Desk) -> None:
    for who in ("wangfang", "liqiang"):
        for path in pages(made):
            answer = desk(who).get(path)
            text = answer.content.decode()
            assert answer.status_code == 200, (who, path)
            assert "<script>alert" not in text, path
            assert "13900001111" not in text, path
            assert "1380000" not in text.replace("138****", ""), path


def test_the_neighbour_finds_nothing_and_others_may_not_look(made: Made, desk: Desk) -> None:
    hers = [p for p in pages(made) if any(c.isdigit() for c in p)]
    for path in hers:
        assert desk("chenjing").get(path).status_code == 404, path
    for who in ("zhaomin", "sunli", "zhoulv", "admin"):
        for path in pages(made):
            assert desk(who).get(path).status_code in (403, 404), (who, path)
    text = "".join(
        desk("chenjing").get(p).content.decode()
        for p in ("/c/", "/circles/", "/stock-takes/", "/visits/", "/corrections/")
    )
    assert "东门市场" not in text
    assert not any(customer_id(i) in text for i in range(40))
    assert desk("chenjing").post("/c/", {"q": "C0000001"}).content.decode().count("/c/" + customer_id(1)) == 0


def test_the_neighbour_changes_nothing(made: Made, desk: Desk) -> None:
    hers = desk("chenjing")
    for path, data in (
        (f"/circles/{made.circle}/act", {"act": "remove"}),
        (f"/stock-takes/lines/{made.line}/decide", {"result": "confirmed", "key": "k"}),
        (f"/stock-takes/lines/{made.line}/back", {}),
        (f"/stock-takes/{made.round}/act", {"act": "close"}),
        (f"/visits/{made.plan}/act", {"act": "set_out"}),
        (f"/visits/stops/{made.visit}/record", {"outcome": "connected:interested", "key": "k"}),
        (f"/c/views/{made.view}/remove", {}),
    ):
        assert hers.post(path, data).status_code == 404, path
    assert StockTakeLine.objects.filter(state="todo").count() == 40
    assert Visit.objects.filter(state="planned").count() == 2
    assert SavedView.objects.count() == 1


@pytest.mark.parametrize("who", ["wangfang", "liqiang"])
def test_a_list_of_a_book_asks_few_questions_and_says_the_date_of_its_data(made: Made, desk: Desk, who: str) -> None:
    client = desk(who)
    client.get("/c/?all=1")
    with CaptureQueriesContext(connection) as asked:
        answer = client.get("/c/?all=1")
    assert len(asked) <= MOST_QUERIES, [q["sql"][:90] for q in asked]
    assert "2026-06-30" in answer.content.decode()
    assert len(answer.content) < 120_000


def test_whose_customers_to_choose_is_asked_for_when_the_form_opens_and_names_no_neighbour(
    made: Made, desk: Desk
) -> None:
    head = desk("liqiang")
    assert 'hx-get="/c/whose?' in head.get("/c/?staff=R001").content.decode()
    choices = head.get("/c/whose?staff=R001").content.decode()
    assert '<option value="R001" selected>' in choices
    assert "R002" not in choices
    assert "网点0002" not in choices
    hers = desk("wangfang")
    assert "/c/whose" not in hers.get("/c/").content.decode()
    assert '<option value="R' not in hers.get("/c/whose").content.decode()


def test_a_filter_that_is_none_says_so_and_the_list_stands(made: Made, desk: Desk) -> None:
    answer = desk("wangfang").get("/c/?aum_min=viel")
    assert answer.status_code == 422
    assert customer_id(1) in desk("wangfang").get(f"/c/?circle={made.circle}").content.decode()
    assert desk("chenjing").get(f"/c/?circle={made.circle}").status_code == 404


def test_the_default_view_opens_by_itself_and_can_be_left(made: Made, desk: Desk) -> None:
    client = desk("wangfang")
    client.post("/c/views", {"name": "没有人", "query": "tier=T6", "default": "1"})
    assert customer_id(1) not in client.get("/c/").content.decode()
    assert customer_id(1) in client.get("/c/?all=1").content.decode() + client.get("/c/?sort=aum").content.decode()
    assert desk("chenjing").get("/c/").status_code == 200


@pytest.mark.parametrize("who", ["wangfang", "liqiang"])
def test_the_list_leaves_only_by_asking_with_its_conditions_and_a_purpose(made: Made, desk: Desk, who: str) -> None:
    client, asked_for = desk(who), "aum_min=1&tier=T1"
    answer = client.get(f"/c/?export=xlsx&{asked_for}")
    assert answer.status_code == 302
    page = client.get(answer["Location"]).content.decode()
    assert "AUM ≥ 1 元" in page
    query = dict(re.findall(r'name="(query|key)" value="([^"]*)"', page))
    form = {"what": "customers", "key": query["key"], "query": html.unescape(query["query"])}
    assert client.post("/team/exports/", form).status_code == 422
    assert client.post("/team/exports/", form | {"purpose": "核对"}).status_code == 302
    asked = DeskExport.objects.get()
    filtered = read_filter({"aum_min": ["1"], "tier": ["T1"]})
    assert asked.rows == queries.book_page(actor_named(who), filtered).total
    assert not AuditEntry.objects.filter(act="list.exported").exists()


def test_a_list_of_more_than_fifty_waits_and_the_second_person_reads_its_conditions(made: Made, desk: Desk) -> None:
    Person.objects.filter(rm_no="R002").update(rm_no="R001", branch_code="0001")
    head = desk("liqiang")
    form = {"what": "customers", "key": "k", "query": "contact=silent90&staff=R001", "purpose": "核对"}
    assert head.post("/team/exports/", form).status_code == 302
    asked = DeskExport.objects.get()
    assert (asked.rows > 50, asked.state, asked.export_id) == (True, "waiting", None)
    waiting = Approval.objects.get(kind="desk_export", name=str(asked.pk))
    shown = desk("zhoulv").get(f"/approvals/{waiting.pk}/").content.decode()
    assert "90 天未联系" in shown
    assert "R001" in shown
    for language, title in (("en", f"Customers · {asked.rows} rows"), ("zh-hans", f"客户名单 · {asked.rows} 行")):
        head.cookies["django_language"] = language
        page = head.get(f"/approvals/{waiting.pk}/").content.decode()
        assert title in page
        assert (" / Customers" in page, "最近联系" in page) == (False, language != "en")


def test_an_rm_without_customers_is_told_what_to_do(books: Cast, desk: Desk) -> None:  # noqa: F811
    del books
    Person.objects.filter(rm_no="R001").update(rm_no="")
    text = desk("wangfang").get("/c/").content.decode()
    assert "您名下还没有客户" in text


def test_ticked_customers_join_a_circle_or_a_day_of_visits(made: Made, desk: Desk) -> None:
    client = desk("wangfang")
    client.post("/c/several", {"id": [customer_id(3), customer_id(4)], "act": "circle", "circle": str(made.circle)})
    assert CircleMember.objects.filter(circle=made.circle).count() == 4
    client.post(
        "/c/several", {"all": "1", "query": f"circle={made.circle}", "act": "circle", "circle": "new", "name": "西门"}
    )
    assert CircleMember.objects.count() == 8
    assert (
        client.post("/c/several", {"id": [customer_id(50)], "act": "circle", "circle": str(made.circle)}).status_code
        == 404
    )
    client.post("/c/several", {"id": [customer_id(3), customer_id(5)], "act": "visit"})
    text = client.get("/visits/new").content.decode()
    assert customer_id(3) in text
    assert "现在不可拜访" in text  # 5 never consented
    client.post("/visits/new", {"key": "n", "title": "走访", "on": NOW.date().isoformat(), "id": [customer_id(3)]})
    assert VisitPlan.objects.count() == 2


def test_a_round_is_worked_through_by_its_form(made: Made, desk: Desk) -> None:
    client = desk("wangfang")
    decide = f"/stock-takes/lines/{made.line}/decide"
    assert client.post(decide, {"key": "a", "result": "corrected", "field": "branch", "value": ""}).status_code == 422
    answer = client.post(
        decide, {"key": "a", "result": "corrected", "field": "branch", "value": "0003", "note": HOSTILE}, follow=True
    )
    text = answer.content.decode()
    assert answer.redirect_chain[0][0].startswith(f"/stock-takes/{made.round}/work?after=1")
    assert "含号码，已隐去" in text
    assert Correction.objects.get().value == "0003"
    assert client.post(decide, {"key": "b", "result": "confirmed"}).status_code == 409  # another tab
    client.post(f"/stock-takes/lines/{made.line}/back", {})
    assert client.post(decide, {"key": "c", "result": "grouped", "name": "南门"}).status_code == 302
    assert CircleMember.objects.filter(circle__name="南门").count() == 1


def test_a_visit_is_recorded_on_the_route_once(made: Made, desk: Desk) -> None:
    client, record = desk("wangfang"), f"/visits/stops/{made.visit}/record"
    assert client.post(record, {"key": "k", "outcome": "connected:interested"}).status_code == 422  # nobody set out
    client.post(f"/visits/{made.plan}/act", {"act": "set_out"})
    assert (
        client.post(record, {"key": "k", "outcome": "connected:deal", "amount": "viel", "note": "x"}).status_code == 422
    )
    for _ in range(2):  # pressed twice
        client.post(record, {"key": "k", "outcome": "connected:deal", "amount": "20,000", "note": HOSTILE})
    assert FollowUp.objects.get().amount_cny == Decimal(20_000)
    text = desk("liqiang").get(f"/visits/{made.plan}/").content.decode()
    assert "已见到" in text
    assert "13900001111" not in text


def test_the_sheet_is_marked_and_its_printing_on_record(made: Made, desk: Desk) -> None:
    text = desk("wangfang").get(f"/c/{customer_id(1)}/sheet").content.decode()
    assert "R001" in text
    assert "仅供内部使用" in text
    assert AuditEntry.objects.filter(act="customer.printed", object_id=customer_id(1)).count() == 1


# -- REST ---------------------------------------------------------------------------------------------------------------


def test_rest_gives_the_same_book_and_hides_it_from_the_neighbour(made: Made, books: Cast) -> None:  # noqa: F811
    del books
    client = Client(raise_request_exception=False)

    def call(who: str, verb: str, path: str, data: object = None) -> object:
        bearer = {"Authorization": f"Bearer {issue_token(system_actor(), who, label='t')}"}
        return getattr(client, verb)(f"/api/v1/books{path}", data, content_type="application/json", headers=bearer)

    mine = call("wangfang", "get", "?aum_min=1&size=5").json()  # type: ignore[attr-defined]
    assert mine["total"] > len(mine["rows"]) == 5
    assert "****" in mine["rows"][0]["person"]["customer_no"]
    hers = [
        ("get", f"/circles/{made.circle}/customers", None), ("get", f"/stock-takes/{made.round}", None),
        ("get", f"/stock-takes/{made.round}/lines", None), ("get", f"/stock-takes/lines/{made.line}", None),
        ("get", f"/visits/{made.plan}", None), ("post", f"/circles/{made.circle}/customers", {"customer_ids": [customer_id(50)]}),
        ("post", f"/stock-takes/lines/{made.line}", {"key": "k", "result": "confirmed"}), ("post", f"/visits/{made.plan}/set-out", {}),
        ("delete", f"/views/{made.view}", None),
    ]  # fmt: skip
    for verb, path, data in hers:
        assert call("chenjing", verb, path, data).status_code == 404, path  # type: ignore[attr-defined]
    for path in ("/circles", "/stock-takes", "/visits", "/corrections", "/views"):
        assert call("chenjing", "get", path).json() == []  # type: ignore[attr-defined]
        assert call("sunli", "get", path).status_code == (200 if path == "/views" else 403)  # type: ignore[attr-defined]
    done = call("wangfang", "post", f"/stock-takes/lines/{made.line}", {"key": "k", "result": "confirmed"}).json()  # type: ignore[attr-defined]
    assert done["state"] == "confirmed"
    facts = call("liqiang", "get", f"/stock-takes/{made.round}").json()  # type: ignore[attr-defined]
    assert (facts["decided"], facts["total"]) == (1, 40)
    assert call("wangfang", "post", f"/visits/{made.plan}/set-out", {}).json()["ready"] == 2  # type: ignore[attr-defined]
    assert call("liqiang", "get", f"/visits/{made.plan}").json()["summary"]["planned"] == 2  # type: ignore[attr-defined]
