"""After each load: tasks that the data settle close by themselves, and what was bought is credited once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import F, Q, Sum

from kequn.core.desk import Settled, holdings_on, settled
from kequn.ops.audiences.queries import latest_date
from kequn.ops.customers.queries import owners_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.ownership.queries import cases_for
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import close
from kequn.ops.workbench.correcting import BOUGHT, changed, close_undone, correct_settled, credited_staff
from kequn.ops.workbench.creating import promote
from kequn.ops.workbench.matters import Row, matters_of, rows_of
from kequn.ops.workbench.models import Credit, Settlement, Task, TaskChange
from kequn.ops.workbench.planning import desk_policy

AT_ONCE = 500
"""Tasks a transaction."""


def settle_tasks(actor: Actor, *, as_of: date | None = None) -> dict[str, int]:
    """Close what the data of ``as_of`` (the latest by default) settle, and credit what was bought; return how many by reason.

    A purchase is credited once: to who had the last effective contact within the policy's days, else to the owner; what
    was credited of the family before is not credited again. A task that its RM closed after a contact earns the credit
    too. What corrected data do not show any more is taken back first (`correct_settled`). Called again on the same data it
    changes nothing.
    """
    actor.must("tag.refresh")
    day, policy = as_of or latest_date(), desk_policy()
    since = now() - timedelta(days=policy.credit_days)
    counts = correct_settled(actor, policy, since=since)
    shown_on = holdings_on(engine(), day) or day
    rows = _rows(since)
    done = _without_owner(actor, [r for r in rows if r.state == states.OPEN and r.staff_no])
    found = settled(
        engine(), matters_of([r for r in rows if r.pk not in done]), as_of=day,
        bought_from=int(policy.bought_from_cny * 100), kept_percent=policy.matured.kept_percent,
    )  # fmt: skip
    by_id = {r.pk: r for r in rows}
    counts += Counter({"no_owner": len(done)})
    # a customer's main and most urgent task first: of several about one purchase it gets the credit
    ordered = sorted(found, key=lambda s: (not by_id[s.id].is_main, -by_id[s.id].score, s.id))
    for start in range(0, len(ordered), AT_ONCE):
        part = ordered[start : start + AT_ONCE]
        counts += _settle(actor, [(by_id[s.id], s) for s in part], _Asked(day, shown_on, since, now()))
    return dict(counts + close_undone(actor))


def _rows(since: datetime) -> list[Row]:
    """Return what is open, and what was closed after a contact of late and earned no credit yet."""
    earned = Q(
        state=states.DONE, closed_by=states.STAFF, closed_at__gt=since, credited_to="", follow_ups__contact="connected",
        follow_ups__undone_at__isnull=True,
    )  # fmt: skip
    return rows_of(Task.objects.filter(Q(state=states.OPEN) | earned).distinct().order_by("pk"))


def _without_owner(actor: Actor, rows: Sequence[Row]) -> set[int]:
    """Close the tasks whose customer has no owner any more and is not with the remote centre; return which."""
    owners = owners_of({r.customer_id for r in rows})
    lost = {c for c, owner in owners.items() if not owner}
    lost -= set(cases_for(system_actor()).values_list("customer_id", flat=True)) if lost else set()
    ids = [r.pk for r in rows if r.customer_id in lost]
    for start in range(0, len(ids), AT_ONCE):
        with transaction.atomic():
            part = Task.objects.filter(pk__in=ids[start : start + AT_ONCE], state=states.OPEN)
            n = close(part, state=states.CANCELLED, why="no_owner", at=now())
            record(actor, "tasks.cancelled", ("tasks", ids[start]), n=n, why="no_owner")
    return set(ids)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which data were asked, and when."""

    day: date
    shown_on: date
    since: datetime
    moment: datetime


def _settle(actor: Actor, part: Sequence[tuple[Row, Settled]], asked: _Asked) -> Counter[str]:
    counts: Counter[str] = Counter()
    bought = {row.customer_id for row, s in part if s.why in BOUGHT}
    kept: list[Settlement] = []
    changes: list[TaskChange] = []
    with transaction.atomic():
        workers = credited_staff(bought, since=asked.since)
        before = _credited_before(bought, asked.since)
        for row, s in part:
            # what is not more than before was another task's doing: this one is settled with it, without a credit
            amount = max(s.amount - before.get((row.customer_id, s.family), 0), 0) if s.why in BOUGHT else 0
            staff, reason = workers.get(row.customer_id, ("", ""))
            is_closed = _close(row, s.why, asked.moment)
            if row.state == states.OPEN and not is_closed:
                continue
            counts[s.why] += is_closed
            is_credited = bool(amount and staff and _credit(row, s, amount, staff, reason, asked))
            if is_credited:
                before[row.customer_id, s.family] = before.get((row.customer_id, s.family), 0) + amount
                counts["credited"] += 1
            if s.why in states.BY_CUSTOMER and (is_closed or is_credited):
                kept.append(_settlement(row, s, asked))
            if is_closed:
                changes.append(changed(row.pk, "settled", asked.moment, day=asked.day, why=s.why))
            if is_credited:
                changes.append(changed(row.pk, "credited", asked.moment, amount=Decimal(amount) / 100, staff=staff))
        Settlement.objects.bulk_create(kept)
        TaskChange.objects.bulk_create(changes)
        promote(row.customer_id for row, _ in part)
        if counts := +counts:
            record(actor, "tasks.settled", ("day", asked.day), **counts)
    return counts


def _close(row: Row, why: str, moment: datetime) -> bool:
    if row.state != states.OPEN:
        return False
    mine = why in states.BY_CUSTOMER
    return bool(
        Task.objects.filter(pk=row.pk, state=states.OPEN).update(
            state=states.DONE if mine else states.CANCELLED, closed_at=moment, closed_why=why,
            closed_by=states.BOUGHT if mine else states.SYSTEM,
        )
    )  # fmt: skip


def _credit(row: Row, s: Settled, amount: int, staff: str, reason: str, asked: _Asked) -> bool:
    fields = {
        "customer_id": row.customer_id, "product_code": s.product, "family": s.family, "day": asked.day, "staff_no": staff,
        "amount_cny": Decimal(amount) / 100, "branch_code": row.branch, "reason": reason, "at": asked.moment,
    }  # fmt: skip
    try:
        with transaction.atomic():
            Credit.objects.create(task_id=row.pk, **fields)
    except IntegrityError:  # this purchase, or this task, has its credit
        return False
    Task.objects.filter(pk=row.pk).update(credited_to=staff)
    return True


def _settlement(row: Row, s: Settled, asked: _Asked) -> Settlement:
    return Settlement(
        task_id=row.pk, customer_id=row.customer_id, why=s.why, as_of=asked.day, shown_on=asked.shown_on,
        shown_cny=Decimal(s.shown) / 100, amount_cny=Decimal(s.amount) / 100, family=s.family, product_code=s.product,
        at=asked.moment,
    )  # fmt: skip


def _credited_before(ids: Collection[str], since: datetime) -> dict[tuple[str, str], int]:
    """Return what was credited of each customer's purchases by family of late, in fen."""
    rows = Credit.objects.filter(customer_id__in=list(ids), at__gt=since).order_by()
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for customer_id, family, total in rows.values_list("customer_id", "family").annotate(total=Sum(F("amount_cny"))):
        sums[customer_id, family] += int(total * 100)
    return sums
