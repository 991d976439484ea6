"""Start a contact of one's own; with what the app's other modules do."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from kequn.core.errors import InvalidSpec, Where
from kequn.core.gate import Content, proposal_from
from kequn.ops.audiences.queries import OPEN_TALK, ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.customers.queries import person_for
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import engine, now
from kequn.ops.workbench.briefing import tell_campaigns
from kequn.ops.workbench.closing import cancel_tasks, close_refused, expire_tasks, stop_calls
from kequn.ops.workbench.correcting import on_correction
from kequn.ops.workbench.creating import create_task
from kequn.ops.workbench.customer import decide_for_rm
from kequn.ops.workbench.importing import import_results, preview_results, record_results
from kequn.ops.workbench.material import (
    Blocked,
    gate_by_hand,
    materials_for,
    preview_material,
    refuse_blocked,
    send_material,
)
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.morning import request_morning
from kequn.ops.workbench.moving import assign_task, reassign_tasks
from kequn.ops.workbench.notices import (
    gate_notices,
    notice_texts,
    preview_notices,
    reopen_notices,
    send_notices,
    settle_notices,
)
from kequn.ops.workbench.planning import plan_day
from kequn.ops.workbench.portrait import advice_for, customer_360, money_for, past_for
from kequn.ops.workbench.recording import (
    BY_RM,
    NOTE_LENGTH,
    masked_note,
    on_number,
    own_key,
    record_outcome,
    record_without_task,
    undo_outcome,
)
from kequn.ops.workbench.settling import settle_tasks
from kequn.ops.workbench.transport import RmTaskTransport
from kequn.ops.workbench.withdrawing import reopen_task, withdraw_task
from kequn.ops.workbench.working import open_matters

__all__ = [
    "Blocked",
    "RmTaskTransport",
    "advice_for",
    "assign_task",
    "cancel_tasks",
    "close_refused",
    "customer_360",
    "expire_tasks",
    "gate_by_hand",
    "gate_notices",
    "import_results",
    "masked_note",
    "materials_for",
    "money_for",
    "notice_texts",
    "on_correction",
    "on_number",
    "open_matters",
    "past_for",
    "plan_day",
    "preview_material",
    "preview_notices",
    "preview_results",
    "reassign_tasks",
    "record_outcome",
    "record_results",
    "record_without_task",
    "reopen_notices",
    "reopen_task",
    "request_morning",
    "send_material",
    "send_notices",
    "settle_notices",
    "settle_tasks",
    "start_contact",
    "stop_calls",
    "tell_campaigns",
    "undo_outcome",
    "withdraw_task",
]

GATE_ASKS = {"visit": "call"}
"""A visit needs what a call needs: the gate's channels have none for it."""


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
        InvalidSpec: a channel that is none, or too many words.
        Blocked: the gate says no, with every reason; or not now, with until when.
    """
    actor.must("task.work")
    person = person_for(actor, customer_id)
    if (before := Task.objects.filter(key=own_key(actor, key)).first()) is not None:
        return before
    if channel not in BY_RM:
        raise InvalidSpec(f"An RM starts a contact by {' or '.join(BY_RM)}.", where=Where(field="channel"))
    moment = now()
    reason = clean(why, longest=NOTE_LENGTH, field="why").text
    fingerprint = _pass_gate(customer_id, GATE_ASKS.get(channel, channel), offer, talk_track, moment)
    fields = {
        "customer_id": customer_id, "staff_no": actor.staff_no, "branch_code": person.branch_code, "kind": "contact",
        "channel": channel, "title_zh": "客户经理自主联系", "title_en": "Contact by the RM", "why_zh": reason,
        "why_en": reason, "offer": offer, "talk_track": fingerprint, "priority": 70,
        "due_at": due_at or moment + timedelta(days=1), "created_at": moment,
    }  # fmt: skip
    with transaction.atomic():
        task, is_new = create_task(own_key(actor, key), **fields)
        if is_new:
            record(actor, "contact.started", task, channel=channel, offer=offer)
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
    found = decide_for_rm(ordinal, channel, proposal, policy=policy, now=moment) if ordinal >= 0 else None
    refuse_blocked(found, policy)
    return fingerprint
