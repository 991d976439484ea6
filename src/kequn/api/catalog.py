"""Offers, templates, talk tracks, metrics, playbooks and contact policies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.core.spec.campaign import ContactPolicySpec, PlaybookSpec
from kequn.core.spec.metric import MetricSpec
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec, TemplateSpec
from kequn.ops.catalog import queries, services

router = Router(tags=["catalog 产品与内容"])
AnyDefinition = OfferSpec | TemplateSpec | TalkTrackSpec | MetricSpec | PlaybookSpec | ContactPolicySpec


class DefinitionOut(Schema):
    """One version of a definition."""

    id: int
    kind: str
    name: str
    title: str
    fingerprint: str
    state: str
    is_current: bool
    owner_name: str
    created_at: datetime


class ProductOut(Schema):
    """A product of the bank."""

    code: str
    name: str
    name_en: str
    family: str
    risk_level: int | None


class MarkOut(Schema):
    """What the content check found."""

    code: str
    grade: str
    found: str
    reason: str


def _out(version: Any) -> dict[str, Any]:
    return {
        "id": version.pk, "kind": version.kind, "name": version.name, "title": str(version.spec.title),
        "fingerprint": version.fingerprint, "state": version.state, "is_current": version.is_current,
        "owner_name": version.owner_name, "created_at": version.created_at,
    }  # fmt: skip


@router.get("/products", response=list[ProductOut], summary="Products, as loaded")
def products(request: Request) -> Any:
    return queries.products_for(request.actor)


@router.get("/definitions", response=list[DefinitionOut], summary="Definitions, the newest version of each")
def list_definitions(request: Request, kind: str | None = None) -> list[dict[str, Any]]:
    return [_out(v) for v in queries.latest_definitions(request.actor, kind=kind)]


@router.put("/definitions", response=DefinitionOut, summary="Save a version; the document says its kind and name")
def save(request: Request, spec: AnyDefinition) -> dict[str, Any]:
    return _out(services.save_definition(request.actor, spec))


@router.get("/definitions/{version_id}", response=dict[str, Any], summary="One version, whole")
def show(request: Request, version_id: int) -> dict[str, Any]:
    spec = queries.definition_for(request.actor, version_id).spec
    found: dict[str, Any] = spec.model_dump(mode="json", by_alias=True)
    return found | {"kind": spec.kind}


@router.get("/definitions/{version_id}/marks", response=list[MarkOut], summary="What the content check finds")
def marks(request: Request, version_id: int) -> list[dict[str, Any]]:
    found = queries.marks_for(request.actor, queries.definition_for(request.actor, version_id).spec)
    return [{"code": m.code, "grade": m.grade, "found": m.found, "reason": str(m.reason)} for m in found]


@router.post("/definitions/{version_id}/submission", response=DefinitionOut, summary="Ask for approval")
def submit(request: Request, version_id: int) -> dict[str, Any]:
    return _out(services.submit_definition(request.actor, version_id))
