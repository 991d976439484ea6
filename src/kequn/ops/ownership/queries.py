"""Who works, how much, and who has whom, within an actor's scope."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date

from kequn.ops.customers.queries import owners_of
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.ownership.calendars import absences_on, active, is_working_day, stood_in_for, workers, working_days
from kequn.ops.ownership.models import Capacity

__all__ = ["available", "capacity_of", "is_working_day", "stood_in_for", "worker_of", "working_days"]


def available(staff_nos: Collection[str], day: date) -> dict[str, bool]:
    """Return whether each works on a day: active, the bank works, not on leave."""
    works, away, here = is_working_day(day), absences_on(day, staff_nos), active(staff_nos)
    return {s: works and s in here and s not in away for s in staff_nos}


def capacity_of(staff_nos: Collection[str], day: date) -> dict[str, int]:
    """Return how many tasks each can be given on a day; 0 on leave, on a day off, or for who has left."""
    there = available(staff_nos, day)
    bank = {u.staff_no: u.capacity for u in staff_numbered(staff_nos)}
    own = dict(
        Capacity.objects.filter(staff_no__in=list(staff_nos), tasks_a_day__isnull=False).values_list(
            "staff_no", "tasks_a_day"
        )
    )
    return {s: own.get(s, bank.get(s, 0)) if there[s] else 0 for s in staff_nos}


def worker_of(customer_ids: Collection[str], day: date) -> Mapping[str, str]:
    """Return who works each customer on a day: her owner, the owner's stand-in, or "" for the remote centre."""
    owners = owners_of(customer_ids)
    by_owner = workers(set(owners.values()), day)
    return {c: by_owner.get(owner, "") if owner else "" for c, owner in owners.items()}
