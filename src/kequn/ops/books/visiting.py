"""Plan a day of visits, set out on it past the gate, and record what came of each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.books import states
from kequn.ops.books.days import visit_for, visit_plan_for
from kequn.ops.books.models import Visit, VisitPlan
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import active_of_role
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.services import Blocked, start_contact

MOST_A_DAY = 60
FARTHEST = timedelta(days=90)


def plan_visits(
    actor: Actor,
    *,
    key: str,
    title: str,
    on: date,
    customer_ids: Sequence[str],
    place: str = "",
    companion: str = "",
    note: str = "",
) -> VisitPlan:
    """Plan to see some of one's own customers on a day, in the order given. The same key again gives the same plan.

    Raises:
        NotAllowed: only an RM plans, and only her own customers.
        InvalidSpec: no title, a day that is past or too far, nobody, too many; a companion who does not head her branch.
    """
    _rm(actor)
    ids, today = list(dict.fromkeys(customer_ids)), bank_today()
    title = clean(title, longest=80, field="title").text
    if not title or not key.strip():
        raise InvalidSpec("A day of visits needs a title.", where=Where(field="title" if not title else "key"))
    if not today <= on <= today + FARTHEST:
        raise InvalidSpec(f"Visits are planned between today and {today + FARTHEST}.", where=Where(field="on"))
    own = f"{actor.username}:{key}"[:64]
    if (before := VisitPlan.objects.filter(key=own).first()) is not None:
        return before
    if not 1 <= len(ids) <= MOST_A_DAY:
        raise InvalidSpec(f"Choose between 1 and {MOST_A_DAY} customers a day.", where=Where(field="customers"))
    _only_mine(actor, ids)
    if companion and companion not in companions_for(actor):
        raise InvalidSpec("There is no such branch head of yours.", where=Where(field="companion"))
    try:
        with transaction.atomic():
            row = VisitPlan.objects.create(
                key=own, staff_no=actor.staff_no, branch_code=actor.branch_code, title=title, on=on, companion=companion,
                place=clean(place, longest=80, field="place").text, note=clean(note, longest=500).text, created_at=now(),
            )  # fmt: skip
            Visit.objects.bulk_create([Visit(plan=row, customer_id=i, position=n) for n, i in enumerate(ids, 1)])
            record(actor, "visits.planned", row, n=len(ids), on=on.isoformat())
    except IntegrityError:
        return VisitPlan.objects.get(key=own)
    return row


def companions_for(actor: Actor) -> dict[str, str]:
    """Return who may come along: the heads of the actor's branch and of those above it, staff number -> name."""
    heads = active_of_role("branch_head").exclude(staff_no="").select_related("branch")
    return {h.staff_no: h.display_name for h in heads if actor.branch_path.startswith(h.branch.path)}


def add_visits(actor: Actor, plan_id: int, customer_ids: Sequence[str]) -> int:
    """Put more of one's own customers at the end of a day's route; return how many are new."""
    plan, ids = _mine(actor, plan_id), list(dict.fromkeys(customer_ids))
    _only_mine(actor, ids)
    with transaction.atomic():
        VisitPlan.objects.select_for_update().get(pk=plan.pk)
        there = dict(Visit.objects.filter(plan=plan).values_list("customer_id", "position"))
        fresh = [i for i in ids if i not in there]
        if len(there) + len(fresh) > MOST_A_DAY:
            raise InvalidSpec(f"Choose between 1 and {MOST_A_DAY} customers a day.", where=Where(field="customers"))
        last = max(there.values(), default=0)
        Visit.objects.bulk_create([Visit(plan=plan, customer_id=i, position=last + n) for n, i in enumerate(fresh, 1)])
        if fresh:
            record(actor, "visits.added", plan, n=len(fresh))
    return len(fresh)


def order_visits(actor: Actor, plan_id: int, visit_ids: Sequence[int]) -> None:
    """Put a day's visits into an order; those not named follow behind in the order they had.

    Raises:
        InvalidSpec: a visit of another day.
    """
    plan = _mine(actor, plan_id)
    with transaction.atomic():
        rows = {v.pk: v for v in Visit.objects.select_for_update().filter(plan=plan)}
        if not set(visit_ids) <= set(rows):
            raise InvalidSpec("These visits are not all of this day.", where=Where(field="order"))
        rest = [v.pk for v in sorted(rows.values(), key=lambda v: (v.position, v.pk)) if v.pk not in set(visit_ids)]
        for position, pk in enumerate([*dict.fromkeys(visit_ids), *rest], 1):
            rows[pk].position = position
        Visit.objects.bulk_update(rows.values(), ["position"])
        record(actor, "visits.ordered", plan)


def set_out(actor: Actor, plan_id: int) -> dict[str, int]:
    """Ask the gate for each visit of a day that has come, and make a task of those it lets through; return how many of each.

    May be asked again: what is ready stays, what was blocked is asked anew.

    Raises:
        Conflict: the day has not come, or was cancelled.
    """
    plan = _mine(actor, plan_id)
    if plan.on > bank_today():
        raise Conflict(f"These visits are planned for {plan.on}.", hint="Set out on the day, or change the day.")
    for visit in Visit.objects.filter(plan=plan, state__in=[states.PLANNED, states.BLOCKED]):
        state, task_id, codes = _asked(actor, plan, visit)
        with transaction.atomic():
            fields = {"state": state, "task_id": task_id, "codes": codes}
            if Visit.objects.filter(pk=visit.pk, state=visit.state).update(**fields) and state != visit.state:
                record(actor, f"visit.{state}", visit, customer=visit.customer_id, codes=codes)
    found = Visit.objects.filter(plan=plan).values_list("state", flat=True)
    return {state: list(found).count(state) for state in states.VISIT}


def drop_visit(actor: Actor, visit_id: int) -> Visit:
    """Take a customer off a day's route; her task, if there is one, stays for another time."""
    return _turned(actor, visit_id, states.DROPPED, "visit.dropped")


def take_up_visit(actor: Actor, visit_id: int) -> Visit:
    """Put a customer back on a day's route."""
    return _turned(actor, visit_id, states.PLANNED, "visit.taken_up")


def move_day(actor: Actor, plan_id: int, on: date) -> VisitPlan:
    """Move a whole plan to another day, as long as nobody set out."""
    plan, today = _mine(actor, plan_id), bank_today()
    if not today <= on <= today + FARTHEST:
        raise InvalidSpec(f"Visits are planned between today and {today + FARTHEST}.", where=Where(field="on"))
    if Visit.objects.filter(plan=plan, state=states.READY).exists():
        raise Conflict("You have set out already.", hint="Plan another day for those who are left.")
    with transaction.atomic():
        VisitPlan.objects.filter(pk=plan.pk, cancelled_at__isnull=True).update(on=on)
        record(actor, "visits.moved", plan, on=on.isoformat())
    plan.refresh_from_db()
    return plan


def cancel_visits(actor: Actor, plan_id: int) -> VisitPlan:
    """Cancel a day of visits; tasks that were made stay."""
    plan = _mine(actor, plan_id)
    with transaction.atomic():
        if VisitPlan.objects.filter(pk=plan.pk, cancelled_at__isnull=True).update(cancelled_at=now()):
            record(actor, "visits.cancelled", plan)
    plan.refresh_from_db()
    return plan


def _asked(actor: Actor, plan: VisitPlan, visit: Visit) -> tuple[str, int | None, str]:
    evening = datetime.combine(plan.on + timedelta(days=1), time(0), ZoneInfo(engine().manifest.zone))
    due = max(evening, now() + timedelta(hours=1))
    try:
        task = start_contact(
            actor, visit.customer_id, key=f"visit:{visit.pk}", why=plan.title, channel="visit", due_at=due
        )
    except Blocked as error:
        return states.BLOCKED, None, str(error.facts.get("codes", ""))[:300]
    except NotAllowed:
        return states.DROPPED, None, ""  # she has left the book
    return states.READY, task.pk, ""


def _turned(actor: Actor, visit_id: int, to: str, act: str) -> Visit:
    _rm(actor)
    visit = visit_for(actor, visit_id)
    _mine(actor, visit.plan_id)
    before = [state for state, following in states.VISIT.items() if to in following]
    with transaction.atomic():
        if not Visit.objects.filter(pk=visit.pk, state__in=before).update(state=to):
            raise Conflict(f"The visit is {visit.state}.", hint="Reload.", visit=visit_id)
        record(actor, act, visit, customer=visit.customer_id)
    visit.refresh_from_db()
    return visit


def _mine(actor: Actor, plan_id: int) -> VisitPlan:
    _rm(actor)
    plan = visit_plan_for(actor, plan_id)
    if plan.staff_no != actor.staff_no:
        raise NotAllowed("Who planned the visits changes them.", right="visit.plan", plan=plan_id)
    if plan.cancelled_at is not None:
        raise Conflict("These visits were cancelled.", hint="Plan a new day.", plan=plan_id)
    return plan


def _only_mine(actor: Actor, ids: Sequence[str]) -> None:
    if sum(person.rm_no == actor.staff_no for person in people_by_id(actor, ids).values()) < len(ids):
        raise NotAllowed("There is no such customer in your scope.")


def _rm(actor: Actor) -> None:
    actor.must("visit.plan")
    if actor.role != "rm" or not actor.staff_no:
        raise NotAllowed("Only an RM plans visits, to her own customers.", right="visit.plan")
