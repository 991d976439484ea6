"""Tasks and follow-ups within an actor's scope: an RM's own, a branch head's branches."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, Max, Min, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from kequn.core.errors import NotAllowed
from kequn.core.spec.base import Text
from kequn.core.spec.offer import OfferSpec, TalkTrackSpec
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import people_for
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import User, branch_codes_for
from kequn.ops.orgs.rights import OWN_BOOK
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.models import Credit, FollowUp, HeldOutflow, Task, TaskMove

PROTECTED = timedelta(days=14)
"""An opportunity is worked for so long after the last word on it; other campaigns keep away."""


def tasks_for(
    actor: Actor,
    *,
    state: str | None = states.OPEN,
    campaign: str | None = None,
    staff_no: str | None = None,
    due: str | None = None,
    customer_id: str | None = None,
    held: bool | None = None,
) -> QuerySet[Task]:
    """Return tasks, the most urgent first. ``due`` is ``today`` (with what is overdue), ``overdue`` or ``later``.

    ``held`` asks for those about which the gate lets nothing be done, or for the others; both where it is not said.
    """
    actor.must("task.view")
    rows = Task.objects.all()
    if actor.role in OWN_BOOK:
        rows = rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    elif (codes := branch_codes_for(actor)) is not None:
        rows = rows.filter(branch_code__in=codes)
    wanted = {"state": state, "campaign": campaign, "staff_no": staff_no, "customer_id": customer_id, "is_held": held}
    rows = rows.filter(**{name: value for name, value in wanted.items() if value is not None})
    moment, evening = now(), end_of_day()
    match due:
        case "overdue":
            return rows.filter(due_at__lt=moment)
        case "today":
            return rows.filter(due_at__lte=evening)
        case "later":
            return rows.filter(due_at__gt=evening)
    return rows


def with_names(tasks: QuerySet[Task]) -> QuerySet[Task]:
    """Return tasks with the ``staff_name`` of who has them; ``None`` where nobody has."""
    names = User.objects.filter(staff_no=OuterRef("staff_no")).exclude(staff_no="").values("display_name")[:1]
    return tasks.annotate(staff_name=Subquery(names))


def held_at(tasks: QuerySet[Task], moment: datetime) -> QuerySet[Task]:
    """Return tasks with their ``holder`` at a moment: from whom the first move after it took them, else who has them."""
    later = TaskMove.objects.filter(task=OuterRef("pk"), at__gte=moment).order_by("id").values("from_staff")[:1]
    moved = TaskMove.objects.filter(at__gte=moment).exists()
    return tasks.annotate(holder=Coalesce(Subquery(later), F("staff_no")) if moved else F("staff_no"))


def found_wrong(customer_id: str) -> bool:
    """Whether the last call that says something of a customer's number found it dead or somebody else's."""
    calls = FollowUp.objects.filter(customer_id=customer_id, task__channel="call", undone_at__isnull=True)
    last = calls.filter(contact__in=(*states.WRONG_NUMBER, "connected")).order_by("-at", "-pk").first()
    return last is not None and last.contact in states.WRONG_NUMBER


def end_of_day() -> datetime:
    """Return the instant at which the bank's day is over."""
    return datetime.combine(bank_today() + timedelta(days=1), time(0), ZoneInfo(engine().manifest.zone))


def bank_day(moment: datetime) -> date:
    """Return the bank's day of a moment."""
    return moment.astimezone(ZoneInfo(engine().manifest.zone)).date()


def task_for(actor: Actor, task_id: int) -> Task:
    """Return one task.

    Raises:
        NotAllowed: not there, or not within the actor's scope; the two look the same.
    """
    row = tasks_for(actor, state=None).filter(pk=task_id).first()
    if row is None:
        raise NotAllowed("There is no such task in your scope.", task=task_id)
    return row


def follow_ups_for(actor: Actor, *, customer_id: str | None = None, task_id: int | None = None) -> QuerySet[FollowUp]:
    """Return what was recorded, the latest first; what was taken back is not among them."""
    rows = FollowUp.objects.filter(task__in=tasks_for(actor, state=None), undone_at__isnull=True).select_related("task")
    rows = rows.filter(customer_id=customer_id) if customer_id else rows
    return rows.filter(task_id=task_id) if task_id else rows


def held_outflows_for(actor: Actor) -> QuerySet[HeldOutflow]:
    """Return the large outflows that the gate keeps everybody from following, of customers the actor reaches.

    Each with her ``branch_code`` and her owner's ``staff_no`` now.
    """
    actor.must("task.view")
    her = people_for(actor).filter(pk=OuterRef("customer_id"))
    rows = HeldOutflow.objects.annotate(branch_code=Subquery(her.values("branch_code")[:1]))
    return rows.annotate(staff_no=Subquery(her.values("rm_no")[:1])).filter(Exists(her))


def task_counts(actor: Actor) -> dict[str, int]:
    """Return how many tasks are open, due today, overdue, held by the gate and done today (the head of the page).

    What is held counts as held alone: nothing may be done about it.
    """
    evening = end_of_day()
    is_open, is_held = Q(state=states.OPEN, is_held=False), Q(state=states.OPEN, is_held=True)
    is_done = Q(state=states.DONE, closed_at__gte=evening - timedelta(days=1))
    wanted = {
        "open": is_open, "today": is_open & Q(due_at__lte=evening), "overdue": is_open & Q(due_at__lt=now()), "done": is_done,
        "held": is_held,
    }  # fmt: skip
    rows = tasks_for(actor, state=None).filter(Q(state=states.OPEN) | is_done)
    return rows.aggregate(**{name: Count("pk", filter=which) for name, which in wanted.items()})


def offer_of(task: Task) -> OfferSpec | None:
    """Return the offer a task is about."""
    row = catalog.newest("offer", task.offer) if task.offer else None
    return row.spec if row else None


def talk_track_of(task: Task) -> TalkTrackSpec | None:
    """Return the talk track of a task, in the very version that was approved for it."""
    return catalog.by_fingerprint("talk_track", task.talk_track) if task.talk_track else None


def worked_on(customer_ids: Collection[str] | None, at: datetime) -> Iterable[str]:
    """Return the customers whose opportunity an RM works at a moment."""
    return _going_on(_worded(customer_ids, Q(at__gt=at - PROTECTED)))


def deals_of(campaign: str) -> tuple[int, Decimal]:
    """Return how many deals RMs recorded on a campaign's tasks, and their amount in yuan (for the review)."""
    rows = FollowUp.objects.filter(task__campaign=campaign, intent="deal", undone_at__isnull=True)
    return rows.count(), rows.aggregate(total=Sum("amount_cny"))["total"] or Decimal(0)


def said_to_rms(
    customer_ids: Collection[str] | None, at: datetime
) -> tuple[list[tuple[str, date, bool]], Iterable[str]]:
    """Return what RMs recorded, for the gate: complaints (customer, day, is open), and whose opportunity is worked at a moment.

    Closing a complaint is the bank's system's business.
    """
    rows = _worded(customer_ids, Q(intent="complaint") | Q(at__gt=at - PROTECTED))
    complaints = [
        (customer_id, bank_day(moment), False) for customer_id, intent, moment in rows if intent == "complaint"
    ]
    return complaints, _going_on(row for row in rows if row[2] > at - PROTECTED)


def _worded(customer_ids: Collection[str] | None, which: Q) -> list[tuple[str, str, datetime]]:
    """Return (customer, intent, moment) of what customers wanted, the earliest first; of some customers or of all."""
    rows = FollowUp.objects.filter(which, undone_at__isnull=True).exclude(intent="").order_by("at", "id")
    if customer_ids is not None:
        rows = rows.filter(customer_id__in=list(customer_ids))
    return list(rows.values_list("customer_id", "intent", "at"))


def _going_on(words: Iterable[tuple[str, str, datetime]]) -> list[str]:
    last = {customer_id: intent for customer_id, intent, _at in words}
    return [customer_id for customer_id, intent in last.items() if intent in states.GOES_ON]


# -- what lists of many customers show ----------------------------------------------------------------------------------

AT_ONCE = 5_000
"""Customers a statement: a book is one."""
ON_THE_PHONE = ("connected", "dead_number", "wrong_person")
"""Results that say something about the number."""


def contacts_and_dues(actor: Actor, customer_ids: Sequence[str]) -> tuple[dict[str, datetime], dict[str, datetime]]:
    """Return when a contact of each customer was last recorded, and when the next open task is due, in one question.

    Contacts are those of kequn, whoever recorded them: the caller has checked whom the actor reaches. Tasks are those she sees.
    """
    contacts: dict[str, datetime] = {}
    dues: dict[str, datetime] = {}
    for ids in chunks(customer_ids, AT_ONCE):
        said = FollowUp.objects.filter(customer_id__in=ids, undone_at__isnull=True).order_by()
        asked = said.values_list(Value("contact"), "customer_id").annotate(moment=Max("at"))
        if actor.may("task.view"):
            open_ = tasks_for(actor).filter(customer_id__in=ids).order_by()
            asked = asked.union(open_.values_list(Value("due"), "customer_id").annotate(moment=Min("due_at")), all=True)
        for what, customer_id, moment in asked:
            (contacts if what == "contact" else dues)[customer_id] = moment
    return contacts, dues


def phone_words(customer_ids: Sequence[str]) -> dict[str, str]:
    """Return the last result of each customer that says something about her number (``dead_number``, ``connected`` …)."""
    found: dict[str, str] = {}
    for ids in chunks(customer_ids, AT_ONCE):
        rows = FollowUp.objects.filter(customer_id__in=ids, contact__in=ON_THE_PHONE, undone_at__isnull=True)
        found.update(rows.order_by("at", "id").values_list("customer_id", "contact"))
    return found


def last_words(task_ids: Sequence[int]) -> dict[int, FollowUp]:
    """Return the last record of each task that was not taken back; the caller has checked the scope."""
    rows = FollowUp.objects.filter(task__in=task_ids, undone_at__isnull=True).order_by("at", "id")
    return {row.task_id: row for row in rows}


def credits_for(actor: Actor) -> QuerySet[Credit]:
    """Return the purchases credited within the actor's scope, the latest first: an RM's own, others those of their branches."""
    actor.must("task.view")
    if actor.role in OWN_BOOK:
        return Credit.objects.filter(staff_no=actor.staff_no).exclude(staff_no="")
    codes = branch_codes_for(actor)
    return Credit.objects.all() if codes is None else Credit.objects.filter(branch_code__in=codes)


def contact_title(contact: str) -> Text:
    """Return how a contact went, in words."""
    return states.CONTACTS[contact]


def outcome_words(row: FollowUp) -> tuple[str, str]:
    """Return how a contact went and what the customer wants in Chinese, the latter empty where she was not reached."""
    return states.CONTACTS[row.contact].zh, states.INTENTS[row.intent].zh if row.intent else ""
