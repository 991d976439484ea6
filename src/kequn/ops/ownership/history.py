"""Who had whom on a day, told back from the owners now by the changes since."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from kequn.ops.customers.queries import owners_of
from kequn.ops.ownership.models import OwnerChange
from kequn.ops.runtime import engine


def owners_on(customer_ids: Collection[str], day: date) -> dict[str, str]:
    """Return who had each customer at the end of a business day, "" for nobody.

    A load writes no history of who had whom before it: then the earliest owner known stands for all days before.
    """
    found = owners_of(customer_ids)
    end = datetime.combine(day + timedelta(days=1), time(0), ZoneInfo(engine().manifest.zone))
    ids = sorted(found)
    for start in range(0, len(ids), 500):
        since = OwnerChange.objects.filter(customer_id__in=ids[start : start + 500], at__gte=end).order_by("-id")
        found.update(since.values_list("customer_id", "from_staff"))  # the earliest change since then has the last word
    return found
