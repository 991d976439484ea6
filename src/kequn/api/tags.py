"""The tag catalogue and its values' distribution."""

from __future__ import annotations

from datetime import date
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.api.sources import JobStarted
from kequn.core.spec.tag import TagSpec
from kequn.ops.tags import history, queries, services
from kequn.ops.tags.backfill import request_backfill

router = Router(tags=["tags 标签"])


class TagOut(Schema):
    """One line of the catalogue; coverage is a share of 0–1."""

    name: str
    title: str
    title_en: str
    family: str
    type: str
    sensitivity: str
    coverage: float | None
    missing: str


@router.get("", response=list[TagOut], summary="The catalogue with coverage on a date")
def list_tags(request: Request, as_of: date | None = None) -> list[dict[str, Any]]:
    return [
        {"name": r.spec.name, "title": r.spec.title.zh, "title_en": r.spec.title.en, "family": r.spec.family,
         "type": r.spec.type, "sensitivity": r.spec.sensitivity, "coverage": r.coverage, "missing": str(r.missing or "")}
        for r in queries.tag_rows_for(request.actor, as_of=as_of)
    ]  # fmt: skip


@router.post("/refreshes", response={202: JobStarted}, summary="Compute all tags for a business date")
def refresh(request: Request, as_of: date | None = None) -> Any:
    job = services.request_refresh(request.actor, as_of=as_of)
    return Status(202, {"job": job.pk, "state": job.state})


class BackfillIn(Schema):
    """Which tags to compute for which past dates: every day of a time, or its month ends."""

    tags: list[str]
    first: date
    last: date
    monthly: bool = False


@router.post("/backfills", response={202: JobStarted}, summary="Compute tags for past dates, as of each date")
def backfill(request: Request, asked: BackfillIn) -> Any:
    job = request_backfill(request.actor, asked.tags, first=asked.first, last=asked.last, monthly=asked.monthly)
    return Status(202, {"job": job.pk, "state": job.state})


@router.get("/{name}", response=TagSpec, by_alias=True, summary="The definition of a tag")
def show(request: Request, name: str) -> TagSpec:
    return queries.tag_for(request.actor, name)


@router.put("/{name}", response=TagSpec, by_alias=True, summary="Add or change a tag of the bank's own")
def save(request: Request, name: str, spec: TagSpec) -> TagSpec:
    services.save_tag(request.actor, spec)
    return spec


@router.get("/{name}/statistics/{as_of}", response=dict[str, Any], summary="Coverage and distribution on a date")
def statistics(request: Request, name: str, as_of: date) -> dict[str, Any]:
    return queries.statistics_for(request.actor, name, as_of)


@router.delete(
    "/{name}", response={204: None}, summary="Remove a tag of the bank's own; refused while something uses it"
)
def remove(request: Request, name: str) -> Any:
    services.remove_tag(request.actor, name)
    return Status(204, None)


@router.get("/{name}/users", response=list[dict[str, Any]], summary="What reads the tag")
def users(request: Request, name: str) -> list[dict[str, Any]]:
    return [{"kind": u.kind, "name": u.name, "title": u.title.zh} for u in queries.users_for(request.actor, name)]


@router.get("/{name}/drift", response=dict[str, Any], summary="How far the distribution moved between two dates (PSI)")
def drift(request: Request, name: str, earlier: date | None = None, later: date | None = None) -> Any:
    return plain(history.drift_for(request.actor, name, earlier=earlier, later=later))


@router.get("/{name}/transitions", response=dict[str, Any], summary="Who moved from which value to which")
def transitions(request: Request, name: str, earlier: date | None = None, later: date | None = None) -> Any:
    return plain(history.transitions_for(request.actor, name, earlier=earlier, later=later))


@router.get("/asset_tier/months", response=list[dict[str, Any]], summary="Customers by tier, month by month")
def tier_months(request: Request) -> Any:
    return plain(history.tier_months_for(request.actor))
