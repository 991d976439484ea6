"""WeCom contacts that follow a customer to her new owner, within what WeCom allows.

At most two moves of one customer in 90 days, at most a hundred customers a call, effective after 24 hours unless she refuses
(企业微信客户继承规则). What was counted is what was asked for here and not refused.
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


def wecom_moves_for(actor: Actor) -> QuerySet[WecomMove]:
    """Return the moves of the actor's branches, the newest first."""
    actor.must("customer.handover")
    codes = branch_codes_for(actor)
    return WecomMove.objects.all() if codes is None else WecomMove.objects.filter(branch_code__in=codes)


def plan_moves(actor: Actor, changes: Sequence[OwnerChange]) -> tuple[list[WecomMove], dict[str, str]]:
    """Ask WeCom to move the contacts of customers whose owner changed; the caller holds the transaction.

    Returns the moves, and for each customer who is not moved the reason: not_on_wecom, limit, waiting.
    """
    wanted = [c for c in changes if c.from_staff and c.to_staff]
    there = on_wecom([c.customer_id for c in wanted])
    left = {c.customer_id: "not_on_wecom" for c in wanted if c.customer_id not in there}
    wanted = [c for c in wanted if c.customer_id in there]
    moment, rules = now(), policy()
    counted = moves_within([c.customer_id for c in wanted], moment - timedelta(days=rules.wecom_days))
    waiting = set(
        WecomMove.objects.filter(customer_id__in=[c.customer_id for c in wanted], state=states.WAITING).values_list(
            "customer_id", flat=True
        )
    )
    moves: list[WecomMove] = []
    by_pair: Counter[tuple[str, str]] = Counter()
    calls: dict[tuple[str, str, int], str] = {}
    for change in wanted:
        if change.customer_id in waiting:
            left[change.customer_id] = "waiting"
            continue
        if counted[change.customer_id] >= rules.wecom_moves:
            left[change.customer_id] = "limit"
            continue
        pair = (change.from_staff, change.to_staff)
        key = (*pair, by_pair[pair] // A_CALL)
        by_pair[pair] += 1
        moves.append(
            WecomMove(
                customer_id=change.customer_id, branch_code=change.branch_code, from_staff=change.from_staff,
                to_staff=change.to_staff, call=calls.setdefault(key, uuid.uuid4().hex), asked_at=moment,
                effective_at=moment + DELAY, by=actor.username,
            )
        )  # fmt: skip
    made = WecomMove.objects.bulk_create(moves, batch_size=500)
    if made:
        record(actor, "wecom.asked", ("calls", str(len(calls))), n=len(made), left=len(left))
    return made, left


def moves_within(customer_ids: Sequence[str], since: datetime) -> Counter[str]:
    """Return how often each was moved, or is about to be, since a moment; what she refused does not count."""
    rows = WecomMove.objects.filter(customer_id__in=list(customer_ids), asked_at__gt=since)
    return Counter(rows.exclude(state=states.REFUSED).values_list("customer_id", flat=True))


def answer_move(actor: Actor, move_id: int, *, state: str) -> WecomMove:
    """Enter what WeCom answered: moved, or the customer refused (she then stays with the old contact, and her owner is the new one).

    Raises:
        Conflict: it was answered otherwise already, or 24 hours have not passed for ``moved``.
    """
    row = wecom_moves_for(actor).filter(pk=move_id).first()
    if row is None:
        raise NotAllowed("There is no such move in your branches.", move=move_id)
    if state not in (states.MOVED, states.REFUSED):
        raise InvalidSpec("A move is answered by moved or refused.", where=Where(field="state"))
    if row.state == state:
        return row
    if state == states.MOVED and now() < row.effective_at:
        raise Conflict("The customer may refuse for 24 hours.", hint="Enter it when they are over.", move=move_id)
    with transaction.atomic():
        if not WecomMove.objects.filter(pk=row.pk, state=states.WAITING).update(state=state, settled_at=now()):
            raise Conflict("This was answered otherwise already.", hint="Reload.", move=move_id)
        record(actor, f"wecom.{state}", ("customer", row.customer_id), move=row.pk)
    row.refresh_from_db()
    return row


def settle_moves(actor: Actor) -> int:
    """Take as done what nobody refused within 24 hours (the worker); return how many."""
    actor.must("job.run")
    moment = now()
    return WecomMove.objects.filter(state=states.WAITING, effective_at__lte=moment).update(
        state=states.MOVED, settled_at=moment
    )


def repeat_moves(actor: Actor, customer_ids: Sequence[str]) -> tuple[list[WecomMove], dict[str, str]]:
    """Ask again for customers whose contact is still with an earlier owner, as far as WeCom allows today."""
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
