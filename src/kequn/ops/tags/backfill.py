"""Compute tags for past dates, as of each date: for distributions over time, tests and training (回填)."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from hashlib import blake2b
from typing import Any

from kequn.core.errors import Cancelled, NoData
from kequn.core.tags import known_names
from kequn.core.tags.backfilling import backfill_dates
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor
from kequn.ops.tags.models import Refresh
from kequn.ops.tags.queries import catalogue
from kequn.ops.tags.services import Progress, latest_data_date, refresh_tags


def request_backfill(actor: Actor, tags: Collection[str], *, first: date, last: date, monthly: bool = False) -> Job:
    """Queue a backfill.

    Raises:
        InvalidSpec: an unknown tag, no such dates, or too many.
        NoData: dates after the latest data.
    """
    actor.must("tag.refresh")
    dates = _dates(tags, first, last, monthly=monthly)
    names = sorted(set(tags))
    params = {"tags": names, "from": first.isoformat(), "to": last.isoformat(), "monthly": monthly}
    which = blake2b(" ".join(names).encode(), digest_size=12).hexdigest()
    return enqueue(actor, "tag.backfill", params, key=f"{dates[0]}..{dates[-1]} {len(dates)} {which}")


def backfill_tags(
    actor: Actor,
    tags: Collection[str],
    *,
    first: date,
    last: date,
    monthly: bool = False,
    progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> list[Refresh]:
    """Compute some tags for each date of a time, oldest first; rows after a date are not seen on it.

    A date that has the tags already, from the same rows, is left as it is; other tags of a date stay. Each date is published
    by itself: what was done before a stop counts, and the same call again goes on from there.

    Raises:
        InvalidSpec: an unknown tag, no such dates, or too many.
        NoData: dates after the latest data.
        Cancelled: ``cancelled`` said so.
    """
    actor.must("tag.refresh")
    dates = _dates(tags, first, last, monthly=monthly)
    rows: list[Refresh] = []
    for day in dates:
        if cancelled is not None and cancelled():
            raise Cancelled(f"The backfill was stopped after {len(rows)} of {len(dates)} dates; these are published.")
        if progress is not None:
            progress(len(rows), len(dates), day.isoformat())
        rows.append(refresh_tags(actor, as_of=day, only=tags, cancelled=cancelled))
    return rows


def backfill_job(running: Running) -> dict[str, Any]:
    """Do a queued backfill."""
    asked = running.params
    rows = backfill_tags(
        running.actor,
        asked["tags"],
        first=date.fromisoformat(asked["from"]),
        last=date.fromisoformat(asked["to"]),
        monthly=asked["monthly"],
        progress=running.progress,
        cancelled=running.cancelled,
    )
    return {"dates": len(rows), "tags": asked["tags"], "failed": sorted({n for row in rows for n in row.failed})}


def _dates(tags: Collection[str], first: date, last: date, *, monthly: bool) -> tuple[date, ...]:
    known_names(set(tags), catalogue())
    dates = backfill_dates(first, last, monthly=monthly)
    latest = latest_data_date()
    if dates[-1] > latest:
        raise NoData(f"There are no data for {dates[-1]}.", hint=f"The latest business date is {latest}.")
    return dates
