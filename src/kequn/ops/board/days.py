"""Compute and keep the figures of a day; twice gives the same."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Any

from django.db import transaction

from kequn.core.errors import InvalidSpec, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.counting import Counts, add, booked, counted, credited
from kequn.ops.board.figures import AGES, FIGURES
from kequn.ops.board.models import BoardDay, DayFigure
from kequn.ops.board.reading import NEWEST
from kequn.ops.governance.services import record
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import follow_ups_for, tasks_for

AT_ONCE = 1_000
OF_TASKS = ("assigned", *AGES, "overdue")
"""Figures of open tasks: once kept they stand, for a task's due time may have been moved since."""
CORRECTED = ("done", "sales", "sales_fen", "contacts", "effective", "appointments", "deals", "deals_fen")
"""Figures that change when data are corrected, or when a contact of that day is recorded later: from paper, or from a file."""


def compute_day(actor: Actor, day: date) -> BoardDay:
    """Compute the figures of a day that is over and put them in place of what was kept of it.

    Who had a customer that evening has her figures, whoever has her now. Of a day that was kept before, what it says of open
    tasks stands.

    Raises:
        NotAllowed: not the worker or an operator.
        InvalidSpec: the day is not over: the board counts it live.
    """
    actor.must("job.run")
    if day >= bank_today():
        raise InvalidSpec(
            f"{day} is not over.", hint="The board shows the day so far by itself.", where=Where(field="as_of")
        )
    counts = _worked(actor, day)
    if BoardDay.objects.filter(day=day).exists():
        counts = _with(counts, OF_TASKS, _kept(day))
    books, known, data_on = booked(actor, day)
    for place, figures in books.items():
        add(counts, place, figures)
    with transaction.atomic():
        fields = {"computed_at": now(), "data_on": data_on, "known": known}
        kept, _ = BoardDay.objects.update_or_create(day=day, defaults=fields)
        _keep(actor, kept, counts)
    return kept


def correct_day(actor: Actor, day: date) -> BoardDay | None:
    """Count again what is known of a day's sales, contacts and done tasks, nothing else; ``None`` where the day is not kept.

    Raises:
        NotAllowed: not the worker or an operator.
    """
    actor.must("job.run")
    with transaction.atomic():
        kept = BoardDay.objects.filter(day=day).first()
        if kept is not None:
            _keep(actor, kept, _with(_kept(day), CORRECTED, _worked(actor, day)))
    return kept


def queue_day(as_of: date) -> None:
    """Follow a refresh: the figures of its date are computed by the worker, unless the day is not over yet."""
    if as_of < bank_today():
        enqueue(system_actor(), "board.day", {"as_of": as_of.isoformat()}, key=as_of.isoformat())


def queue_corrections(days: Iterable[date]) -> None:
    """Follow a correction of credits or tasks of earlier days."""
    for day in sorted(set(days)):
        enqueue(system_actor(), "board.credits", {"as_of": day.isoformat()}, key=day.isoformat())


def queue_missing_days(actor: Actor) -> int:
    """Queue the days up to yesterday whose figures are not kept (the worker, daily); return how many.

    Days before the first one that is kept are not asked for: nobody worked with kequn then.
    """
    actor.must("job.run")
    today = bank_today()
    there = set(BoardDay.objects.filter(day__gte=today - timedelta(days=NEWEST)).values_list("day", flat=True))
    first, yesterday = min(there, default=today), today - timedelta(days=1)
    days = (first + timedelta(days=n) for n in range((today - first).days))
    missing = [d for d in days if d not in there] if there else [yesterday]
    for day in missing:
        queue_day(day)
    return len(missing)


def day_job(running: Running) -> dict[str, Any]:
    """Do a queued day."""
    kept = compute_day(running.actor, date.fromisoformat(running.params["as_of"]))
    return {"day": kept.day.isoformat(), "rows": kept.rows}


def credits_job(running: Running) -> dict[str, Any]:
    """Do a queued correction."""
    kept = correct_day(running.actor, date.fromisoformat(running.params["as_of"]))
    return {"day": running.params["as_of"], "rows": kept.rows if kept else 0}


def _worked(actor: Actor, day: date) -> Counts:
    counts = counted(day, tasks_for(actor, state=None), follow_ups_for(actor))
    for place, figures in credited(actor, day).items():
        add(counts, place, figures)
    return counts


def _kept(day: date) -> Counts:
    rows = DayFigure.objects.filter(day=day).values("staff_no", "branch_code", *FIGURES)
    return {(row.pop("staff_no"), row.pop("branch_code")): row for row in rows}


def _with(counts: Counts, codes: Iterable[str], other: Counts) -> Counts:
    """Return figures with some of them taken from others."""
    columns = tuple(codes)
    return {
        place: counts.get(place, {}) | {code: other.get(place, {}).get(code, 0) for code in columns}
        for place in counts.keys() | other.keys()
    }


def _keep(actor: Actor, kept: BoardDay, counts: Counts) -> None:
    """Put figures in place of those that were kept; the caller holds the transaction."""
    rows = [
        DayFigure(day=kept.day, staff_no=staff_no, branch_code=branch_code, **figures)
        for (staff_no, branch_code), figures in sorted(counts.items())
        if any(figures.values())
    ]
    kept.rows = len(rows)
    kept.save(update_fields=["rows"])
    DayFigure.objects.filter(day=kept.day).delete()
    DayFigure.objects.bulk_create(rows, batch_size=AT_ONCE)
    record(actor, "board.computed", ("board_day", kept.day.isoformat()), rows=len(rows), known=kept.known)
