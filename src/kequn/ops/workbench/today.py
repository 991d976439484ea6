"""The page Today: the few tasks that come next, each with why now, what to offer and what may not be done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Case, CharField, Count, Exists, F, OuterRef, Q, QuerySet, Sum, Value, When

from kequn.core.desk import Words, room_for, words_for
from kequn.core.spec.base import Text
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.contracts import MaskedPerson
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import engine
from kequn.ops.workbench import states
from kequn.ops.workbench.models import FollowUp, StaffDay, Task
from kequn.ops.workbench.planning import desk_policy
from kequn.ops.workbench.queries import end_of_day, tasks_for

PROMISES = ("appointment", "promise")
"""Kinds that a task is shown as while the customer's next time stands."""
HELD_SHOWN = 10
"""Customers who are named under one rule."""


@dataclass(frozen=True, slots=True)
class Row:
    """One customer of the day: her main task, and what is folded under it."""

    task: Task
    person: MaskedPerson | None
    kind: str
    """``appointment`` or ``promise`` where the customer's next time has come, else the task's own."""
    why: Text
    """Why now: of a promise its time, and what it is about and how much as far as that was said."""
    said: Text | None
    """What may be said to the customer, as far as there are words for it."""
    offer: Text | None
    also: tuple[Task, ...]
    test: Task | None
    """The task to have the risk test renewed, where the offer waits for it."""


@dataclass(frozen=True, slots=True)
class HeldBy:
    """One rule of the gate, and the customers of the book whom it keeps from being contacted."""

    code: str
    n: int
    people: tuple[MaskedPerson, ...]
    """The first of them."""


@dataclass(frozen=True, slots=True)
class Today:
    """One person's day (今日)."""

    day: date
    rows: tuple[Row, ...]
    by_kind: dict[str, int]
    """Of all that has its place today, by the kind it is shown as."""
    total: int
    behind: int
    """How many wait behind the rows, and come up as those are done."""
    done: int
    settled: int
    """Of those done today, how many closed by themselves."""
    value_cny: Decimal
    later: int
    places: int = 0
    """How long the list is where something had no room."""
    kept: int = 0
    """How many of these places are kept for what comes up during the day."""
    held: tuple[HeldBy, ...] = ()
    """Who has an occasion that may not be followed; as of the morning."""
    n_held: int = 0
    """How many they are: several rules may stand against one."""
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
    day = bank_today()
    plan = StaffDay.objects.filter(day=day, staff_no=actor.staff_no).first()
    places = plan.capacity if plan and plan.later else 0
    length = plan.capacity if plan and plan.capacity else desk_policy().list_length
    shown, folded = _shown(actor, kind, length)
    people = people_by_id(system_actor(), [t.customer_id for t in shown])  # her tasks are hers to work
    words = _words_of_promises(shown)
    counts, done, value = _counts(actor, day)
    waiting = counts[kind] if kind else sum(counts.values())
    # a plan of an earlier version only says how many
    held = {code: who for code, who in plan.held.items() if isinstance(who, list)} if plan else {}
    return Today(
        day=day,
        rows=tuple(
            Row(
                task=task, person=people.get(task.customer_id), kind=task.shown,  # type: ignore[attr-defined]
                why=words[task.pk].why if task.pk in words else _why(task),
                said=words[task.pk].said if task.pk in words else Text(zh=task.said_zh, en=task.said_en) if task.said_zh else None,
                offer=_offer(task), also=tuple(folded[task.customer_id]),
                test=next((t for t in folded[task.customer_id] if t.kind in states.RISK_TESTS), None),
            )
            for task in shown
        ),
        by_kind=dict(counts), total=sum(counts.values()), behind=max(waiting - len(shown), 0), done=sum(done.values()),
        settled=done[states.BOUGHT], value_cny=value, later=plan.later if plan else 0, held=_held(actor, held),
        n_held=len(set().union(*held.values())), places=places,
        kept=places - room_for(places, desk_policy().live_percent) if places else 0,
        planned=plan is not None,
    )  # fmt: skip


def next_task(actor: Actor, *, after: int) -> Task | None:
    """Return the task that comes after one: what was not tried today first, and of these what stands behind it in the order.

    So two customers who do not answer do not keep the others waiting.
    """
    at = Task.objects.filter(pk=after).first()
    if at is None:
        return day_tasks(actor).first()
    tried = FollowUp.objects.filter(
        task=OuterRef("pk"), undone_at__isnull=True, at__gte=end_of_day() - timedelta(days=1)
    )
    behind = (
        Q(score__lt=at.score)
        | Q(score=at.score, due_at__gt=at.due_at)
        | Q(score=at.score, due_at=at.due_at, pk__gt=at.pk)
    )
    rows = (
        day_tasks(actor).exclude(pk=after).annotate(tried=Exists(tried), before=Case(When(behind, then=0), default=1))
    )
    return rows.order_by("tried", "before", "-score", "due_at", "pk").first()


def _as_shown(rows: QuerySet[Task]) -> QuerySet[Task]:
    """Say of each task as which kind it is ``shown``: a promise where its time is one that was agreed with the customer."""
    agreed = FollowUp.objects.filter(task=OuterRef("pk"), undone_at__isnull=True, next_at=OuterRef("due_at"))
    shown = Case(
        When(attempts=0, then=F("kind")),
        When(Exists(agreed.filter(intent="appointment")), then=Value("appointment")),
        When(Exists(agreed), then=Value("promise")),
        default=F("kind"),
        output_field=CharField(),
    )
    return rows.annotate(shown=shown)


def _shown(actor: Actor, kind: str, length: int) -> tuple[list[Task], dict[str, list[Task]]]:
    """Return the main tasks of the page, and by customer what is folded under them, in one question."""
    mains = _as_shown(day_tasks(actor))
    mains = mains.filter(shown=kind) if kind else mains
    rows = tasks_for(actor).filter(customer_id__in=mains.values("customer_id")[:length])
    shown, folded = [], defaultdict(list)
    for task in _as_shown(rows).order_by("-score", "due_at", "pk"):
        if task.is_main:
            shown.append(task)
        else:
            folded[task.customer_id].append(task)
    return shown, folded


def _why(task: Task) -> Text:
    return Text(zh=task.why_zh, en=task.why_en) if task.why_zh else Text(zh=task.title_zh, en=task.title_en)


def _words_of_promises(shown: list[Task]) -> dict[int, Words]:
    """Return, by task, the words of what was agreed with the customer: when, about what, how much."""
    agreed = {t.pk: t for t in shown if t.shown in PROMISES}  # type: ignore[attr-defined]
    if not agreed:
        return {}
    rows = FollowUp.objects.filter(task__in=agreed, undone_at__isnull=True, next_at__isnull=False)
    last = {
        f.task_id: f
        for f in rows.select_related("detail").order_by("at", "id")
        if f.next_at == agreed[f.task_id].due_at
    }
    zone, products, words = ZoneInfo(engine().manifest.zone), catalog.products(), {}
    for pk, follow_up in last.items():
        task, detail = agreed[pk], getattr(follow_up, "detail", None)
        product = products.get(detail.product) if detail and detail.product else None
        words[pk] = words_for(
            task.shown,  # type: ignore[attr-defined]
            on=task.due_at.astimezone(zone), as_of=bank_today(), value=int((follow_up.amount_cny or 0) * 100),
            product=Text(zh=product.name, en=product.name_en) if product else None,
        )  # fmt: skip
    return words


def _offer(task: Task) -> Text | None:
    """The offer's title, as it was when the task was made."""
    title = task.facts.get("offer")
    return Text(zh=title["zh"], en=title["en"]) if isinstance(title, dict) else None


def _held(actor: Actor, held: Mapping[str, list[str]]) -> tuple[HeldBy, ...]:
    """Return the rules that keep the most from being contacted first; whom the actor lost since the morning is not named."""
    first = {code: who[:HELD_SHOWN] for code, who in held.items()}
    people = people_by_id(actor, sorted({c for who in first.values() for c in who})) if held else {}
    rules = [HeldBy(code, len(who), tuple(people[c] for c in first[code] if c in people)) for code, who in held.items()]
    return tuple(sorted(rules, key=lambda h: (-h.n, h.code)))


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
    for kind, state, closed_by, n, amount in (
        _as_shown(rows).values_list("shown", "state", "closed_by").annotate(n=Count("pk"), value=Sum("value_cny"))
    ):
        if state == states.OPEN:
            counts[kind] += n
            value += amount or 0
        else:
            done[closed_by] += n
    return counts, done, value
