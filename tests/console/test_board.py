"""The board's pages: what they show, how many questions they ask of the database, and where they stop."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from kequn.ops.board import services
from kequn.ops.orgs.actor import system_actor
from kequn.ops.orgs.models import Branch, User
from tests.console.conftest import *  # noqa: F403 - fixtures
from tests.ops.bank import Cast
from tests.ops.conftest import NOW
from tests.ops.test_board import YESTERDAY, contact, task

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
PAGES = {
    "": 13, "?period=month": 14, "?period=live": 12, "tasks/": 13, "signals/": 11, "outflows/": 15, "report/": 19,
    "report/?kind=week": 19, "staff/R001/": 23, "staff/R001/reassign": 22,
}  # fmt: skip
"""Page -> the questions it may ask of the database, the seven of every page among them."""


@pytest.fixture
def office(bank: object, cast: Cast) -> Cast:
    """Have a day of work in two branches, a second RM, targets and a note."""
    User.objects.create(
        username="r003", display_name="周敏", role="rm", branch=Branch.objects.get(code="0001"), staff_no="R003", password="!"
    )
    for n in range(30):
        done = task(2 * n, staff="R001" if n % 3 else "R003")
        contact(done, note="客户再考虑考虑", result="connected" if n % 2 else "no_answer")
    task(60, kind="large_out", value_cny=Decimal(900_000), made=NOW - timedelta(hours=3))
    contact(task(1, staff="R002", branch="0002"))
    services.compute_day(system_actor(), YESTERDAY)
    services.set_targets(cast["zhaomin"], "contacts", "2026-06", {"HO": 100})
    services.set_targets(cast["zhaomin"], "contacts", "2026-06", {"0001": 60, "0002": 40})
    services.write_note(cast["liqiang"], "R001", "备注写客户的原话", key="n", about="signal", subject="same_note")
    return cast


@pytest.mark.parametrize("path", PAGES)
def test_a_branch_heads_pages_open_with_few_questions_and_without_the_neighbour(office: Cast, desk: Desk, path: str) -> None:
    client = desk("liqiang")
    client.get("/team/")
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(f"/team/{path}")
    text = answer.content.decode()
    assert answer.status_code == 200
    assert "R002" not in text
    assert "陈静" not in text
    assert len(asked) <= PAGES[path], "\n".join(q["sql"][:150] for q in asked)


def test_head_office_starts_by_branch_and_goes_down(office: Cast, desk: Desk) -> None:
    client = desk("zhaomin")
    text = client.get("/team/").content.decode()
    assert "网点0001" in text
    assert "王芳" not in text
    assert "王芳" in client.get("/team/?branch=0001").content.decode()
    assert client.get("/team/?branch=nothing").status_code == 404
    assert "100" in client.get("/team/?period=month&on=2026-06-30").content.decode()


def test_the_neighbours_doors_are_not_there(office: Cast, desk: Desk) -> None:
    client = desk("liqiang")
    for path in ("?branch=0002", "staff/R002/", "staff/R002/reassign", "report/?branch=0002", "signals/?branch=0002"):
        assert client.get(f"/team/{path}").status_code == 404, path
    assert client.post("/targets/branches/0002", {"floor_m2": "100"}).status_code == 404
    assert client.get("/team/staff/R001/").status_code == 200


def test_an_rm_sees_her_own_figures_and_answers_her_note(office: Cast, desk: Desk) -> None:
    client = desk("wangfang")
    assert client.get("/team/").status_code == 403
    assert client.get("/team/staff/R001/").status_code == 200
    assert client.get("/team/staff/R003/").status_code == 404
    assert "备注写客户的原话" in client.get("/coaching/").content.decode()
    assert "备注写客户的原话" not in desk("chenjing").get("/coaching/").content.decode()
