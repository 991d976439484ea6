"""Record what came of a contact, once, and take it back within seconds (客户营销表单)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from kequn.core.amounts import yuan
from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.core.gate import CHANNELS
from kequn.core.spec.campaign import Purpose
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import person_for
from kequn.ops.customers.services import clean, mark_phone
from kequn.ops.delivery.services import cancel_for_customer, record_contact, take_back_contact
from kequn.ops.governance.services import record, record_consent, suppress
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.briefing import briefs_of, purpose_of
from kequn.ops.workbench.closing import as_it_was, fold_after, hold_calls, put_back
from kequn.ops.workbench.correcting import tell_corrected
from kequn.ops.workbench.creating import create_task, score_of
from kequn.ops.workbench.models import ContactDetail, FollowUp, Task
from kequn.ops.workbench.planning import desk_policy
from kequn.ops.workbench.queries import bank_day, follow_ups_for, task_for, tasks_for

UNDO_WITHIN = timedelta(seconds=10)
PROMISE_STANDS = timedelta(days=14)
"""So long an appointment or a promised call that was missed stays before the RM."""
NOTE_LENGTH = 500
MOST_YUAN = Decimal(10) ** 10
"""A larger amount of one customer is a slip of the hand."""
FARTHEST = timedelta(days=366)
"""So far ahead lies a next contact at most."""
NEEDS_DATE = frozenset({"appointment"})
BY_RM = ("call", "wecom", "visit")
"""Channels of an RM's own contact."""

NumberKnown = Callable[[Actor, str, str], None]
_numbers: dict[str, NumberKnown] = {}


def on_number(source: str, follow: NumberKnown) -> None:
    """Say what happens, in the same transaction, when a call shows a customer's number to be wrong; by an app when it is ready.

    It is told who called whom and how (a code of ``states.CONTACTS``), or "" where the number is right after all.
    """
    _numbers[source] = follow


def record_outcome(
    actor: Actor,
    task_id: int,
    *,
    key: str,
    contact: str,
    intent: str = "",
    amount_cny: Decimal | str | None = None,
    next_at: datetime | None = None,
    note: str = "",
    product: str = "",
    source: str = "form",
    at: datetime | None = None,
    seen: int | None = None,
) -> FollowUp:
    """Record one contact on a task. The same ``key`` again gives the first record.

    ``amount_cny`` may be as it was written; ``product`` is the code of what an appointment or a deal is about; ``at`` when
    the contact was, where that was not now; ``seen`` the last record on the task that the writer had before her (0: none),
    so that a colleague's is not overlooked.

    A refusal of further contacts withdraws the consent to marketing on every channel and stops what is queued; a complaint
    stops marketing for the policy's cooling-off. Both take effect at once.

    Raises:
        NotAllowed: the task is not in the actor's scope.
        InvalidSpec: a code that is not in the lists, a deal without an amount, an amount that is none, an appointment
            without a time, a next contact too far ahead, a product that the bank does not have, a note that is too long.
        Conflict: the task is closed, a colleague recorded something meanwhile, or this form was sent before with another
            result.
    """
    actor.must("task.work")
    task = task_for(actor, task_id)
    if (before := FollowUp.objects.filter(key=own_key(actor, key)).first()) is not None:
        return _same(before, contact, intent)
    amount = yuan(amount_cny)
    check_outcome(contact, intent, amount, next_at, product)
    _check_open(task, seen)
    moment, purpose = at or now(), _purpose(task)
    kept, flags = flagged_note(note)
    try:
        with transaction.atomic():
            follow_up = FollowUp.objects.create(
                key=own_key(actor, key), task=task, customer_id=task.customer_id, staff_no=actor.staff_no, contact=contact,
                intent=intent, amount_cny=amount, next_at=next_at, note=kept, at=moment,
                before=as_it_was(task),
            )  # fmt: skip
            ContactDetail.objects.create(
                follow_up=follow_up, channel=task.channel, post=actor.role, product=product, source=source, flags=flags
            )
            _advance(task, contact, intent, next_at, moment)
            after = _number(actor, task, contact)
            if task.state == states.DONE:
                after |= fold_after(task, reached=contact == "connected", at=moment)
            if after:
                follow_up.before |= after
                follow_up.save(update_fields=["before"])
            record(actor, "task.outcome", task, contact=contact, intent=intent, campaign=task.campaign)
            if contact == "connected" and not _was_sent(task, follow_up):
                record_contact(
                    actor, task.customer_id, task.channel, ref=_ref(follow_up), purpose=purpose, at=follow_up.at
                )
            _obey(actor, task, intent, moment)
            _tell_board(follow_up)
    except IntegrityError:
        return _same(FollowUp.objects.get(key=own_key(actor, key)), contact, intent)
    return follow_up


def record_without_task(
    actor: Actor, customer_id: str, *, key: str, channel: str = "call", product: str = "", **said: Any
) -> FollowUp:
    """Record a contact that happened, whoever started it: on her open task, the main one first, else on one of its own.

    What happened is not asked of the gate: her refusal or complaint has to be kept at whatever hour it comes. ``said`` is
    what `record_outcome` takes; the same ``key`` again gives the first record.

    Raises:
        NotAllowed: the customer is not within the actor's scope.
        InvalidSpec, Conflict: as `record_outcome`; no task is left behind then.
    """
    actor.must("task.work")
    person = person_for(actor, customer_id)
    if channel not in BY_RM:
        raise InvalidSpec(f"A contact of an RM is by {', '.join(BY_RM)}.", where=Where(field="channel"))
    with transaction.atomic():
        before = FollowUp.objects.select_related("task").filter(key=own_key(actor, key)).first()
        if before is not None and before.customer_id != customer_id:
            raise Conflict(
                f"This form was recorded before as {before.intent or before.contact}.",
                hint="Open the customer again to record something else.",
                follow_up=before.pk,
            )
        mine = tasks_for(actor, customer_id=customer_id).order_by("-is_main", "-score", "id").first()
        task = before.task if before else mine
        if task is None:
            moment = said.get("at") or now()
            task, _is_new = create_task(
                own_key(actor, key), customer_id=customer_id, staff_no=actor.staff_no, branch_code=person.branch_code,
                kind="contact", channel=channel, title_zh="补录的联系", title_en="Contact recorded later", priority=50,
                due_at=now() + timedelta(days=1), created_at=moment,
            )  # fmt: skip
        return record_outcome(actor, task.pk, key=key, product=product, **said)


def _same(before: FollowUp, contact: str, intent: str) -> FollowUp:
    """A form that comes twice is one record; the same form with another result is somebody's mistake, and said so."""
    if (before.contact, before.intent) != (contact, intent) or before.undone_at is not None:
        raise Conflict(
            f"This form was recorded before as {before.intent or before.contact}.",
            hint="Open the task again to record something else.",
            follow_up=before.pk,
        )
    return before


def _check_open(task: Task, seen: int | None) -> None:
    last = task.follow_ups.filter(undone_at__isnull=True).first()
    if task.state != states.OPEN:
        if last is None:
            raise Conflict(f"The task is {task.state}.", hint="Reload.", task=task.pk)
        raise Conflict(
            f"The task is {task.state}. {last.staff_no} recorded {last.intent or last.contact}.",
            hint="Reload.",
            task=task.pk,
        )
    if seen is not None and last is not None and last.pk != seen:
        raise Conflict(
            f"{last.staff_no} recorded {last.intent or last.contact} meanwhile.",
            hint="Look at it; send the form again to record yours as well.",
            follow_up=last.pk,
        )


def undo_outcome(actor: Actor, follow_up_id: int) -> Task:
    """Take back one's own record within ten seconds: the task is as before.

    Raises:
        Conflict: it is too late, the record took effect at once (a refusal, a complaint), or the task went on meanwhile.
    """
    actor.must("task.work")
    follow_up = follow_ups_for(actor).filter(pk=follow_up_id, staff_no=actor.staff_no).first()
    if follow_up is None:
        raise NotAllowed("There is no such record of yours.", follow_up=follow_up_id)
    if follow_up.intent in states.AT_ONCE:
        raise Conflict(
            "A refusal or complaint takes effect at once and is not taken back.",
            hint="Ask the customer, and record her new word as a consent.",
        )
    if now() - follow_up.at > UNDO_WITHIN:
        raise Conflict("It is too late to take this back.", hint="Record what is right as a new outcome.")
    task, before = follow_up.task, follow_up.before
    with transaction.atomic():
        taken = FollowUp.objects.filter(pk=follow_up.pk, undone_at__isnull=True).update(undone_at=now())
        if taken:
            put_back(task, before)
            take_back_contact(actor, _ref(follow_up))
            if "number" in before:
                _mark(actor, task.customer_id, contact="", is_wrong=not before["number"])
            record(actor, "task.outcome_undone", task, contact=follow_up.contact, intent=follow_up.intent)
            _tell_board(follow_up)
    task.refresh_from_db()
    return task


def _tell_board(follow_up: FollowUp) -> None:
    """A contact of an earlier day, such as one from paper, counts on that day."""
    day = bank_day(follow_up.at)
    tell_corrected([day] if day < bank_today() else [])


def _purpose(task: Task) -> Purpose:
    """Return what the contact counts as against the caps: what was agreed on with the customer is a service."""
    if task.follow_ups.filter(undone_at__isnull=True, next_at=task.due_at).exists():
        return "service"
    return purpose_of(desk_policy(), task.kind, briefs_of([task.campaign]).get(task.campaign))


def _was_sent(task: Task, follow_up: FollowUp) -> bool:
    """Whether this is the contact that was counted when the list was sent down: the first one on a campaign's task."""
    others = task.follow_ups.filter(contact="connected", undone_at__isnull=True).exclude(pk=follow_up.pk)
    return task.kind == "campaign" and not others.exists()


def _ref(follow_up: FollowUp) -> str:
    return f"follow_up:{follow_up.pk}"


def own_key(actor: Actor, key: str) -> str:
    """Keys are the browser's; two people cannot collide."""
    if not key.strip():
        raise InvalidSpec("A record needs a key.", hint="Send one with the request.", where=Where(field="key"))
    return f"{actor.staff_no}:{key}"[:64]


def check_outcome(
    contact: str, intent: str, amount_cny: Decimal | None, next_at: datetime | None, product: str = ""
) -> None:
    """Refuse what does not go together. Raises as `record_outcome`."""

    def wrong(message: str, field: str) -> InvalidSpec:
        return InvalidSpec(message, where=Where(field=field))

    if contact not in states.CONTACTS:
        raise wrong(f"There is no contact result {contact!r}: {', '.join(states.CONTACTS)}.", "contact")
    if contact == "connected" and intent not in states.INTENTS:
        raise wrong(f"Say what the customer wants: {', '.join(states.INTENTS)}.", "intent")
    if contact != "connected" and intent:
        raise wrong("Nobody was reached, so there is no intent.", "intent")
    if intent == "deal" and amount_cny is None:
        raise wrong("A deal needs its amount.", "amount_cny")
    if amount_cny is not None and amount_cny <= 0:
        raise wrong("The amount must be above 0.", "amount_cny")
    if amount_cny is not None and amount_cny > MOST_YUAN:
        raise wrong(f"The amount is at most {MOST_YUAN:,} yuan.", "amount_cny")
    if intent in NEEDS_DATE and next_at is None:
        raise wrong("An appointment needs a time.", "next_at")
    if next_at is not None and next_at <= now():
        raise wrong("The next contact lies in the past.", "next_at")
    if next_at is not None and next_at > now() + FARTHEST:
        raise wrong(f"The next contact lies more than {FARTHEST.days} days ahead.", "next_at")
    if product and product not in catalog.products():
        raise wrong(f"The bank has no product {product!r}.", "product")


def _advance(task: Task, contact: str, intent: str, next_at: datetime | None, moment: datetime) -> None:
    """A task stays open while there is a next time, or nobody answered yet."""
    goes_on = next_at is not None or contact in ("no_answer", "declined")
    if intent in states.AT_ONCE or contact in ("dead_number", "wrong_person"):
        goes_on = False
    fields: dict[str, Any] = {"attempts": F("attempts") + 1}
    if not goes_on:
        fields |= {"state": states.DONE, "closed_at": moment, "closed_by": states.STAFF}
    elif next_at is not None:
        fields |= {"due_at": next_at, "expires_at": next_at + PROMISE_STANDS, "planned_for": bank_day(next_at)}
        fields |= {"score": score_of(task.priority, next_at, task.value_cny, is_agreed=True)}
    if not Task.objects.filter(pk=task.pk, state=states.OPEN, attempts=task.attempts).update(**fields):
        raise Conflict("Somebody else worked on this task meanwhile.", hint="Reload.", task=task.pk)
    task.refresh_from_db()


def _obey(actor: Actor, task: Task, intent: str, moment: datetime) -> None:
    """Give effect to a refusal or complaint, in the same transaction."""
    if intent not in states.AT_ONCE:
        return
    customer_id = task.customer_id
    if intent == "opt_out":
        for channel in CHANNELS:
            record_consent(actor, customer_id, channel=channel, granted=False, source="rm", proof=f"task:{task.pk}")
    else:
        days = catalog.policy().complaint_days
        suppress(actor, customer_id, reason="complaint", until=moment + timedelta(days=days))
    cancel_for_customer(actor, customer_id, reason="opted_out" if intent == "opt_out" else "complaint")


def _number(actor: Actor, task: Task, contact: str) -> dict[str, Any]:
    """Give effect to what a call says about the customer's number; return what was changed, for undoing."""
    if task.channel != "call" or contact not in (*states.WRONG_NUMBER, "connected"):
        return {}
    is_wrong = contact in states.WRONG_NUMBER
    news = {"number": is_wrong} if _mark(actor, task.customer_id, contact, is_wrong=is_wrong) else {}
    return news | ({"held": hold_calls(task.customer_id, without=task.pk)} if is_wrong else {})


def _mark(actor: Actor, customer_id: str, contact: str, *, is_wrong: bool) -> bool:
    is_news = mark_phone(actor, customer_id, is_wrong=is_wrong)
    if is_news:
        for follow in _numbers.values():
            follow(actor, customer_id, contact if is_wrong else "")
    return is_news


def flagged_note(note: str) -> tuple[str, str]:
    """Return a note as it is kept, and what its writer has to be told of it (``number``, ``markup``).

    Raises:
        InvalidSpec: it is too long to be kept whole.
    """
    kept = clean(note, longest=NOTE_LENGTH, field="note")
    return kept.text, ",".join(kept.flags)


def masked_note(note: str) -> tuple[str, bool]:
    """Return a note without numbers that could be a phone, card or document, and whether it had any."""
    kept = clean(note)
    return kept.text[:NOTE_LENGTH].rstrip(), "number" in kept.flags
