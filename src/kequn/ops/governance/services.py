"""Submit and decide approvals; record the customer's word and suppressions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, NotAllowed
from kequn.ops.governance.audit import record
from kequn.ops.governance.models import Approval, ConsentEntry, Suppression
from kequn.ops.governance.queries import approvals_for, decides, decides_any, tell_right
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

__all__ = [
    "decide",
    "on_decision",
    "on_refusal",
    "record",
    "record_consent",
    "submit",
    "suppress",
    "withdraw",
]

Decided = Callable[[Actor, Approval], None]
Refused = Callable[[Actor, str, str], None]
ALL_CHANNELS = "all"
_deciders: dict[str, Decided] = {}
_followers: dict[str, Refused] = {}


def on_decision(kind: str, decided: Decided, *, right: str = "") -> None:
    """Say what happens, in the same transaction, when an approval of a kind is decided; called by an app when it is ready.

    ``right`` is enough to decide this kind, beside ``approval.decide``.
    """
    _deciders[kind] = decided
    if right:
        tell_right(kind, right)


def on_refusal(source: str, follow: Refused) -> None:
    """Say what happens, in the same transaction, when a customer refuses a channel (``all`` when she is suppressed)."""
    _followers[source] = follow


def submit(
    actor: Actor, kind: str, name: str, fingerprint: str, *, title: str, summary: dict[str, Any] | None = None
) -> Approval:
    """Ask for a second person's approval of one version; asking twice gives the same approval."""
    fields = {
        "title": title[:200], "summary": summary or {}, "maker_id": actor.user_id, "maker_name": actor.display_name,
        "submitted_at": now(),
    }  # fmt: skip
    try:
        with transaction.atomic():
            approval = Approval.objects.create(kind=kind, name=name, fingerprint=fingerprint, **fields)
            record(actor, "approval.submitted", approval, kind=kind, name=name, fingerprint=fingerprint)
    except IntegrityError:
        return Approval.objects.get(kind=kind, name=name, fingerprint=fingerprint, state__in=["waiting", "approved"])
    return approval


def decide(actor: Actor, approval_id: int, *, approve: bool, reason: str = "") -> Approval:
    """Approve or refuse what another person made.

    Raises:
        NotAllowed: no right, not made within the actor's branches, or by the actor herself; or the actor is no person.
        Conflict: it was decided already; or refused without a reason.
    """
    if not decides_any(actor):
        actor.must("approval.decide")
    if actor.user_id is None:
        raise NotAllowed("A person decides, not the system.", hint="Log in as a checker.", right="approval.decide")
    approval = approvals_for(actor).filter(pk=approval_id).first()
    if approval is None:
        raise NotAllowed("There is no such approval.", approval=approval_id)
    if not decides(actor, approval.kind):
        actor.must("approval.decide")
    if approval.maker_id == actor.user_id:
        raise NotAllowed("Maker and checker are two people.", hint="Ask another checker.", right="approval.decide")
    if not approve and not reason.strip():
        raise Conflict("A refusal needs a reason.", hint="Write what has to change.")
    state = Approval.State.APPROVED if approve else Approval.State.REFUSED
    with transaction.atomic():
        moved = Approval.objects.filter(pk=approval_id, state=Approval.State.WAITING).update(
            state=state,
            checker_id=actor.user_id,
            checker_name=actor.display_name,
            reason=reason[:500],
            decided_at=now(),
        )
        if not moved:
            raise Conflict("This was decided already.", hint="Reload to see by whom.", approval=approval_id)
        approval.refresh_from_db()
        record(actor, f"approval.{state}", approval, kind=approval.kind, name=approval.name, reason=reason[:500])
        if approval.kind in _deciders:
            _deciders[approval.kind](actor, approval)
    return approval


def withdraw(actor: Actor, kind: str, name: str, fingerprint: str) -> None:
    """Take back what waits for approval, because its maker changed it; an approval given for it is void as well."""
    with transaction.atomic():
        for approval in Approval.objects.filter(
            kind=kind, name=name, fingerprint=fingerprint, state__in=["waiting", "approved"]
        ):
            Approval.objects.filter(pk=approval.pk).update(state=Approval.State.WITHDRAWN)
            record(actor, "approval.withdrawn", approval, kind=kind, name=name)


def record_consent(
    actor: Actor,
    customer_id: str,
    *,
    channel: str,
    granted: bool,
    source: str,
    at: datetime | None = None,
    proof: str = "",
) -> ConsentEntry:
    """Append the customer's word. The latest word counts, here and in the bank's own consents; nothing is overwritten.

    The caller has checked that the customer is within the actor's scope.
    """
    actor.must("consent.edit")
    with transaction.atomic():
        entry = ConsentEntry.objects.create(
            customer_id=customer_id, channel=channel, granted=granted, at=at or now(), source=source, proof=proof[:200]
        )
        record(
            actor,
            "consent.granted" if granted else "consent.withdrawn",
            ("customer", customer_id),
            channel=channel,
            source=source,
        )
        if not granted:
            _follow(actor, customer_id, channel)
    return entry


def suppress(actor: Actor, customer_id: str, *, reason: str, until: datetime | None = None) -> Suppression:
    """Put a customer on the do-not-contact list. The caller has checked that she is within the actor's scope."""
    actor.must("consent.edit")
    with transaction.atomic():
        row, _ = Suppression.objects.update_or_create(
            customer_id=customer_id,
            reason=reason,
            defaults={"since": now(), "until": until, "added_by": actor.username},
        )
        record(actor, "customer.suppressed", ("customer", customer_id), reason=reason)
        _follow(actor, customer_id, ALL_CHANNELS)
    return row


def _follow(actor: Actor, customer_id: str, channel: str) -> None:
    for follow in _followers.values():
        follow(actor, customer_id, channel)
