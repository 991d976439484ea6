"""Approvals, consents and the audit trail, as far as an actor may see them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Q, QuerySet

from kequn.ops.governance.audit import first_broken
from kequn.ops.governance.models import Approval, AuditEntry, AuditHead, ConsentEntry, Suppression
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for, user_ids_for

_rights: dict[str, str] = {}
"""Kind of approval -> a right that is enough to decide it, beside ``approval.decide``."""


def tell_right(kind: str, right: str) -> None:
    """Say that a right is enough to decide approvals of a kind; called by an app when it is ready."""
    _rights[kind] = right


def decides(actor: Actor, kind: str) -> bool:
    """Whether an actor's role decides approvals of a kind."""
    return actor.may("approval.decide") or (kind in _rights and actor.may(_rights[kind]))


def decides_any(actor: Actor) -> bool:
    """Whether an actor's role decides approvals of any kind."""
    return actor.may("approval.decide") or any(map(actor.may, _rights.values()))


def approvals_for(actor: Actor, *, state: str | None = None) -> QuerySet[Approval]:
    """Return what was submitted within the branches of who decides it, for others their own submissions."""
    mine = Q(maker_id=actor.user_id)
    if decides_any(actor):
        kinds = Q() if actor.may("approval.decide") else Q(kind__in=[k for k in _rights if decides(actor, k)])
        makers = Q() if actor.sees_all_branches else Q(maker_id__in=user_ids_for(actor))
        mine = mine | (kinds & makers) if kinds or makers else Q()
    rows = Approval.objects.filter(mine)
    return rows.filter(state=state) if state else rows


def is_approved(kind: str, name: str, fingerprint: str) -> bool:
    """Whether this very version was approved."""
    approval = open_approval(kind, name, fingerprint)
    return approval is not None and approval.state == Approval.State.APPROVED


def open_approval(kind: str, name: str, fingerprint: str) -> Approval | None:
    """Return the approval of this very version that waits or was given, ``None`` where there is none."""
    states = [Approval.State.WAITING, Approval.State.APPROVED]
    return Approval.objects.filter(kind=kind, name=name, fingerprint=fingerprint, state__in=states).first()


def audit_for(actor: Actor, *, object_kind: str | None = None, object_id: object = None) -> QuerySet[AuditEntry]:
    """Return the trail: with the right ``audit.view`` that of the actor's branches, one's own acts otherwise."""
    rows = AuditEntry.objects.all()
    if not actor.may("audit.view"):
        rows = rows.filter(user_id=actor.user_id)
    elif (codes := branch_codes_for(actor)) is not None:
        rows = rows.filter(branch__in=codes)
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
