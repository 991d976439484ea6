"""A channel's account: how fast it may go, whether its gateway works, and the brake on a wave that goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

from django.db.models import F

from kequn.ops.delivery.models import Account, Sending, Stop
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import system_actor

WINDOW = 200
"""Calls that the breaker looks back on, about."""
FEWEST = 20
"""Calls before the breaker judges."""
OPEN_FOR = timedelta(seconds=60)
BRAKE_FROM = 200
BRAKE_FAILED, BRAKE_UNKNOWN = 0.05, 0.02
"""Shares of a wave's touches so far; beyond them the wave stops and a person looks."""


def allowance(channel: str, wanted: int, *, rate: float | None, at: datetime) -> int:
    """Return how many messages may be claimed now, and take them from the bucket. Within the claim's transaction.

    ``rate`` is messages a second, shared by all workers; ``None``: no limit. The bucket holds one second. ``at`` is the
    database's time.
    """
    account = Account.objects.select_for_update().filter(pk=channel).first()
    if account is None:
        account, _ = Account.objects.get_or_create(pk=channel)
    if account.open_until is not None:
        if account.open_until > at or account.is_probing:
            return 0
        Account.objects.filter(pk=channel).update(is_probing=True, open_until=at + OPEN_FOR)
        wanted = min(wanted, 1)
    if rate is None:
        return wanted
    most = max(rate, 1.0)
    past = (at - account.refilled_at).total_seconds() if account.refilled_at else most
    tokens = min(most, account.tokens + max(past, 0) * rate)
    given = min(wanted, int(tokens))
    Account.objects.filter(pk=channel).update(tokens=tokens - given, refilled_at=at)
    return given


def give_tokens_back(channel: str, n: int) -> None:
    """Return tokens that a claim took and did not use."""
    if n:
        Account.objects.filter(pk=channel).update(tokens=F("tokens") + n)


def judge(channel: str, *, good: int, bad: int, at: datetime) -> None:
    """Count the calls of one claim: half of the last ones bad opens the breaker, a probe that went well closes it.

    A final no about one number says nothing about the gateway, and counts as good.
    """
    if not good and not bad:
        return
    account = Account.objects.select_for_update().get_or_create(pk=channel)[0]
    if account.is_probing:
        open_until = None if good and not bad else at + OPEN_FOR
        Account.objects.filter(pk=channel).update(is_probing=False, open_until=open_until, good=0, bad=0)
        return
    good, bad = account.good + good, account.bad + bad
    if good + bad >= FEWEST and bad * 2 >= good + bad:
        Account.objects.filter(pk=channel).update(open_until=at + OPEN_FOR, is_probing=False, good=0, bad=0)
        return
    if good + bad > WINDOW:
        good, bad = good // 2, bad // 2
    Account.objects.filter(pk=channel).update(good=good, bad=bad)


def count(changes: Mapping[int, Counter[str]], *, at: datetime) -> list[str]:
    """Add to the counts of waves (``handed``, ``failed``, ``unknown`` by sending id); return the waves stopped."""
    changes = {sending_id: delta for sending_id, delta in changes.items() if any(delta.values())}
    for sending_id in sorted(changes):
        delta = changes[sending_id]
        Sending.objects.filter(pk=sending_id).update(
            n_handed=F("n_handed") + delta["handed"],
            n_failed=F("n_failed") + delta["failed"],
            n_unknown=F("n_unknown") + delta["unknown"],
        )
    stopped = []
    for sending in Sending.objects.filter(pk__in=sorted(changes), n_handed__gte=BRAKE_FROM):
        failed, unknown = sending.n_failed / sending.n_handed, sending.n_unknown / sending.n_handed
        if failed <= BRAKE_FAILED and unknown <= BRAKE_UNKNOWN:
            continue
        reason = f"brake: {failed:.1%} failed, {unknown:.1%} unknown of {sending.n_handed}"
        _, is_new = Stop.objects.get_or_create(
            scope="wave", key=sending.ref, defaults={"reason": reason, "by": "system", "at": at}
        )
        if is_new:
            record(system_actor(), "delivery.braked", ("wave", sending.ref), campaign=sending.campaign, reason=reason)
            stopped.append(sending.ref)
    return stopped


def release_brake(ref: str) -> None:
    """Start counting anew after a person looked; otherwise the brake would fall at once."""
    Sending.objects.filter(ref=ref).update(n_handed=0, n_failed=0, n_unknown=0)
