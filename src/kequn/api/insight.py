"""Insight: a segment's note, and the bank's KPIs with their definitions."""

from __future__ import annotations

from datetime import date
from typing import Any

from ninja import Router, Status

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.api.sources import JobStarted
from kequn.ops.analysis import queries, services
from kequn.ops.analysis.contracts import BLOCKS

router = Router(tags=["insight 洞察"])


@router.get("/kpis", response=list[dict[str, Any]], summary="What each KPI means")
def kpis(request: Request, family: str = "") -> list[dict[str, Any]]:
    return [kpi.model_dump() for kpi in queries.kpis_for(request.actor, family=family)]


@router.get(
    "/bank",
    response={200: dict[str, Any], 202: JobStarted},
    summary="KPIs by branch, tier or month within the caller's scope; small parts are withheld",
)
def bank(
    request: Request,
    by: str = "branch",
    month: str = "",
    branch: str = "",
    tier: str = "",
    group: str = "",
    kpi: str = "",
) -> Any:
    wanted = [k for k in kpi.split(",") if k]
    answer = services.bank_page(request.actor, by=by, month=month, branch=branch, tier=tier, group=group, kpis=wanted)
    if answer.table is None:
        return Status(202, {"job": answer.job_id, "state": "queued"})
    return Status(200, plain(queries.plain_table(answer.table)))


@router.get(
    "/segments/{name}", response=dict[str, Any], summary="A segment's note, or some of its blocks, with their sentences"
)
def segment(request: Request, name: str, as_of: date | None = None, blocks: str = "") -> Any:
    wanted = tuple(b for b in blocks.split(",") if b) or BLOCKS
    return plain(queries.segment_note(request.actor, name, as_of=as_of, blocks=wanted))
