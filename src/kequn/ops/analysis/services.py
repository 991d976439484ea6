"""Compute the cubes that the bank's KPIs are read from, at once for a small bank and as a job for a large one."""

from __future__ import annotations

from datetime import date
from hashlib import blake2b
from typing import Any

import numpy as np

from kequn.core.insight import Cube, cube, periods
from kequn.core.insight.ledger import ledger
from kequn.ops.analysis import cubes
from kequn.ops.analysis.contracts import BankAnswer
from kequn.ops.analysis.notes import bank_money
from kequn.ops.analysis.queries import bank_cube, bank_table, cube_part
from kequn.ops.audiences.queries import Ordinals, bank_for, latest_date, members_of, segment_named
from kequn.ops.jobs.services import Running, enqueue
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.runtime import engine

LARGE_BANK = 200_000
"""From so many customers on a cube is a job: it would take longer than a request may."""


def bank_page(actor: Actor, *, group: str = "", **parts: Any) -> BankAnswer:
    """Return the KPIs of what the actor reaches, in parts (see ``bank_table``), or the job that computes them.

    Raises:
        NoData: no holdings were loaded, or no tags for a group.
        NotAllowed: a group or a branch that is not in the actor's sight.
    """
    actor.must("insight.view")
    found = bank_cube(actor, group=group)
    if found is None and actor.role != "rm" and engine().manifest.ordinals >= LARGE_BANK:
        periods(engine())
        which = blake2b(cube_part(actor, group).encode(), digest_size=12).hexdigest()
        job = enqueue(actor, "analysis.cube", {"group": group}, key=f"{cubes.data_key(engine())}:{which}")
        return BankAnswer(None, job.pk)
    return BankAnswer(bank_table(actor, found or compute_cube(actor, group=group), group=group, **parts))


def compute_cube(actor: Actor, *, group: str = "", running: Running | None = None) -> Cube:
    """Compute and keep the cube of the bank, of an RM's book, or of a segment's members within the actor's scope."""
    actor.must("insight.view")
    who = _customers(actor, group)
    report = running.progress if running else None
    return cubes.get(engine(), cube_part(actor, group), lambda: cube(engine(), ordinals=who, progress=report))


def cube_job(running: Running) -> dict[str, Any]:
    """Do a queued cube."""
    found = compute_cube(running.actor, group=running.params.get("group", ""), running=running)
    return {"months": len(found.periods), "branches": len(found.branches)}


def queue_warming(as_of: date) -> None:
    """Follow a refresh: what pages of the newest date rest on is computed by the worker, so that no first reader waits."""
    if as_of == latest_date() and engine().has("holding"):
        enqueue(system_actor(), "analysis.warm", {"as_of": as_of.isoformat()}, key=as_of.isoformat())


def warm_job(running: Running) -> dict[str, Any]:
    """Do a queued warming: sums by customer, what segments are compared with, and the bank's cube."""
    day = date.fromisoformat(running.params["as_of"])
    found = ledger(engine(), day)
    bank_money(running.actor, day)
    made = compute_cube(running.actor, running=running)
    return {"as_of": day.isoformat(), "months": len(found.periods), "branches": len(made.branches)}


def _customers(actor: Actor, group: str) -> Ordinals | None:
    """Return whose cube it is; ``None`` is everybody: a branch head's part is cut from the bank's when it is read."""
    if group:
        return members_of(actor, segment_named(actor, group).spec, as_of=latest_date())
    if actor.role != "rm":
        return None
    bank = bank_for(actor)
    found = bank.columns(f"SELECT ordinal FROM ({bank.tags_query(latest_date(), [])}) ORDER BY 1")["ordinal"]
    return np.asarray(found, dtype=np.uint32)
