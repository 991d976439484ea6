"""Customers nobody works: warn the owner, tell the branch head, take back by the policy; never one with an open matter."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Max, QuerySet

from kequn.core.spec.ownership import TakeBack
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import book_sizes, owned_by
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.ownership import states
from kequn.ops.ownership.calendars import day_of, today
from kequn.ops.ownership.known import last_worked, with_open_matters, with_opportunity
from kequn.ops.ownership.models import Absence, Neglect, OwnerChange
from kequn.ops.ownership.moving import move, protected
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import now

KEPT_FOR = ("open_matter", "protected", "owner_away")


def neglect_for(actor: Actor, *, stage: str | None = None) -> QuerySet[Neglect]:
    """Return the customers long unworked: an RM her own, others those of their branches; the longest first."""
    if actor.may("customer.claim"):
        rows = Neglect.objects.filter(staff_no=actor.staff_no).exclude(staff_no="")
    else:
        actor.must("customer.assign")
        codes = branch_codes_for(actor)
        rows = Neglect.objects.all() if codes is None else Neglect.objects.filter(branch_code__in=codes)
    return rows.filter(stage=stage) if stage else rows


def watch_owners(actor: Actor) -> int:
    """Warn, escalate and take back by the policy, book by book (the worker, daily); return how many were taken back.

    A customer is never taken back on the day she is first warned of or escalated: the owner had the days in between. Days on
    which the owner was away do not count against her: the clock stands while she has leave.
    """
    actor.must("job.run")
    rules = policy().take_back
    if rules is None:
        Neglect.objects.all().delete()
        return 0
    day, taken = today(), 0
    books = sorted(book_sizes())
    Neglect.objects.exclude(staff_no__in=books).delete()
    for staff_no in books:
        taken += _watch_book(actor, staff_no, rules, day)
    return taken


def _watch_book(actor: Actor, staff_no: str, rules: TakeBack, day: date) -> int:
    customers = dict(owned_by([staff_no]).values_list("customer_id", "branch_code"))
    ids = sorted(customers)
    idle = {c: max(since, rules.counts_from) for c, since in _idle_since(ids).items()}
    idle |= {c: rules.counts_from for c in ids if c not in idle}
    away = _days_away(staff_no, rules.counts_from, day)
    days = {c: (day - since).days - sum(since < d <= day for d in away) for c, since in idle.items()}
    late = {c for c in ids if days[c] >= rules.warn_days}
    known = {row.customer_id: row for row in Neglect.objects.filter(customer_id__in=ids)} if late else {}
    with transaction.atomic():
        Neglect.objects.filter(staff_no=staff_no).exclude(customer_id__in=sorted(late)).delete()
        due: list[Neglect] = []
        for customer_id in sorted(late):
            row = known.get(customer_id)
            if row is None or row.staff_no != staff_no:
                _warn(customer_id, staff_no, customers[customer_id], idle[customer_id], day, rules)
            elif row.stage == states.WARNED and days[customer_id] >= rules.escalate_days and row.warned_on < day:
                Neglect.objects.filter(pk=row.pk).update(stage=states.ESCALATED, escalated_on=day)
            elif row.stage == states.ESCALATED and row.escalated_on and _is_due(row, days[customer_id], rules, day):
                due.append(row)
        return _take_back(actor, staff_no, due, customers, bool(away and away[-1] == day)) if due else 0


def _is_due(row: Neglect, days: int, rules: TakeBack, day: date) -> bool:
    """Both gaps of the policy lie between the steps, also where somebody was found late."""
    grace = timedelta(days=rules.take_back_days - rules.escalate_days)
    return row.escalated_on is not None and days >= rules.take_back_days and row.escalated_on + grace <= day


def _warn(customer_id: str, staff_no: str, branch: str, idle_since: date, day: date, rules: TakeBack) -> None:
    steps = timedelta(days=rules.take_back_days - rules.warn_days)
    Neglect.objects.update_or_create(
        customer_id=customer_id,
        defaults={
            "staff_no": staff_no, "branch_code": branch, "stage": states.WARNED, "idle_since": idle_since,
            "warned_on": day, "escalated_on": None, "take_back_on": day + steps, "kept_for": "",
        },
    )  # fmt: skip


def _take_back(actor: Actor, staff_no: str, due: Sequence[Neglect], customers: dict[str, str], is_away: bool) -> int:
    ids = [row.customer_id for row in due]
    held = dict.fromkeys(ids, "owner_away") if is_away else {}
    held |= dict.fromkeys([*with_opportunity(ids, now()), *protected(ids, now())], "protected")
    held |= dict.fromkeys(with_open_matters(ids), "open_matter")
    for reason in KEPT_FOR:
        kept = [c for c, why in held.items() if why == reason]
        Neglect.objects.filter(customer_id__in=kept).update(kept_for=reason)
    free = [(c, customers[c]) for c in ids if c not in held]
    made = move(actor, free, staff_no, "", "taken_back", note=policy().name) if free else []
    Neglect.objects.filter(customer_id__in=[m.customer_id for m in made]).delete()
    if made:
        record(actor, "customers.taken_back", ("staff", staff_no), n=len(made), policy=policy().name)
    return len(made)


def _idle_since(ids: Sequence[str]) -> dict[str, date]:
    """The day on which each was last reached, or came to her owner, whichever is later."""
    found: dict[str, date] = {}
    for chunk in chunks(ids):
        found |= last_worked(chunk)
        came = OwnerChange.objects.filter(customer_id__in=chunk).order_by().values_list("customer_id")
        for customer_id, at in came.annotate(last=Max("at")):
            found[customer_id] = max(day_of(at), found.get(customer_id, day_of(at)))
    return found


def _days_away(staff_no: str, first: date, last: date) -> list[date]:
    days: set[date] = set()
    rows = Absence.objects.filter(
        staff_no=staff_no, first_day__lte=last, last_day__gte=first, cancelled_at__isnull=True
    )
    for row in rows:
        begins, ends = max(row.first_day, first), min(row.last_day, last)
        days |= {begins + timedelta(days=n) for n in range((ends - begins).days + 1)}
    return sorted(days)
