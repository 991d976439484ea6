"""The note, the bank page, and charts as files: who may take what, marked with her name, and nothing forged."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest
from django.core import signing
from django.test import Client
from python_calamine import CalamineWorkbook

from kequn.console import charts
from kequn.console.insight.drawing import picture, rows_of
from kequn.console.insight.files import sealed
from kequn.core.errors import Conflict
from kequn.ops.governance.models import AuditEntry
from tests.ops.bank import Cast

pytestmark = pytest.mark.django_db
Desk = Callable[[str], Client]
WORDS = {"item": "item", "low": "low", "high": "high", "firm": "firm", "value": "value"}
CHARTS: dict[str, tuple[str, list[list[Any]]]] = {
    "bars": (
        charts.bars("a < b", ["甲", "乙"], ("one", [1.5, None]), ("two", [0, 3]), unit="%"),
        [["甲", 1.5, 0], ["乙", None, 3]],
    ),
    "columns": (charts.columns("split", ["in", "out"], ("n", [5, -8])), [["in", 5], ["out", -8]]),
    "line": (charts.line("trend", ["1", "2", "3"], ("n", [1, None, 2])), [["1", 1], ["2", None], ["3", 2]]),
    "tgi": (charts.tgi("tgi", [("x", 150.0, 120.0, 180.0, True)]), [["x", 150.0, 120.0, 180.0, True]]),
    "interval": (charts.intervals("rate", [("x", 5.0, 2.0, 9.0)], unit="%"), [["x", 5.0, 2.0, 9.0]]),
    "donut": (charts.donut("parts", ["a", "b"], [1, 3]), [["a", 1], ["b", 3]]),
}


@pytest.mark.parametrize("kind", sorted(CHARTS))
def test_every_kind_of_chart_has_a_picture_and_rows(kind: str) -> None:
    chart, rows = CHARTS[kind]
    data = json.loads(chart)
    drawn = ElementTree.fromstring(picture(data, title=data["label"], notes=["definition", "", "who took it"]))
    texts = [t.text for t in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert data["label"] in texts
    assert "who took it" in texts
    assert rows_of(data, WORDS)[1] == rows
    shapes = [e for e in drawn.iter() if e.tag.rsplit("}")[-1] in ("rect", "polyline", "circle", "path", "line")]
    assert not any(
        "nan" in v or (v.startswith("-") and k in ("width", "height")) for e in shapes for k, v in e.attrib.items()
    )


def test_an_unknown_kind_has_neither() -> None:
    for draw in (lambda d: picture(d, title="", notes=[]), lambda d: rows_of(d, WORDS)):
        with pytest.raises(Conflict):
            draw({"kind": "hologram"})


def test_a_chart_leaves_marked_and_is_written_to_the_trail(definitions: None, cast: Cast, desk: Desk) -> None:
    chart = sealed(cast["sunli"], charts.told(CHARTS["bars"][0], note="口径", as_of="2026-06-30"))
    answer = desk("sunli").post("/charts/file", {"chart": chart, "format": "svg"})
    assert answer["Content-Type"] == "image/svg+xml"
    text = answer.content.decode()
    assert "孙立（A001）" in text
    assert "2026-06-30" in text
    assert "口径" in text
    entry = AuditEntry.objects.filter(act="chart.exported").get()
    assert (entry.username, entry.facts["format"]) == ("sunli", "svg")


def test_the_data_behind_a_chart_leave_as_a_workbook(definitions: None, cast: Cast, desk: Desk) -> None:
    chart = sealed(cast["sunli"], charts.told(CHARTS["bars"][0], note="=口径", as_of="2026-06-30"))
    answer = desk("sunli").post("/charts/file", {"chart": chart, "format": "xlsx"})
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    flat = [str(cell) for row in rows for cell in row]
    assert any("孙立（A001）" in cell for cell in flat)
    assert any("2026-06-30" in cell for cell in flat)
    assert ["甲", 1.5, 0] in rows


def test_nobody_takes_out_what_she_was_not_shown(definitions: None, cast: Cast, desk: Desk) -> None:
    chart = sealed(cast["sunli"], CHARTS["bars"][0])
    forged = signing.dumps({"kind": "bars", "label": "x", "labels": [], "series": []}, salt="elsewhere")
    for username, sent in (("zhaomin", chart), ("sunli", forged), ("sunli", chart[:-3] + "abc"), ("sunli", "")):
        answer = desk(username).post("/charts/file", {"chart": sent, "format": "svg"})
        assert answer.status_code in (409, 422), username
    assert desk("wangfang").post("/charts/file", {"chart": chart, "format": "svg"}).status_code == 403
    assert not AuditEntry.objects.filter(act="chart.exported").exists()


def test_the_note_comes_part_by_part_or_whole(definitions: None, desk: Desk) -> None:
    client = desk("liqiang")
    shell = client.get("/segments/rich/insight").content.decode()
    assert shell.count('hx-get="/segments/rich/insight/') == 7
    part = client.get("/segments/rich/insight/products", headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part
    assert "理财" in part or "活期" in part
    whole = client.get("/segments/rich/insight?whole=1").content.decode()
    assert 'hx-trigger="load"' not in whole
    assert whole.count("kq-verdict-small") == 7
    assert client.get("/segments/rich/insight/gossip").status_code in (409, 422)


def test_the_bank_page_tells_definition_parts_and_why_there_is_no_figure(definitions: None, desk: Desk) -> None:
    text = desk("sunli").get("/overview/?kpi=idle_ratio&branch=C1").content.decode()
    assert "活期 ÷ AUM" in text
    assert "网点0001" in text
    assert re.search(r"数据日期 2026-06-30", text)
    assert "本行数据未接入" in desk("sunli").get("/overview/?kpi=clv").content.decode()
    assert "网点0002" not in desk("liqiang").get("/overview/").content.decode()
    assert desk("liqiang").get("/overview/?branch=0002").status_code == 404
    rm = desk("wangfang")
    assert "只含你名下的客户（按数据日期 2026-06-30 的管户，之后的变动不计）" in rm.get("/overview/").content.decode()
    rm.cookies["django_language"] = "en"
    assert "by who had them on the data date 2026-06-30" in rm.get("/overview/").content.decode()


def test_the_bank_page_leaves_as_a_workbook_within_the_scope(definitions: None, desk: Desk) -> None:
    answer = desk("liqiang").get("/overview/?export=xlsx")
    rows = CalamineWorkbook.from_filelike(io.BytesIO(answer.content)).get_sheet_by_index(0).to_python()
    assert any("李强（B001）" in str(cell) for row in rows for cell in row)
    assert [row[:2] for row in rows if row and row[0] in ("网点0001", "合计")] == [["网点0001", 300.0], ["合计", 300.0]]
    assert desk("wangfang").get("/overview/?export=xlsx").status_code == 403
