"""One customer, masked, within the caller's scope."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.ops.customers import queries, services

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
