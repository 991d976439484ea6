"""WeCom contacts that are to follow a customer to her new owner: what is to be done in WeCom, within its limits, and what came of it.

kequn does not move contacts itself: who has the right does so in WeCom, and enters what WeCom says. At most two moves of one
customer in 90 days, at most a hundred customers a request, done 24 hours later unless she refuses (企业微信客户继承规则). What
counts is what was listed here and not refused.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import QuerySet

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.customers.queries import owners_of
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.ownership import states
from kequn.ops.ownership.known import on_wecom
from kequn.ops.ownership.models import OwnerChange, WecomMove
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import now

A_CALL = 100
DELAY = timedelta(hours=24)
MOVED_ON = ("handed_over", "reassigned")


def wecom_moves_for(actor: Actor, *, state: str | None = None) -> QuerySet[WecomMove]:
    """Return the moves of the actor's branches: what is to be done by pair of staff, as WeCom takes it; others the newest first."""
    actor.must("customer.handover")
    codes = branch_codes_for(actor)
    rows = WecomMove.objects.all() if codes is None else WecomMove.objects.filter(branch_code__in=codes)
    rows = rows.filter(state=state) if state else rows
    return rows.order_by("from_staff", "to_staff", "id") if state == states.WAITING else rows


def plan_moves(actor: Actor, changes: Sequence[OwnerChange]) -> tuple[list[WecomMove], dict[str, str]]:
    """List the contacts of customers whose owner changed as to be moved in WeCom; the caller holds the transaction.

    One that is still to be done goes straight to the newest owner. Returns the moves, and for each customer who is not moved the
    reason: not_on_wecom, limit, back (her contact never left the new owner).
    """
    wanted = [c for c in changes if c.from_staff and c.to_staff]
    there = on_wecom([c.customer_id for c in wanted])
    left = {c.customer_id: "not_on_wecom" for c in wanted if c.customer_id not in there}
    wanted = [c for c in wanted if c.customer_id in there]
    moment, rules = now(), policy()
    ids = [c.customer_id for c in wanted]
    undone = WecomMove.objects.filter(customer_id__in=ids, state=states.WAITING)
    holders = dict(undone.values_list("customer_id", "from_staff"))
    undone.delete()
    counted = moves_within(ids, moment - timedelta(days=rules.wecom_days))
    moves: list[WecomMove] = []
    by_pair: Counter[tuple[str, str]] = Counter()
    calls: dict[tuple[str, str, int], str] = {}
    for change in wanted:
        holder = holders.get(change.customer_id, change.from_staff)
        if holder == change.to_staff:
            left[change.customer_id] = "back"
            continue
        if counted[change.customer_id] >= rules.wecom_moves:
            left[change.customer_id] = "limit"
            continue
        pair = (holder, change.to_staff)
        key = (*pair, by_pair[pair] // A_CALL)
        by_pair[pair] += 1
        moves.append(
            WecomMove(
                customer_id=change.customer_id, branch_code=change.branch_code, from_staff=holder,
                to_staff=change.to_staff, call=calls.setdefault(key, uuid.uuid4().hex), planned_at=moment,
                earliest_at=moment + DELAY, by=actor.username,
            )
        )  # fmt: skip
    made = WecomMove.objects.bulk_create(moves, batch_size=500)
    if made:
        record(actor, "wecom.planned", ("calls", str(len(calls))), n=len(made), left=len(left))
    return made, left


def moves_within(customer_ids: Sequence[str], since: datetime) -> Counter[str]:
    """Return how often each was moved, or is to be, since a moment; what she refused does not count."""
    rows = WecomMove.objects.filter(customer_id__in=list(customer_ids), planned_at__gt=since)
    return Counter(rows.exclude(state=states.REFUSED).values_list("customer_id", flat=True))


def answer_move(actor: Actor, move_id: int, *, state: str) -> WecomMove:
    """Enter what WeCom says: moved, or the customer refused (she then stays with the old contact, and her owner is the new one).

    Raises:
        Conflict: it was entered otherwise already, or ``moved`` within the 24 hours that WeCom leaves her to refuse.
    """
    row = wecom_moves_for(actor).filter(pk=move_id).first()
    if row is None:
        raise NotAllowed("There is no such move in your branches.", move=move_id)
    if state not in (states.MOVED, states.REFUSED):
        raise InvalidSpec("A move is answered by moved or refused.", where=Where(field="state"))
    if row.state == state:
        return row
    if state == states.MOVED and now() < row.earliest_at:
        raise Conflict("The customer may refuse for 24 hours.", hint="Enter it when they are over.", move=move_id)
    with transaction.atomic():
        if not WecomMove.objects.filter(pk=row.pk, state=states.WAITING).update(state=state, settled_at=now()):
            raise Conflict("This was answered otherwise already.", hint="Reload.", move=move_id)
        record(actor, f"wecom.{state}", ("customer", row.customer_id), move=row.pk)
    row.refresh_from_db()
    return row


def repeat_moves(actor: Actor, customer_ids: Sequence[str]) -> tuple[list[WecomMove], dict[str, str]]:
    """List again the customers whose contact is still with an earlier owner, as far as WeCom allows today."""
    codes = branch_codes_for(actor)
    actor.must("customer.handover")
    owners = owners_of(customer_ids)
    newest: dict[str, OwnerChange] = {}
    for change in OwnerChange.objects.filter(customer_id__in=list(owners), reason__in=MOVED_ON).order_by("id"):
        newest[change.customer_id] = change
    mine = [
        c for c in newest.values()
        if c.to_staff == owners[c.customer_id] and (codes is None or c.branch_code in codes)
    ]  # fmt: skip
    with transaction.atomic():
        return plan_moves(actor, mine)
