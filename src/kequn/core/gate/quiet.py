"""Quiet hours: whether an instant is one of rest, and when the next other one comes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from kequn.core.spec.campaign import ContactPolicySpec


def is_quiet(instant: datetime, policy: ContactPolicySpec, zone: str) -> bool:
    """Whether the clock on the wall in ``zone`` shows a quiet time; ``quiet_from`` is quiet, ``quiet_until`` is not.

    Equal limits mean no quiet hours.
    """
    clock = instant.astimezone(ZoneInfo(zone)).time()
    start, end = policy.quiet_from, policy.quiet_until
    if start <= end:
        return start <= clock < end
    return clock >= start or clock < end


def next_allowed(instant: datetime, policy: ContactPolicySpec, zone: str) -> datetime:
    """Return ``instant`` itself, in UTC, where it is not quiet, else the end of the quiet time it lies in.

    Wall clocks that jump are handled by converting instants: an end that a day shows twice is tried twice, one that a
    day skips counts as long after midnight as if the clock had not jumped.
    """
    moment = instant.astimezone(UTC)
    if not is_quiet(moment, policy, zone):
        return moment
    place = ZoneInfo(zone)
    today = moment.astimezone(place).date()
    ends = sorted(
        datetime.combine(today + timedelta(days=days), policy.quiet_until, place).replace(fold=fold).astimezone(UTC)
        for days in (0, 1, 2)
        for fold in (0, 1)
    )
    return next(end for end in ends if end > moment and not is_quiet(end, policy, zone))
