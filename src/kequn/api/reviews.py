"""What campaigns and experiments were worth."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.api.sources import JobStarted
from kequn.ops.campaigns.queries import campaign_named
from kequn.ops.reviews import queries, services

router = Router(tags=["reviews 后评估"])


class ReviewOut(Schema):
    """One review; the result holds effects with intervals, or why there are none."""

    id: int
    kind: str
    name: str
    as_of: date
    reviewed_at: datetime
    result: dict[str, Any]


class ExperimentIn(Schema):
    """An experiment whose arms another system drew, loaded into the table `assignment`."""

    experiment: str
    control: str
    metrics: list[str]
    days: int
    start_on: date | None = None
    shares: dict[str, float] | None = None


@router.get("", response=list[ReviewOut], summary="Reviews in sight, the newest first")
def list_reviews(request: Request, name: str | None = None, limit: int = 50, offset: int = 0) -> Any:
    return queries.reviews_for(request.actor, name=name)[offset : offset + min(limit, 500)]


@router.get("/{int:review_id}", response=ReviewOut, summary="One review")
def show(request: Request, review_id: int) -> Any:
    return queries.review_for(request.actor, review_id)


@router.post("/campaigns/{name}", response={202: JobStarted}, summary="Measure a campaign with the data at hand")
def review_campaign(request: Request, name: str, as_of: date | None = None) -> Any:
    job = services.request_review(request.actor, campaign_named(request.actor, name).pk, as_of=as_of)
    return Status(202, {"job": job.pk, "state": job.state})


@router.post("/experiments", response=ReviewOut, summary="Compare the arms of a loaded experiment with its control")
def review_experiment(request: Request, wanted: ExperimentIn) -> Any:
    return services.review_experiment(
        request.actor,
        wanted.experiment,
        wanted.metrics,
        control=wanted.control,
        days=wanted.days,
        start_on=wanted.start_on,
        shares=wanted.shares,
    )
