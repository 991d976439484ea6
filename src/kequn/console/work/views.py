"""The relationship manager's day: tasks, the customer, the outcome in two taps; the branch head's board."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, done, page
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.ops.customers.queries import find, masked, people_by_id, people_for
from kequn.ops.orgs.queries import staff_for
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import follow_ups_for, task_counts, tasks_for
from kequn.ops.workbench.services import assign_task

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
