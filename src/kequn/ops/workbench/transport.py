"""The channel ``rm_task``: a message becomes a task of the customer's RM, in the same database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db.models import Count

from kequn.channels.base import Accepted, Answer, Message, Refused, Terms, Unclear
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.orgs.actor import system_actor
from kequn.ops.ownership.queries import agent_of, capacity_until, worker_of
from kequn.ops.ownership.services import open_for_work
from kequn.ops.runtime import engine, now
from kequn.ops.workbench import states
from kequn.ops.workbench.briefing import briefs_of
from kequn.ops.workbench.candidates import owners_with_branches
from kequn.ops.workbench.creating import create_task
from kequn.ops.workbench.models import Task

BETWEEN = "\n—\n"
"""Between the Chinese and the English of a reason."""
DUE_IN = timedelta(days=7)


class RmTaskTransport:
    """Creates one task a key; asked twice it finds the first (``keeps_keys``). What tasks have in common is asked for once."""

    terms = Terms(
        guarantee="keeps_keys",
        settling=timedelta(seconds=1),
        longest_call=timedelta(seconds=10),
        max_batch=50,
        needs_address=False,
    )

    def send(self, message: Message) -> Answer:
        """Put one task before who works the customer."""
        return self.send_batch([message])[0]

    def send_batch(self, messages: list[Message]) -> list[Answer]:
        """Put each task before who works its customer: her RM, the stand-in, or the remote centre where neither can."""
        desk = _Desk(messages)
        answers: list[Answer] = []
        for message in messages:
            try:
                answers.append(desk.put(message))
            except Exception as error:  # one that fails leaves the others what they are
                answers.append(Unclear(type(error).__name__))
        return answers


class _Desk:
    """What some messages need to know: who their customers are and who works them, how much room there is."""

    def __init__(self, messages: Sequence[Message]) -> None:
        ids = list(dict.fromkeys(m.customer_ref for m in messages))
        self.moment, self.day, self.zone = now(), bank_today(), ZoneInfo(engine().manifest.zone)
        self.owners = owners_with_branches(set(ids))
        self.workers = worker_of(ids, self.day)
        self.briefs = briefs_of({m.campaign for m in messages})
        self.offers = {name: catalog.newest("offer", name) for name in {m.offer for m in messages} if name}
        waiting = Task.objects.filter(staff_no__in=set(self.workers.values()) - {""}, state=states.OPEN)
        self.waiting = Counter(dict(waiting.order_by().values_list("staff_no").annotate(n=Count("pk"))))
        self._room: dict[tuple[str, date], int] = {}

    def put(self, message: Message) -> Answer:
        """Create the task of one message, or find the one that it became before."""
        there = self.owners.get(message.customer_ref)
        if there is None:
            return Refused("no_rm", "The customer is not known.")
        owner, branch = there
        why_zh, _, why_en = message.body.partition(BETWEEN)
        brief, offer = self.briefs.get(message.campaign), self.offers.get(message.offer)
        due = self.moment + DUE_IN
        due = min(due, message.expires_at) if message.expires_at else due
        worker = self.workers.get(message.customer_ref, "")
        reason = self._why_remote(worker, owner, due)
        if reason and not open_for_work(message.customer_ref, branch, reason, system_actor()):
            if not worker:
                return Refused("no_rm", "The customer has no relationship manager, and the bank has no remote centre.")
            reason = ""  # nobody else could do it: it waits for its turn with her
        staff_no = agent_of(message.customer_ref) if reason else worker
        fields = {
            "customer_id": message.customer_ref, "staff_no": staff_no, "branch_code": branch,
            "kind": "campaign", "campaign": message.campaign, "channel": "call",
            "title_zh": brief.title_zh if brief else message.campaign, "title_en": brief.title_en if brief else "",
            "why_zh": why_zh, "why_en": why_en, "offer": message.offer, "talk_track": message.template,
            "priority": brief.priority if brief else 60, "due_at": due, "created_at": self.moment,
            "facts": {"offer": offer.spec.title.model_dump()} if offer else {},
        }  # fmt: skip
        task, is_new = create_task(message.key, **fields)
        self.waiting[staff_no] += is_new
        return Accepted(str(task.pk))

    def _why_remote(self, worker: str, owner: str, due: datetime) -> str:
        """Say why the remote centre should work a customer; "" where she is worked by who has her."""
        if not worker:
            return "absent" if owner else "no_owner"
        last = max(self.day, due.astimezone(self.zone).date())
        if (worker, last) not in self._room:
            self._room[worker, last] = capacity_until(worker, self.day, last)
        return "over_capacity" if self.waiting[worker] >= self._room[worker, last] else ""
