"""Record what came of a task, take it back within seconds, start a contact of one's own, open a customer's page."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.models import F

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.core.gate import ALLOW, BY_CODE, CHANNELS, HOLD, Content, proposal_from
from kequn.ops.audiences.queries import OPEN_TALK, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import person_for
from kequn.ops.delivery.queries import touches_for
from kequn.ops.delivery.services import cancel_for_customer, record_contact
from kequn.ops.governance.services import ALL_CHANNELS, record, record_consent, suppress
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_for
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.contracts import Customer360, PastContact
from kequn.ops.workbench.customer import (
    CONTACTS_SHOWN,
    channels_of,
    contacts_of,
    decide_for_rm,
    months_of,
    positions_of,
    tags_shown,
)
from kequn.ops.workbench.models import FollowUp, Task
from kequn.ops.workbench.queries import follow_ups_for, task_for, tasks_for
from kequn.ops.workbench.transport import RmTaskTransport, tell_campaigns

__all__ = [
    "Blocked",
    "RmTaskTransport",
    "assign_task",
    "cancel_tasks",
    "close_refused",
    "customer_360",
    "expire_tasks",
    "record_outcome",
    "start_contact",
    "tell_campaigns",
    "undo_outcome",
]

UNDO_WITHIN = timedelta(seconds=10)
BY_RM = ("call", "wecom")
"""Channels by which an RM starts a contact."""
PRIVATE = re.compile(r"\d{7,}|\d(?:[\s.-]{0,2}\d){10,}")
"""A number that could be somebody's: also one written in groups, as phone and card numbers are."""
NEEDS_DATE = frozenset({"appointment"})


class Blocked(Conflict):
    """The compliance gate says no; the codes are all the rules that do."""

    code = "blocked"


# -- outcomes -----------------------------------------------------------------------------------------------------------


def record_outcome(
    actor: Actor,
    task_id: int,
    *,
    key: str,
    contact: str,
    intent: str = "",
    amount_cny: Decimal | None = None,
    next_at: datetime | None = None,
    note: str = "",
) -> FollowUp:
    """Record one contact on a task. The same ``key`` again gives the first record.

    A refusal of further contacts withdraws the consent to marketing on every channel and stops what is queued; a complaint
    stops marketing for the policy's cooling-off. Both take effect at once.

    Raises:
        NotAllowed: the task is not in the actor's scope.
        InvalidSpec: a code that is not in the lists, a deal without an amount, an appointment without a time.
        Conflict: the task is closed.
    """
    actor.must("task.work")
    task = task_for(actor, task_id)
    if (before := FollowUp.objects.filter(key=_own(actor, key)).first()) is not None:
        return before
    _check_outcome(contact, intent, amount_cny, next_at)
    if task.state != states.OPEN:
        raise Conflict(f"The task is {task.state}.", hint="Reload.", task=task_id)
    moment = now()
    try:
        with transaction.atomic():
            follow_up = FollowUp.objects.create(
                key=_own(actor, key), task=task, customer_id=task.customer_id, staff_no=actor.staff_no, contact=contact,
                intent=intent, amount_cny=amount_cny, next_at=next_at, note=_without_numbers(note), at=moment,
                before={"state": task.state, "due_at": task.due_at.isoformat(), "attempts": task.attempts},
            )  # fmt: skip
            _advance(task, contact, intent, next_at, moment)
            record(actor, "task.outcome", task, contact=contact, intent=intent, campaign=task.campaign)
            if task.kind == "contact" and contact == "connected":
                record_contact(actor, task.customer_id, task.channel, ref=f"task:{task.key}"[:80])
            _obey(actor, task, intent, moment)
    except IntegrityError:
        return FollowUp.objects.get(key=_own(actor, key))
    return follow_up


def undo_outcome(actor: Actor, follow_up_id: int) -> Task:
    """Take back one's own record within ten seconds: the task is as before.

    Raises:
        Conflict: it is too late, or the record took effect at once (a refusal, a complaint).
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
            Task.objects.filter(pk=task.pk).update(
                state=before["state"], due_at=datetime.fromisoformat(before["due_at"]), attempts=before["attempts"],
                closed_at=None,
            )  # fmt: skip
            record(actor, "task.outcome_undone", task, contact=follow_up.contact, intent=follow_up.intent)
    task.refresh_from_db()
    return task


def _own(actor: Actor, key: str) -> str:
    """Keys are the browser's; two people cannot collide."""
    if not key.strip():
        raise InvalidSpec("A record needs a key.", hint="Send one with the request.", where=Where(field="key"))
    return f"{actor.staff_no}:{key}"[:64]


def _check_outcome(contact: str, intent: str, amount_cny: Decimal | None, next_at: datetime | None) -> None:
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
    if amount_cny is not None and not 0 < amount_cny < Decimal(10) ** 12:
        raise wrong("The amount must be above 0.", "amount_cny")
    if intent in NEEDS_DATE and next_at is None:
        raise wrong("An appointment needs a time.", "next_at")
    if next_at is not None and next_at <= now():
        raise wrong("The next contact lies in the past.", "next_at")


def _advance(task: Task, contact: str, intent: str, next_at: datetime | None, moment: datetime) -> None:
    """A task stays open while there is a next time, or nobody answered yet."""
    goes_on = next_at is not None or contact in ("no_answer", "declined")
    if intent in states.AT_ONCE or contact in ("dead_number", "wrong_person"):
        goes_on = False
    fields: dict[str, Any] = {"attempts": F("attempts") + 1}
    if not goes_on:
        fields |= {"state": states.DONE, "closed_at": moment}
    elif next_at is not None:
        fields["due_at"] = next_at
    if not Task.objects.filter(pk=task.pk, state=states.OPEN).update(**fields):
        raise Conflict("The task was closed meanwhile.", hint="Reload.", task=task.pk)
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


def _without_numbers(note: str) -> str:
    """Numbers that could be a phone, card or document do not stand in notes."""
    return PRIVATE.sub("***", note)[:500]


# -- tasks --------------------------------------------------------------------------------------------------------------


def start_contact(
    actor: Actor,
    customer_id: str,
    *,
    key: str,
    why: str,
    channel: str = "call",
    offer: str = "",
    talk_track: str = "",
    due_at: datetime | None = None,
) -> Task:
    """Start a contact of one's own: it passes the gate like any other, and is exempt from control groups.

    Raises:
        NotAllowed: the customer is not in the RM's book.
        Blocked: the gate says no, with every reason; or not now, with until when.
    """
    actor.must("task.work")
    person = person_for(actor, customer_id)
    if (before := Task.objects.filter(key=_own(actor, key)).first()) is not None:
        return before
    if channel not in BY_RM:
        raise InvalidSpec(f"An RM starts a contact by {' or '.join(BY_RM)}.", where=Where(field="channel"))
    moment = now()
    fingerprint = _pass_gate(customer_id, channel, offer, talk_track, moment)
    fields = {
        "customer_id": customer_id, "staff_no": actor.staff_no, "branch_code": person.branch_code, "kind": "contact",
        "channel": channel, "title_zh": "客户经理自主联系", "title_en": "Contact by the RM", "why_zh": _without_numbers(why),
        "why_en": _without_numbers(why), "offer": offer, "talk_track": fingerprint, "priority": 70,
        "due_at": due_at or moment + timedelta(days=1), "created_at": moment,
    }  # fmt: skip
    try:
        with transaction.atomic():
            task = Task.objects.create(key=_own(actor, key), **fields)
            record(actor, "contact.started", task, channel=channel, offer=offer)
    except IntegrityError:
        return Task.objects.get(key=_own(actor, key))
    return task


def _pass_gate(customer_id: str, channel: str, offer: str, talk_track: str, moment: datetime) -> str:
    ordinal = int(ordinals([customer_id])[0])
    proposal, fingerprint = OPEN_TALK, ""
    if offer:
        version = catalog.current("talk_track", talk_track) if talk_track else None
        fingerprint = version.fingerprint if version else ""
        content = {channel: Content(approved=version is not None or not talk_track, has_opt_out=True)}
        proposal = proposal_from(engine(), catalog.spec_of("offer", offer), content)
    policy = catalog.policy()
    found = decide_for_rm(max(ordinal, 0), channel, proposal, policy=policy, now=moment)
    codes = ("UNKNOWN_CUSTOMER",) if ordinal < 0 else found.codes(0)
    if ordinal < 0 or found.verdict[0] != ALLOW:
        until = found.held_until(0) if ordinal >= 0 and found.verdict[0] == HOLD else None
        raise Blocked(
            "; ".join(BY_CODE[code].title.to("en") for code in codes) + ".",
            hint=f"Wait until {until.astimezone(ZoneInfo(policy.zone)):%m-%d %H:%M}."
            if until
            else BY_CODE[codes[0]].cure.to("en"),
            codes=",".join(codes),
        )
    return fingerprint


def assign_task(actor: Actor, task_id: int, staff_no: str) -> Task:
    """Give an open task to another RM of the branch (branch head).

    Raises:
        NotAllowed: the task or the RM is not within the actor's branches.
        Conflict: the task is closed.
    """
    actor.must("task.assign")
    task = task_for(actor, task_id)
    if not staff_for(actor, role="rm").filter(staff_no=staff_no).exists():
        raise NotAllowed("There is no such RM in your branches.", staff=staff_no)
    with transaction.atomic():
        if not Task.objects.filter(pk=task.pk, state=states.OPEN).update(staff_no=staff_no):
            raise Conflict(f"The task is {task.state}.", hint="Reload.", task=task_id)
        record(actor, "task.assigned", task, staff=staff_no)
    task.refresh_from_db()
    return task


def expire_tasks(actor: Actor) -> int:
    """Close what was not done in time (the worker, daily); return how many."""
    actor.must("job.run")
    moment = now()
    return Task.objects.filter(state=states.OPEN, due_at__lt=moment).update(state=states.EXPIRED, closed_at=moment)


def cancel_tasks(actor: Actor, campaign: str) -> int:
    """Close the open tasks of a campaign that ended; return how many."""
    with transaction.atomic():
        n = Task.objects.filter(campaign=campaign, state=states.OPEN).update(state=states.CANCELLED, closed_at=now())
        if n:
            record(actor, "tasks.cancelled", ("campaign", campaign), n=n)
    return n


def close_refused(actor: Actor, customer_id: str, channel: str) -> None:
    """Close a customer's open tasks that would reach her by a channel she refused: nobody calls on yesterday's consent.

    A refusal of tasks, or of everything, closes them all.
    """
    rows = Task.objects.filter(customer_id=customer_id, state=states.OPEN)
    if channel not in (ALL_CHANNELS, "rm_task"):
        rows = rows.filter(channel=channel)
    if n := rows.update(state=states.CANCELLED, closed_at=now()):
        record(actor, "tasks.cancelled", ("customer", customer_id), n=n, channel=channel)


# -- the customer's page ------------------------------------------------------------------------------------------------


def customer_360(actor: Actor, customer_id: str) -> Customer360:
    """Return one customer of the actor's own reach, masked; that she looked is recorded.

    Raises:
        NotAllowed: not there, or not in her book or branches; the two look the same.
    """
    actor.must("customer.view")
    person = person_for(actor, customer_id)
    ordinal = int(ordinals([customer_id])[0])
    known = ordinal >= 0
    as_of, tags = tags_shown(ordinal) if known else (None, {})
    page = Customer360(
        person=person,
        as_of=as_of,
        tags=tags,
        positions=positions_of(ordinal) if known else (),
        months=months_of(ordinal) if known else (),
        contacts=_contacts(actor, customer_id, ordinal),
        channels=channels_of(ordinal, now=now()) if known else (),
        tasks=list(tasks_for(actor, state=None, customer_id=customer_id)[:CONTACTS_SHOWN])
        if actor.may("task.view")
        else [],
        follow_ups=list(follow_ups_for(actor, customer_id=customer_id)[:CONTACTS_SHOWN])
        if actor.may("task.view")
        else [],
    )
    record(actor, "customer.viewed", ("customer", customer_id))
    return page


def _contacts(actor: Actor, customer_id: str, ordinal: int) -> tuple[PastContact, ...]:
    loaded = contacts_of(ordinal) if ordinal >= 0 else ()
    touches = touches_for(actor, customer_id=customer_id)[:CONTACTS_SHOWN]
    own = [PastContact((t.at or t.created_at).date(), t.channel, t.sending.campaign, t.state) for t in touches]
    return tuple(sorted((*loaded, *own), key=lambda c: c.on, reverse=True)[:CONTACTS_SHOWN])
