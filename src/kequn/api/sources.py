"""Sources and loads."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.core.spec.source import SourceSpec
from kequn.ops.sources import queries, services

router = Router(tags=["sources 数据源"])


class SourceOut(Schema):
    """How a source stands."""

    name: str
    title: str
    table: str
    fingerprint: str
    light: str
    rows: int
    as_of: date | None
    age_days: int | None
    due: datetime | None
    """When the next load has to be there."""
    failed_checks: int
    """Quality checks of the last load that did not hold."""


class LoadOut(Schema):
    """One load: n_read = n_loaded + n_rejected + n_skipped."""

    load_id: str
    source: str
    table: str
    state: str
    n_read: int
    n_loaded: int
    n_rejected: int
    n_skipped: int
    totals: dict[str, Any]
    reasons: dict[str, Any]
    checks: list[dict[str, Any]]
    as_of: date | None
    error: dict[str, Any] | None
    seconds: float
    started_at: datetime


class RejectOut(Schema):
    """One row that was not loaded; personal values are masked."""

    file: str
    line: int | None
    column: str
    value: str
    reason: str


class JobStarted(Schema):
    """Long work that was queued; ask /v1/jobs/{id} how far it is."""

    job: int
    state: str


@router.get("", response=list[SourceOut], summary="Sources and their freshness")
def list_sources(request: Request) -> list[dict[str, Any]]:
    return [
        {"name": s.spec.name, "title": str(s.spec.title), "table": s.spec.table, "fingerprint": s.spec.fingerprint(),
         "light": s.light, "rows": s.rows, "as_of": s.as_of, "age_days": s.age_days, "due": s.due,
         "failed_checks": sum(c["passed"] is False for c in s.last.checks) if s.last else 0}
        for s in queries.statuses_for(request.actor)
    ]  # fmt: skip


@router.put("/{name}", response={200: SourceOut}, summary="Define a source; the same definition again changes nothing")
def save(request: Request, name: str, spec: SourceSpec) -> dict[str, Any]:
    services.save_source(request.actor, spec)
    return next(row for row in list_sources(request) if row["name"] == spec.name)


@router.get("/{name}", response=SourceSpec, by_alias=True, summary="The definition of a source")
def show(request: Request, name: str) -> SourceSpec:
    return queries.source_for(request.actor, name)


@router.post("/{name}/loads", response={202: JobStarted}, summary="Load a source; one load of it at a time")
def load(request: Request, name: str) -> Any:
    job = services.request_load(request.actor, name)
    return Status(202, {"job": job.pk, "state": job.state})


@router.get("/{name}/loads", response=list[LoadOut], summary="Loads of a source, the newest first")
def loads(request: Request, name: str, limit: int = 50, offset: int = 0) -> Any:
    return queries.loads_for(request.actor, source=name)[offset : offset + min(limit, 500)]


@router.get("/{name}/checks", response=list[dict[str, Any]], summary="What each quality check found at the last loads")
def checks(request: Request, name: str, loads: int = 14) -> list[dict[str, Any]]:
    return [
        {"check": c.check, "column": c.column, "severity": c.severity, "results": [
            {"load_id": load.load_id, "started_at": load.started_at, "passed": passed, "found": found, "expected": expected}
            for load, passed, found, expected in c.results
        ]}
        for c in queries.checks_over_time(request.actor, name, loads=min(loads, 100))
    ]  # fmt: skip


@router.get("/{name}/rejects", response=list[dict[str, Any]], summary="Rejected rows by day and reason")
def rejects_by_day(request: Request, name: str, days: int = 30) -> list[dict[str, Any]]:
    return [{"day": day, "reasons": reasons} for day, reasons in queries.rejects_by_day(request.actor, name, days=days)]


@router.get("/{name}/loads/{load_id}/rejects", response=list[RejectOut], summary="Rows of a load that were rejected")
def rejects(request: Request, name: str, load_id: str, limit: int = 100, offset: int = 0) -> Any:
    return queries.rejects_for(request.actor, load_id, limit=min(limit, 500), offset=offset)
