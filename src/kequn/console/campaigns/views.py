"""Campaigns: the list, the wizard, one campaign with its funnel, and what may be done to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.http import require_POST

from kequn.console import charts
from kequn.console.access import Request, done, page, status_of
from kequn.console.campaigns import wizard
from kequn.console.catalog.views import contents, titles
from kequn.console.errors import Said, said
from kequn.console.exports import listing
from kequn.console.jobs.views import to_job
from kequn.console.tables import Column, Table
from kequn.console.words import VOCABULARIES, word_for
from kequn.core.errors import Conflict, InvalidSpec, KequnError, SeveralErrors
from kequn.core.spec.campaign import CampaignSpec
from kequn.core.spec.reading import dump_spec, parse_spec
from kequn.ops.audiences.queries import segment_specs
from kequn.ops.campaigns.queries import (
    audience_of,
    campaign_named,
    campaigns_for,
    design_campaign,
    funnel_for,
    pauses_of,
    submitted_design,
    waves_of,
)
from kequn.ops.campaigns.reproducing import reproduce_audience
from kequn.ops.campaigns.services import (
    copy_campaign,
    finish_campaign,
    pause_branch,
    request_freeze,
    request_launch,
    resume_branch,
    resume_campaign,
    save_campaign,
    stop_campaign,
    submit_campaign,
)
from kequn.ops.delivery.queries import touches_for
from kequn.ops.governance.queries import audit_for
from kequn.ops.orgs.queries import branches_for

COLUMNS = (
    Column(lazy("活动"), "spec.title.zh", "title"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("客群"), "spec.segment", "segment"),
    Column(lazy("开始"), "spec.start_on", "start"),
    Column(lazy("结束"), "spec.end_on", "end"),
    Column(lazy("触达组"), lambda c: c.audience.treated if hasattr(c, "audience") else None, "treated", number=True),
    Column(lazy("对照组"), lambda c: c.audience.control if hasattr(c, "audience") else None, "control", number=True),
    Column(lazy("预算（元）"), "spec.budget_cny", "budget", number=True),
    Column(lazy("经办"), "owner_name", "owner"),
)
TOUCHES = (
    Column(lazy("客户"), "customer_id"),
    Column(lazy("渠道"), "channel", "channel"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("原因"), "reason", "reason"),
    Column(lazy("时间"), "at", "at"),
)
STATES = ("draft", "submitted", "approved", "frozen", "running", "stopped", "finished", "refused")
SHARES = (Decimal("0.01"), Decimal("0.05"), Decimal("0.1"), Decimal("0.25"), Decimal("0.5"), Decimal(1))
"""How much of the audience may be launched up to: a small wave first, watched, then more."""
FINAL = (
    "delivered",
    "accepted",
    "presumed_sent",
    "undelivered",
    "ready",
    "inflight",
    "unknown",
    "suppressed",
    "failed",
    "cancelled",
    "dead",
)


@page("campaign.view")
def campaigns(request: Request) -> HttpResponse:
    """List the campaigns in sight."""
    state, q = request.GET.get("state", ""), request.GET.get("q", "").strip().lower()
    rows = list(campaigns_for(request.actor, state=state if state in STATES else None))
    rows = [r for r in rows if not q or q in f"{r.name} {r.spec.title.zh} {r.spec.title.en}".lower()]
    table = Table(request, rows, COLUMNS, name="campaigns")
    context = {"state": state, "states": STATES, "q": q, "segments": segment_specs()}
    return listing(request, "campaigns/list.html", table, _("营销活动"), context)


@page("campaign.edit")
def new(request: Request) -> HttpResponse:
    """Plan a new campaign, from a playbook or a segment where one is named."""
    if request.method == "POST":
        return _wizard(request, None)
    values = wizard.prefilled(request.GET.get("playbook", ""), request.GET.get("segment", ""))
    return _step(request, "goal", values, None)


@page("campaign.edit")
def edit(request: Request, name: str) -> HttpResponse:
    """Change a campaign whose audience is not frozen; a change voids an approval."""
    row = campaign_named(request.actor, name)
    if request.method == "POST":
        return _wizard(request, row)
    return _step(request, request.GET.get("step", "goal"), wizard.values_of(row.spec), row)


@page("campaign.view")
def campaign(request: Request, name: str) -> HttpResponse:
    """Show one campaign: where it stands, its design or its funnel, who was held back and why, who did what."""
    row = campaign_named(request.actor, name)
    context: dict[str, Any] = {
        "campaign": row, "spec": row.spec, "segment": segment_specs().get(row.spec.segment), "yaml": dump_spec(row.spec),
        "audience": audience_of(row), "titles": titles(), "events": _events(request, row), "language": get_language() or "zh",
    }  # fmt: skip
    try:
        found = funnel_for(request.actor, row.pk)
        if found:
            context |= _of_funnel(found) | _of_waves(request, row)
        context["design"] = submitted_design(row) or (None if found else design_campaign(request.actor, row.pk))
    except KequnError as error:
        context["error"] = error
    return render(request, "campaigns/campaign.html", context)


@page("campaign.view")
def touches(request: Request, name: str) -> HttpResponse:
    """List the touches of a campaign: who got what and why not."""
    row = campaign_named(request.actor, name)
    rows = touches_for(request.actor, campaign=name)
    state, channel = request.GET.get("state", ""), request.GET.get("channel", "")
    rows = rows.filter(state=state) if state in FINAL else rows
    rows = rows.filter(channel=channel) if channel in VOCABULARIES["channel"] and channel else rows
    asks = {"what": "touches", "campaign": name, "state": state, "channel": channel}
    table = Table(request, rows, TOUCHES, name="touches", asks=asks)
    context = {"campaign": row, "states": FINAL, "state": state, "channel": channel, "spec": row.spec}
    return listing(request, "campaigns/touches.html", table, row.spec.title.zh, context)


@page("campaign.view")
def reproduction(request: Request, name: str) -> HttpResponse:
    """Make the frozen audience again from its pinned versions, and show whether it comes out the same."""
    row = campaign_named(request.actor, name)
    context: dict[str, Any] = {"campaign": row, "spec": row.spec}
    try:
        context["found"] = reproduce_audience(request.actor, name)
    except KequnError as error:
        context["error"] = error
    return render(request, "campaigns/reproduction.html", context)


@page("campaign.view")
@require_POST
def act(request: Request, name: str) -> HttpResponse:
    """Do one step: submit, freeze, launch a share, pause a branch, stop, resume, finish, or begin the next one from this."""
    actor, row = request.actor, campaign_named(request.actor, name)
    here = reverse("campaign", args=[name])
    do, reason, branch = (request.POST.get(field, "") for field in ("do", "reason", "branch"))
    copies: list[Any] = []
    if do == "freeze":
        return to_job(request, request_freeze(actor, row.pk), here)
    if do == "launch":
        return to_job(request, request_launch(actor, row.pk, share=_share(request.POST.get("share", "1"))), here)
    steps: dict[str, tuple[Callable[[], Any], str]] = {
        "submit": (lambda: submit_campaign(actor, row.pk, reason=reason), _("已提交审批")),
        "stop": (lambda: stop_campaign(actor, row.pk, reason=reason), _("已叫停，不再发送")),
        "resume": (lambda: resume_campaign(actor, row.pk), _("已恢复")),
        "finish": (lambda: finish_campaign(actor, row.pk), _("已结束")),
        "pause_branch": (lambda: pause_branch(actor, row.pk, branch, reason=reason), _("已暂停这家机构")),
        "resume_branch": (lambda: resume_branch(actor, row.pk, branch), _("已恢复这家机构")),
        "copy": (lambda: copies.append(copy_campaign(actor, row.pk)), _("已按本活动起草，请核对日期和内容")),
    }
    if do not in steps:
        raise Conflict("There is no such step.", hint="Reload the page.")
    step, message = steps[do]
    step()
    return done(request, reverse("campaign_edit", args=[copies[0].name]) if copies else here, message)


def _share(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        raise InvalidSpec("A share lies above 0 and up to 1.", hint="Write 0.01 for 1%.", share=text) from None


# -- the wizard ---------------------------------------------------------------------------------------------------------


def _wizard(request: Request, row: Any) -> HttpResponse:
    """Go to the step that a button names, or save."""
    values = wizard.values_from(request.POST)
    if row is not None:
        values["name"] = row.name
    do = request.POST.get("do", "")
    if do in ("save", "submit"):
        return _saved(request, values, row, submits=do == "submit")
    return _step(request, do.removeprefix("to:"), values, row)


def _saved(request: Request, values: dict[str, Any], row: Any, *, submits: bool) -> HttpResponse:
    at = request.POST.get("step", "check")
    try:
        spec = _spec(values)
        base = request.POST.get("base", "")
        if row is not None and base and base != row.fingerprint:
            raise Conflict(
                f"{row.owner_name} changed this campaign while you were writing.",
                hint="Open it again and repeat your change.",
            )
        if row is None and campaigns_for(request.actor).filter(name=spec.name).exists():
            raise Conflict(f"There is a campaign {spec.name!r} already.", hint="Choose another name.", name=spec.name)
        saved = save_campaign(request.actor, spec)
        if submits:
            submit_campaign(request.actor, saved.pk, reason=request.POST.get("reason", ""))
    except KequnError as error:
        response = _step(request, at, values, row, error)
        response.status_code = status_of(error)
        return response
    return done(request, "campaign", _("已提交审批") if submits else _("已保存草稿"), name=saved.name)


def _spec(values: dict[str, Any]) -> CampaignSpec:
    return parse_spec(json.dumps(wizard.document(values), ensure_ascii=False))[0]  # type: ignore[return-value]


def _step(
    request: Request, step: str, values: dict[str, Any], row: Any, error: KequnError | None = None
) -> HttpResponse:
    step = step if step in wizard.ORDER else "goal"
    at = wizard.ORDER.index(step)
    fields = wizard.shown(step, values)
    context: dict[str, Any] = {
        "steps": [(n, t, n == step, i < at) for i, (n, t, _f) in enumerate(wizard.STEPS)], "step": step, "fields": fields,
        "carried": wizard.carried(step, values), "row": row, "before": wizard.ORDER[at - 1] if at else "",
        "following": wizard.ORDER[at + 1] if at + 1 < len(wizard.ORDER) else "", "values": values,
        "target": reverse("campaign_edit", args=[row.name]) if row else reverse("campaign_new"), "channels": wizard.choices_of()["channel"],
        "language": get_language() or "zh", **contents(request),
    }  # fmt: skip
    context |= _rail(request, values)
    if error is not None:
        context["rest"] = _pinned(fields, error)
    return render(request, "campaigns/wizard.html", context)


def _rail(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    """Return the design of the draft as far as it can be computed, and what is still missing."""
    try:
        return {"design": design_campaign(request.actor, _spec(values))}
    except KequnError as error:
        missing = error.errors if isinstance(error, SeveralErrors) else (error,)
        return {
            "missing": [
                (
                    wizard.step_of(m.where.field),
                    wizard.label_of(m.where.field),
                    _("还没填") if _is_empty(m) else part.text,
                )
                for m in missing
                for part in said(m)
            ]
        }


def _is_empty(fault: KequnError) -> bool:
    return fault.facts.get("type") in ("missing", "string_too_short")


def _pinned(fields: list[Any], error: KequnError) -> list[Said]:
    rest: list[Said] = []
    for fault in error.errors if isinstance(error, SeveralErrors) else (error,):
        first = fault.where.field.split(".")[0]
        homes = [f for f in fields if f.field.path == {"holdout": "rate"}.get(first, first)]
        for part in said(fault):
            (homes[0].faults if homes else rest).append(part)
    return rest


# -- what a campaign page shows -----------------------------------------------------------------------------------------


def _of_funnel(found: Any) -> dict[str, Any]:
    total = sum(found.touches.values())
    got = sum(found.touches.get(s, 0) for s in ("accepted", "delivered", "presumed_sent", "undelivered"))
    steps = [
        (_("客群成员"), found.members, found.members), (_("剔除之后"), found.members - found.excluded, found.members),
        (_("过合规闸门"), found.passed, found.members), (_("触达组"), found.treated, found.members),
        (_("计划触达"), total, found.members), (_("已发出"), got, found.members),
        (_("确认送达"), found.touches.get("delivered", 0), found.members),
    ]  # fmt: skip
    blocks = [(c, sorted(reasons.items(), key=lambda r: -(r[1] or 0))) for c, reasons in found.blocks.items()]
    by_channel = [(c, [(s, n[s]) for s in FINAL if n.get(s)], sum(n.values())) for c, n in found.by_channel.items()]
    states = [(s, found.touches[s]) for s in FINAL if found.touches.get(s)]
    context: dict[str, Any] = {
        "funnel": found, "steps": steps, "blocks": blocks, "by_channel": by_channel, "states": states, "total": total,
        "later": list(found.blocked_later.items()),
    }  # fmt: skip
    if states:
        names = [word_for("state", s) for s, _n in states]
        context["states_chart"] = charts.bars(_("触达的最终状态"), names, (_("触达数"), [n for _s, n in states]))
    return context


def _of_waves(request: Request, row: Any) -> dict[str, Any]:
    """Return the waves, the shares that may follow, and where the campaign pauses."""
    waves, names = waves_of(row), {b.code: b for b in branches_for(request.actor)}
    launched = waves[-1].to_share if waves else Decimal(0)
    more = [(str(share), f"{share:.0%}") for share in SHARES if share > launched]
    paused = [(pause, names.get(pause.branch_code)) for pause in pauses_of(row)]
    taken = {pause.branch_code for pause, _branch in paused}
    free = [b for b in names.values() if b.code not in taken and b.parent_id] if row.state == "running" else []
    return {"waves": waves, "launched": launched, "shares": more, "paused": paused, "branches": free}


def _events(request: Request, row: Any) -> list[tuple[Any, str, str]]:
    """Return when what happened and who did it: from the trail where one may read it, else from the campaign itself."""
    trail = audit_for(request.actor, object_kind="campaign", object_id=row.pk)
    if request.actor.may("audit.view"):
        return [(e.at, word_for("act", e.act), e.username) for e in trail]
    known = (
        (row.created_at, _("建立"), row.owner_name), (row.submitted_at, _("提交审批"), row.owner_name),
        (row.approved_at, _("批准"), row.approved_by), (row.launched_at, _("启动"), ""),
        (row.stopped_at, _("叫停"), row.stop_reason), (row.finished_at, _("结束"), ""),
    )  # fmt: skip
    # of one moment, the last step first
    return sorted((e for e in reversed(known) if e[0]), key=lambda e: e[0], reverse=True)
