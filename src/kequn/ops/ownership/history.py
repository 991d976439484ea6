"""Who had whom on a day, told back from the owners now by the changes since."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import branches_before, owners_of
from kequn.ops.ownership.models import OwnerChange
from kequn.ops.runtime import engine


def owners_on(customer_ids: Collection[str], day: date) -> dict[str, str]:
    """Return who had each customer at the end of a business day, "" for nobody.

    A load writes no history of who had whom before it: then the earliest owner known stands for all days before.
    """
    found = owners_of(customer_ids)
    ids = sorted(found)
    for some in chunks(ids):
        since = _since(day).filter(customer_id__in=some)
        found.update(since.values_list("customer_id", "from_staff"))
    return found


def others_on(day: date) -> dict[str, str]:
    """Return who had the customers, at the end of a business day, whose owner changed since."""
    return dict(_since(day).values_list("customer_id", "from_staff"))


def elsewhere_on(day: date) -> dict[str, str]:
    """Return the branch, at the end of a business day, of the customers whose branch changed since."""
    return branches_before(_end(day))


def _since(day: date) -> QuerySet[OwnerChange]:
    """Return the changes after a day, the latest first: put into a mapping one after the other, the earliest has the last word."""
    return OwnerChange.objects.filter(at__gte=_end(day)).order_by("-id")


def _end(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(engine().manifest.zone))
