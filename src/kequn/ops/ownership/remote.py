"""The remote centre's queue: customers whose work nobody of the branch can do, taken by agents, given back when done."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet, Value

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import BOOK, CUSTOMER, branches_of, owners_of, people_for
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import active_of_role, branch_codes_for
from kequn.ops.ownership import states
from kequn.ops.ownership.calendars import capacity_of, stood_in_for, today, workers
from kequn.ops.ownership.known import with_open_tasks
from kequn.ops.ownership.models import RemoteCase
from kequn.ops.ownership.moving import cover
from kequn.ops.runtime import now

LARGEST = 500
"""Customers in one statement."""


def reach(actor: Actor) -> QuerySet[Any, tuple[str, str]] | None:
    """Return whom an actor works beside her own book: a stand-in the absent's customers, an agent hers of the queue."""
    if actor.role == "remote_agent" and actor.staff_no:
        cases = RemoteCase.objects.filter(agent=actor.staff_no, state=states.TAKEN)
        return cases.values_list(Value(CUSTOMER), "customer_id")
    if actor.role != "rm" or not actor.staff_no:
        return None
    return stood_in_for(actor.staff_no, today()).values_list(Value(BOOK), "staff_no")


def remote_open() -> bool:
    """Whether there is a remote centre: somebody who would work its queue."""
    return active_of_role("remote_agent").exists()


def cases_for(actor: Actor, *, state: str | None = None) -> QuerySet[RemoteCase]:
    """Return the cases of the actor's branches that are not closed; an agent sees the open ones and her own."""
    if not (actor.may("remote.take") or actor.may("customer.assign")):
        actor.must("remote.take")
    rows = RemoteCase.objects.exclude(state=states.CLOSED)
    codes = branch_codes_for(actor)
    if codes is not None:
        without = [""] if actor.branch_path.count("/") <= 2 else []  # customers of no branch go to the highest centre
        rows = rows.filter(branch_code__in=[*codes, *without])
    if actor.role == "remote_agent":
        rows = rows.filter(Q(state=states.OPEN) | Q(agent=actor.staff_no))
    return rows.filter(state=state) if state else rows


def send_to_remote(actor: Actor, customer_ids: Collection[str], *, reason: str) -> list[str]:
    """Put customers in the remote centre's queue, with what is open for them; return who is newly there.

    Raises:
        NotAllowed: one of them is not in the actor's scope.
        Conflict: the bank has no remote centre.
    """
    if actor.role != "system":
        actor.must("customer.assign")
    if reason not in states.REMOTE_REASONS:
        raise InvalidSpec(f"There is no reason {reason!r}.", where=Where(field="reason"))
    ids = sorted(set(customer_ids))
    if not remote_open():
        raise Conflict("The bank has no remote centre.", hint="Give an active user the role of remote agent.")
    branches = _within(actor, ids)
    with transaction.atomic():
        fresh = _open(actor, ids, branches, reason)
        by_owner: dict[str, list[str]] = defaultdict(list)
        for customer_id, owner in owners_of(fresh).items():
            by_owner[owner].append(customer_id)
        for owner, customers in sorted(by_owner.items()):
            if owner:
                cover(actor, customers, owner, "", "remote")
        if fresh:
            record(actor, "remote.sent", ("queue", "remote"), n=len(fresh), reason=reason)
    return fresh


def take_cases(actor: Actor, *, n: int = 1, case_ids: Sequence[int] = ()) -> list[RemoteCase]:
    """Take customers out of the queue, the oldest first or those named, as far as today's capacity goes.

    Raises:
        Conflict: today's capacity is used up, or somebody was faster at all of those named.
    """
    actor.must("remote.take")
    room = capacity_of([actor.staff_no], today()).get(actor.staff_no, 0)
    taken: list[RemoteCase] = []
    with transaction.atomic():
        room -= RemoteCase.objects.filter(agent=actor.staff_no, state=states.TAKEN).count()
        if room <= 0:
            raise Conflict("You have as many customers as you can work today.", hint="Close or return some first.")
        wanted = cases_for(actor, state=states.OPEN)
        wanted = wanted.filter(pk__in=list(case_ids)) if case_ids else wanted
        asked = len(case_ids) if case_ids else n
        for row in wanted.order_by("opened_at", "id")[: asked * 2]:
            if len(taken) >= min(asked, room):
                break
            moved = RemoteCase.objects.filter(pk=row.pk, state=states.OPEN).update(
                state=states.TAKEN, agent=actor.staff_no, taken_at=now()
            )
            if moved:
                taken.append(row)
        if case_ids and not taken:
            raise Conflict("Somebody else has this customer now.", hint="Choose another.")
        if taken:
            cover(actor, [r.customer_id for r in taken], "", actor.staff_no, "remote")
            record(actor, "remote.taken", ("queue", "remote"), n=len(taken))
    return list(RemoteCase.objects.filter(pk__in=[r.pk for r in taken]))


def return_case(actor: Actor, case_id: int) -> RemoteCase:
    """Put a customer back in the queue."""
    actor.must("remote.take")
    row = _mine(actor, case_id)
    with transaction.atomic():
        moved = RemoteCase.objects.filter(pk=row.pk, state=states.TAKEN, agent=actor.staff_no).update(
            state=states.OPEN, agent="", taken_at=None
        )
        if moved:
            cover(actor, [row.customer_id], actor.staff_no, "", "remote")
            record(actor, "remote.returned", ("customer", row.customer_id))
    row.refresh_from_db()
    return row


def close_case(actor: Actor, case_id: int, *, note: str = "") -> RemoteCase:
    """Say that the remote centre is done with a customer; what is still open goes to who works her now.

    Raises:
        Conflict: something is still open and nobody else could do it.
    """
    actor.must("remote.take")
    row = _mine(actor, case_id)
    worker = _worker(row.customer_id)
    if not worker and with_open_tasks([row.customer_id]):
        raise Conflict("Tasks are still open with this customer.", hint="Finish them, or return her to the queue.")
    with transaction.atomic():
        moved = RemoteCase.objects.filter(pk=row.pk, state=states.TAKEN, agent=actor.staff_no).update(
            state=states.CLOSED, closed_at=now(), close_note=note[:200]
        )
        if moved:
            if worker:
                cover(actor, [row.customer_id], actor.staff_no, worker, "back")
            record(actor, "remote.closed", ("customer", row.customer_id), note=note[:200])
    row.refresh_from_db()
    return row


def leave_queue(actor: Actor, customer_ids: Sequence[str], _from_staff: str, to_staff: str, _reason: str) -> None:
    """Close the cases of customers who have an owner again; what an agent had open goes to the owner."""
    if not to_staff:
        return
    by_agent: dict[str, list[RemoteCase]] = defaultdict(list)
    for row in _not_closed(customer_ids):
        by_agent[row.agent].append(row)
    for agent, rows in sorted(by_agent.items()):
        RemoteCase.objects.filter(pk__in=[r.pk for r in rows]).update(state=states.CLOSED, closed_at=now())
        cover(actor, [r.customer_id for r in rows], agent, to_staff, "back")


def open_for_work(customer_id: str, branch_code: str, reason: str, actor: Actor) -> bool:
    """Put one customer in the queue because work came up for her (a campaign's list); whether the centre is there.

    An agent who has her already keeps her.
    """
    if not remote_open():
        return False
    with transaction.atomic():
        _open(actor, [customer_id], {customer_id: branch_code}, reason)
    return True


def agent_of(customer_id: str) -> str:
    """Return which agent has a customer, "" for none."""
    rows = RemoteCase.objects.filter(customer_id=customer_id, state=states.TAKEN)
    return rows.values_list("agent", flat=True).first() or ""


def _open(actor: Actor, ids: Sequence[str], branches: dict[str, str], reason: str) -> list[str]:
    there = {row.customer_id for row in _not_closed(ids)}
    rows = [
        RemoteCase(
            customer_id=c, branch_code=branches.get(c, ""), reason=reason, opened_by=actor.username, opened_at=now()
        )
        for c in ids
        if c not in there
    ]
    RemoteCase.objects.bulk_create(rows, batch_size=LARGEST, ignore_conflicts=True)
    return [row.customer_id for row in rows]


def _not_closed(ids: Sequence[str]) -> list[RemoteCase]:
    found: list[RemoteCase] = []
    for some in chunks(ids):
        rows = RemoteCase.objects.filter(customer_id__in=some)
        found += rows.exclude(state=states.CLOSED).order_by("id")
    return found


def _within(actor: Actor, ids: Sequence[str]) -> dict[str, str]:
    if actor.role == "system":
        return branches_of(ids)
    found: dict[str, str] = {}
    for some in chunks(ids):
        rows = people_for(actor).filter(pk__in=some)
        found.update(rows.values_list("customer_id", "branch_code"))
    if missing := [c for c in ids if c not in found]:
        raise NotAllowed("There is no such customer in your scope.", customer=missing[0])
    return found


def _worker(customer_id: str) -> str:
    owner = owners_of([customer_id]).get(customer_id, "")
    return workers({owner}, today()).get(owner, "") if owner else ""


def _mine(actor: Actor, case_id: int) -> RemoteCase:
    row = RemoteCase.objects.filter(pk=case_id, agent=actor.staff_no).exclude(agent="").first()
    if row is None:
        raise NotAllowed("There is no such customer of yours.", case=case_id)
    return row
