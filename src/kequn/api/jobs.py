"""Long work: how far it is, and how to end it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.ops.jobs import queries, services

router = Router(tags=["jobs 作业"])


class JobOut(Schema):
    """One job."""

    id: int
    kind: str
    state: str
    done: int
    total: int | None
    message: str
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    created_at: datetime
    finished_at: datetime | None


@router.get("", response=list[JobOut], summary="Jobs in one's sight, the newest first")
def list_jobs(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return queries.jobs_for(request.actor)[offset : offset + min(limit, 500)]


@router.get("/{job_id}", response=JobOut, summary="One job")
def show(request: Request, job_id: int) -> Any:
    return queries.job_for(request.actor, job_id)


@router.delete("/{job_id}", response=JobOut, summary="Cancel a job")
def cancel(request: Request, job_id: int) -> Any:
    return services.cancel_job(request.actor, job_id)
