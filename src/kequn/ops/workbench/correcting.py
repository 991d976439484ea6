"""When data are corrected: what settled a task is looked at again, and a credit that no longer has its purchase is taken back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q

from kequn.core.desk import Claim, Look, Matter, Part, Settled, done, holdings_on, looks, shares
from kequn.core.spec.desk import DeskPolicySpec
from kequn.ops.chunks import chunks
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import is_over
from kequn.ops.workbench.crediting import (
    BOUGHT,
    Earner,
    bought_on,
    credit_of,
    credited_before,
    credited_staff,
    parts_of,
    written,
)
from kequn.ops.workbench.matters import matters_of, rows_of
from kequn.ops.workbench.models import Credit, Settlement, Task, TaskChange
from kequn.ops.workbench.queries import bank_day

UNDONE = ("taken_back", "undone")
"""Lines of a task's history after which it has to be decided whether it stays open."""

Corrected = Callable[[Collection[date]], None]
_followers: dict[str, Corrected] = {}


def on_correction(source: str, follow: Corrected) -> None:
    """Say what happens, in the same transaction, when figures of earlier days changed; called by an app when it is ready."""
    _followers[source] = follow


def tell_corrected(days: Collection[date]) -> None:
    """Say that figures of earlier days changed; the caller holds the transaction."""
    for follow in _followers.values() if days else ():
        follow(sorted(days))


def correct_settled(actor: Actor, policy: DeskPolicySpec, *, since: datetime) -> Counter[str]:
    """Ask the data by which tasks were settled after ``since`` again, and put right what they say otherwise now.

    Each is asked about the very day that settled it, so that money which the customer took out later stays a purchase; a day
    that the store does not have any more is not asked. A purchase that is gone takes its credit along, and the task is open
    again: held, until the morning's plan asks the gate. One that is larger or smaller changes the credit. Nobody's credit goes
    to somebody else. Returns how many were taken back, corrected and reopened; on the same data nothing.
    """
    found = _differing(policy, since)
    by_customer: dict[str, list[_Found]] = defaultdict(list)
    for each in found:
        by_customer[each.settlement.customer_id].append(each)
    customers, counts = sorted(by_customer), Counter[str]()
    for some in chunks(customers):
        work = _Work(actor, since, policy)
        with transaction.atomic():
            for customer_id in some:
                work.correct(customer_id, by_customer[customer_id])
            TaskChange.objects.bulk_create(work.changes)
            tell_corrected(work.days)
        counts += work.counts
    return counts


def close_undone(actor: Actor) -> Counter[str]:
    """Decide about the tasks that a correction opened and nothing settled since: in time they stay open, else they are closed."""
    moment = now()
    undone = Task.objects.filter(state=states.OPEN, changes__what__in=UNDONE).distinct()
    counts: Counter[str] = Counter()
    with transaction.atomic():
        for task in undone.order_by("pk"):
            if task.changes.order_by("pk").values_list("what", flat=True).last() not in UNDONE:
                continue  # it was decided about before
            why = _why_closed(task, moment)
            fields = {"closed_at": moment, "closed_by": states.SYSTEM, "closed_why": why}
            state = states.EXPIRED if why == "unbought" else states.CANCELLED
            if why:
                Task.objects.filter(pk=task.pk, state=states.OPEN).update(state=state, **fields)
                line = changed(task.pk, "stays_closed", moment, why=why)
            else:
                line = changed(task.pk, "reopened", moment, until=(task.expires_at or task.due_at).isoformat())
            line.save()
            record(actor, f"task.{line.what}", task, why=why)
            counts[line.what] += 1
    return counts


def changed(task_id: int, what: str, at: datetime, **facts: Any) -> TaskChange:
    """Return one line of a task's history, not saved yet."""
    return TaskChange(task_id=task_id, what=what, at=at, facts={name: str(value) for name, value in facts.items()})


# -- what the data say otherwise ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    """One settlement as it was read, and what the data make of it now."""

    settlement: Settlement
    now: Settled | None


def _differing(policy: DeskPolicySpec, since: datetime) -> Iterator[_Found]:
    kept_percent, bought_from = policy.matured.kept_percent, int(policy.bought_from_cny * 100)
    days = Settlement.objects.filter(at__gt=since).order_by("shown_on").values_list("shown_on", flat=True).distinct()
    for day in list(days):
        if holdings_on(engine(), day) != day:
            continue
        before = {s.task_id: s for s in Settlement.objects.filter(at__gt=since, shown_on=day)}
        tasks = Task.objects.filter(settlement__at__gt=since, settlement__shown_on=day).order_by("pk")
        matters = [_as_settled(m, before[m.id]) for m in matters_of(rows_of(tasks))]
        seen = looks(engine(), matters, as_of=day)
        for matter in matters:
            look = seen.get(matter.id)
            if look is not None and look.known and not _agrees(before[matter.id], look):
                yield _Found(before[matter.id], done(matter, look, bought_from=bought_from, kept_percent=kept_percent))


def _as_settled(matter: Matter, row: Settlement) -> Matter:
    """An offer may be of another family today: what was bought is asked for."""
    return replace(matter, family=row.parts[0]["family"]) if row.why == "bought" else matter


def _agrees(row: Settlement, look: Look) -> bool:
    """Whether the data show what they showed; then no rule that was changed since makes a difference."""
    if row.why == "renewed":
        return look.renewed
    return _by_family(look.parts) == _by_family(parts_of(row.parts))


def _by_family(parts: Sequence[Part]) -> dict[str, int]:
    return {p.family: p.fen for p in parts}


# -- putting it right ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Work:
    """One transaction's corrections."""

    actor: Actor
    since: datetime
    policy: DeskPolicySpec
    moment: datetime = field(default_factory=now)
    changes: list[TaskChange] = field(default_factory=list)
    days: set[date] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)

    def correct(self, customer_id: str, found: Sequence[_Found]) -> None:
        """Put one customer's settlements and credits right, unless another run was faster."""
        mine = Settlement.objects.filter(customer_id=customer_id, at__gt=self.since)
        rows = list(mine.select_related("task").select_for_update(of=("self",)))
        there = {r.pk: r for r in rows}
        if any(f.settlement.pk not in there or not _same(f.settlement, there[f.settlement.pk]) for f in found):
            return
        said = {f.settlement.pk: f.now for f in found}
        before = {c.task_id: c for c in Credit.objects.filter(customer_id=customer_id)}
        kept = [r for r in rows if r.pk not in said or _put(r, said[r.pk])]
        lost = [r for r in rows if r.pk in said and said[r.pk] is None]
        earners = {r.task_id: self._earner(r, before.get(r.task_id)) for r in rows if r.why in BOUGHT}
        earning = [r for r in kept if earners.get(r.task_id)]
        owed = self._owed(customer_id, earning, {r.task_id for r in rows})
        touched = [r for r in rows if r in lost or not _is_owed(before.get(r.task_id), owed.get(r.task_id, ()))]
        # whatever moves is put down first: two credits of one family and day never stand side by side
        Credit.objects.filter(task__in=[r.task_id for r in touched]).delete()
        for row in touched:
            earner = earners.get(row.task_id) or ("", "")
            self._say(row, before.get(row.task_id), owed.get(row.task_id, ()), earner, is_lost=row in lost)
        for row in lost:
            self._open(row)

    def _owed(
        self, customer_id: str, earning: Sequence[Settlement], mine: Collection[int]
    ) -> dict[int, tuple[Part, ...]]:
        """Return what each task is credited by what the data show now."""
        others = [c for c in credited_before([customer_id]).get(customer_id, ()) if c.id not in mine]
        claims = [
            Claim(r.task_id, r.as_of, r.shown_on, parts_of(r.parts), r.since, _fen(r.amount_cny)) for r in earning
        ]
        return shares(claims, others)

    def _say(
        self, row: Settlement, before: Credit | None, parts: Sequence[Part], earner: Earner, *, is_lost: bool
    ) -> None:
        """Write a credit as it is now, with its line in the history and in the audit."""
        task, staff = row.task, earner[0]
        amount = Decimal(sum(p.fen for p in parts)) / 100
        if parts:
            credit_of(
                task.pk, row.customer_id, parts, day=row.as_of, at=before.at if before else row.at,
                earner=earner, branch=before.branch_code if before else task.branch_code,
            ).save(force_insert=True)  # fmt: skip
        Task.objects.filter(pk=task.pk).update(credited_to=staff if parts else "")
        what = "credited" if before is None else "corrected" if parts else "taken_back"
        was = before.amount_cny if before else Decimal(0)
        if before is None and is_lost:
            self.changes.append(changed(task.pk, "undone", self.moment, day=row.as_of, why=row.why))
        else:
            self.changes.append(changed(task.pk, what, self.moment, day=row.as_of, amount=amount, was=was, staff=staff))
            record(self.actor, f"credit.{what}", task, day=row.as_of, staff=staff, was=str(was), amount=str(amount))
            self.days.add(row.as_of)
            self.counts[what] += 1

    def _earner(self, row: Settlement, before: Credit | None) -> Earner | None:
        if before is not None:
            return before.staff_no, before.reason
        purchase = (row.customer_id, bought_on(parts_of(row.parts), row.shown_on))
        return credited_staff([purchase], within=timedelta(days=self.policy.credit_days)).get(purchase)

    def _open(self, row: Settlement) -> None:
        """Open a task again that a purchase had closed; one that its RM closed stays as she closed it."""
        task = row.task
        row.delete()
        opened = Task.objects.filter(pk=task.pk, state=states.DONE, closed_by=states.BOUGHT).update(
            state=states.OPEN, closed_at=None, closed_by="", closed_why="", is_main=False, is_held=True
        )
        if opened and task.closed_at:
            self.days.add(bank_day(task.closed_at))


def _put(row: Settlement, said: Settled | None) -> bool:
    """Make a settlement what the data say now; whether they say anything."""
    if said is None:
        return False
    row.why, row.since, row.parts = said.why, said.since, written(said.parts)
    row.amount_cny = Decimal(said.amount) / 100
    row.save(update_fields=["why", "since", "parts", "amount_cny"])
    return True


def _is_owed(credit: Credit | None, parts: Sequence[Part]) -> bool:
    """Whether a credit is what it should be."""
    return _by_family(parts_of(credit.parts) if credit else ()) == _by_family(parts)


def _same(one: Settlement, other: Settlement) -> bool:
    return (one.why, one.parts) == (other.why, other.parts)


def _why_closed(task: Task, moment: datetime) -> str:
    """Return why a task that a correction opened is not to stay open; empty where it is."""
    if Task.objects.filter(is_over(moment), pk=task.pk).exists():
        return "unbought"
    ended = Q(campaign=task.campaign, closed_why="campaign")
    return "campaign" if task.campaign and Task.objects.filter(ended).exists() else ""


def _fen(cny: Decimal) -> int:
    return int(cny * 100)
