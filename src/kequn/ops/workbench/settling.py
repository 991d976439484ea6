"""After each load: tasks that the data settle close by themselves, and what was bought is credited once."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from django.db import IntegrityError, transaction
from django.db.models import Q

from kequn.core.desk import Claim, Settled, holdings_on, settled, shares
from kequn.ops.audiences.queries import latest_date
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import owners_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.ownership.queries import cases_for
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import close
from kequn.ops.workbench.correcting import changed, close_undone, correct_settled
from kequn.ops.workbench.creating import promote
from kequn.ops.workbench.crediting import BOUGHT, bought_on, credit_of, credited_before, credited_staff, written
from kequn.ops.workbench.matters import Row, matters_of, rows_of
from kequn.ops.workbench.models import Credit, Settlement, Task, TaskChange
from kequn.ops.workbench.planning import desk_policy


def settle_tasks(actor: Actor, *, as_of: date | None = None) -> dict[str, int]:
    """Close what the data of ``as_of`` (the latest by default) settle, and credit what was bought; return how many by reason.

    A purchase is credited once: to who had the last effective contact within the policy's days before it, else to the owner;
    money that was credited before is not credited again, whichever task it was (`kequn.core.desk.shares`). A task that its
    RM closed after a contact earns the credit too. What corrected data do not show any more is taken back first
    (`correct_settled`). Called again on the same data it changes nothing.
    """
    actor.must("tag.refresh")
    day, policy = as_of or latest_date(), desk_policy()
    within = timedelta(days=policy.credit_days)
    since = now() - within
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
    for part in chunks(ordered):
        counts += _settle(actor, [(by_id[s.id], s) for s in part], _Asked(day, shown_on, within, now()))
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
    for some in chunks(ids):
        with transaction.atomic():
            part = Task.objects.filter(pk__in=some, state=states.OPEN)
            n = close(part, state=states.CANCELLED, why="no_owner", at=now())
            record(actor, "tasks.cancelled", ("tasks", some[0]), n=n, why="no_owner")
    return set(ids)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which data were asked, and when."""

    day: date
    shown_on: date
    within: timedelta
    """So long before a purchase a contact still brought it about."""
    moment: datetime


def _settle(actor: Actor, part: Sequence[tuple[Row, Settled]], asked: _Asked) -> Counter[str]:
    counts: Counter[str] = Counter()
    kept: list[Settlement] = []
    changes: list[TaskChange] = []
    with transaction.atomic():
        closed = {row.pk for row, s in part if _close(row, s.why, asked.moment)}
        there = [(row, s) for row, s in part if row.pk in closed or row.state != states.OPEN]
        credited = _credit(there, asked)
        for row, s in there:
            is_closed, credit = row.pk in closed, credited.get(row.pk)
            counts[s.why] += is_closed
            if s.why in states.BY_CUSTOMER and (is_closed or credit):
                kept.append(_settlement(row, s, asked))
            if is_closed:
                changes.append(changed(row.pk, "settled", asked.moment, day=asked.day, why=s.why))
            if credit:
                counts["credited"] += 1
                changes.append(
                    changed(row.pk, "credited", asked.moment, amount=credit.amount_cny, staff=credit.staff_no)
                )
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


def _credit(there: Sequence[tuple[Row, Settled]], asked: _Asked) -> dict[int, Credit]:
    """Write the credits that tasks earn, and return them by task; what another run was faster with is not in it."""
    rows = {row.pk: row for row, _ in there}
    purchases = {row.pk: (row.customer_id, bought_on(s.parts, asked.shown_on)) for row, s in there if s.why in BOUGHT}
    workers = credited_staff(set(purchases.values()), within=asked.within)
    before = credited_before(customer_id for customer_id, _ in purchases.values())
    claims: dict[str, list[Claim]] = defaultdict(list)
    for row, s in there:
        if purchases.get(row.pk) in workers:
            claims[row.customer_id].append(Claim(row.pk, asked.day, asked.shown_on, s.parts, s.since, s.amount))
    credited: dict[int, Credit] = {}
    for customer_id, mine in claims.items():
        for pk, parts in shares(mine, before.get(customer_id, ())).items():
            credit = credit_of(
                pk, customer_id, parts, day=asked.day, at=asked.moment, earner=workers[purchases[pk]], branch=rows[pk].branch
            )  # fmt: skip
            try:
                with transaction.atomic():
                    credit.save(force_insert=True)
            except IntegrityError:  # this purchase, or this task, has its credit
                continue
            Task.objects.filter(pk=pk).update(credited_to=credit.staff_no)
            credited[pk] = credit
    return credited


def _settlement(row: Row, s: Settled, asked: _Asked) -> Settlement:
    return Settlement(
        task_id=row.pk, customer_id=row.customer_id, why=s.why, as_of=asked.day, shown_on=asked.shown_on, since=s.since,
        parts=written(s.parts), amount_cny=Decimal(s.amount) / 100, at=asked.moment,
    )  # fmt: skip
