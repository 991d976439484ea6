"""The channel ``rm_task``: a message becomes a task of the customer's RM, in the same database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from kequn.channels.base import Accepted, Answer, Message, Refused, Terms
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import system_actor
from kequn.ops.runtime import now
from kequn.ops.workbench.contracts import CampaignBrief
from kequn.ops.workbench.creating import create_task

BETWEEN = "\n—\n"
"""Between the Chinese and the English of a reason."""
DUE_IN = timedelta(days=7)

Briefing = Callable[[str], CampaignBrief | None]
_briefings: dict[str, Briefing] = {}


def tell_campaigns(briefing: Briefing) -> None:
    """Name who knows a campaign's title and priority."""
    _briefings["campaigns"] = briefing


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
        """Put the task before the RM who has the customer in her book."""
        person = people_by_id(system_actor(), [message.customer_ref]).get(message.customer_ref)
        if person is None or not person.rm_no:
            return Refused("no_rm", "The customer has no relationship manager.")
        why_zh, _, why_en = message.body.partition(BETWEEN)
        brief = _briefings["campaigns"](message.campaign) if "campaigns" in _briefings else None
        moment = now()
        due = min(moment + DUE_IN, message.expires_at) if message.expires_at else moment + DUE_IN
        fields = {
            "customer_id": message.customer_ref, "staff_no": person.rm_no, "branch_code": person.branch_code,
            "kind": "campaign", "campaign": message.campaign, "channel": "call",
            "title_zh": brief.title_zh if brief else message.campaign, "title_en": brief.title_en if brief else "",
            "why_zh": why_zh, "why_en": why_en, "offer": message.offer, "talk_track": message.template,
            "priority": brief.priority if brief else 60, "due_at": due, "created_at": moment,
        }  # fmt: skip
        task, _ = create_task(message.key, **fields)
        return Accepted(str(task.pk))
