"""The rows of a list as a workbook: what the page shows, marked with who took it and when, and written to the trail."""

from __future__ import annotations

import io
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import xlsxwriter
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from kequn.console.access import Request
from kequn.console.tables import Table
from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

MOST_ROWS = 20_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def listing(
    request: Request, template: str, table: Table, title: str, context: dict[str, Any] | None = None
) -> HttpResponse:
    """Answer a page with a list: the page, or all its rows as a file where the URL says ``export``; rows about customers are asked for."""
    if request.GET.get("export") == "xlsx":
        if table.ask_url:
            return redirect(table.ask_url)
        return workbook(request, table, title)
    return render(request, template, {"table": table, **(context or {})})


def workbook(request: Request, table: Table, title: str) -> HttpResponse:
    """Return all rows of a table as xlsx. Values are those of the page, masked where the page masks them.

    Raises:
        NotAllowed: without the right to export, or a table that gives no file.
        Conflict: more rows than a file takes.
    """
    actor = request.actor
    actor.must("export.run")
    if not table.exports:
        raise NotAllowed("This list is not taken out from its page.", table=table.name)
    if table.total > MOST_ROWS:
        raise Conflict(f"{table.total} rows are too many for one file.", hint=f"Filter to at most {MOST_ROWS} rows.")
    mark = mark_of(actor)
    record(actor, "list.exported", ("table", table.name), rows=table.total, query=request.GET.urlencode()[:500])
    response = HttpResponse(
        _written(table, title, mark), content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    )
    response["Content-Disposition"] = (
        f'attachment; filename="kequn-{table.name}-{timezone.localtime(now()):%Y%m%d-%H%M}.xlsx"'
    )
    return response


def mark_of(actor: Actor) -> str:
    """Return the line that tells who took a file, and when."""
    return _("导出人 %(who)s（%(login)s） · %(at)s · 仅供内部使用") % {
        "who": actor.display_name,
        "login": actor.staff_no or actor.username,
        "at": timezone.localtime(now()).strftime("%Y-%m-%d %H:%M:%S"),
    }


def _written(table: Table, title: str, mark: str) -> bytes:
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    book.set_properties({"title": title, "comments": mark})
    head = book.add_format({"bold": True, "bg_color": "#eef1f6", "bottom": 1})
    sheet = book.add_worksheet("kequn")
    sheet.set_header(f"&C{mark.replace('&', '&&')}")
    sheet.write_string(0, 0, title, book.add_format({"bold": True}))
    sheet.write_string(1, 0, mark, book.add_format({"font_color": "#566178"}))
    columns = [c for c in table.columns if c.value is not None]
    for x, column in enumerate(columns):
        sheet.write_string(3, x, str(column.title), head)
        sheet.set_column(x, x, 14 if column.number else 24)
    for y, row in enumerate(table.all_rows, 4):
        for x, column in enumerate(columns):
            write_cell(sheet, y, x, column.of(row))
    sheet.freeze_panes(4, 0)
    book.close()
    return buffer.getvalue()


def write_cell(sheet: Any, y: int, x: int, value: Any) -> None:
    """Write a value so that no spreadsheet computes it."""
    if isinstance(value, bool) or value is None:
        sheet.write_string(y, x, {True: "1", False: "0", None: ""}[value])
    elif isinstance(value, int | float | Decimal):
        sheet.write_number(y, x, float(value))
    elif isinstance(value, datetime):
        sheet.write_string(y, x, timezone.localtime(value).strftime("%Y-%m-%d %H:%M"))
    elif isinstance(value, date):
        sheet.write_string(y, x, value.isoformat())
    else:
        text = str(value)
        sheet.write_string(y, x, f"'{text}" if text.startswith(FORMULA) else text)
