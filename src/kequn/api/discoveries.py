"""Discovery: searches for clusters and look-alikes, their publication, and experts' notes."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.api.segments import SegmentOut
from kequn.api.sources import JobStarted
from kequn.core.spec.base import Text
from kequn.core.spec.discovery import DiscoverySearch
from kequn.ops.audiences.queries import latest_date
from kequn.ops.insights import queries, services

router = Router(tags=["discoveries 客群发现"])
notes = Router(tags=["notes 专家笔记"])


class DiscoveryIn(Schema):
    """A search: its name (that of the set of clusters), title, and what is looked for."""

    name: str
    title: str = ""
    search: DiscoverySearch
    as_of: date | None = None


class DiscoveryOut(Schema):
    """One discovery."""

    id: int
    name: str
    title: str
    kind: str
    state: str
    as_of: date
    job_id: int | None
    owner_name: str
    created_at: datetime
    published_at: datetime | None
    basis: str
    is_current: bool
    tag: str


class DiscoveryWhole(DiscoveryOut):
    """One discovery with its answer and its sizes within the caller's scope."""

    search: dict[str, Any]
    result: dict[str, Any] | None
    clusters: list[dict[str, Any]]
    sizes: dict[str, int]


class ChoiceOut(Schema):
    """A tag of a date: how much of the bank has it, and why no model may use it (``null``: it may)."""

    name: str
    title: str
    type: str
    coverage: float
    refused: str | None


class PublicationIn(Schema):
    """By what customers are assigned (``rules``, ``centres``; empty: rules where they are faithful), and for which date."""

    basis: str = ""
    as_of: date | None = None


class DraftIn(Schema):
    """The name of the segment; empty: of the discovery and the cluster."""

    name: str = ""


class ExpansionIn(Schema):
    """How many of the most alike are kept, as which list and segment, what for and until when."""

    n: int
    name: str
    title: str = ""
    purpose: str
    expires_on: date


class NoteIn(Schema):
    """A note on a segment, a cluster (``<discovery>:<code>``) or a discovery."""

    subject_kind: str
    subject: str
    text: str


class TextIn(Schema):
    """What a note says from now on."""

    text: str


class NoteOut(Schema):
    """A note with its author."""

    id: int
    subject_kind: str
    subject: str
    text: str
    author_name: str
    created_at: datetime
    edited_at: datetime | None


@router.get("", response=list[DiscoveryOut], summary="Discoveries in sight, the newest first")
def list_discoveries(request: Request, kind: str = "", limit: int = 100) -> Any:
    rows = [row for row in queries.discoveries_for(request.actor)[:1000] if not kind or row.kind == kind]
    return rows[: min(limit, 500)]


@router.get("/tags", response=list[ChoiceOut], summary="The tags of a date, and which of them a search may use")
def tags(request: Request, as_of: date | None = None) -> list[dict[str, Any]]:
    return [
        {
            "name": c.spec.name, "title": str(c.spec.title), "type": c.spec.type, "coverage": c.coverage,
            "refused": c.refused.to("en") if c.refused else None,
        }
        for c in queries.choices_for(request.actor, as_of or latest_date())
    ]  # fmt: skip


@router.post("", response={202: DiscoveryOut}, summary="Start a search; it runs as a job")
def start(request: Request, wanted: DiscoveryIn) -> Any:
    row = services.request_discovery(
        request.actor, wanted.search, name=wanted.name, title=wanted.title, as_of=wanted.as_of
    )
    return Status(202, row)


@router.get("/{discovery_id}", response=DiscoveryWhole, summary="One discovery with what it found")
def show(request: Request, discovery_id: int) -> dict[str, Any]:
    row = queries.discovery_for(request.actor, discovery_id)
    answer = queries.answer_for(request.actor, row)
    plain = {name: getattr(row, name) for name in DiscoveryOut.model_fields if name != "id"}
    return plain | {
        "id": row.pk, "search": row.search.model_dump(mode="json"), "result": answer, "clusters": (answer or {}).get("clusters", []),
        "sizes": queries.sizes_for(request.actor, row),
    }  # fmt: skip


@router.put("/{discovery_id}/clusters/{code}/title", response=DiscoveryOut, summary="Give a cluster a better name")
def rename(request: Request, discovery_id: int, code: str, title: Text) -> Any:
    return services.rename_cluster(request.actor, discovery_id, code, title)


@router.post(
    "/{discovery_id}/clusters/{code}/segment", response=SegmentOut, summary="Save a cluster's rule as a draft segment"
)
def draft(request: Request, discovery_id: int, code: str, wanted: DraftIn) -> dict[str, Any]:
    version = services.save_rule(request.actor, discovery_id, code, name=wanted.name)
    return {
        "id": version.pk, "name": version.name, "title": str(version.spec.title), "fingerprint": version.fingerprint,
        "state": version.state, "is_current": version.is_current, "owner_name": version.owner_name,
        "created_at": version.created_at,
    }  # fmt: skip


@router.post("/{discovery_id}/publication", response={202: JobStarted}, summary="Make the clusters a tag of a date")
def publish(request: Request, discovery_id: int, wanted: PublicationIn) -> Any:
    job = services.request_publication(request.actor, discovery_id, basis=wanted.basis, as_of=wanted.as_of)
    return Status(202, {"job": job.pk, "state": job.state})


@router.post("/{discovery_id}/expansion", response={202: JobStarted}, summary="Keep the most alike as a draft segment")
def expand(request: Request, discovery_id: int, wanted: ExpansionIn) -> Any:
    job = services.request_expansion(request.actor, discovery_id, **wanted.model_dump())
    return Status(202, {"job": job.pk, "state": job.state})


@notes.get("", response=list[NoteOut], summary="Notes on one thing, oldest first")
def list_notes(request: Request, subject_kind: str, subject: str) -> Any:
    return queries.notes_for(request.actor, subject_kind, subject)


@notes.post("", response={201: NoteOut}, summary="Write a note under one's own name")
def write(request: Request, wanted: NoteIn) -> Any:
    return Status(201, services.add_note(request.actor, wanted.subject_kind, wanted.subject, wanted.text))


@notes.put("/{note_id}", response=NoteOut, summary="Change one's own note; what it said before is kept")
def change(request: Request, note_id: int, wanted: TextIn) -> Any:
    return services.edit_note(request.actor, note_id, wanted.text)


@notes.delete("/{note_id}", response={204: None}, summary="Take one's own note away")
def remove(request: Request, note_id: int) -> Any:
    services.remove_note(request.actor, note_id)
    return Status(204, None)
