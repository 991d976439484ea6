"""Text that is a command elsewhere is a name here: stored as it is, found by itself alone, shown escaped, exported as text."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from django.test import Client
from django.utils.html import escape
from python_calamine import CalamineWorkbook

from kequn.ops import runtime
from kequn.ops.audiences.models import Export
from kequn.ops.audiences.services import take_export
from kequn.ops.customers.models import Person
from kequn.ops.customers.queries import find, people_for
from kequn.ops.customers.services import reveal
from kequn.ops.jobs import services as jobs
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.services import save_user
from kequn.ops.tags.services import refresh_tags
from tests.bad_input.conftest import HEADER, Delivery
from tests.cli.conftest import Kequn
from tests.ops.bank import taken_out
from tests.ops.remembering import remembered

pytestmark = pytest.mark.django_db
Cast = dict[str, Actor]
Visit = Callable[[str], Client]

SCRIPT = "<script>alert(1)</script>"
NAMES = ("=HYPERLINK(1)", "' OR 1=1 --", SCRIPT, "张三'); DROP TABLE customers_person;--", "@SUM(A1)", "{{ 7*7 }}")
DAY = date(2026, 6, 30)


@pytest.fixture
def hostile(delivery: Delivery, hostile_loaded: None) -> Delivery:
    return delivery


@pytest.fixture
@remembered
def hostile_loaded(delivery: Delivery) -> None:
    """Have a customer of each name in 王芳's book, each living in a city of that name, with tags and an approved segment."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for n, name in enumerate(NAMES):
        rows.writerow((f"C{n}", name, f"1390000000{n}", "2020-01-01", name, "0001", "R001"))
    assert delivery.load(HEADER + text.getvalue()).code == 0
    refresh_tags(system_actor(), as_of=DAY, only=("demo_city", "acct_branch"))
    path = delivery.folder / "all.yaml"
    path.write_text(
        "kind: segment\nname: everybody\ntitle: 全体\nwhere: {tag: acct_branch, op: known}\n", encoding="utf-8"
    )
    assert delivery.call("apply", path, "--submit", "--as", "zhaomin").code == 0
    (waiting,) = delivery.call("approval", "list", "--json").json
    assert delivery.call("approval", "decide", waiting["id"], "--as", "zhoulv").code == 0


def harmless(page: str) -> None:
    """Assert that a page carries none of the script."""
    assert "<script>alert" not in page
    assert "alert(1)</script>" not in page


def test_names_are_stored_as_they_are_and_read_back_by_who_may(hostile: Delivery, cast: Cast) -> None:
    people = list(people_for(cast["wangfang"]))
    read = {reveal(cast["wangfang"], p.customer_id, "name", reason="核对") for p in people}
    assert read == set(NAMES)


@pytest.mark.parametrize("asked", NAMES)
def test_a_search_finds_the_one_of_that_name_and_no_other(asked: str, hostile: Delivery, cast: Cast) -> None:
    assert len(list(find(cast["wangfang"], asked))) == 1
    assert Person.objects.count() == len(NAMES)


@pytest.mark.parametrize("asked", ["' OR 2=2", "' OR '1'='1", "%", "*", "_", "\\", "\x00"])
def test_a_search_for_everything_finds_nobody(asked: str, hostile: Delivery, cast: Cast, visit: Visit) -> None:
    assert not list(find(cast["wangfang"], asked))
    answer = visit("wangfang").post("/c/", {"q": asked})  # a name stands in no address
    assert answer.status_code == 200
    page = answer.content.decode()
    assert not [p for p in people_for(cast["wangfang"]) if p.customer_id in page]


def test_a_script_for_a_name_is_shown_escaped_where_it_is_revealed(hostile: Delivery, cast: Cast, visit: Visit) -> None:
    client = visit("wangfang")
    (row,) = (
        p
        for p in people_for(cast["wangfang"])
        if reveal(cast["wangfang"], p.customer_id, "name", reason="找") == SCRIPT
    )
    page = client.get(f"/c/{row.customer_id}/").content.decode()
    harmless(page)
    assert SCRIPT not in page
    shown = client.post(f"/c/{row.customer_id}/reveal", {"field": "name", "reason": "客户来电核对"})
    assert shown.status_code == 200
    harmless(shown.content.decode())
    assert escape(SCRIPT) in shown.content.decode()


def test_a_script_for_a_city_is_shown_escaped_on_tag_and_segment_pages(hostile: Delivery, visit: Visit) -> None:
    tag = visit("zhaomin").get("/tags/demo_city/").content.decode()
    harmless(tag)
    assert escape(SCRIPT) in tag
    for tab in ("", "?tab=profile", "?tab=members", "members", "rule"):
        answer = visit("zhaomin").get(f"/segments/everybody/{tab}")
        assert answer.status_code == 200
        harmless(answer.content.decode())


def test_a_script_for_a_colleagues_name_is_shown_escaped(cast: Cast, visit: Visit) -> None:
    save_user(system_actor(), "mallory", display_name=SCRIPT, role="rm", branch_code="0001", staff_no="R666")
    page = visit("admin").get("/people/").content.decode()
    harmless(page)
    assert escape(SCRIPT) in page
    harmless(visit("mallory").get("/me/").content.decode())


def test_a_formula_is_a_text_cell_in_an_export(hostile: Delivery, cast: Cast) -> None:
    for kind in ("xlsx", "csv"):
        row = taken_out(cast, "zhaomin", "members", segment="everybody", tags="demo_city", format=kind)
        jobs.run_waiting()
        path = take_export(cast["zhaomin"], row.pk)
        cells = opened(path)
        assert {f"'{name}" for name in NAMES if name[0] in "=@"} <= cells
        assert not cells & {name for name in NAMES if name[0] in "=@"}
        if kind == "xlsx":
            with zipfile.ZipFile(path) as book:
                assert not any(b"<f>" in book.read(name) for name in book.namelist())
    assert Export.objects.count() == 2


def opened(path: Path) -> set[str]:
    """Return all cells of a file as a spreadsheet program has them."""
    if path.suffix == ".xlsx":
        book = CalamineWorkbook.from_path(str(path))
        return {str(c) for s in book.sheet_names for row in book.get_sheet_by_name(s).to_python() for c in row}
    return {cell for row in csv.reader(path.read_text("utf-8-sig").splitlines()) for cell in row}


def test_the_commands_show_such_values_as_they_are(hostile: Delivery, kequn: Kequn) -> None:
    found = {c["code"] for c in kequn("tag", "show", "demo_city").json["statistics"]["distribution"]}
    assert set(NAMES) <= found
    assert kequn("segment", "profile", "everybody").code == 0
    assert runtime.engine().rows("SELECT count(*) FROM customer") == [(len(NAMES),)]
