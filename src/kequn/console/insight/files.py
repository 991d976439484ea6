"""A chart as a file: a picture or a workbook, marked with who took it and when, and written to the trail."""

from __future__ import annotations

import io
import json
from typing import Any

import xlsxwriter
from django.core import signing
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, page
from kequn.console.exports import mark_of, write_cell
from kequn.console.insight.drawing import picture, rows_of
from kequn.core.errors import Conflict
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

HOURS = 12


def sealed(actor: Actor, chart: str) -> str:
    """Return a chart's data such that only this person can take it out, and nobody can change it on the way."""
    return signing.dumps(json.loads(chart), salt=_salt(actor), compress=True)


@page("export.run")
@require_POST
def chart_file(request: Request) -> HttpResponse:
    """Hand over a chart that the page showed, as SVG or xlsx. A PNG is made of the SVG by the browser.

    Raises:
        Conflict: what came is not a chart that was shown to this person today.
    """
    actor = request.actor
    actor.must("export.run")
    try:
        data = signing.loads(request.POST.get("chart", ""), salt=_salt(actor), max_age=HOURS * 3600)
    except signing.BadSignature:
        raise Conflict("This chart can no longer be taken out.", hint="Reload the page and try again.") from None
    form = {"svg": "svg", "png": "png", "xlsx": "xlsx"}.get(request.POST.get("format", ""), "svg")
    mark, title = mark_of(actor), str(data.get("label", ""))
    as_of = _("数据日期 %s") % data["as_of"] if data.get("as_of") else ""
    notes = [str(data.get("note", "")), as_of, mark]
    if form == "xlsx":
        body, kind = _book(data, title, notes), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    else:  # the browser paints a PNG from the same picture
        body, kind = picture(data, title=title, notes=notes).encode(), "image/svg+xml"
    record(actor, "chart.exported", ("chart", title[:80]), format=form, as_of=str(data.get("as_of", "")))
    response = HttpResponse(body, content_type=kind)
    ending = "svg" if form == "png" else form
    response["Content-Disposition"] = (
        f'attachment; filename="kequn-chart-{timezone.localtime(now()):%Y%m%d-%H%M}.{ending}"'
    )
    return response


def _book(data: dict[str, Any], title: str, notes: list[str]) -> bytes:
    words = {"item": _("项目"), "low": _("区间下限"), "high": _("区间上限"), "firm": _("样本足够"), "value": _("数值")}
    header, rows = rows_of(data, words)
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(
        buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    ) as book:
        mark = notes[-1]
        book.set_properties({"title": title, "comments": mark})
        bold, grey = book.add_format({"bold": True, "bottom": 1}), book.add_format({"font_color": "#566178"})
        sheet = book.add_worksheet("kequn")
        sheet.set_header(f"&C{mark.replace('&', '&&')}")
        above = [title, *(n for n in notes if n)]
        for y, text in enumerate(above):
            sheet.write_string(y, 0, text, grey if y else bold)
        sheet.set_column(0, 0, 32)
        sheet.set_column(1, len(header), 14)
        for x, name in enumerate(header):
            sheet.write_string(len(above) + 1, x, str(name), bold)
        for y, row in enumerate(rows, len(above) + 2):
            for x, value in enumerate(row):
                write_cell(sheet, y, x, value)
    return buffer.getvalue()


def _salt(actor: Actor) -> str:
    return f"kequn.chart:{actor.user_id}"
