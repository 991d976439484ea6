"""One customer, masked, within the caller's scope."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.api.tasks import FollowUpOut, OutcomeIn
from kequn.ops.customers import queries, services
from kequn.ops.workbench import services as workbench
from kequn.ops.workbench.talks import talk_for

router = Router(tags=["customers 客户"])


class PersonOut(Schema):
    """A customer, masked."""

    customer_id: str
    name: str
    phone: str
    document_no: str
    email: str
    customer_no: str
    branch_code: str
    rm_no: str


class FindIn(Schema):
    """The exact customer number, phone, document or full name; sent in the body, so that it stands in no address."""

    text: str


class RevealIn(Schema):
    """Which value, and why it is needed."""

    field: str
    reason: str


class RevealOut(Schema):
    """One value in clear; counted and logged."""

    value: str


@router.post("/search", response=list[PersonOut], summary="Find by an exact value, within scope")
def search(request: Request, wanted: FindIn) -> Any:
    return queries.find(request.actor, wanted.text)


@router.get("/{customer_id}", response=PersonOut, summary="One customer, masked")
def show(request: Request, customer_id: str) -> Any:
    return queries.person_for(request.actor, customer_id)


@router.post("/{customer_id}/reveal", response=RevealOut, summary="One personal value in clear, for a reason")
def reveal(request: Request, customer_id: str, wanted: RevealIn) -> Any:
    return {"value": services.reveal(request.actor, customer_id, wanted.field, reason=wanted.reason)}


class HappenedIn(OutcomeIn):
    """What came of a contact that took place without a task, and by which channel: call, wecom or visit."""

    channel: str = "call"


@router.post(
    "/{customer_id}/outcome",
    response=FollowUpOut,
    summary="Record a contact that took place without a task; a refusal stops what is queued",
)
def record_outcome(request: Request, customer_id: str, happened: HappenedIn) -> Any:
    return workbench.record_without_task(request.actor, customer_id, **happened.dict())


class MaterialIn(Schema):
    """Which version of a material is sent, as it was previewed. `key` makes a repeated call harmless."""

    key: str
    fingerprint: str


@router.get(
    "/{customer_id}/standing", response=dict[str, Any], summary="The head of one customer's page; the look is recorded"
)
def standing(request: Request, customer_id: str) -> Any:
    found = workbench.customer_360(request.actor, customer_id)
    shown = ("title_zh", "title_en", "why_zh", "why_en", "due_at")
    tasks = [{"id": t.pk} | {name: getattr(t, name) for name in shown} for t in found.tasks]
    return {"person": plain(found.person), "as_of": found.as_of, "standing": plain(found.standing), "tasks": tasks}


@router.get(
    "/{customer_id}/advice", response=dict[str, Any], summary="Contactability by channel and the next best steps"
)
def advice(request: Request, customer_id: str) -> Any:
    return plain(workbench.advice_for(request.actor, customer_id))


@router.get(
    "/{customer_id}/money", response=dict[str, Any], summary="Holdings, their history, flows, rhythm, what is missing"
)
def money(request: Request, customer_id: str) -> Any:
    return plain(workbench.money_for(request.actor, customer_id))


@router.get(
    "/{customer_id}/past", response=dict[str, Any], summary="Every contact of every post, open matters, household, tags"
)
def past(request: Request, customer_id: str) -> Any:
    return plain(workbench.past_for(request.actor, customer_id))


@router.get(
    "/{customer_id}/talk/{offer}",
    response=dict[str, Any],
    summary="What may be said about an offer: approved words only",
)
def talk(request: Request, customer_id: str, offer: str) -> Any:
    return plain(talk_for(request.actor, customer_id, offer))


@router.get(
    "/{customer_id}/material", response=list[dict[str, Any]], summary="Approved material that may be sent by hand"
)
def list_material(request: Request, customer_id: str) -> Any:
    return plain(workbench.materials_for(request.actor, customer_id))


@router.get(
    "/{customer_id}/material/{name}", response=dict[str, Any], summary="A material as this customer would see it"
)
def preview_material(request: Request, customer_id: str, name: str) -> Any:
    return plain(workbench.preview_material(request.actor, customer_id, name))


@router.post(
    "/{customer_id}/material/{name}", response=dict[str, Any], summary="Send a material by hand, through the gate, once"
)
def send_material(request: Request, customer_id: str, name: str, sent: MaterialIn) -> Any:
    touch = workbench.send_material(request.actor, customer_id, name, key=sent.key, fingerprint=sent.fingerprint)
    return {"touch": touch.key, "channel": touch.channel, "expires_at": touch.expires_at}
