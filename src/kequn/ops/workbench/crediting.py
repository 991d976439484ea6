"""Whose doing a purchase was, and how a credit is written: the one word on it for settling and correcting."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from kequn.core.desk import Claim, Part
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import owners_of
from kequn.ops.runtime import engine
from kequn.ops.workbench import states
from kequn.ops.workbench.models import Credit, FollowUp
from kequn.ops.workbench.queries import bank_day

BOUGHT = frozenset({"bought", "kept"})
"""What earns a credit."""

Purchase = tuple[str, date]
"""Customer, and the day on which she bought."""
Earner = tuple[str, str]
"""Staff number, and why she: ``contact`` or ``owner``."""


def credited_staff(purchases: Collection[Purchase], *, within: timedelta) -> dict[Purchase, Earner]:
    """Return who earns each purchase: the last who spoke with the customer before it, else her owner.

    A contact on the very day counts, a later one does not; nor does one in which she complained or refused further contacts.
    """
    if not purchases:
        return {}
    ids = sorted({customer_id for customer_id, _ in purchases})
    owners, zone = owners_of(ids), ZoneInfo(engine().manifest.zone)
    first = datetime.combine(min(day for _, day in purchases) - within, time.min, tzinfo=zone)
    spoken: dict[str, list[tuple[date, str]]] = defaultdict(list)
    for some in chunks(ids):
        rows = FollowUp.objects.filter(
            customer_id__in=some, contact="connected", undone_at__isnull=True, at__gte=first
        ).exclude(staff_no="")
        rows = rows.exclude(intent__in=states.AT_ONCE).order_by("at", "id")
        for customer_id, at, staff in rows.values_list("customer_id", "at", "staff_no"):
            spoken[customer_id].append((bank_day(at), staff))
    found: dict[Purchase, Earner] = {}
    for customer_id, day in purchases:
        before = [staff for on, staff in spoken[customer_id] if day - within <= on <= day]
        staff = before[-1] if before else owners.get(customer_id, "")
        if staff:
            found[customer_id, day] = (staff, "contact" if before else "owner")
    return found


def bought_on(parts: Sequence[Part], shown_on: date) -> date:
    """Return the day of the purchase: when its largest position was opened, else the day of the holdings that show it."""
    return (parts[0].opened_on if parts else None) or shown_on


def credited_before(customer_ids: Iterable[str]) -> dict[str, list[Claim]]:
    """Return what was credited of each customer's purchases so far."""
    ids = sorted(set(customer_ids))
    found: dict[str, list[Claim]] = defaultdict(list)
    for some in chunks(ids):
        rows = Credit.objects.filter(customer_id__in=some).select_related("task__settlement")
        for credit in rows.order_by("at", "id"):
            shown_on = credit.task.settlement.shown_on if hasattr(credit.task, "settlement") else credit.day
            found[credit.customer_id].append(Claim(credit.task_id, credit.day, shown_on, parts_of(credit.parts)))
    return found


def credit_of(
    task_id: int,
    customer_id: str,
    parts: Sequence[Part],
    *,
    day: date,
    at: datetime,
    earner: Earner,
    branch: str,
) -> Credit:
    """Return a credit, not saved yet; it is named by its largest part."""
    staff_no, reason = earner
    return Credit(
        task_id=task_id, customer_id=customer_id, product_code=parts[0].product, family=parts[0].family,
        amount_cny=Decimal(sum(p.fen for p in parts)) / 100, parts=written(parts), day=day, staff_no=staff_no,
        branch_code=branch, reason=reason, at=at,
    )  # fmt: skip


def written(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return parts as they are kept in the database."""
    return [
        {"family": p.family, "product": p.product, "fen": p.fen, "opened_on": p.opened_on and p.opened_on.isoformat()}
        for p in parts
    ]


def parts_of(rows: Sequence[dict[str, Any]]) -> tuple[Part, ...]:
    """Return what `written` wrote."""
    return tuple(
        Part(r["family"], r["product"], r["fen"], date.fromisoformat(r["opened_on"]) if r["opened_on"] else None)
        for r in rows
    )
