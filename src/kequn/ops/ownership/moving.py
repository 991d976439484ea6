"""The one place where a customer's owner changes outside a load: compare and set, with the history row beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from kequn.ops.customers.services import set_owner
from kequn.ops.orgs.actor import Actor
from kequn.ops.ownership.models import Absence, Assignment, OwnerChange
from kequn.ops.runtime import now

Moved = Callable[[Actor, Sequence[str], str, str, str], None]
_followers: dict[str, Moved] = {}
_covers: dict[str, Moved] = {}


def on_owner_change(name: str, follow: Moved) -> None:
    """Say what happens, in the same transaction, when customers get another owner: ``(actor, customer_ids, from_staff, to_staff, reason)``.

    ``from_staff`` or ``to_staff`` is empty for "nobody"; ``reason`` is a key of ``states.REASONS``.
    """
    _followers[name] = follow


def on_cover(name: str, follow: Moved) -> None:
    """Say what happens, in the same transaction, when the work of customers goes to another and their owner stays.

    The arguments are as in ``on_owner_change``; reasons are ``stand_in``, ``back`` and ``remote``.
    """
    _covers[name] = follow


def cover(actor: Actor, customer_ids: Sequence[str], from_staff: str, to_staff: str, reason: str) -> None:
    """Tell the apps above that the work goes over; the caller holds the transaction."""
    for follow in _covers.values():
        follow(actor, customer_ids, from_staff, to_staff, reason)


def protected(customer_ids: Sequence[str], at: datetime) -> dict[str, datetime]:
    """Return until when each is protected, of those whose newest change still protects her."""
    rows = OwnerChange.objects.filter(customer_id__in=list(customer_ids), protected_until__gt=at).order_by("id")
    newest = dict(
        OwnerChange.objects.filter(customer_id__in=list(customer_ids)).order_by("id").values_list("customer_id", "id")
    )
    return {r.customer_id: r.protected_until for r in rows if newest[r.customer_id] == r.pk and r.protected_until}


def move(
    actor: Actor,
    customers: Sequence[tuple[str, str]],
    from_staff: str,
    to_staff: str,
    reason: str,
    *,
    note: str = "",
    protected_until: datetime | None = None,
    assignment: Assignment | None = None,
) -> list[OwnerChange]:
    """Move customers (id, branch) from one owner to another; return the changes of those who still were the first one's.

    Compare and set, row by row in one statement: whoever was taken meanwhile is left alone. The caller holds the transaction.
    """
    branches = dict(customers)
    taken = set_owner(list(branches), from_staff, to_staff)
    if not taken:
        return []
    moment = now()
    rows = [
        OwnerChange(
            customer_id=c, from_staff=from_staff, to_staff=to_staff, branch_code=branches[c], reason=reason,
            note=note[:200], by=actor.username, at=moment, protected_until=protected_until, assignment=assignment,
        )
        for c in taken
    ]  # fmt: skip
    made = OwnerChange.objects.bulk_create(rows, batch_size=500)
    for stand_in in _standing_in_for(from_staff):  # what she was lent goes with the customer, not with the leave
        cover(actor, taken, stand_in, from_staff, "back")
    for follow in _followers.values():
        follow(actor, taken, from_staff, to_staff, reason)
    for stand_in in _standing_in_for(to_staff):
        cover(actor, taken, to_staff, stand_in, "stand_in")
    return made


def _standing_in_for(staff_no: str) -> list[str]:
    """Return who has somebody's open work now: the stand-ins of absences that began and are not over."""
    if not staff_no:
        return []
    rows = Absence.objects.filter(staff_no=staff_no, covered_at__isnull=False, ended_at__isnull=True)
    return list(rows.exclude(stand_in="").values_list("stand_in", flat=True))
