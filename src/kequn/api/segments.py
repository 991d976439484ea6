"""Segments: definitions, exact counts, profiles, members, lists and exports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.http import FileResponse
from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.core.errors import InvalidSpec
from kequn.core.segments import EXECUTED
from kequn.core.spec.segment import SegmentSpec
from kequn.ops.audiences import queries, services

router = Router(tags=["segments 客群"])


class SegmentOut(Schema):
    """One version of a segment."""

    id: int
    name: str
    title: str
    fingerprint: str
    state: str
    is_current: bool
    owner_name: str
    created_at: datetime


class StepOut(Schema):
    """One condition: how many meet it alone, how many are left after it, for how many a tag of it is unknown."""

    path: str
    alone: int
    left: int
    unknown: int


class PreviewOut(Schema):
    """A segment on a date, exactly, within the caller's scope."""

    as_of: date
    size: int
    bank: int
    share: float | None
    steps: list[StepOut]
    words_zh: str
    words_en: str
    is_scoped: bool


class MembersOut(Schema):
    """One page of members by surrogate id, with the tags asked for."""

    as_of: date
    total: int
    page: int
    tags: list[str]
    members: list[dict[str, Any]]


def _out(version: Any) -> dict[str, Any]:
    return {
        "id": version.pk, "name": version.name, "title": str(version.spec.title), "fingerprint": version.fingerprint,
        "state": version.state, "is_current": version.is_current, "owner_name": version.owner_name,
        "created_at": version.created_at,
    }  # fmt: skip


def _of(request: Request, name: str) -> Any:
    return queries.segment_named(request.actor, name)


@router.get("", response=list[SegmentOut], summary="Segments in sight, the newest version of each")
def list_segments(request: Request) -> list[dict[str, Any]]:
    return [_out(version) for version in queries.latest_segments(request.actor)]


@router.post("/preview", response=PreviewOut, summary="Count a rule that need not be saved")
def preview(request: Request, spec: SegmentSpec, as_of: date | None = None) -> Any:
    return queries.preview_segment(request.actor, spec, as_of=as_of)


class WordsOut(Schema):
    """A rule as one sentence in each language."""

    zh: str
    en: str


class SqlOut(Schema):
    """A rule as SQL over the logical views, and whether SQL of that dialect is executed in our tests."""

    dialect: str
    sql: str
    is_executed: bool


def _sql_out(sql: str, dialect: str) -> dict[str, Any]:
    return {"dialect": dialect, "sql": sql, "is_executed": dialect in EXECUTED}


@router.post("/preview/words", response=WordsOut, summary="Say a rule that need not be saved in one sentence")
def preview_words(request: Request, spec: SegmentSpec) -> dict[str, str]:
    return queries.draft_words(request.actor, spec)


@router.post("/preview/sql", response=SqlOut, summary="The SQL of a rule that need not be saved, by engine")
def preview_sql(
    request: Request, spec: SegmentSpec, dialect: str = "duckdb", as_of: date | None = None
) -> dict[str, Any]:
    return _sql_out(queries.draft_sql(request.actor, spec, as_of=as_of, dialect=dialect), dialect)


@router.get("/overlap", response=dict[str, Any], summary="How many customers each two of several segments share")
def overlap(request: Request, names: str, as_of: date | None = None) -> dict[str, Any]:
    chosen = [n for n in names.split(",") if n]
    found = queries.overlap_of(request.actor, [_of(request, n).pk for n in chosen], as_of=as_of)
    return {"names": list(found.names), "counts": [list(map(int, row)) for row in found.counts]}


@router.put("/{name}", response=SegmentOut, summary="Save a version; the same meaning gives the same version")
def save(request: Request, name: str, spec: SegmentSpec) -> dict[str, Any]:
    if spec.name != name:
        raise InvalidSpec(f"The address says {name!r}, the document {spec.name!r}.", hint="Use one name.")
    return _out(services.save_segment(request.actor, spec))


@router.get("/{name}", response=SegmentSpec, by_alias=True, summary="The definition in use")
def show(request: Request, name: str) -> Any:
    return _of(request, name).spec


@router.post("/{name}/submission", response=SegmentOut, summary="Ask for approval of the newest version")
def submit(request: Request, name: str) -> dict[str, Any]:
    newest = queries.versions_of(request.actor, name).first() or _of(request, name)
    return _out(services.submit_segment(request.actor, newest.pk))


@router.get("/{name}/versions", response=list[SegmentOut], summary="All versions, the newest first")
def versions(request: Request, name: str) -> list[dict[str, Any]]:
    return [_out(v) for v in queries.versions_of(request.actor, name)]


@router.get("/{name}/count", response=PreviewOut, summary="Size and funnel on a date")
def count(request: Request, name: str, as_of: date | None = None) -> Any:
    return queries.preview_segment(request.actor, _of(request, name).pk, as_of=as_of)


@router.get("/{name}/sql", response=SqlOut, summary="The rule as SQL over the logical tables, by engine")
def sql(request: Request, name: str, as_of: date | None = None, dialect: str = "duckdb") -> dict[str, Any]:
    return _sql_out(queries.sql_for(request.actor, _of(request, name).pk, as_of=as_of, dialect=dialect), dialect)


@router.get("/{name}/profile", response=dict[str, Any], summary="TGI with intervals")
def profile(request: Request, name: str, as_of: date | None = None) -> dict[str, Any]:
    return services.profile_segment(request.actor, _of(request, name).pk, as_of=as_of).as_json()


@router.get(
    "/{name}/members",
    response=MembersOut,
    summary="Members by surrogate id; persons are masked and only where the caller may see them",
)
def members(
    request: Request,
    name: str,
    as_of: date | None = None,
    page: int = 1,
    size: int = 50,
    tags: str = "",
    order_by: str = "",
) -> Any:
    wanted = [t for t in tags.split(",") if t]
    found = queries.members_page(
        request.actor, _of(request, name).pk, as_of=as_of, page=page, size=size, tags=wanted, order_by=order_by
    )
    rows = [
        {
            "customer_id": m.customer_id,
            "name": m.person.name if m.person else None,
            **dict(zip(found.tags, m.tags, strict=True)),
        }
        for m in found.members
    ]
    return {"as_of": found.as_of, "total": found.total, "page": found.page, "tags": list(found.tags), "members": rows}


@router.get("/exports/{export_id}/file", summary="The file of one's own export")
def take(request: Request, export_id: int) -> FileResponse:
    path = services.take_export(request.actor, export_id)
    return FileResponse(path.open("rb"), as_attachment=True, filename=path.name)
