"""The channel ``rm_task``: a message becomes a task of the customer's RM, in the same database."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kequn.channels.base import Accepted, Answer, Message, Refused, Terms
from kequn.ops.audiences.queries import bank_today
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership.queries import agent_of, capacity_until, worker_of
from kequn.ops.ownership.services import open_for_work
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.briefing import briefs_of
from kequn.ops.workbench.creating import create_task
from kequn.ops.workbench.models import Task

BETWEEN = "\n—\n"
"""Between the Chinese and the English of a reason."""
DUE_IN = timedelta(days=7)


class RmTaskTransport:
    """Creates one task a key; asked twice it finds the first (``keeps_keys``)."""

    terms = Terms(
        guarantee="keeps_keys",
        settling=timedelta(seconds=1),
        longest_call=timedelta(seconds=10),
        max_batch=50,
        needs_address=False,
    )

    def send(self, message: Message) -> Answer:
        """Put the task before who works the customer: her RM, the stand-in, or the remote centre where neither can."""
        person = people_by_id(system_actor(), [message.customer_ref]).get(message.customer_ref)
        if person is None:
            return Refused("no_rm", "The customer is not known.")
        why_zh, _, why_en = message.body.partition(BETWEEN)
        brief = briefs_of([message.campaign]).get(message.campaign)
        moment = now()
        due = min(moment + DUE_IN, message.expires_at) if message.expires_at else moment + DUE_IN
        worker, reason = _worker(message.customer_ref, person.rm_no, due)
        if reason and not open_for_work(message.customer_ref, person.branch_code, reason, system_actor()):
            if not worker:
                return Refused("no_rm", "The customer has no relationship manager, and the bank has no remote centre.")
            reason = ""  # nobody else could do it: it waits for its turn with her
        staff_no = agent_of(message.customer_ref) if reason else worker
        fields = {
            "customer_id": message.customer_ref, "staff_no": staff_no, "branch_code": person.branch_code,
            "kind": "campaign", "campaign": message.campaign, "channel": "call",
            "title_zh": brief.title_zh if brief else message.campaign, "title_en": brief.title_en if brief else "",
            "why_zh": why_zh, "why_en": why_en, "offer": message.offer, "talk_track": message.template,
            "priority": brief.priority if brief else 60, "due_at": due, "created_at": moment,
        }  # fmt: skip
        task, _ = create_task(message.key, **fields)
        return Accepted(str(task.pk))


def _worker(customer_id: str, owner: str, due: datetime) -> tuple[str, str]:
    """Return who works a customer, and why it should be the remote centre instead ("" where it should not)."""
    day = bank_today()
    worker = worker_of([customer_id], day).get(customer_id, "")
    if not worker:
        return "", "absent" if owner else "no_owner"
    room = capacity_until(worker, day, max(day, due.astimezone(ZoneInfo(engine().manifest.zone)).date()))
    waiting = Task.objects.filter(staff_no=worker, state=states.OPEN).count()
    return worker, "over_capacity" if waiting >= room else ""
