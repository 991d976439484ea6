"""Leave and stand-ins: open work goes to the stand-in when the days begin and comes back by itself when they are over."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.customers.queries import owned_by
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import all_rms_for
from kequn.ops.ownership import states
from kequn.ops.ownership.calendars import today
from kequn.ops.ownership.loads import rm_for
from kequn.ops.ownership.models import Absence, CalendarDay, Capacity
from kequn.ops.ownership.moving import cover
from kequn.ops.runtime import now

LONGEST = 366


def absences_for(actor: Actor, *, from_day: date | None = None) -> QuerySet[Absence]:
    """Return the absences in the actor's branches that end on or after a day (today by default), cancelled ones left out."""
    actor.must("leave.edit")
    numbers = all_rms_for(actor).values("staff_no")
    return Absence.objects.filter(
        staff_no__in=numbers, last_day__gte=from_day or today(), cancelled_at__isnull=True
    ).order_by("first_day", "id")


def record_absence(
    actor: Actor, staff_no: str, *, kind: str, first_day: date, last_day: date, stand_in: str = "", note: str = ""
) -> Absence:
    """Enter the days somebody is away; the same again gives the first entry.

    Raises:
        NotAllowed: she or the stand-in is not of the actor's branches.
        InvalidSpec: no such kind, or days that end before they begin, are over, or are more than a year.
        Conflict: she is away on some of these days already; or the stand-in is, or is stood in for herself.
    """
    actor.must("leave.edit")
    rm_for(actor, staff_no)
    if stand_in:
        rm_for(actor, stand_in)
    _check_days(kind, first_day, last_day)
    if stand_in == staff_no:
        raise InvalidSpec("Nobody stands in for herself.", where=Where(field="stand_in"))
    with transaction.atomic():
        _lock(staff_no, stand_in)
        same = _on(first_day, last_day).filter(staff_no=staff_no)
        if again := same.filter(kind=kind, first_day=first_day, last_day=last_day, stand_in=stand_in).first():
            return again
        if same.exists():
            raise Conflict(
                "She is away on some of these days already.", hint="Cancel the other entry first.", staff=staff_no
            )
        if stand_in and _on(first_day, last_day).filter(Q(staff_no=stand_in)).exists():
            raise Conflict("The stand-in is away herself.", hint="Choose another.", staff=stand_in)
        if _on(first_day, last_day).filter(stand_in=staff_no).exists():
            raise Conflict(
                "She stands in for somebody on these days.", hint="Name another stand-in there first.", staff=staff_no
            )
        row = Absence.objects.create(
            staff_no=staff_no, kind=kind, first_day=first_day, last_day=last_day, stand_in=stand_in, note=note[:200],
            entered_by=actor.username, entered_at=now(),
        )  # fmt: skip
        record(
            actor, "absence.entered", ("staff", staff_no), kind=kind, first_day=first_day.isoformat(),
            last_day=last_day.isoformat(), stand_in=stand_in,
        )  # fmt: skip
        _settle(actor, row)
    row.refresh_from_db()
    return row


def cancel_absence(actor: Actor, absence_id: int) -> Absence:
    """Take an absence back, or end it before its time: the open work comes back at once."""
    actor.must("leave.edit")
    row = Absence.objects.filter(pk=absence_id, staff_no__in=all_rms_for(actor).values("staff_no")).first()
    if row is None:
        raise NotAllowed("There is no such absence in your branches.", absence=absence_id)
    with transaction.atomic():
        if Absence.objects.filter(pk=row.pk, cancelled_at__isnull=True).update(cancelled_at=now()):
            row.refresh_from_db()
            record(actor, "absence.cancelled", ("staff", row.staff_no), absence=row.pk)
            _settle(actor, row)
    row.refresh_from_db()
    return row


def settle_absences(actor: Actor) -> int:
    """Hand over the open work of who is away from today, and bring back that of who is here again (the worker, daily).

    Returns how many absences began or ended.
    """
    actor.must("job.run")
    day, settled = today(), 0
    begins = Q(first_day__lte=day, last_day__gte=day, covered_at__isnull=True, cancelled_at__isnull=True)
    ends = Q(covered_at__isnull=False, ended_at__isnull=True) & (Q(last_day__lt=day) | Q(cancelled_at__isnull=False))
    for row in Absence.objects.filter(begins | ends).exclude(stand_in="").order_by("id"):
        with transaction.atomic():
            settled += _settle(actor, row)
    return settled


def set_capacity(
    actor: Actor,
    staff_no: str,
    *,
    tasks_a_day: int | None,
    book_limit: int | None,
    skills: list[str],
    languages: list[str],
    seen: str | None = None,
) -> Capacity:
    """Say what one relationship manager can carry; ``None`` is the bank's or the policy's figure.

    Raises:
        Conflict: somebody else changed it since it was ``seen`` (``seen_as`` of the row as the form showed it).
        InvalidSpec: a figure outside its range.
    """
    actor.must("leave.edit")
    rm_for(actor, staff_no)
    for name, value, most in (("tasks_a_day", tasks_a_day, 500), ("book_limit", book_limit, 5000)):
        if value is not None and not 0 <= value <= most:
            raise InvalidSpec(f"`{name}` lies between 0 and {most}.", where=Where(field=name))
    fields: dict[str, Any] = {
        "tasks_a_day": tasks_a_day, "book_limit": book_limit, "skills": _words(skills), "languages": _words(languages),
    }  # fmt: skip
    with transaction.atomic():
        _lock(staff_no)
        row = Capacity.objects.get(staff_no=staff_no)
        if not any(getattr(row, name) != value for name, value in fields.items()):
            return row
        if seen is not None and seen != seen_as(row):
            raise Conflict("Somebody changed this meanwhile.", hint="Look at it again.", staff=staff_no)
        Capacity.objects.filter(pk=row.pk).update(**fields)
        record(actor, "capacity.set", ("staff", staff_no), **{k: v for k, v in fields.items() if v not in (None, [])})
    row.refresh_from_db()
    return row


def seen_as(row: Capacity | None) -> str:
    """Return a capacity as one line, by which a form tells that nobody changed it meanwhile."""
    if row is None:
        return "None|None||"
    return f"{row.tasks_a_day}|{row.book_limit}|{','.join(row.skills)}|{','.join(row.languages)}"


def set_calendar_day(actor: Actor, day: date, *, works: bool, name: str = "") -> CalendarDay:
    """Say that the bank works on a day against the common calendar, or does not (调休、行内假日); holds for the whole bank."""
    actor.must("user.manage")
    if not actor.sees_all_branches:
        raise NotAllowed("The calendar is the whole bank's.", hint="Ask head office.", right="user.manage")
    with transaction.atomic():
        row, _made = CalendarDay.objects.update_or_create(day=day, defaults={"works": works, "name": name[:40]})
        record(actor, "calendar.set", ("day", day.isoformat()), works=works, name=name[:40])
    return row


def calendar_days(from_day: date) -> QuerySet[CalendarDay]:
    """Return the bank's own days from a day on."""
    return CalendarDay.objects.filter(day__gte=from_day)


def _settle(actor: Actor, row: Absence) -> bool:
    """Move the open work where it belongs today; return whether it moved. Safe to call again."""
    if not row.stand_in:
        return False
    day = today()
    runs = row.cancelled_at is None and row.first_day <= day <= row.last_day
    customers = list(owned_by([row.staff_no]).values_list("pk", flat=True))
    if runs and Absence.objects.filter(pk=row.pk, covered_at__isnull=True).update(covered_at=now()):
        cover(actor, customers, row.staff_no, row.stand_in, "stand_in")
        record(actor, "absence.began", ("staff", row.staff_no), stand_in=row.stand_in)
        return True
    over = row.cancelled_at is not None or row.last_day < day
    if over and Absence.objects.filter(pk=row.pk, covered_at__isnull=False, ended_at__isnull=True).update(
        ended_at=now()
    ):
        cover(actor, customers, row.stand_in, row.staff_no, "back")
        record(actor, "absence.ended", ("staff", row.staff_no), stand_in=row.stand_in)
        return True
    return False


def _on(first_day: date, last_day: date) -> QuerySet[Absence]:
    return Absence.objects.filter(first_day__lte=last_day, last_day__gte=first_day, cancelled_at__isnull=True)


def _lock(*staff_nos: str) -> None:
    """Two people entering leave that hangs together wait for each other; always in the same order."""
    for staff_no in sorted(s for s in staff_nos if s):
        row, _made = Capacity.objects.get_or_create(staff_no=staff_no)
        Capacity.objects.filter(pk=row.pk).update(version=row.version + 1)


def _check_days(kind: str, first_day: date, last_day: date) -> None:
    if kind not in states.ABSENCES:
        raise InvalidSpec(f"There is no kind of absence {kind!r}.", where=Where(field="kind"))
    if last_day < first_day:
        raise InvalidSpec("The days end before they begin.", where=Where(field="last_day"))
    if last_day < today():
        raise InvalidSpec("The days are over.", where=Where(field="last_day"))
    if last_day - first_day > timedelta(days=LONGEST):
        raise InvalidSpec(f"An absence has at most {LONGEST} days.", where=Where(field="last_day"))


def _words(texts: list[str]) -> list[str]:
    return sorted({t.strip()[:20] for t in texts if t.strip()})
