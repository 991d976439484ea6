"""The daily and weekly report: to read, to print on A4, to take out as a workbook; and the lists of the desk that are asked for."""

from __future__ import annotations

import secrets
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused
from kequn.console.board import shown
from kequn.console.board.conditions import conditions_said
from kequn.console.exports import mark_of
from kequn.console.jobs.views import to_job
from kequn.core.errors import KequnError
from kequn.ops.audiences.queries import bank_today
from kequn.ops.audiences.services import request_export
from kequn.ops.board import queries, services
from kequn.ops.board.exporting import AT_ONCE
from kequn.ops.board.quality import FLOOR, KINDS
from kequn.ops.jobs.queries import job_for
from kequn.ops.runtime import now

SPANS = ("day", "week")
CONDITIONS = tuple(dict.fromkeys(["format", *(name for one in queries.LISTS.values() for name in one.conditions)]))


@page("board.view")
def board_report(request: Request) -> HttpResponse:
    """Show the report of a day or a week."""
    kind, day, branch, kept = _asked(request.GET)
    found = queries.report_for(request.actor, kind, day, branch=branch, kept=kept)
    rows = shown.rows_of(found.board)
    context = {
        "report": found, "board": found.board, "rows": rows, "total": shown.total_row(found.board), "tiles": shown.tiles_of(found.board),
        "noted": list(found.signals), "kind": kind, "day": day,
        "tab": "report",
        "branch": branch, "heads": shown.columns_of(found.board), "paces": queries.paces(found.month), "kinds": KINDS, "floor": FLOOR,
        "per_head": shown.per_head(found.month), "ages": shown.ages_chart(rows), "mark": mark_of(request.actor), "at": now(),
        "earlier": found.board.period.first - timedelta(days=1), "later": found.board.period.last + timedelta(days=1),
        "has_later": found.board.period.last + timedelta(days=1) < bank_today(),
    }  # fmt: skip
    return render(request, "board/report.html", context)


@page("export.run")
@require_POST
def board_report_file(request: Request) -> HttpResponse:
    """Queue the report as a workbook."""
    kind, day, branch, _kept = _asked(request.POST)
    queries.reach_of(request.actor, branch=branch)
    params = {"subject": _("过程报告"), "kind": kind, "day": day.isoformat(), "branch": branch}
    row = request_export(
        request.actor, "board_report", params, purpose=request.POST.get("purpose", "").strip() or _("过程报告")
    )
    return to_job(request, job_for(request.actor, row.job_id), reverse("exports"))


@page("export.ask", "export.approve")
def desk_exports(request: Request) -> HttpResponse:
    """List what was asked to be taken out, and ask for a list."""
    if request.method == "POST":
        form = request.POST
        try:
            made = services.request_desk_export(
                request.actor, form.get("what", ""), key=form.get("key", ""), purpose=form.get("purpose", ""),
                params={name: form.get(name, "") for name in CONDITIONS},
            )  # fmt: skip
        except KequnError as error:
            return refused(request, "board/exports.html", _lists(request, form), error)
        words = _("文件正在生成，可在导出中领取") if made.export_id else _("已提交，待网点负责人或复核批准")
        return done(request, "desk_exports", words)
    return render(request, "board/exports.html", _lists(request, request.GET))


def _lists(request: Request, given: Any) -> dict[str, Any]:
    found = queries.lists_for(request.actor)
    lists = {name: one for name, one in found.items() if all(map(given.get, one.needs))}
    what = given.get("what", "") if given.get("what", "") in lists else next(iter(lists), "")
    asked = {name: given.get(name, "") for name in (lists[what].conditions if what else ()) if given.get(name)}
    return {
        "found": list(queries.desk_exports_for(request.actor)[:50]), "all_lists": queries.LISTS, "lists": lists, "what": what,
        "purpose": given.get("purpose", ""), "asked": asked, "conditions": conditions_said(asked), "at_once": AT_ONCE,
        "format": given.get("format", ""),
        "key": secrets.token_hex(12),
    }  # fmt: skip


def _asked(form: Any) -> tuple[str, date, str, dict[date, Any] | None]:
    """Return the kind, day and branch of the report; and the newest days, which are read where no day was chosen."""
    kind = form.get("kind", "")
    try:
        day = parse_date(form.get("on", ""))
    except ValueError:
        day = None
    yesterday = bank_today() - timedelta(days=1)
    kept = queries.newest_days() if day is None else None
    return (
        kind if kind in SPANS else "day",
        min(day or max(kept or (), default=yesterday), yesterday),
        form.get("branch", ""),
        kept,
    )
