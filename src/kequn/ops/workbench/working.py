"""What ownership asks of the workbench: when customers were reached, what is open with them, whose opportunity is worked."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta

from django.db.models import Max, Min, Q
from django.utils import timezone

from kequn.ops.chunks import chunks
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.models import FollowUp, Task
from kequn.ops.workbench.queries import worked_on

COMPLAINT = timedelta(days=90)


def reached(
    customer_ids: Collection[str], first: date | None = None, last: date | None = None
) -> dict[str, tuple[date, date]]:
    """Return the first and the last day, of those from ``first`` to ``last``, on which each customer was spoken with.

    Who was not is absent.
    """
    found: dict[str, tuple[date, date]] = {}
    within = Q(contact="connected", undone_at__isnull=True)
    if first is not None:
        within &= Q(at__gte=_begin(first))
    if last is not None:
        within &= Q(at__lt=_begin(last + timedelta(days=1)))
    for ids in chunks(sorted(set(customer_ids))):
        rows = FollowUp.objects.filter(within, customer_id__in=ids).order_by().values_list("customer_id")
        for customer_id, earliest, latest in rows.annotate(earliest=Min("at"), latest=Max("at")):
            found[customer_id] = (timezone.localtime(earliest).date(), timezone.localtime(latest).date())
    return found


def open_matters(customer_ids: Collection[str]) -> set[str]:
    """Return with whom a next time was agreed that is still to come, or who complained lately."""
    moment, found = now(), set()
    for ids in chunks(sorted(set(customer_ids))):
        rows = FollowUp.objects.filter(customer_id__in=ids, undone_at__isnull=True)
        found |= set(rows.filter(next_at__gt=moment).values_list("customer_id", flat=True))
        found |= set(rows.filter(intent="complaint", at__gt=moment - COMPLAINT).values_list("customer_id", flat=True))
    return found


def opportunities(customer_ids: Collection[str], at: datetime) -> set[str]:
    """Return whose opportunity somebody works."""
    return {c for ids in chunks(sorted(set(customer_ids))) for c in worked_on(ids, at)}


def with_tasks(customer_ids: Collection[str]) -> set[str]:
    """Return about whom a task is open."""
    return {
        c
        for ids in chunks(sorted(set(customer_ids)))
        for c in Task.objects.filter(customer_id__in=ids, state=states.OPEN).values_list("customer_id", flat=True)
    }


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(0)))
