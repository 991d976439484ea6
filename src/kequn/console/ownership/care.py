"""What must not be forgotten: customers long unworked, notices owed, WeCom moves, differences from the bank, the history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from kequn.console.access import Request, done, page, refused, status_of
from kequn.console.exports import listing
from kequn.console.ownership.tabs import around, numbers
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.ops.customers.queries import people_by_id
from kequn.ops.ownership import queries, services, states
from kequn.ops.workbench.services import notice_texts, preview_notices, send_notices

IDLE = (
    Column(lazy("客户"), "customer_id"),
    Column(lazy("客户经理"), "staff_no", "staff_no"),
    Column(lazy("阶段"), "stage", "stage"),
    Column(lazy("未联系自"), "idle_since", "idle_since"),
    Column(lazy("天数"), lambda r: (queries.today() - r.idle_since) // timedelta(days=1), number=True),
    Column(lazy("收回日"), "take_back_on", "take_back_on"),
)
NOTICES = (
    Column(lazy("客户"), "customer_id"),
    Column(lazy("由谁告知"), "staff_no", "staff_no"),
    Column(lazy("期限"), "due_on", "due_on"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("方式"), "how", "how"),
)
WECOM = (
    Column(lazy("客户"), "customer_id"),
    Column(lazy("从"), "from_staff", "from_staff"),
    Column(lazy("到"), "to_staff", "to_staff"),
    Column(lazy("列入时间"), "planned_at", "planned_at"),
    Column(lazy("最早完成"), "earliest_at", "earliest_at"),
    Column(lazy("状态"), "state", "state"),
)
CONFLICTS = (
    Column(lazy("客户"), "customer_id"),
    Column(lazy("行内原管户"), "before", "before"),
    Column(lazy("行内新管户"), "bank", "bank"),
    Column(lazy("本系统管户"), "kequn", "kequn"),
    Column(lazy("现管户"), "kept", "kept"),
    Column(lazy("时间"), "at", "at"),
)
CHANGES = (
    Column(lazy("时间"), "at", "at"),
    Column(lazy("客户"), "customer_id"),
    Column(lazy("从"), "from_staff", "from_staff"),
    Column(lazy("到"), "to_staff", "to_staff"),
    Column(lazy("原因"), "reason", "reason"),
    Column(lazy("操作人"), "by", "by"),
    Column(lazy("备注"), "note"),
)


@page("customer.claim", "customer.assign")
def idle(request: Request) -> HttpResponse:
    """List the customers nobody worked for long, with what the policy will do when."""
    stage = request.GET.get("stage", "")
    rows = queries.neglect_for(request.actor, stage=stage if stage in ("warned", "escalated") else None)
    table = Table(request, rows, IDLE, name="idle", asks={"what": "idle", "state": stage})
    context = {"stage": stage, "rules": queries.policy().take_back, "day": queries.today()}
    return _shown(request, "owners_idle", "ownership/idle.html", table, _("久未联系"), context)


@page("customer.claim", "customer.assign")
def notices(request: Request) -> HttpResponse:
    """List the notices owed to customers, and note those that were given."""
    error = None
    if request.method == "POST":
        try:
            n = services.mark_told(
                request.actor, numbers(request.POST.getlist("notice")), how=request.POST.get("how", "")
            )
            return done(request, "owners_notices", ngettext("已记录 %(n)s 位", "已记录 %(n)s 位", n) % {"n": n})
        except KequnError as problem:
            error = problem
    state = request.GET.get("state", states.OWED)
    rows = queries.notices_for(request.actor, state=state if state in states.NOTICE else states.OWED)
    table = Table(request, rows, NOTICES, name="notices", asks={"what": "notices", "state": state})
    texts = notice_texts(request.actor) if request.actor.may("notice.send") else []
    context = {"state": state, "ways": queries.WAYS, "day": queries.today(), "texts": texts}
    return _shown(request, "owners_notices", "ownership/notices.html", table, _("换管户告知"), context, error)


@page("notice.send")
def notice(request: Request) -> HttpResponse:
    """Show the notices of the chosen customers as they would read them, then send them; what is refused is said."""
    texts = notice_texts(request.actor)
    if request.method != "POST" or not texts:
        return redirect("owners_notices")
    form, actor = request.POST, request.actor
    name = form.get("text") or texts[0].name
    ids = numbers(form.getlist("notice"))
    context: dict[str, Any] = {**around(actor, "owners_notices"), "texts": texts, "name": name}
    try:
        if form.get("fingerprint"):
            rows: Any = send_notices(actor, ids, name, fingerprint=form["fingerprint"])
            context["sent"] = [row for row in rows if row.message]
            context["rows"] = [row for row in rows if row.trouble]
        else:
            rows = context["rows"] = preview_notices(actor, ids, name)
            context["ready"] = [row for row in rows if row.may_leave]
            context["text"] = next(text for text in texts if text.name == name)
    except KequnError as problem:
        return refused(request, "ownership/notice.html", context, problem)
    context["people"] = people_by_id(actor, [row.customer_id for row in rows])
    return render(request, "ownership/notice.html", context)


@page("customer.handover")
def wecom(request: Request) -> HttpResponse:
    """List the contacts that are to be moved in WeCom, and enter what came of it there."""
    error = None
    if request.method == "POST":
        try:
            ids = numbers(request.POST.getlist("move"))
            for move_id in ids:
                services.answer_move(request.actor, move_id, state=request.POST.get("state", ""))
            return done(
                request, "owners_wecom", ngettext("已记录 %(n)s 位", "已记录 %(n)s 位", len(ids)) % {"n": len(ids)}
            )
        except KequnError as problem:
            error = problem
    state = request.GET.get("state", states.WAITING)
    state = state if state in states.WECOM else states.WAITING
    rows = queries.wecom_moves_for(request.actor, state=state)
    table = Table(request, rows, WECOM, name="wecom", asks={"what": "wecom", "state": state}, per_page=100)
    context = {"policy": queries.policy(), "state": state, "states": list(states.WECOM)}
    return _shown(request, "owners_wecom", "ownership/wecom.html", table, _("企微继承"), context, error)


@page("customer.assign")
def conflicts(request: Request) -> HttpResponse:
    """List where the bank's feed and kequn name different owners, and decide."""
    error = None
    if request.method == "POST":
        try:
            for conflict_id in numbers([request.POST.get("conflict", "")]):
                services.settle_conflict(request.actor, conflict_id, take=request.POST.get("take", "kequn"))
            return done(request, "owners_conflicts", _("已处理"))
        except KequnError as problem:
            error = problem
    table = Table(
        request, queries.conflicts_for(request.actor), CONFLICTS, name="conflicts", asks={"what": "conflicts"}
    )
    context = {"policy": queries.policy(), "n_differing": queries.differing_for(request.actor).count()}
    return _shown(request, "owners_conflicts", "ownership/conflicts.html", table, _("与行内不一致"), context, error)


@page("customer.assign")
def changes(request: Request) -> HttpResponse:
    """List who got whom from whom, when and why."""
    reason = request.GET.get("reason", "")
    rows = queries.changes_for(request.actor)
    rows = rows.filter(reason=reason) if reason in states.REASONS else rows
    table = Table(request, rows, CHANGES, name="changes", asks={"what": "changes", "reason": reason})
    return _shown(request, "owners_changes", "ownership/changes.html", table, _("变更记录"), {"reason": reason})


def _shown(
    request: Request,
    tab: str,
    template: str,
    table: Table,
    title: str,
    more: dict[str, object],
    error: KequnError | None = None,
) -> HttpResponse:
    """Answer with a list of customers, masked: who is not in the reader's reach has no name."""
    people = people_by_id(request.actor, [row.customer_id for row in table.rows])
    context = {**around(request.actor, tab), **more, "people": people, "reasons": states.REASONS, "error": error}
    response = listing(request, template, table, title, context)
    response.status_code = status_of(error) if error else response.status_code
    return response
