"""The page Today: the few tasks that come next, each with why now, what to offer and what may not be done."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal

from django.db.models import Count, Q, QuerySet, Sum

from kequn.core.spec.base import Text
from kequn.ops.audiences.queries import bank_today
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.models import FollowUp, StaffDay, Task
from kequn.ops.workbench.queries import end_of_day, tasks_for

LENGTH = 20
"""Tasks on the page where no plan says otherwise."""


@dataclass(frozen=True, slots=True)
class Row:
    """One customer of the day: her main task, and what is folded under it."""

    task: Task
    person: MaskedPerson | None
    kind: str
    """``appointment`` or ``promise`` where the customer's next time has come, else the task's own."""
    offer: Text | None
    also: tuple[Task, ...]
    is_overdue: bool
    test: Task | None
    """The task to have the risk test renewed, where the offer waits for it."""


@dataclass(frozen=True, slots=True)
class Today:
    """One person's day (今日)."""

    day: date
    rows: tuple[Row, ...]
    by_kind: dict[str, int]
    """Of all that has its place today, by kind."""
    total: int
    done: int
    settled: int
    """Of those done today, how many closed by themselves."""
    value_cny: Decimal
    later: int
    held: dict[str, int] = field(default_factory=dict)
    """Occasions that may not be followed, by the rule of the gate; as of the morning."""
    planned: bool = False


def day_tasks(actor: Actor) -> QuerySet[Task]:
    """Return the main tasks that have their place today or earlier and may be done, the most urgent first."""
    rows = tasks_for(actor).filter(Q(planned_for__isnull=True) | Q(planned_for__lte=bank_today()))
    return rows.filter(is_main=True, is_held=False).order_by("-score", "due_at", "pk")


def today_for(actor: Actor, *, kind: str = "") -> Today:
    """Return an actor's day: at most as many tasks as a list is long, whatever waits behind them.

    Raises:
        NotAllowed: the actor has no tasks of her own.
    """
    actor.must("task.work")
    day, moment = bank_today(), now()
    plan = StaffDay.objects.filter(day=day, staff_no=actor.staff_no).first()
    length = min(plan.capacity, LENGTH) if plan and plan.capacity else LENGTH
    shown, folded = _shown(actor, kind, length)
    promised = _promised(shown)
    people = people_by_id(system_actor(), [t.customer_id for t in shown])  # her tasks are hers to work
    counts, done, value = _counts(actor, day)
    return Today(
        day=day,
        rows=tuple(
            Row(
                task=task, person=people.get(task.customer_id), kind=promised.get(task.pk, task.kind),
                offer=_offer(task), also=tuple(folded[task.customer_id]), is_overdue=task.due_at < moment,
                test=next((t for t in folded[task.customer_id] if t.kind in ("retest", "risk_expiry")), None),
            )
            for task in shown
        ),
        by_kind=dict(counts), total=sum(counts.values()), done=sum(done.values()), settled=done[states.BOUGHT],
        value_cny=value, later=plan.later if plan else 0, held=plan.held if plan else {}, planned=plan is not None,
    )  # fmt: skip


def next_task(actor: Actor, *, after: int) -> Task | None:
    """Return the task that comes after the one just worked."""
    return day_tasks(actor).exclude(pk=after).first()


def _shown(actor: Actor, kind: str, length: int) -> tuple[list[Task], dict[str, list[Task]]]:
    """Return the main tasks of the page, and by customer what is folded under them, in one question."""
    mains = day_tasks(actor)
    mains = mains.filter(kind=kind) if kind else mains
    rows = (
        tasks_for(actor).filter(customer_id__in=mains.values("customer_id")[:length]).order_by("-score", "due_at", "pk")
    )
    shown, folded = [], defaultdict(list)
    for task in rows:
        if task.is_main:
            shown.append(task)
        else:
            folded[task.customer_id].append(task)
    return shown, folded


def _promised(shown: list[Task]) -> dict[int, str]:
    """Return which tasks stand for a next time that was agreed."""
    tried = {t.pk: t for t in shown if t.attempts}
    if not tried:
        return {}
    rows = FollowUp.objects.filter(task__in=tried, undone_at__isnull=True, next_at__isnull=False)
    found: dict[int, str] = {}
    for task_id, intent, next_at in rows.order_by("at", "id").values_list("task_id", "intent", "next_at"):
        if next_at == tried[task_id].due_at:
            found[task_id] = "appointment" if intent == "appointment" else "promise"
    return found


def _offer(task: Task) -> Text | None:
    """The offer's title, as it was when the task was made."""
    title = task.facts.get("offer")
    return Text(zh=title["zh"], en=title["en"]) if isinstance(title, dict) else None


def _counts(actor: Actor, day: date) -> tuple[Counter[str], Counter[str], Decimal]:
    """Return how many have their place today by kind, how many were done today by whom, and the money at stake."""
    is_today = Q(state=states.OPEN, is_main=True, is_held=False) & (
        Q(planned_for__isnull=True) | Q(planned_for__lte=day)
    )
    is_done = Q(state=states.DONE, closed_at__gte=end_of_day() - timedelta(days=1))
    rows = tasks_for(actor, state=None).filter(is_today | is_done).order_by()
    counts: Counter[str] = Counter()
    done: Counter[str] = Counter()
    value = Decimal(0)
    for kind, state, closed_by, n, amount in rows.values_list("kind", "state", "closed_by").annotate(
        n=Count("pk"), value=Sum("value_cny")
    ):
        if state == states.OPEN:
            counts[kind] += n
            value += amount or 0
        else:
            done[closed_by] += n
    return counts, done, value
