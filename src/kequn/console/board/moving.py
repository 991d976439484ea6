"""The branch's tasks: who has them, from one to another, and a colleague's all at once."""

from __future__ import annotations

import secrets
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, back, done, page, refused
from kequn.console.tables import Column, Table
from kequn.core.errors import InvalidSpec, KequnError, NotAllowed, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board import queries, services
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.queries import staff_for
from kequn.ops.ownership.services import record_absence
from kequn.ops.ownership.states import ABSENCES
from kequn.ops.workbench.queries import tasks_for
from kequn.ops.workbench.services import assign_task

DUES = ("today", "overdue", "later")
STATES = ("open", "done", "expired")
TASKS = (
    Column(lazy("任务"), "title_zh", "title_zh"), Column(lazy("客户经理"), "staff_no", "staff_no"),
    Column(lazy("状态"), "state", "state"), Column(lazy("到期"), "due_at", "due_at"),
    Column(lazy("优先级"), "priority", "priority", number=True), Column(lazy("联系次数"), "attempts", "attempts", number=True),
)  # fmt: skip


@page("task.assign")
def team_tasks(request: Request) -> HttpResponse:
    """List the tasks of the branch, to be handed from one RM to another."""
    get = request.GET.get
    due, staff, state = get("due", ""), get("staff", ""), get("state", "open")
    rows = tasks_for(
        request.actor,
        due=due if due in DUES else None,
        staff_no=staff or None,
        state=state if state in STATES else None,
    )
    table = Table(request, rows, TASKS, name="tasks", exports=False)
    rms = list(staff_for(request.actor, role="rm"))
    context = {
        "table": table, "people": people_by_id(request.actor, [t.customer_id for t in table.rows]), "due": due, "staff": staff, "rms": rms,
        "names": {r.staff_no: r.display_name for r in rms}, "state": state, "tab": "tasks",
    }  # fmt: skip
    return render(request, "board/tasks.html", context)


@page("task.assign")
@require_POST
def assign(request: Request, task_id: int) -> HttpResponse:
    """Give a task to another RM of the branch."""
    assign_task(request.actor, task_id, request.POST.get("staff", ""))
    return done(request, back(request, "team_tasks"), _("已转交"))


@page("task.assign")
def reassign(request: Request, staff_no: str) -> HttpResponse:
    """Show what a colleague has open, the room of the others and who would get what; a POST moves it."""
    if request.method == "POST" and request.POST.get("do") == "move":
        form = request.POST
        try:
            made = services.reassign_work(
                request.actor, staff_no, key=form.get("key", ""), reason=form.get("reason", ""), task_ids=_chosen(form),
                to_staff=form.get("to", ""),
            )  # fmt: skip
        except KequnError as error:
            return refused(request, "board/reassign.html", _plan(request, staff_no, form), error)
        return done(
            request, "board_reassign", _("已转交 %d 项任务") % sum(map(len, made.moves.values())), staff_no=staff_no
        )
    return render(request, "board/reassign.html", _plan(request, staff_no, request.POST or request.GET))


@page("task.assign")
@require_POST
def undo(request: Request, reassignment_id: int) -> HttpResponse:
    """Give back what was moved and is still open."""
    row = queries.reassignments_for(request.actor).filter(pk=reassignment_id).first()
    n = services.undo_reassignment(request.actor, reassignment_id)
    return done(request, "board_reassign", _("已退回 %d 项任务") % n, staff_no=row.from_staff if row else "")


@page("leave.edit")
@require_POST
def leave(request: Request, staff_no: str) -> HttpResponse:
    """Enter the days a colleague is away: nothing new is sent to her then."""
    form = request.POST
    try:
        first, last = parse_date(form.get("first", "")), parse_date(form.get("last", ""))
        if first is None or last is None:
            raise InvalidSpec("Choose the first and the last day.", where=Where(field="first_day"))
        record_absence(
            request.actor,
            staff_no,
            kind=form.get("kind", ""),
            first_day=first,
            last_day=last,
            note=form.get("note", ""),
        )
    except (KequnError, ValueError) as error:
        fault = (
            error if isinstance(error, KequnError) else InvalidSpec("That is no day.", where=Where(field="first_day"))
        )
        return refused(request, "board/reassign.html", _plan(request, staff_no, {}), fault)
    return done(request, "board_reassign", _("已登记休假"), staff_no=staff_no)


def _chosen(form: Any) -> list[int] | None:
    """Return the tasks that were ticked; ``None`` for all."""
    if form.get("which") != "some":
        return None
    return [int(pk) for pk in form.getlist("task") if pk.isdigit()]


def _plan(request: Request, staff_no: str, form: Any) -> dict[str, Any]:
    actor = request.actor
    colleagues = queries.colleagues_of(actor, staff_no)
    tasks = list(tasks_for(actor, staff_no=staff_no))
    chosen = _chosen(form) if hasattr(form, "getlist") else None
    plan = fault = None
    try:
        some = [t for t in tasks if chosen is None or t.pk in chosen]
        plan = queries.plan_of(staff_no, colleagues, some, to_staff=form.get("to", "")) if some else None
    except NotAllowed:
        raise
    except KequnError as error:
        fault = error
    names = {c.staff_no: c.name for c in colleagues}
    person = queries.team_member(actor, staff_no)
    day = next((c.day for c in colleagues), bank_today())
    return {
        "person": person or queries.person_on_board(actor, staff_no), "is_here": person is not None, "day": day,
        "staff_no": staff_no, "colleagues": colleagues, "tasks": tasks[:200], "n": len(tasks), "plan": plan,
        "error": fault, "elsewhere": person.open_anywhere - len(tasks) if person else 0,
        "people": people_by_id(actor, [t.customer_id for t in tasks[:200]]), "names": names, "to": form.get("to", ""),
        "which": form.get("which", "all"), "chosen": set(chosen or ()), "reason": form.get("reason", ""), "leaves": ABSENCES,
        "key": form.get("key") or secrets.token_hex(12), "today": bank_today(), "tab": "tasks",
        "past": list(queries.reassignments_for(actor).filter(from_staff=staff_no)[:5]),
    }  # fmt: skip
