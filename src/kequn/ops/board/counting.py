"""The figures of one day, by member of staff and branch: what is counted from rows, and one pass over the bank's data."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from django.db.models import Count, Q, QuerySet, Sum

from kequn.core.insight.daily import Daily, daily
from kequn.ops.audiences.queries import ordinals
from kequn.ops.board.figures import AGES
from kequn.ops.customers.queries import people_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.ownership.queries import elsewhere_on, others_on
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.queries import credits_for, follow_ups_for, held_at

Place = tuple[str, str]
"""(staff number, branch code); both may be empty."""
Counts = dict[Place, dict[str, int]]
AGE_ENDS = dict(zip(AGES, (0, 2, 4, 8), strict=True))
"""Figure -> from how many days on a task counts there; up to the next one's."""
LOOK_BACK = {"covered_30": 30, "covered_90": 90}
READ_AT_ONCE = 20_000


def bounds(day: date) -> tuple[datetime, datetime]:
    """Return the first instant of a business day, and that of the next."""
    zone = ZoneInfo(engine().manifest.zone)
    return datetime.combine(day, time(0), zone), datetime.combine(day + timedelta(days=1), time(0), zone)


def counted(day: date, tasks: QuerySet[Any], contacts: QuerySet[Any]) -> Counts:
    """Return what tasks and recorded contacts say of a day, as far as it has gone: what is due later today is not late."""
    start, end = bounds(day)
    found: Counts = defaultdict(dict)
    for row in chain_of(held_at(tasks, end), start, end, late=min(end, now())):
        add(found, (row.pop("holder"), row.pop("branch_code")), row)
    for row in worked(contacts.filter(at__gte=start, at__lt=end), "staff_no", "task__branch_code"):
        add(found, (row.pop("staff_no"), row.pop("task__branch_code")), row)
    return dict(found)


def chain_of(tasks: QuerySet[Any], start: datetime, end: datetime, *, late: datetime) -> Iterator[dict[str, Any]]:
    """Yield tasks by (holder, branch): made and done between two instants, open at the end by age, and due before ``late``.

    The age is counted in whole days from the day a task was made.
    """
    is_open = Q(created_at__lt=end) & (Q(closed_at__isnull=True) | Q(closed_at__gte=end))
    edges = [end - timedelta(days=days) for days in AGE_ENDS.values()] + [None]
    ages = {
        code: Count("pk", filter=is_open & Q(created_at__lt=edges[n]) & (Q(created_at__gte=edges[n + 1]) if edges[n + 1] else Q()))
        for n, code in enumerate(AGES)
    }  # fmt: skip
    made = Q(created_at__gte=start, created_at__lt=end)
    done = Q(state="done", closed_at__gte=start, closed_at__lt=end)
    rows = tasks.filter(is_open | made | done).order_by().values("holder", "branch_code")
    yield from rows.annotate(
        assigned=Count("pk", filter=made), done=Count("pk", filter=done), overdue=Count("pk", filter=is_open & Q(due_at__lt=late)),
        **ages,
    )  # fmt: skip


def worked(contacts: QuerySet[Any], *by: str) -> Iterator[dict[str, Any]]:
    """Yield recorded contacts by some columns: how many, how many reached the customer, what came of them."""
    rows = contacts.order_by().values(*by)
    deal = Q(intent="deal")
    for row in rows.annotate(
        contacts=Count("pk"), effective=Count("pk", filter=Q(contact="connected")),
        appointments=Count("pk", filter=Q(intent="appointment")), deals=Count("pk", filter=deal),
        amount=Sum("amount_cny", filter=deal),
    ):  # fmt: skip
        yield row | {"deals_fen": fen_of(row.pop("amount"))}


def credited(actor: Actor, day: date) -> Counts:
    """Return the sales of a business date, each as it was credited, once."""
    rows = credits_for(actor).filter(day=day).order_by().values("staff_no", "branch_code")
    found = rows.annotate(sales=Count("pk"), amount=Sum("amount_cny"))
    return {(r["staff_no"], r["branch_code"]): {"sales": r["sales"], "sales_fen": fen_of(r["amount"])} for r in found}


def fen_of(cny: Any) -> int:
    """Return yuan as whole fen; nothing is 0."""
    return round((cny or 0) * 100)


def add(counts: Counts, place: Place, more: dict[str, Any]) -> None:
    """Add whole numbers to those of a place."""
    mine = counts.setdefault(place, {})
    for code, n in more.items():
        mine[code] = mine.get(code, 0) + int(n)


def booked(actor: Actor, day: date) -> tuple[Counts, list[str], date | None]:
    """Return what the bank's data say of every book on a day, which parts of the data were there, and the holdings' date."""
    ids, cells, places = _books(actor, day)
    who = ordinals(ids)
    known = who >= 0
    reached = {days: ordinals(_reached(actor, day, days)) for days in LOOK_BACK.values()}
    found = daily(engine(), day, who[known], cells[known], size=len(places), reached=reached)
    columns: dict[str, Any] = {"book": np.bincount(cells, minlength=len(places))}
    columns |= {code: found.covered[days] for code, days in LOOK_BACK.items()}
    columns |= {
        code: values
        for code, values in {
            "aum_fen": found.aum, "aum_gain_fen": found.gain, "matured_fen": found.matured, "matured_kept_fen": found.kept,
            "new_customers": found.opened,
        }.items()
        if values is not None
    }  # fmt: skip
    counts: Counts = {place: {code: int(values[n]) for code, values in columns.items()} for place, n in places.items()}
    return counts, parts_known(found), found.data_on


def parts_known(found: Daily) -> list[str]:
    """Return the parts of the bank's data that a day's sums rest on."""
    there = {"aum": found.aum, "gain": found.gain, "matured": found.matured, "customer": found.opened}
    return [name for name, values in there.items() if values is not None]


def _books(actor: Actor, day: date) -> tuple[list[str], Any, dict[Place, int]]:
    """Return customers, the number of each one's cell, and the cells: who had her that evening, in which branch."""
    owners, branches = others_on(day), elsewhere_on(day)
    ids: list[str] = []
    cells: list[int] = []
    places: dict[Place, int] = {}
    rows = people_for(actor).values_list("customer_id", "rm_no", "branch_code")
    for customer_id, staff_no, branch_code in rows.iterator(chunk_size=READ_AT_ONCE):
        cell = owners.get(customer_id, staff_no), branches.get(customer_id, branch_code)
        ids.append(customer_id)
        cells.append(places.setdefault(cell, len(places)))
    return ids, np.array(cells, dtype=np.int64), places


def _reached(actor: Actor, day: date, days: int) -> list[str]:
    _start, end = bounds(day)
    rows = follow_ups_for(actor).filter(at__gte=end - timedelta(days=days), at__lt=end, contact="connected")
    return list(rows.order_by().values_list("customer_id", flat=True).distinct())
