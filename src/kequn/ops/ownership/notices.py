"""The word owed to a customer whose relationship manager changed: who owes it, until when, and that it was given."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from kequn.core.errors import InvalidSpec, NotAllowed, Where
from kequn.ops.chunks import chunks
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for
from kequn.ops.ownership import states
from kequn.ops.ownership.calendars import day_of
from kequn.ops.ownership.models import Notice, OwnerChange
from kequn.ops.ownership.policies import policy
from kequn.ops.runtime import now

WAYS = ("call", "visit", "wecom", "sms", "letter", "branch")
"""By which a customer can be told."""
MOST_FOLLOWED = 2_000
"""Messages under way that are looked at in one round."""


def notices_for(actor: Actor, *, state: str | None = states.OWED) -> QuerySet[Notice]:
    """Return the notices of the actor: an RM those she owes, others those of their branches; the most urgent first."""
    if actor.may("customer.claim"):
        rows = Notice.objects.filter(staff_no=actor.staff_no).exclude(staff_no="")
    else:
        actor.must("customer.assign")
        codes = branch_codes_for(actor)
        rows = Notice.objects.all() if codes is None else Notice.objects.filter(branch_code__in=codes)
    return rows.filter(state=state) if state else rows


def owe_notices(changes: Sequence[OwnerChange]) -> list[Notice]:
    """Note that these customers must be told; who was not told of an earlier change is told of the newest.

    The caller holds the transaction.
    """
    due_on = day_of(now()) + timedelta(days=policy().notice_days)
    ids = [c.customer_id for c in changes]
    for some in chunks(ids):
        earlier = Notice.objects.filter(customer_id__in=some, state=states.OWED)
        earlier.update(state=states.WAIVED, how="", by="system")
    rows = [
        Notice(change=c, customer_id=c.customer_id, branch_code=c.branch_code, staff_no=c.to_staff, due_on=due_on)
        for c in changes
        if c.from_staff and c.to_staff
    ]
    return Notice.objects.bulk_create(rows, batch_size=500)


def notices_numbered(actor: Actor, notice_ids: Collection[int]) -> list[Notice]:
    """Return some notices of the actor, whatever their state, the most urgent first.

    Raises:
        NotAllowed: one of them is not hers.
    """
    ids = set(notice_ids)
    rows = list(notices_for(actor, state=None).filter(pk__in=ids))
    if len(rows) != len(ids):
        raise NotAllowed("There is no such notice of yours.", n=len(ids))
    return rows


def notices_of_messages(keys: Collection[str]) -> dict[str, Notice]:
    """Return the notices that some touches are to settle, by the touch's key, for who sends them."""
    return {row.message: row for row in Notice.objects.filter(message__in=[k for k in keys if k])}


def with_messages(*, told_since: datetime | None = None) -> list[Notice]:
    """Return the notices whose message is under way, or those told by one since a moment, for who follows the messages."""
    rows = Notice.objects.exclude(message="").order_by("id")
    if told_since is None:
        return list(rows.filter(state=states.OWED)[:MOST_FOLLOWED])
    return list(rows.filter(state=states.TOLD, told_at__gte=told_since))


def begin_message(notice: Notice, key: str) -> bool:
    """Note that a message goes out for a notice that is owed and has none; return whether it was still so.

    The caller holds the transaction in which the message is created.
    """
    rows = Notice.objects.filter(pk=notice.pk, state=states.OWED, message="", tries=notice.tries)
    return bool(rows.update(message=key, tries=F("tries") + 1, refused=""))


def settle_message(notice: Notice, *, arrived: bool, how: str, by: str, at: datetime, why: str = "") -> bool:
    """Note what became of a notice's message: she is told, or the word is owed again. Twice changes nothing."""
    rows = Notice.objects.filter(pk=notice.pk, message=notice.message)
    if arrived:
        return bool(rows.filter(state=states.OWED).update(state=states.TOLD, told_at=at, how=how, by=by))
    rows = rows.filter(state__in=[states.OWED, states.TOLD])
    return bool(rows.update(state=states.OWED, message="", told_at=None, how="", by="", refused=why[:120]))


def mark_told(actor: Actor, notice_ids: Collection[int], *, how: str) -> int:
    """Note that customers were told, and how; return how many. Twice changes nothing; a message under way is not sent.

    Raises:
        NotAllowed: one of the notices is not hers.
    """
    if how not in WAYS:
        raise InvalidSpec(f"Say how she was told: {', '.join(WAYS)}.", where=Where(field="how"))
    ids = [row.pk for row in notices_numbered(actor, notice_ids)]
    mine = Notice.objects.filter(pk__in=ids)
    with transaction.atomic():
        n = mine.filter(state=states.OWED).update(
            state=states.TOLD, told_at=now(), how=how, by=actor.username, message="", refused=""
        )
        if n:
            record(actor, "notices.told", ("staff", actor.staff_no or actor.username), n=n, how=how)
    return n
