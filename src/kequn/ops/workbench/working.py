"""What ownership asks of the workbench: when customers were reached, what is open with them, whose opportunity is worked."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta

from django.db.models import Max, Min, Q
from django.utils import timezone

from kequn.core.spec.base import Text
from kequn.ops.audiences.queries import ordinals
from kequn.ops.chunks import chunks
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.contracts import Matter
from kequn.ops.workbench.models import FollowUp, Task
from kequn.ops.workbench.queries import bank_day, worked_on

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


def open_matters(customer_ids: Collection[str]) -> dict[str, list[Matter]]:
    """Return what is open with customers, the earliest first; with whom nothing is open is absent.

    A next time that was agreed on and whose task is open (only the last word on a task counts), a complaint recorded
    lately, and complaints and requests that the bank's systems have open.
    """
    found: dict[str, list[Matter]] = defaultdict(list)
    for ids in chunks(sorted(set(customer_ids))):
        for customer_id, matter in (*_promised(ids), *_complained(ids), *_served(ids)):
            found[customer_id].append(matter)
    return {customer_id: sorted(matters, key=lambda m: m.on) for customer_id, matters in found.items()}


def _promised(ids: Sequence[str]) -> list[tuple[str, Matter]]:
    rows = FollowUp.objects.filter(customer_id__in=ids, undone_at__isnull=True, task__state=states.OPEN)
    columns = ("task_id", "customer_id", "next_at", "task__title_zh", "task__title_en")
    last = {row[0]: row[1:] for row in rows.order_by("at", "id").values_list(*columns)}
    return [
        (customer_id, Matter("promise", bank_day(next_at), Text(zh=zh, en=en)))
        for customer_id, next_at, zh, en in last.values()
        if next_at is not None
    ]


def _complained(ids: Sequence[str]) -> list[tuple[str, Matter]]:
    rows = FollowUp.objects.filter(
        customer_id__in=ids, undone_at__isnull=True, intent="complaint", at__gt=now() - COMPLAINT
    )
    return [(c, Matter("complaint", bank_day(at))) for c, at in rows.values_list("customer_id", "at")]


def _served(ids: Sequence[str]) -> list[tuple[str, Matter]]:
    bank = engine()
    if not bank.has("service"):
        return []
    by_ordinal = dict(zip(ordinals(ids).tolist(), ids, strict=True))
    rows = bank.rows(
        "SELECT ordinal, kind, happened_on, COALESCE(topic, '') FROM service"
        " WHERE status = 'open' AND kind IN ('complaint', 'request') AND list_contains(?, ordinal)",
        [[o for o in by_ordinal if o >= 0]],
    )
    return [(by_ordinal[o], Matter(kind, on, Text(zh=topic) if topic else None)) for o, kind, on, topic in rows]


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
