"""What each relationship manager carries and could carry; leave, stand-ins and the bank's calendar."""

from __future__ import annotations

from datetime import date, timedelta

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, status_of
from kequn.console.exports import listing
from kequn.console.ownership.tabs import around, day, numbers, whole
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.ownership import queries, services, states

LOADS = (
    Column(lazy("客户经理"), "name", "name"),
    Column(lazy("工号"), "staff_no", "staff_no"),
    Column(lazy("机构"), "branch_code", "branch"),
    Column(lazy("名下客户"), "owned", "owned", number=True),
    Column(lazy("上限"), "book_limit", "limit", number=True),
    Column(lazy("还可接"), "room", "room", number=True),
    Column(lazy("每日任务"), "tasks_a_day", "tasks", number=True),
    Column(lazy("专长"), lambda r: "、".join((*r.skills, *r.languages)), "skills"),
    Column(lazy("休假至"), "away_until", "away"),
)


@page("leave.edit")
def loads(request: Request) -> HttpResponse:
    """List the load of every relationship manager, and what is wrong: customers of those who left."""
    rows = queries.loads_for(request.actor)
    context = {
        **around(request.actor, "owners"), "leavers": queries.leavers_for(request.actor),
        "names": {r.staff_no: r.name for r in rows}, "policy": queries.policy(),
        "day": queries.today(), "works": queries.is_working_day(queries.today()),
        "n_unclaimed": len(queries.waiting_for(request.actor)), "n_room": sum(r.room for r in rows),
        "n_idle": queries.neglect_for(request.actor).count(), "n_owed": queries.notices_for(request.actor).count(),
        "n_wecom": queries.wecom_moves_for(request.actor, state=states.WAITING).count(),
        "n_conflicts": queries.conflicts_for(request.actor).count(),
    }  # fmt: skip
    table = Table(request, rows, LOADS, name="loads", default="-owned")
    return listing(request, "ownership/loads.html", table, _("负荷与容量"), context)


@page("leave.edit")
def capacity(request: Request, staff_no: str) -> HttpResponse:
    """Show and set what one relationship manager can carry."""
    load = next((row for row in queries.loads_for(request.actor) if row.staff_no == staff_no), None)
    if load is None:
        raise NotAllowed("There is no such relationship manager in your branches.", staff=staff_no)
    row, error, form = queries.capacities_of([staff_no]).get(staff_no), None, request.POST
    if request.method == "POST":
        try:
            services.set_capacity(
                request.actor, staff_no, tasks_a_day=whole(form.get("tasks_a_day", ""), "tasks_a_day"),
                book_limit=whole(form.get("book_limit", ""), "book_limit"), skills=_listed(form.get("skills", "")),
                languages=_listed(form.get("languages", "")), seen=form.get("seen"),
            )  # fmt: skip
            return done(request, "owners", _("容量已保存"))
        except KequnError as problem:
            error = problem
    given = form if error else {
        "tasks_a_day": row.tasks_a_day if row and row.tasks_a_day is not None else "",
        "book_limit": row.book_limit if row and row.book_limit is not None else "",
        "skills": "、".join(load.skills), "languages": "、".join(load.languages),
    }  # fmt: skip
    context = {
        **around(request.actor, "owners"), "load": load, "given": given, "seen": queries.seen_as(row), "error": error,
        "policy": queries.policy(),
    }  # fmt: skip
    return render(request, "ownership/capacity.html", context, status=status_of(error) if error else 200)


@page("leave.edit")
def leave(request: Request) -> HttpResponse:
    """List who is or will be away, and enter another absence."""
    actor, error, form = request.actor, None, request.POST
    if request.method == "POST":
        try:
            services.record_absence(
                actor, form.get("staff", ""), kind=form.get("kind", ""), first_day=day(form.get("first_day", ""), "first_day"),
                last_day=day(form.get("last_day", ""), "last_day"), stand_in=form.get("stand_in", ""),
                note=form.get("note", ""),
            )  # fmt: skip
            return done(request, "owners_leave", _("休假已登记"))
        except KequnError as problem:
            error = problem
    loads = queries.loads_for(actor)
    names = {load.staff_no: load.name for load in loads}
    today = queries.today()
    context = {
        **around(actor, "owners_leave"), "rows": queries.absences_for(actor), "names": names, "rms": loads, "error": error,
        "kinds": states.ABSENCES, "given": form if error else {}, "today": today,
        "days": queries.calendar_days(today)[:20], "off": _off(), "remote": queries.remote_open(),
    }  # fmt: skip
    return render(request, "ownership/leave.html", context, status=status_of(error) if error else 200)


@page("leave.edit")
@require_POST
def cancel(request: Request) -> HttpResponse:
    """Take an absence back, or end it today."""
    for absence_id in numbers([request.POST.get("absence", "")]):
        services.cancel_absence(request.actor, absence_id)
        return done(request, "owners_leave", _("已取消，未完成的任务已转回"))
    return done(request, "owners_leave")


@page("user.manage")
def calendar(request: Request) -> HttpResponse:
    """Show and set the days on which the bank works against the common calendar."""
    error, form = None, request.POST
    if request.method == "POST":
        try:
            services.set_calendar_day(
                request.actor,
                day(form.get("day", ""), "day"),
                works=form.get("works") == "1",
                name=form.get("name", ""),
            )
            return done(request, "owners_calendar", _("日历已保存"))
        except KequnError as problem:
            error = problem
    today = queries.today()
    context = {
        **around(request.actor, ""), "days": queries.calendar_days(today - timedelta(days=60)), "error": error,
        "given": form if error else {}, "today": today, "off": _off(),
    }  # fmt: skip
    return render(request, "ownership/calendar.html", context, status=status_of(error) if error else 200)


def _off() -> list[date]:
    """The weekdays of the next eight weeks on which the bank does not work."""
    first = queries.today()
    working = set(queries.working_days(first, first + timedelta(days=56)))
    days = [first + timedelta(days=n) for n in range(57)]
    return [d for d in days if d.weekday() < 5 and d not in working]


def _listed(text: str) -> list[str]:
    return [part for part in text.replace(",", "、").replace("，", "、").split("、") if part.strip()]
