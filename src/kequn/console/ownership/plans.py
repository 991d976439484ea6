"""Who gets whom: drawn up by rules, looked at, applied; and the customers of one who goes."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, status_of
from kequn.console.exports import listing
from kequn.console.ownership.tabs import around, whole
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.ops.jobs.queries import jobs_for
from kequn.ops.orgs.queries import branches_for
from kequn.ops.ownership import queries, services, states

PLANS = (
    Column(lazy("方案"), "pk", "id"),
    Column(lazy("类型"), "kind", "kind"),
    Column(lazy("机构"), "branch_code", "branch_code"),
    Column(lazy("客户"), lambda r: r.summary.get("customers"), number=True),
    Column(lazy("已安排"), lambda r: r.summary.get("placed"), number=True),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("制定人"), "made_by", "made_by"),
    Column(lazy("时间"), "made_at", "made_at"),
)


@page("customer.assign")
def plans(request: Request) -> HttpResponse:
    """List the plans, and draw up another for the customers without an owner."""
    error, form = None, request.POST
    if request.method == "POST":
        try:
            made = services.draw_assignment(
                request.actor, rules_name=form.get("rules", ""), branch_code=form.get("branch", ""),
                most=whole(form.get("most", ""), "most"), note=form.get("note", ""),
            )  # fmt: skip
            return done(request, "owners_plan", assignment_id=made.pk)
        except KequnError as problem:
            error = problem
    return _list(request, error, form if error else {})


@page("customer.handover")
@require_POST
def hand_over(request: Request) -> HttpResponse:
    """Draw up who gets the customers of one who is transferred or has left."""
    form = request.POST
    try:
        made = services.draw_hand_over(
            request.actor, form.get("from", ""), cause=form.get("cause", ""),
            to_staff=[s for s in form.getlist("to") if s], note=form.get("note", ""),
        )  # fmt: skip
    except KequnError as error:
        return _list(request, error, form)
    return done(request, "owners_plan", assignment_id=made.pk)


@page("customer.assign")
def plan(request: Request, assignment_id: int, error: KequnError | None = None) -> HttpResponse:
    """Show one plan: who gets how many, by which rule, and what became of it."""
    row = queries.assignment_for(request.actor, assignment_id)
    job = jobs_for(request.actor).filter(pk=row.job_id).first() if row.job_id else None
    outcomes = [(states.LINE[key], n) for key, n in queries.outcomes_of(row).items()]
    rules = {r.name: r.title for r in (queries.STANDARD, *queries.rules())}
    takers = row.summary.get("takers", [])
    context = {
        **around(request.actor, "owners_plans"), "plan": row, "rules": rules.get(row.rules, row.rules),
        "takers": takers, "job": job, "outcomes": outcomes, "error": error,
        "unplaced": row.summary.get("customers", 0) - row.summary.get("placed", 0), "why": row.summary.get("why", {}),
    }  # fmt: skip
    return render(request, "ownership/plan.html", context, status=status_of(error) if error else 200)


@page("customer.assign")
@require_POST
def act(request: Request, assignment_id: int) -> HttpResponse:
    """Apply a plan, or put it aside."""
    try:
        if request.POST.get("act") == "apply":
            services.apply_assignment(request.actor, assignment_id)
            return done(request, "owners_plan", _("正在执行，可以离开此页"), assignment_id=assignment_id)
        if request.POST.get("act") == "drop":
            services.drop_assignment(request.actor, assignment_id)
            return done(request, "owners_plans", _("方案已作废"))
    except KequnError as error:
        return plan(request, assignment_id, error)
    return done(request, "owners_plan", assignment_id=assignment_id)


def _list(request: Request, error: KequnError | None, given: object) -> HttpResponse:
    actor = request.actor
    branches = list(branches_for(actor).values_list("code", "name")) if not actor.sees_all_branches else []
    context = {
        **around(actor, "owners_plans"), "rules": queries.rules(), "branches": branches, "given": given, "error": error,
        "rms": queries.loads_for(actor), "leavers": queries.leavers_for(actor),
        "n_unclaimed": len(queries.waiting_for(actor)),
    }  # fmt: skip
    table = Table(request, queries.assignments_for(actor), PLANS, name="plans", exports=False)
    response = listing(request, "ownership/plans.html", table, _("分配与移交"), context)
    response.status_code = status_of(error) if error else response.status_code
    return response
