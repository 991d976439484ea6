"""Where gateways report what happened to messages: signed, in any order, as often as they like."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.errors import HttpError

from kequn.channels.signature import MAX_BODY_BYTES, SIGNATURE_HEADER, TIME_HEADER
from kequn.channels.sms.receipts import read_receipts
from kequn.ops.delivery.services import is_signed, record_receipts
from kequn.ops.orgs.actor import system_actor

router = Router(tags=["receipts 回执"])


class Taken(Schema):
    """How many receipts the call held."""

    receipts: int


@router.post("/sms", auth=None, response=Taken, summary="Receipts of the SMS gateway; signed with the shared secret")
def sms(request: HttpRequest) -> dict[str, Any]:
    length = request.headers.get("Content-Length", "")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise HttpError(413, f"A call has at most {MAX_BODY_BYTES} bytes and says how many.")
    body = request.body
    if not is_signed(
        time=request.headers.get(TIME_HEADER, ""), signature=request.headers.get(SIGNATURE_HEADER, ""), body=body
    ):
        raise HttpError(401, "The signature is not genuine.")
    arrived = read_receipts(body, provider="sms")
    record_receipts(system_actor(), arrived)
    return {"receipts": len(arrived)}
