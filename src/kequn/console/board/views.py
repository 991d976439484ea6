"""The board: a branch's work by member of staff, head office's by branch; down to one person, and what is worth a look."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console.access import Request, page
from kequn.console.board import shown
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board import queries
from kequn.ops.board.periods import period_around
from kequn.ops.board.quality import FLOOR, KINDS
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.queries import staff_for
from kequn.ops.workbench.queries import tasks_for

DAYS_OF_SIGNALS = (7, 30)
TASKS_SHOWN = 30


@page("board.view")
def board(request: Request) -> HttpResponse:
    """Show the work of a branch by member of staff; who has several branches starts with one line a branch."""
    get = request.GET.get
    branch = get("branch", "")
    span, period = shown.asked_period(get("period", ""), _day(get("on", "")))
    found = queries.board_for(request.actor, period, by="", branch=branch, live=span == "live")
    rows = shown.rows_of(found)
    table = Table(request, rows, shown.columns_of(found), name="board")
    draws_days = span in ("month", "quarter")
    context = {
        "board": found, "span": span, "periods": shown.PERIODS, "total": shown.total_row(found), "tiles": shown.tiles_of(found),
        "tab": "board", "branch": branch, "floor": FLOOR,
        "outflows": queries.unreached_outflows(request.actor) if request.actor.may("task.assign") else 0,
        "paces": queries.paces(found), "per_head": shown.per_head(found), "ages": shown.ages_chart(rows),
        "chart": shown.days_chart(queries.by_day(request.actor, found.period.first, found.until, shown.DRAWN, branch=branch)) if draws_days
        else shown.contacts_chart(rows),
    }  # fmt: skip
    return listing(request, "board/board.html", table, _("过程看板"), context)


@page("board.view", "task.work")
def board_staff(request: Request, staff_no: str) -> HttpResponse:
    """Show one member of staff: her figures, her open tasks, her signals and the notes on her work; the RM sees her own."""
    actor = request.actor
    person = queries.person_on_board(actor, staff_no)
    until = bank_today() - timedelta(days=1)
    month = queries.board_for(actor, period_around("month", until), staff_no=staff_no)
    context = {
        "person": person, "board": month, "tiles": shown.tiles_of(month), "paces": queries.paces(month), "tab": "board",
        "notes": list(queries.notes_for(actor, staff_no=staff_no).prefetch_related(None)[:5]),
        "chart": shown.days_chart(queries.by_day(actor, until - timedelta(days=shown.DAYS_DRAWN), until, shown.DRAWN, staff_no=staff_no)),
    }  # fmt: skip
    return render(request, "board/staff.html", context)


@page("board.view", "task.work")
def board_staff_part(request: Request, staff_no: str, name: str) -> HttpResponse:
    """Show the open tasks or the signals of one member of staff, which her page asks for when it stands."""
    actor, today = request.actor, bank_today()
    person = queries.person_on_board(actor, staff_no)
    context: dict[str, Any] = {"person": person, "today": today}
    match name:
        case "tasks":
            tasks = list(tasks_for(actor, staff_no=staff_no)[:TASKS_SHOWN]) if actor.may("task.view") else []
            context |= {"tasks": tasks, "people": people_by_id(actor, [t.customer_id for t in tasks])}
        case "signals":
            names = {staff_no: person.display_name}
            found = queries.signals_for(actor, today - timedelta(days=30), today, staff_no=staff_no, names=names)
            signals = [s for s in found if s.n]
            noted = [s for s in signals if queries.is_noted(s)]
            context |= {"signals": signals, "noted": noted, "kinds": KINDS, "floor": FLOOR}
        case _:
            raise NotAllowed("There is no such part of the page.", part=name)
    return render(request, f"board/staff_{name}.html", context)


SIGNALS = (
    Column(lazy("客户经理"), "name", "name"), Column(lazy("信号"), lambda s: KINDS[s.code].title.zh, "code"),
    Column(lazy("条数"), "found", "found", number=True), Column(lazy("样本"), "n", "n", number=True),
    Column(lazy("占比下限"), lambda s: s.share.low if s.share else None, "low", number=True),
)  # fmt: skip


@page("board.view")
def board_signals(request: Request) -> HttpResponse:
    """Show what about records is worth a look, with its evidence and how sure it is."""
    get = request.GET.get
    days = int(get("days", "")) if get("days", "") in map(str, DAYS_OF_SIGNALS) else DAYS_OF_SIGNALS[-1]
    today, error, found = bank_today(), None, []
    try:
        found = queries.signals_for(
            request.actor, today - timedelta(days=days - 1), today, branch=get("branch", ""), code=get("code", "")
        )
    except NotAllowed:
        raise
    except KequnError as fault:
        error = fault
    context: dict[str, Any] = {
        "kinds": KINDS, "floor": FLOOR, "days": days, "all_days": DAYS_OF_SIGNALS, "code": get("code", ""), "tab": "signals",
        "branch": get("branch", ""), "first": today - timedelta(days=days - 1), "today": today, "error": error,
        "noted": [s for s in found if queries.is_noted(s)],
    }  # fmt: skip
    return listing(
        request, "board/signals.html", Table(request, found, SIGNALS, name="signals"), _("质量信号"), context
    )


@page("task.assign")
def board_escalations(request: Request) -> HttpResponse:
    """Show large outflows: who has them, and whether the customer was reached."""
    found = queries.escalations_for(request.actor)
    rms = list(staff_for(request.actor, role="rm"))
    context = {
        "found": found, "people": people_by_id(request.actor, [e.customer_id for e in found]), "rms": rms, "tab": "escalations",
        "names": {r.staff_no: r.display_name for r in rms},
    }  # fmt: skip
    return render(request, "board/escalations.html", context)


def _day(text: str) -> date | None:
    try:
        return parse_date(text)
    except ValueError:
        return None
