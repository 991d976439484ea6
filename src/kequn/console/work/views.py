"""The relationship manager's day: tasks, the customer, the outcome in two taps; the branch head's board."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, done, page, status_of
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.console.words import word_for
from kequn.core.data.tables import ASSETS, LIABILITIES
from kequn.core.errors import InvalidSpec, KequnError, Where
from kequn.ops.customers.queries import find, masked, people_by_id, people_for
from kequn.ops.customers.services import reveal
from kequn.ops.orgs.queries import staff_for
from kequn.ops.runtime import now
from kequn.ops.workbench.contracts import Position
from kequn.ops.workbench.queries import follow_ups_for, offer_of, talk_track_of, task_counts, task_for, tasks_for
from kequn.ops.workbench.services import assign_task, customer_360, record_outcome, start_contact, undo_outcome

OUTCOMES = (
    ("1", "connected", "interested"), ("2", "connected", "considering"), ("3", "connected", "appointment"),
    ("4", "connected", "not_interested"), ("5", "no_answer", ""), ("6", "connected", "deal"), ("7", "declined", ""),
    ("8", "dead_number", ""), ("9", "wrong_person", ""), ("", "connected", "opt_out"), ("", "connected", "complaint"),
)  # fmt: skip
"""(key, how the contact went, what the customer wants): one tap each."""
DUES = ("today", "overdue", "later")
SHOWN = 30
TASKS = (
    Column(lazy("任务"), "title_zh", "title_zh"),
    Column(lazy("客户经理"), "staff_no", "staff_no"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("到期"), "due_at", "due_at"),
    Column(lazy("优先级"), "priority", "priority", number=True),
    Column(lazy("联系次数"), "attempts", "attempts", number=True),
)
PEOPLE = (
    Column(lazy("姓名"), "name"), Column(lazy("手机"), "phone"), Column(lazy("客户号"), "customer_no"),
    Column(lazy("网点"), "branch_code"), Column(lazy("客户经理"), "rm_no"),
)  # fmt: skip
REVEALED = "revealed"


# -- tasks --------------------------------------------------------------------------------------------------------------


@page("task.work")
def tasks(request: Request) -> HttpResponse:
    """List one's tasks; on a wide window the first one stands open beside the list."""
    due, closed = request.GET.get("due", ""), request.GET.get("state") == "done"
    rows = tasks_for(request.actor, due=due if due in DUES else None, state="done" if closed else "open")
    found = Paginator(rows, SHOWN).get_page(request.GET.get("page"))
    context = {
        "found": found, "people": people_by_id(request.actor, [t.customer_id for t in found]), "due": due, "dues": DUES, "closed": closed,
        "counts": task_counts(request.actor), "query": urlencode({k: v for k, v in request.GET.items() if k in ("due", "state")}),
    }  # fmt: skip
    return render(request, "work/tasks.html", context)


@page("task.view", post="task.work")
def task(request: Request, task_id: int) -> HttpResponse:
    """Show one task with its customer and what to say; a POST records the outcome and goes to the next one."""
    row = task_for(request.actor, task_id)
    if request.method != "POST":
        return render(request, "work/task.html", _of_task(request, row))
    form = request.POST
    contact, _colon, intent = form.get("outcome", "").partition(":")
    try:
        follow_up = record_outcome(
            request.actor, task_id, key=form.get("key", ""), contact=contact, intent=intent, amount_cny=_amount(form.get("amount", "")),
            next_at=_moment(form.get("next_at", "")), note=form.get("note", ""),
        )  # fmt: skip
    except KequnError as error:
        context = _of_task(request, row) | {"error": error, "given": form, "key": form.get("key", "")}
        return render(request, "work/task.html", context, status=status_of(error))
    messages.success(
        request, _("已记录：%s") % (word_for("intent", intent) if intent else word_for("contact", contact))
    )
    following = tasks_for(request.actor, due=None).exclude(pk=task_id).first()
    target = reverse("task", args=[following.pk]) if following else reverse("tasks")
    return redirect(f"{target}?{urlencode({'undo': follow_up.pk})}")


@page("task.work")
@require_POST
def undo(request: Request, follow_up_id: int) -> HttpResponse:
    """Take back what was recorded within the last seconds."""
    back = undo_outcome(request.actor, follow_up_id)
    return done(request, "task", _("已撤销"), task_id=back.pk)


@page("task.assign")
def team_tasks(request: Request) -> HttpResponse:
    """List the tasks of the branch, to be handed from one RM to another."""
    get = request.GET.get
    due, staff, state = get("due", ""), get("staff", ""), get("state", "open")
    rows = tasks_for(
        request.actor,
        due=due if due in DUES else None,
        staff_no=staff or None,
        state=state if state in ("open", "done", "expired") else None,
    )
    table = Table(request, rows, TASKS, name="tasks")
    people = people_by_id(request.actor, [t.customer_id for t in table.rows])
    rms = staff_for(request.actor, role="rm")
    context = {
        "people": people,
        "due": due,
        "dues": DUES,
        "staff": staff,
        "rms": rms,
        "names": {r.staff_no: r.display_name for r in rms},
        "state": state,
    }
    return listing(request, "work/team.html", table, _("网点任务"), context)


@page("task.assign")
@require_POST
def assign(request: Request, task_id: int) -> HttpResponse:
    """Give a task to another RM of the branch."""
    assign_task(request.actor, task_id, request.POST.get("staff", ""))
    return done(request, "team_tasks", _("已转交"))


@page("task.assign")
def board(request: Request) -> HttpResponse:
    """Show the branch in simple numbers: per RM what was assigned, contacted, reached, wanted and sold."""
    actor, moment = request.actor, now()
    days = int(request.GET["days"]) if request.GET.get("days") in ("1", "7", "30") else 7
    since = moment - timedelta(days=days)
    rms = {
        r.staff_no: {"name": r.display_name, "staff_no": r.staff_no, "capacity": r.capacity}
        for r in staff_for(actor, role="rm")
    }
    for each in rms.values():
        each.update(
            dict.fromkeys(("open", "overdue", "contacts", "reached", "interested", "deals"), 0) | {"amount": Decimal(0)}
        )
    for staff_no, due_at in tasks_for(actor).values_list("staff_no", "due_at"):
        if staff_no in rms:
            rms[staff_no]["open"] += 1
            rms[staff_no]["overdue"] += due_at < moment
    for f in follow_ups_for(actor).filter(at__gte=since):
        if f.staff_no in rms:
            mine = rms[f.staff_no]
            mine["contacts"] += 1
            mine["reached"] += f.contact == "connected"
            mine["interested"] += f.intent in ("interested", "considering", "appointment")
            mine["deals"] += f.intent == "deal"
            mine["amount"] += f.amount_cny or 0
    rows = sorted(rms.values(), key=lambda r: (-r["contacts"], r["name"]))
    total = {
        k: sum(r[k] for r in rows) for k in ("open", "overdue", "contacts", "reached", "interested", "deals", "amount")
    }
    chart = charts.bars(
        _("各客户经理的联系与接通"),
        [r["name"] for r in rows],
        (_("联系"), [r["contacts"] for r in rows]),
        (_("接通"), [r["reached"] for r in rows]),
    )
    columns = (
        Column(lazy("客户经理"), lambda r: r["name"], "name"),
        Column(lazy("待处理"), lambda r: r["open"], "open", number=True),
        Column(lazy("已逾期"), lambda r: r["overdue"], "overdue", number=True),
        Column(lazy("联系"), lambda r: r["contacts"], "contacts", number=True),
        Column(lazy("接通"), lambda r: r["reached"], "reached", number=True),
        Column(lazy("有意向"), lambda r: r["interested"], "interested", number=True),
        Column(lazy("成交"), lambda r: r["deals"], "deals", number=True),
        Column(lazy("成交金额（元）"), lambda r: r["amount"], "amount", number=True),
    )
    context = {"days": days, "total": total, "chart": chart if total["contacts"] else "", "at": moment}
    return listing(request, "work/board.html", Table(request, rows, columns, name="board"), _("过程看板"), context)


# -- customers ----------------------------------------------------------------------------------------------------------


@page("customer.view")
def customers(request: Request) -> HttpResponse:
    """List the customers in one's own reach, masked; found by exact number, phone or name, which a POST brings."""
    q = request.POST.get("q", "").strip()
    if q:
        found: Any = Paginator(find(request.actor, q), SHOWN).get_page(1)
        people = list(found)
    else:
        found = Paginator(people_for(request.actor).order_by("customer_id"), SHOWN).get_page(request.GET.get("page"))
        people = [masked(row) for row in found]
    return render(request, "work/customers.html", {"found": found, "people": people, "q": q, "find": q})


@page("customer.view")
def customer(request: Request, customer_id: str) -> HttpResponse:
    """Show one customer as a whole."""
    return render(request, "work/customer.html", _of_customer(request, customer_id))


@page("customer.reveal")
@require_POST
def show_value(request: Request, customer_id: str) -> HttpResponse:
    """Show one masked value in clear, once, for a reason; it is counted and written to the trail."""
    field, reason = request.POST.get("field", ""), request.POST.get("reason", "")
    value = reveal(request.actor, customer_id, field, reason=reason)
    context = _of_customer(request, customer_id) | {REVEALED: (field, value)}
    return render(request, "work/customer.html", context)


@page("task.work")
@require_POST
def contact(request: Request, customer_id: str) -> HttpResponse:
    """Start a contact of one's own; it passes the gate."""
    form = request.POST
    try:
        made = start_contact(
            request.actor,
            customer_id,
            key=form.get("key", ""),
            why=form.get("why", "").strip() or _("主动联系"),
            channel=form.get("channel", "call"),
        )
    except KequnError as error:
        return render(
            request,
            "work/customer.html",
            _of_customer(request, customer_id) | {"error": error},
            status=status_of(error),
        )
    return done(request, "task", _("已过闸门，可以联系"), task_id=made.pk)


# -- what the pages show ------------------------------------------------------------------------------------------------


def _of_task(request: Request, row: Any) -> dict[str, Any]:
    actor = request.actor
    others = tasks_for(actor)[:SHOWN] if actor.may("task.work") else []
    soon = timezone.localtime(now() + timedelta(days=1)).replace(hour=10, minute=0)
    return {
        "task": row, "talk": talk_track_of(row), "offer": offer_of(row), "outcomes": OUTCOMES, "key": secrets.token_hex(12),
        "others": others, "people": people_by_id(actor, [t.customer_id for t in others]), "given": {},
        "soon": soon.strftime("%Y-%m-%dT%H:%M"),
        "following": next((t for t in others if t.pk != row.pk), None), "undo": request.GET.get("undo", ""),
        **_of_customer(request, row.customer_id),
    }  # fmt: skip


def _of_customer(request: Request, customer_id: str) -> dict[str, Any]:
    found = customer_360(request.actor, customer_id)
    english = (get_language() or "").startswith("en")
    months = [m.month.strftime("%Y-%m") for m in found.months]
    context: dict[str, Any] = {
        "c": found, "holdings": _holdings(found.positions), "english": english, "key": secrets.token_hex(12),
        "families": [(word_for("family", f), values) for f, values in found.tags.items()],
        "maturing": [p for p in found.positions if p.matures_on][:5],
    }  # fmt: skip
    if months:
        context["flows"] = charts.columns(
            _("近 12 个月资金流入与流出（元）"),
            months,
            (_("流入"), [float(m.in_cny) for m in found.months]),
            (_("流出"), [float(m.out_cny) for m in found.months]),
        )
    return context


def _holdings(positions: Sequence[Position]) -> list[tuple[str, str, list[Position], Decimal]]:
    """Return assets, liabilities and the rest apart, each with its sum: what one owes adds nothing to what one has."""
    groups = (
        ("assets", _("资产"), [p for p in positions if p.family in ASSETS]),
        ("liabilities", _("负债"), [p for p in positions if p.family in LIABILITIES]),
        ("other", _("其他"), [p for p in positions if p.family not in (*ASSETS, *LIABILITIES)]),
    )
    return [(key, title, rows, sum((p.balance_cny for p in rows), Decimal(0))) for key, title, rows in groups]


def _amount(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", "")) if text.strip() else None
    except InvalidOperation:
        raise InvalidSpec(
            f"{text!r} is not an amount.", hint="Write digits only.", where=Where(field="amount_cny")
        ) from None


def _moment(text: str) -> datetime | None:
    if not text.strip():
        return None
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:
        moment = day = None
    if day is not None:
        moment = datetime.combine(day, time(10))
    if moment is None:
        raise InvalidSpec(f"{text!r} is not a time.", hint="Choose a day and a time.", where=Where(field="next_at"))
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment
