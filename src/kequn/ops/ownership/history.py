"""Who had whom on a day, told back from the owners now by the changes since."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import owners_of
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


def others_on(day: date) -> dict[str, tuple[str, str]]:
    """Return who had the customers whose owner changed after a business day, and of which branch they were at that change."""
    return {
        c: (staff, branch) for c, staff, branch in _since(day).values_list("customer_id", "from_staff", "branch_code")
    }


def _since(day: date) -> QuerySet[OwnerChange]:
    """Return the changes after a day, the latest first: put into a mapping one after the other, the earliest has the last word."""
    end = datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(engine().manifest.zone))
    return OwnerChange.objects.filter(at__gte=end).order_by("-id")
