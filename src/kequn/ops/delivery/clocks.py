"""The two clocks of delivery: the bank's time from the runtime, and the database's for leases."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from django.db import connection

ZONE = ZoneInfo("Asia/Shanghai")
"""The zone of the bank's day, by which contacts are counted."""


def bank_day(moment: datetime) -> date:
    """Return the bank's day of an instant."""
    return moment.astimezone(ZONE).date()


def database_now() -> datetime:
    """Return the database's time. Workers on several machines disagree about the hour, but not about this one."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now')")
            return datetime.fromisoformat(cursor.fetchone()[0]).replace(tzinfo=UTC)
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
        return moment


def steady_now() -> float:
    """Return seconds of a clock that never jumps and goes on while the machine sleeps, where it has one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
