"""On which days the bank and its staff work: the common calendar, the bank's own days, and leave."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, QuerySet, Subquery

from kequn.core.tags.workdays import EPOCH, workdays
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.ownership.models import Absence, CalendarDay, Capacity
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import engine, now


def today() -> date:
    """Return the day it is at the bank."""
    return day_of(now())


def day_of(moment: datetime) -> date:
    """Return the bank's day of a moment."""
    return moment.astimezone(ZoneInfo(engine().manifest.zone)).date()


def is_working_day(day: date) -> bool:
    """Whether the bank works: its own word on the day, else weekends and the long public holidays."""
    own = CalendarDay.objects.filter(day=day).values_list("works", flat=True).first()
    return _common(day) if own is None else own


def own_days(first: date, last: date) -> QuerySet[CalendarDay]:
    """Return the days of a span on which the bank has a word of its own; for use in other queries."""
    return CalendarDay.objects.filter(day__range=(first, last)).order_by()


def working_days(first: date, last: date, own: Mapping[date, bool] | None = None) -> list[date]:
    """Return the days the bank works from ``first`` to ``last``, both included; ``own``: its own days, where they were read."""
    own = dict(own_days(first, last).values_list("day", "works")) if own is None else own
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return [d for d in days if own.get(d, _common(d))]


def absences_on(day: date, staff_nos: Collection[str] | None = None) -> dict[str, Absence]:
    """Return who is away on a day, by staff number; of several absences the one that has a stand-in."""
    rows = Absence.objects.filter(first_day__lte=day, last_day__gte=day, cancelled_at__isnull=True)
    if staff_nos is not None:
        rows = rows.filter(staff_no__in=list(staff_nos))
    return {row.staff_no: row for row in sorted(rows, key=lambda r: (bool(r.stand_in), r.pk))}


def days_worked(staff_no: str, first: date, last: date) -> list[date]:
    """Return the days from ``first`` to ``last``, both included, on which the bank works and somebody is not away."""
    away = Absence.objects.filter(
        staff_no=staff_no, first_day__lte=last, last_day__gte=first, cancelled_at__isnull=True
    ).values_list("first_day", "last_day")
    spans = list(away)
    return [d for d in working_days(first, last) if not any(a <= d <= b for a, b in spans)]


def active(staff_nos: Iterable[str]) -> set[str]:
    """Return those who may log in."""
    return {u.staff_no for u in staff_numbered(staff_nos) if u.is_active}


def available(staff_nos: Collection[str], day: date) -> dict[str, bool]:
    """Return whether each works on a day: active, the bank works, not on leave."""
    works, away, here = is_working_day(day), absences_on(day, staff_nos), active(staff_nos)
    return {s: works and s in here and s not in away for s in staff_nos}


def capacity_of(staff_nos: Collection[str], day: date) -> dict[str, int]:
    """Return how many tasks each can be given on a day; 0 on leave, on a day off, or for who has left."""
    here = OuterRef("staff_no")
    own = Capacity.objects.filter(staff_no=here, tasks_a_day__isnull=False).values("tasks_a_day")
    away = Absence.objects.filter(staff_no=here, first_day__lte=day, last_day__gte=day, cancelled_at__isnull=True)
    works = CalendarDay.objects.filter(day=day).values("works")
    found = dict.fromkeys(staff_nos, 0)
    rows = staff_numbered(staff_nos).filter(~Exists(away), is_active=True)
    for number, bank, hers, open_ in rows.values_list("staff_no", "capacity", Subquery(own[:1]), Subquery(works[:1])):
        if _common(day) if open_ is None else open_:
            found[number] = bank if hers is None else hers
    return found


def capacity_until(staff_no: str, first: date, last: date) -> int:
    """Return how many tasks somebody can be given from ``first`` to ``last``, both included: leave and days off count nothing."""
    user = next((u for u in staff_numbered([staff_no]) if u.is_active), None)
    if user is None:
        return 0
    rows = Capacity.objects.filter(staff_no=staff_no, tasks_a_day__isnull=False)
    own = rows.values_list("tasks_a_day", flat=True).first()
    away = Absence.objects.filter(
        staff_no=staff_no, first_day__lte=last, last_day__gte=first, cancelled_at__isnull=True
    )
    spans = list(away.values_list("first_day", "last_day"))
    days = [d for d in working_days(first, last) if not any(a <= d <= b for a, b in spans)]
    return len(days) * (user.capacity if own is None else own)


def stood_in_for(staff_no: str, day: date) -> QuerySet[Absence]:
    """Return the absences in which somebody stands in on a day."""
    return Absence.objects.filter(stand_in=staff_no, first_day__lte=day, last_day__gte=day, cancelled_at__isnull=True)


def workers(owners: Collection[str], day: date) -> dict[str, str]:
    """Return who works the customers of each owner on a day: herself, her stand-in, or nobody ("").

    Nobody: she has left, or is away for long with no stand-in who is there; for as few working days as the policy says her work
    waits for her. No chain: a stand-in's own stand-in is not asked.
    """
    patience = policy().remote_after_days
    asked = {o for o in owners if o}
    away = absences_on(day, asked)
    stand_ins = {a.stand_in for a in away.values() if a.stand_in}
    here = active(asked | stand_ins)
    also_away = set(absences_on(day, stand_ins)) if stand_ins else set()
    found: dict[str, str] = defaultdict(str)
    for owner in asked:
        row = away.get(owner)
        if row is None:
            found[owner] = owner if owner in here else ""
        elif row.stand_in in here and row.stand_in not in also_away:
            found[owner] = row.stand_in
        elif owner in here and len(working_days(day, row.last_day)) <= patience:
            found[owner] = owner
        else:
            found[owner] = ""
    return found


def _common(day: date) -> bool:
    return bool(workdays().works[(day - EPOCH).days])
