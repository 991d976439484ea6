"""WeCom's contacts: which customer each of them is, as the bank's SCRM knows it."""

from __future__ import annotations

from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.ops.wecom import queries, services

router = Router(tags=["wecom 企业微信"])


class ContactIn(Schema):
    """One contact: WeCom's external_userid, and our surrogate id of the customer."""

    external_userid: str
    customer_id: str


class LinkedOut(Schema):
    """How many were kept."""

    linked: int


class CustomerOut(Schema):
    """The customer of a chat, masked."""

    customer_id: str
    name: str


@router.post(
    "/contacts", response={201: LinkedOut}, summary="Keep which customer each contact is; the latest word counts"
)
def link(request: Request, contacts: list[ContactIn]) -> Any:
    pairs = [(c.external_userid, c.customer_id) for c in contacts]
    return Status(201, {"linked": services.link_contacts(request.actor, pairs)})


@router.get("/contacts/{contact}", response=CustomerOut, summary="The customer of a chat, where she is in one's scope")
def show(request: Request, contact: str) -> Any:
    return queries.customer_of_contact(request.actor, contact)
