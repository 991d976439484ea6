"""What waits for a second person, and her decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.ops.governance import queries, services

router = Router(tags=["approvals 审批"])


class ApprovalOut(Schema):
    """One approval: of one version of one thing."""

    id: int
    kind: str
    name: str
    fingerprint: str
    title: str
    summary: dict[str, Any]
    state: str
    maker_name: str
    checker_name: str
    reason: str
    submitted_at: datetime
    decided_at: datetime | None


class DecisionIn(Schema):
    """Approve, or refuse with a reason."""

    approve: bool
    reason: str = ""


@router.get("", response=list[ApprovalOut], summary="Approvals: all for a checker, one's own for others")
def list_approvals(request: Request, state: str | None = None, limit: int = 50, offset: int = 0) -> Any:
    return queries.approvals_for(request.actor, state=state)[offset : offset + min(limit, 500)]


@router.put("/{approval_id}/decision", response=ApprovalOut, summary="Decide what another person made")
def decide(request: Request, approval_id: int, decision: DecisionIn) -> Any:
    return services.decide(request.actor, approval_id, approve=decision.approve, reason=decision.reason)
