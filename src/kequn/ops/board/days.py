"""Compute and keep the figures of a day; twice gives the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from kequn.core.errors import InvalidSpec, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.counting import add, booked, counted, credited
from kequn.ops.board.models import BoardDay, DayFigure
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import follow_ups_for, tasks_for

AT_ONCE = 1_000


def compute_day(actor: Actor, day: date) -> BoardDay:
    """Compute the figures of a day that is over and put them in place of what was kept of it.

    Raises:
        NotAllowed: not the worker or an operator.
        InvalidSpec: the day is not over: the board counts it live.
    """
    actor.must("job.run")
    if day >= bank_today():
        raise InvalidSpec(
            f"{day} is not over.", hint="The board shows the day so far by itself.", where=Where(field="as_of")
        )
    counts = counted(day, tasks_for(actor, state=None), follow_ups_for(actor))
    books, known, data_on = booked(actor, day)
    for place, figures in (*books.items(), *credited(actor, day).items()):
        add(counts, place, figures)
    rows = [
        DayFigure(day=day, staff_no=staff_no, branch_code=branch_code, **figures)
        for (staff_no, branch_code), figures in sorted(counts.items())
        if any(figures.values())
    ]
    with transaction.atomic():
        fields = {"computed_at": now(), "data_on": data_on, "known": known, "rows": len(rows)}
        kept, _ = BoardDay.objects.update_or_create(day=day, defaults=fields)
        DayFigure.objects.filter(day=day).delete()
        DayFigure.objects.bulk_create(rows, batch_size=AT_ONCE)
        record(actor, "board.computed", ("board_day", day.isoformat()), rows=len(rows), known=known)
    return kept


def queue_day(as_of: date) -> None:
    """Follow a refresh: the figures of its date are computed by the worker, unless the day is not over yet."""
    if as_of < bank_today():
        enqueue(system_actor(), "board.day", {"as_of": as_of.isoformat()}, key=as_of.isoformat())


def queue_days(days: Iterable[date]) -> None:
    """Count the figures of earlier days again: their credits or their tasks were corrected."""
    for day in sorted(set(days)):
        queue_day(day)


def queue_yesterday(actor: Actor) -> int:
    """Queue the figures of yesterday where they are not kept (the worker, daily); return how many days were queued."""
    actor.must("job.run")
    day = bank_today() - timedelta(days=1)
    if BoardDay.objects.filter(day=day).exists():
        return 0
    queue_day(day)
    return 1


def day_job(running: Running) -> dict[str, Any]:
    """Do a queued day."""
    kept = compute_day(running.actor, date.fromisoformat(running.params["as_of"]))
    return {"day": kept.day.isoformat(), "rows": kept.rows}
