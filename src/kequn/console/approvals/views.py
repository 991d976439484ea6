"""What waits for a second person, what changed in it, and the decision."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from kequn.console.access import Request, done, page, refused
from kequn.console.board.conditions import conditions_said
from kequn.console.exports import listing
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError, NotAllowed
from kequn.ops.governance.queries import approvals_for, decides, decides_any
from kequn.ops.governance.services import decide

COLUMNS = (
    Column(lazy("名称"), "title", "title"),
    Column(lazy("类别"), "kind", "kind"),
    Column(lazy("状态"), "state", "state"),
    Column(lazy("经办"), "maker_name", "maker_name"),
    Column(lazy("提交时间"), "submitted_at", "submitted_at"),
    Column(lazy("复核"), "checker_name", "checker_name"),
    Column(lazy("意见"), "reason"),
)
STATES = ("waiting", "approved", "refused", "withdrawn")
SHOWN = ("approval.decide", "campaign.submit", "segment.edit", "export.approve", "export.ask")
PAGE_OF = {"segment": "segment", "campaign": "campaign"}
PLAIN = 1_000


@page(*SHOWN)
def approvals(request: Request) -> HttpResponse:
    """List approvals: the whole queue for a checker, one's own submissions for a maker."""
    state = request.GET.get("state", "waiting" if decides_any(request.actor) else "")
    rows = approvals_for(request.actor, state=state if state in STATES else None)
    table = Table(
        request, rows, COLUMNS, name="approvals", default="submitted_at" if state == "waiting" else "-submitted_at"
    )
    return listing(request, "approvals/list.html", table, _("审批"), {"state": state, "states": STATES})


@page(*SHOWN)
def approval(request: Request, approval_id: int) -> HttpResponse:
    """Show one approval with what the checker needs, and take her decision."""
    row = approvals_for(request.actor).filter(pk=approval_id).first()
    if row is None:
        raise NotAllowed("There is no such approval.", approval=approval_id)
    before = (
        approvals_for(request.actor, state="approved").filter(kind=row.kind, name=row.name).exclude(pk=row.pk).first()
    )
    context = {
        "approval": row,
        "facts": [
            (k, conditions_said(v) if k == "conditions" else v)
            for k, v in row.summary.items()
            if k not in ("spec", "design", "versions", "title") and v not in ("", None, [], {})
        ],
        "design": row.summary.get("design"),
        "versions": row.summary.get("versions", {}),
        "language": get_language() or "zh",
        "changes": changes(before.summary if before else {}, row.summary),
        "before": before,
        "compares": before is not None or "spec" in row.summary,
        "mine": row.maker_id == request.actor.user_id,
        "decides": decides(request.actor, row.kind),
        "target": reverse(PAGE_OF[row.kind], args=[row.name]) if row.kind in PAGE_OF else "",
        "reason": request.POST.get("reason", ""),
    }
    if request.method != "POST":
        return render(request, "approvals/approval.html", context)
    approve = request.POST.get("decision") == "approve"
    try:
        decide(request.actor, approval_id, approve=approve, reason=request.POST.get("reason", ""))
    except KequnError as error:
        return refused(request, "approvals/approval.html", context, error)
    return done(request, "approvals", _("已批准“%s”") % row.title if approve else _("已退回“%s”") % row.title)


def changes(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what differs between two submissions: (dotted field, then, now)."""
    old, new = flat(before.get("spec", before)), flat(after.get("spec", after))
    return [(k, old.get(k, ""), new.get(k, "")) for k in dict.fromkeys([*old, *new]) if old.get(k) != new.get(k)]


def flat(value: Any, at: str = "") -> dict[str, str]:
    """Return nested values as dotted field -> text."""
    if isinstance(value, dict):
        pairs = [(f"{at}.{k}" if at else str(k), v) for k, v in value.items()]
    elif isinstance(value, list):
        pairs = [(f"{at}.{n}" if at else str(n), v) for n, v in enumerate(value)]
    else:
        return (
            {}
            if value in (None, "")
            else {at: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}
        )
    found: dict[str, str] = {}
    for key, part in pairs:
        found |= flat(part, key)
    return found
