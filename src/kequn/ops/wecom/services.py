"""Sign in from WeCom, sign its pages, know its contacts, and hand approved material over to the chat."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from kequn.channels.wecom.gateway import SimulatedWecom, Wecom, authorize_url, signature
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.delivery.contracts import BY_HAND, NewTouch
from kequn.ops.delivery.services import book_by_hand
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.runtime import now
from kequn.ops.wecom.models import WecomContact
from kequn.ops.wecom.queries import digest_of, simulated_id
from kequn.ops.workbench.services import preview_material

BATCH = 500
ROLES = frozenset({"rm", "remote_agent"})
"""Who works from the chat."""


@dataclass(frozen=True, slots=True)
class Panel:
    """The bank's application in WeCom: its ids, its door, what answers there."""

    gateway: Wecom
    corp_id: str
    agent_id: str
    door: str


_panel: dict[str, Panel] = {}


def install_panel(panel: Panel | None) -> None:
    """Name the bank's application in WeCom, or what stands in for it; ``None`` turns the panel off."""
    _panel.clear()
    if panel is not None:
        _panel["panel"] = panel


def panel() -> Panel | None:
    """Return the bank's application in WeCom; ``None`` while there is none."""
    return _panel.get("panel")


def door_to(back_to: str, state: str) -> str:
    """Return where a browser is sent to be told who sits before it.

    Raises:
        Conflict: there is no application in WeCom.
    """
    at = _installed()
    return authorize_url(at.door, corp_id=at.corp_id, agent_id=at.agent_id, back_to=back_to, state=state)


def user_of_code(code: str) -> int:
    """Return the user behind a one-time code of WeCom; her id there is her staff number.

    Raises:
        NotAllowed: it stands for nobody who works customers here.
    """
    number = _installed().gateway.user_of(code) if code else ""
    found = [u.pk for u in staff_numbered([number]) if u.is_active and u.role in ROLES]
    if len(found) != 1:
        raise NotAllowed("WeCom does not know you as a member of staff here.", hint="Sign in with name and password.")
    return found[0]


def signatures(url: str) -> dict[str, dict[str, str | int]]:
    """Return what the page at ``url`` shows WeCom to be let in: by the company, and by the application.

    Raises:
        Conflict: there is no application in WeCom.
        WecomDown: WeCom gives no ticket.
    """
    at, stamp = _installed(), int(now().timestamp())
    signed: dict[str, dict[str, str | int]] = {}
    for kind in ("corp", "agent"):
        nonce = secrets.token_hex(8)
        made = signature(at.gateway.ticket(kind), nonce=nonce, timestamp=stamp, url=url)
        signed[kind] = {"timestamp": stamp, "nonceStr": nonce, "signature": made}
    return signed


def link_contacts(actor: Actor, pairs: Iterable[tuple[str, str]]) -> int:
    """Keep which customer each WeCom contact is: (external_userid, customer id). The latest word counts; return how many.

    Raises:
        NotAllowed: no right ``source.load``.
    """
    actor.must("source.load")
    moment = now()
    rows = {digest_of(contact): customer_id for contact, customer_id in pairs if contact.strip() and customer_id}
    with transaction.atomic():
        WecomContact.objects.bulk_create(
            [WecomContact(digest=d, customer_id=c, linked_at=moment) for d, c in rows.items()],
            batch_size=BATCH,
            update_conflicts=True,
            unique_fields=["digest"],
            update_fields=["customer_id", "linked_at"],
        )
        if rows:
            record(actor, "wecom.linked", ("wecom", "contacts"), n=len(rows))
    return len(rows)


def link_simulated(customer_ids: Iterable[str]) -> None:
    """Give customers the WeCom ids that the simulator knows them by; those who have theirs keep them."""
    if not isinstance(_installed().gateway, SimulatedWecom):
        raise Conflict("There is no simulator here.")
    wanted = {simulated_id(customer_id): customer_id for customer_id in customer_ids}
    known = WecomContact.objects.filter(digest__in=[digest_of(contact) for contact in wanted]).count()
    if known < len(wanted):
        link_contacts(system_actor(), wanted.items())


def hand_over(actor: Actor, customer_id: str, name: str, *, key: str, fingerprint: str) -> str:
    """Return approved material for the chat, which the RM is about to send; it counts and is in the line, once a ``key``.

    ``fingerprint`` is that of the version she looked at.

    Raises:
        InvalidSpec: the form has no key.
        NotAllowed: no right ``material.send``, or the customer is not hers.
        Conflict: another version is in use, or the gate says no, with its reasons.
    """
    found = preview_material(actor, customer_id, name)
    if found.material.fingerprint != fingerprint:
        raise Conflict("The material was changed since you looked at it.", hint="Look at it again, then send.")
    if found.material.channel != "wecom":
        raise Conflict("This material is not made for WeCom.", hint="Choose another one.")
    if found.codes:
        raise Conflict(
            "The gate does not let this pass.",
            hint=" ".join(cure.to("en") for cure in found.cures),
            codes=",".join(found.codes),
        )
    if not key.strip():
        raise InvalidSpec("A record needs a key.", hint="Send one with the request.", where=Where(field="key"))
    touch = NewTouch(
        customer_id=customer_id, channel="wecom", campaign=BY_HAND, template=fingerprint, subject=found.subject,
        body=found.body, offer=found.material.offer, expires_at=now(),
    )  # fmt: skip
    with transaction.atomic():
        if book_by_hand(actor, f"chat:{actor.staff_no}:{hashlib.sha256(key.encode()).hexdigest()[:24]}", touch):
            record(actor, "material.sent", ("customer", customer_id), template=name, channel="wecom", by="chat")
    return found.body


def _installed() -> Panel:
    at = panel()
    if at is None:
        raise Conflict("There is no WeCom here.", hint="Sign in with name and password.")
    return at
