"""The morning's job, run after each refresh of the tags: settle what the data settle, then give everybody her day."""

from __future__ import annotations

from datetime import date
from typing import Any

from kequn.ops.audiences.queries import bank_today, latest_date
from kequn.ops.jobs.services import Job, Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.workbench.models import Settlement
from kequn.ops.workbench.planning import plan_day
from kequn.ops.workbench.settling import settle_tasks


def request_morning(actor: Actor, *, as_of: date | None = None) -> Job:
    """Queue the settling and the distribution of the bank's day by the data of ``as_of`` (the latest by default).

    Raises:
        NoData: no tags were computed.
    """
    actor.must("tag.refresh")
    on, day = (as_of or latest_date()).isoformat(), bank_today().isoformat()
    return enqueue(actor, "plan_day", {"as_of": on, "day": day}, key=f"{day} {on}")


def queue_morning(as_of: date) -> None:
    """Follow a refresh of the latest date, for nobody's day is planned by the past; and of one that settled tasks.

    That date was loaded again: what it says otherwise is put right, by the morning of the latest one.
    """
    if as_of == latest_date() or Settlement.objects.filter(shown_on=as_of).exists():
        request_morning(system_actor())


def morning_job(running: Running) -> dict[str, Any]:
    """Settle, then plan; each may be done again. A job that waited until its day was over, or newer data came, does nothing."""
    as_of, day = (date.fromisoformat(running.params[name]) for name in ("as_of", "day"))
    if day < bank_today() or as_of < latest_date():
        return {"day": day.isoformat(), "as_of": as_of.isoformat(), "skipped": "a later day or newer data"}
    settled = settle_tasks(running.actor, as_of=as_of)
    running.progress(1, 2)
    plan = plan_day(running.actor, as_of=as_of, day=day)
    return {
        "day": day.isoformat(),
        "as_of": as_of.isoformat(),
        "found": plan.found,
        "counts": plan.counts,
        "settled": settled,
    }
