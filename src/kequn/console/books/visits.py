"""Visits: a day's route over one's own customers, the gate on setting out, what came of each."""

from __future__ import annotations

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused, status_of
from kequn.console.exports import mark_of
from kequn.console.words import word_for
from kequn.core.errors import InvalidSpec, KequnError, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.books import queries, services, states
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import clean
from kequn.ops.orgs.queries import staff_for
from kequn.ops.workbench.services import record_outcome

PER_PAGE = 30
RESULTS = (
    ("connected", "interested"), ("connected", "considering"), ("connected", "appointment"), ("connected", "deal"),
    ("connected", "not_interested"), ("no_answer", ""), ("connected", "opt_out"), ("connected", "complaint"),
)  # fmt: skip
"""(how it went, what the customer wants): one tap each."""


@page("visit.plan")
def visits(request: Request) -> HttpResponse:
    """List days of visits, the latest first."""
    found = Paginator(queries.visit_plans_for(request.actor), PER_PAGE).get_page(request.GET.get("page"))
    rows = [(plan, queries.summary_of(queries.route_of(request.actor, plan))) for plan in found]
    rms = {r.staff_no: r.display_name for r in staff_for(request.actor)}
    return render(request, "books/visits.html", {"found": found, "rows": rows, "rms": rms, "today": bank_today()})


@page("visit.plan")
def new(request: Request) -> HttpResponse:
    """Choose day and customers, of a circle or of the list; whom the gate would not let be seen is shown, with why."""
    actor, form = request.actor, request.POST
    circle = request.GET.get("circle", "")
    row = queries.circle_for(actor, int(circle)) if circle.isdigit() else None
    ids = form.getlist("id") or request.session.get("visit_ids", [])
    if row is not None:
        ids = queries.members_of_circle(actor, row)
    people = people_by_id(actor, ids)
    barred = queries.barred_from_visits(list(people))
    context = {
        "people": list(people.values()), "barred": barred, "circle": row, "companions": queries.companions_for(actor),
        "key": secrets.token_hex(8), "given": form, "on": bank_today() + timedelta(days=1), "today": bank_today(),
        "chosen": form.getlist("id") or [i for i in people if i not in barred],
    }  # fmt: skip
    if request.method != "POST":
        return render(request, "books/visit_new.html", context)
    try:
        plan = services.plan_visits(
            actor, key=form.get("key", ""), title=form.get("title", ""), on=_day(form.get("on", "")),
            customer_ids=form.getlist("id"), place=form.get("place", ""), companion=form.get("companion", ""),
            note=form.get("note", ""),
        )  # fmt: skip
    except KequnError as error:
        return refused(request, "books/visit_new.html", context, error)
    request.session.pop("visit_ids", None)
    return done(request, "visit_plan", _("已安排拜访"), plan_id=plan.pk)


@page("visit.plan")
def plan(request: Request, plan_id: int) -> HttpResponse:
    """Show a day's route: order, what the gate said, what came of each; it prints without full numbers."""
    return render(request, "books/visit_plan.html", _of_plan(request, plan_id))


@page("visit.plan")
@require_POST
def act(request: Request, plan_id: int) -> HttpResponse:
    """Set out, change order or day, take somebody off the route or put her back, cancel the day."""
    actor, form = request.actor, request.POST
    visit_id = int(form.get("visit", "0")) if form.get("visit", "").isdigit() else 0
    message = _("已保存")
    match form.get("act"):
        case "set_out":
            found = services.set_out(actor, plan_id)
            message = _("可拜访 %(ready)s 位，不可拜访 %(blocked)s 位") % found
        case "up" | "down" as way:
            _moved(actor, plan_id, visit_id, -1 if way == "up" else 1)
        case "drop":
            services.drop_visit(actor, visit_id)
        case "take_up":
            services.take_up_visit(actor, visit_id)
        case "cancel":
            services.cancel_visits(actor, plan_id)
        case "day":
            services.move_day(actor, plan_id, _day(form.get("on", "")))
    return done(request, "visit_plan", message, plan_id=plan_id)


@page("task.work")
@require_POST
def record(request: Request, visit_id: int) -> HttpResponse:
    """Record what came of a visit, as any contact is recorded."""
    form = request.POST
    visit = queries.visit_for(request.actor, visit_id)
    contact, _colon, intent = form.get("outcome", "").partition(":")
    try:
        if visit.state != states.READY or visit.task_id is None:
            raise InvalidSpec("Set out first: the gate is asked then.", where=Where(field="outcome"))
        record_outcome(
            request.actor, visit.task_id, key=form.get("key", ""), contact=contact, intent=intent,
            amount_cny=form.get("amount", ""), next_at=_moment(form.get("next_on", "")), note=form.get("note", ""),
        )  # fmt: skip
    except KequnError as error:
        if error.code == "not_allowed":
            raise
        context = _of_plan(request, visit.plan_id) | {"error": error, "given": form, "open": visit.pk}
        return render(request, "books/visit_plan.html", context, status=status_of(error))
    messages.success(request, _("已记录：%s") % (word_for("intent", intent) if intent else _("未遇")))
    if flags := clean(form.get("note", ""), longest=500).flags:
        messages.warning(request, _("；").join(word_for("text_flag", f) for f in flags))
    return redirect("visit_plan", plan_id=visit.plan_id)


def _of_plan(request: Request, plan_id: int) -> dict[str, Any]:
    actor = request.actor
    row = queries.visit_plan_for(actor, plan_id)
    route = queries.route_of(actor, row)
    heads = {s.staff_no: s.display_name for s in staff_for(actor)} | queries.companions_for(actor)
    return {
        "plan": row, "route": route, "sum": queries.summary_of(route), "mine": row.staff_no == actor.staff_no, "today": bank_today(),
        "names": heads, "results": RESULTS, "key": secrets.token_hex(8), "mark": mark_of(actor), "given": {},
    }  # fmt: skip


def _moved(actor: Any, plan_id: int, visit_id: int, by: int) -> None:
    ids = [v.id for v in queries.route_of(actor, queries.visit_plan_for(actor, plan_id))]
    if visit_id in ids:
        at = ids.index(visit_id)
        to = min(max(at + by, 0), len(ids) - 1)
        ids.insert(to, ids.pop(at))
        services.order_visits(actor, plan_id, ids)


def _day(text: str) -> date:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None:
        raise InvalidSpec(f"{text[:40]!r} is not a date.", hint="Choose a day.", where=Where(field="on"))
    return day


def _moment(text: str) -> datetime | None:
    return timezone.make_aware(datetime.combine(_day(text), time(10))) if text.strip() else None
