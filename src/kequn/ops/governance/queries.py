"""Approvals, consents and the audit trail, as far as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from kequn.ops.governance.audit import first_broken
from kequn.ops.governance.models import Approval, AuditEntry, AuditHead, ConsentEntry, Suppression
from kequn.ops.orgs.actor import Actor


def approvals_for(actor: Actor, *, state: str | None = None) -> QuerySet[Approval]:
    """Return all approvals for a checker, one's own submissions for others."""
    rows = Approval.objects.all() if actor.may("approval.decide") else Approval.objects.filter(maker_id=actor.user_id)
    return rows.filter(state=state) if state else rows


def is_approved(kind: str, name: str, fingerprint: str) -> bool:
    """Whether this very version was approved."""
    return Approval.objects.filter(
        kind=kind, name=name, fingerprint=fingerprint, state=Approval.State.APPROVED
    ).exists()


def audit_for(actor: Actor, *, object_kind: str | None = None, object_id: object = None) -> QuerySet[AuditEntry]:
    """Return the trail: all of it with the right ``audit.view``, one's own acts otherwise."""
    rows = AuditEntry.objects.all() if actor.may("audit.view") else AuditEntry.objects.filter(user_id=actor.user_id)
    if object_kind:
        rows = rows.filter(object_kind=object_kind)
    return rows.filter(object_id=str(object_id)) if object_id is not None else rows


def audit_fault(actor: Actor) -> int | None:
    """Return the first broken entry of the chain, 0 for a cut tail, ``None`` when it is whole."""
    actor.must("audit.view")
    return first_broken(AuditEntry.objects.order_by("id").iterator(), AuditHead.objects.filter(pk=1).first())


def consents_of(actor: Actor, customer_id: str) -> QuerySet[ConsentEntry]:
    """Return the words of one customer recorded in kequn, the latest first; the caller has checked the customer's scope."""
    del actor
    return ConsentEntry.objects.filter(customer_id=customer_id)


def consent_words(customer_ids: Iterable[str] | None = None) -> QuerySet[ConsentEntry]:
    """Return the recorded words for the gate, oldest first; of some customers or of all."""
    rows = ConsentEntry.objects.order_by("at", "id")
    return rows if customer_ids is None else rows.filter(customer_id__in=list(customer_ids))


def suppressed(at: datetime, customer_ids: Iterable[str] | None = None) -> set[str]:
    """Return the surrogate ids on the do-not-contact list at a moment; of some customers or of all."""
    rows = Suppression.objects.filter(Q(until__isnull=True) | Q(until__gt=at), since__lte=at)
    if customer_ids is not None:
        rows = rows.filter(customer_id__in=list(customer_ids))
    return set(rows.values_list("customer_id", flat=True))


def suppressions_at(at: datetime, customer_ids: Iterable[str] | None = None) -> QuerySet[Suppression, tuple[str, str]]:
    """Return (surrogate id, reason) of what holds contacts back at a moment; of some customers or of all (for the gate)."""
    rows = Suppression.objects.filter(Q(until__isnull=True) | Q(until__gt=at), since__lte=at)
    if customer_ids is not None:
        rows = rows.filter(customer_id__in=list(customer_ids))
    return rows.values_list("customer_id", "reason")
