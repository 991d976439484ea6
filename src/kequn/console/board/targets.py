"""Targets: what is set, what is left to break down, a form and a file to set them, and what a branch is."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, refused
from kequn.console.board.shown import title_of
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.core.amounts import yuan
from kequn.core.errors import Conflict, InvalidSpec, KequnError, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board import queries, services
from kequn.ops.board.figures import FIGURES, OF_CAMPAIGNS, TARGETS
from kequn.ops.board.periods import CAMPAIGN
from kequn.ops.campaigns.queries import campaigns_for
from kequn.ops.orgs.queries import staff_for

MOST_FILE = 5 * 2**20
MONTHS_AHEAD = 6
MOST_FACTS = 60
ASKED = "of_"
"""What the names of the form's amounts begin with."""


def _amount(row: Any) -> Decimal | int:
    return Decimal(row.amount) / 100 if FIGURES[row.metric].money else row.amount


COLUMNS = (
    Column(lazy("期间"), lambda t: t.campaign or t.period, "period"), Column(lazy("指标"), lambda t: title_of(t.metric), "metric"),
    Column(lazy("机构"), "branch_code", "branch_code"), Column(lazy("客户经理"), "staff_no", "staff_no"),
    Column(lazy("目标值"), _amount, "amount", number=True), Column(lazy("说明"), "note"), Column(lazy("设定人"), "set_by", "set_by"),
)  # fmt: skip


@page("board.view", "task.work")
def targets(request: Request) -> HttpResponse:
    """List targets; with the right, the form that breaks one down."""
    return listing(request, "board/targets.html", _table(request), _("目标"), _context(request, request.GET))


@page("target.edit")
@require_POST
def target_set(request: Request) -> HttpResponse:
    """Set the targets of the form: all parts at once, so that they can come out even."""
    form = request.POST
    campaign = form.get("campaign", "")
    try:
        amounts = {
            key.removeprefix(ASKED): number
            for key in form
            if key.startswith(ASKED) and (number := _number(form.get(key, ""))) is not None
        }
        if not amounts:
            raise InvalidSpec("Write at least one target.", where=Where(field="amount"))
        made = services.set_targets(
            request.actor, form.get("metric", ""), CAMPAIGN if campaign else form.get("period", ""), amounts, campaign=campaign,
            note=form.get("note", ""),
        )  # fmt: skip
    except KequnError as error:
        return refused(request, "board/targets.html", _context(request, form) | {"table": _table(request)}, error)
    return done(request, "targets", _("已设定 %d 个目标") % len(made))


@page("target.edit")
@require_POST
def target_upload(request: Request) -> HttpResponse:
    """Set the targets of a workbook or CSV file, all or none."""
    file = request.FILES.get("file")
    try:
        if file is None or not file.size or file.size > MOST_FILE:
            raise InvalidSpec("Choose a file of at most 5 MB.", where=Where(field="file"))
        n = services.load_targets(request.actor, file.read(), file.name or "targets", note=request.POST.get("note", ""))
    except KequnError as error:
        return refused(
            request, "board/targets.html", _context(request, request.GET) | {"table": _table(request)}, error
        )
    return done(request, "targets", _("已设定 %d 个目标") % n)


@page("target.edit")
@require_POST
def target_remove(request: Request, target_id: int) -> HttpResponse:
    """Take back a target that was not broken down."""
    try:
        services.remove_target(request.actor, target_id, note=request.POST.get("note", ""))
    except Conflict as error:
        return refused(
            request, "board/targets.html", _context(request, request.GET) | {"table": _table(request)}, error
        )
    return done(request, "targets", _("已撤回目标"))


@page("target.edit")
@require_POST
def branch_fact(request: Request, code: str) -> HttpResponse:
    """Say how large a branch is, and from what amount on its head sees an outflow."""
    form = request.POST
    try:
        services.set_branch_fact(
            request.actor,
            code,
            floor_m2=_number(form.get("floor_m2", "")),
            escalate_above_cny=_number(form.get("escalate", "")),
        )
    except KequnError as error:
        return refused(
            request, "board/targets.html", _context(request, request.GET) | {"table": _table(request)}, error
        )
    return done(request, "targets", _("已保存"))


def _table(request: Request) -> Table:
    get = request.GET.get
    rows = queries.targets_for(
        request.actor, period=get("period", ""), metric=get("metric", ""), campaign=get("campaign", "")
    )
    return Table(request, rows, COLUMNS, name="targets", default="-period")


def _context(request: Request, given: Any) -> dict[str, Any]:
    actor = request.actor
    campaign, period = given.get("campaign", ""), given.get("period", "") or f"{bank_today():%Y-%m}"
    metrics = OF_CAMPAIGNS if campaign else TARGETS
    metric = given.get("metric", "") if given.get("metric", "") in metrics else metrics[0]
    context: dict[str, Any] = {
        "metrics": [(m, title_of(m)) for m in metrics], "metric": metric, "period": period, "campaign": campaign, "tab": "targets",
        "money": FIGURES[metric].money, "note": given.get("note", ""), "periods": _periods(),
    }  # fmt: skip
    if not actor.may("target.edit"):
        return context
    branch = given.get("branch", "") or actor.branch_code
    branches = list(queries.facts_for(actor))
    context |= {
        "left": queries.left_of(actor, metric, CAMPAIGN if campaign else period, campaign=campaign, branch=branch), "branch": branch,
        "places": _places(actor, branches, branch, given, metric, CAMPAIGN if campaign else period, campaign),
        **_facts(branches, given.get("find", "").strip()), "branches": {b.code: b.name for b in branches},
        "campaigns": list(campaigns_for(actor)) if actor.may("campaign.view") else [],
    }  # fmt: skip
    return context


def _facts(branches: Sequence[Any], find: str) -> dict[str, Any]:
    """Return the branches whose floor and amount can be entered: those that are looked for, as many as a page can hold."""
    leaves = [b for b in branches if b.level == "branch" and (find in b.name or find in b.code)]
    return {"facts": leaves[:MOST_FACTS], "more_facts": len(leaves) - MOST_FACTS, "find": find}


def _places(
    actor: Any, branches: Sequence[Any], branch: str, given: Any, metric: str, period: str, campaign: str
) -> list[dict[str, Any]]:
    """Return whom the form sets targets for: the branches one step below, or a branch's RMs, with what they have now."""
    rows = list(queries.targets_for(actor, metric=metric, period=period, campaign=campaign))
    set_ = {t.staff_no or t.branch_code: _amount(t) for t in rows if not t.staff_no or t.branch_code == branch}
    found = [(b.code, f"{b.name} {b.code}") for b in branches if b.parent_code == branch]
    if actor.sees_all_branches and branch == actor.branch_code:
        leaves = [b for b in branches if b.level == "branch"]
        found = [(branch, _("全行")), *((b.code, f"{b.name} {b.code}") for b in leaves[:300])]
    found += [
        (u.staff_no, f"{u.display_name} {u.staff_no}") for u in staff_for(actor, role="rm").filter(branch__code=branch)
    ]
    there = {key for key, _label in found}
    gone = [t.staff_no for t in rows if t.branch_code == branch and t.staff_no not in {"", *there}]
    found += [(staff_no, _("%s（已不在本网点）") % staff_no) for staff_no in gone]
    return [
        {"key": key, "label": label, "field": f"{ASKED}{key}", "value": given.get(f"{ASKED}{key}", set_.get(key, ""))}
        for key, label in found
    ]


def _periods() -> list[str]:
    today, found = bank_today(), []
    for n in range(MONTHS_AHEAD):
        month = (today.month - 1 + n) % 12 + 1
        year = today.year + (today.month - 1 + n) // 12
        found.append(f"{year}-{month:02}")
    quarter = (today.month + 2) // 3
    return [*found, f"{today.year}-Q{quarter}", f"{today.year + quarter // 4}-Q{quarter % 4 + 1}"]


def _number(text: str) -> Decimal | None:
    return yuan(text, field="amount")
