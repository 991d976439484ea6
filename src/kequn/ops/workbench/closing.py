"""Close tasks that are over, and keep the main task of a customer where hers is closed or put back."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet

from kequn.core.errors import Conflict
from kequn.ops.chunks import chunks
from kequn.ops.governance.services import ALL_CHANNELS, record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.creating import promote
from kequn.ops.workbench.models import Task


def expire_tasks(actor: Actor) -> int:
    """Close what was not done in time, or is of no use any more (the worker, daily); return how many."""
    actor.must("job.run")
    moment = now()
    late = Task.objects.filter(is_over(moment), state=states.OPEN)
    with transaction.atomic():
        return close(late, state=states.EXPIRED, why="over", at=moment)


def is_over(moment: datetime) -> Q:
    """Say which tasks make no sense any more at a moment."""
    return Q(expires_at__lt=moment) | Q(expires_at__isnull=True, due_at__lt=moment)


def cancel_tasks(actor: Actor, campaign: str) -> int:
    """Close the open tasks of a campaign that ended; return how many."""
    with transaction.atomic():
        rows = Task.objects.filter(campaign=campaign, state=states.OPEN)
        n = close(rows, state=states.CANCELLED, why="campaign", at=now())
        if n:
            record(actor, "tasks.cancelled", ("campaign", campaign), n=n)
    return n


def close_refused(actor: Actor, customer_id: str, channel: str) -> None:
    """Close a customer's open tasks that would reach her by a channel she refused: nobody calls on yesterday's consent.

    A refusal of tasks, or of everything, closes them all.
    """
    rows = Task.objects.filter(customer_id=customer_id, state=states.OPEN)
    if channel not in (ALL_CHANNELS, "rm_task"):
        rows = rows.filter(channel=channel)
    if n := close(rows, state=states.CANCELLED, why="refused", at=now()):
        record(actor, "tasks.cancelled", ("customer", customer_id), n=n, channel=channel)


def close(rows: QuerySet[Task], *, state: str, why: str, at: datetime, by: str = states.SYSTEM) -> int:
    """Close open tasks and give their customers another main task; return how many. The caller holds the transaction."""
    found = list(rows.values_list("pk", "customer_id", "is_main"))
    n = 0
    for some in chunks(found):
        ids = [pk for pk, _, _ in some]
        n += Task.objects.filter(pk__in=ids, state=states.OPEN).update(
            state=state, closed_at=at, closed_by=by, closed_why=why
        )
    promote(customer_id for _, customer_id, is_main in found if is_main)
    return n


def hold_calls(customer_id: str, *, without: int | None = None) -> list[int]:
    """Hold a customer's tasks that are calls, but for one, until the morning asks the gate by which way she can be reached.

    Returns which, for ``put_back``. The caller holds the transaction.
    """
    rows = Task.objects.filter(customer_id=customer_id, state=states.OPEN, channel="call", is_held=False)
    held = list(rows.exclude(pk=without).values_list("pk", flat=True))
    Task.objects.filter(pk__in=held).update(is_held=True, is_main=False)
    return held


def stop_calls(customer_id: str) -> None:
    """Hold a customer's calls because her number is wrong; what goes another way takes their place. The caller holds the transaction."""
    hold_calls(customer_id)
    promote([customer_id])


def fold_after(task: Task, *, reached: bool, at: datetime) -> dict[str, Any]:
    """After a contact that closed a main task: what the desk had folded under it is done with it, the rest gets a main task.

    Returns what was changed, for ``put_back``. A campaign's task stays open: its outcome is asked for by itself. The caller
    holds the transaction.
    """
    if not task.is_main:
        return {}
    folded: list[int] = []
    if reached:
        rows = Task.objects.filter(customer_id=task.customer_id, staff_no=task.staff_no, state=states.OPEN)
        folded = list(rows.filter(kind__in=states.FOLDED, is_main=False).values_list("pk", flat=True))
        Task.objects.filter(pk__in=folded).update(
            state=states.DONE, closed_at=at, closed_by=states.STAFF, closed_why="folded"
        )
    return {"folded": folded, "promoted": promote([task.customer_id])}


def as_it_was(task: Task) -> dict[str, Any]:
    """Return what of a task a recorded contact may change, for ``put_back``."""
    return {
        "state": task.state, "due_at": task.due_at.isoformat(), "attempts": task.attempts, "is_main": task.is_main,
        "score": task.score,
        "expires_at": task.expires_at.isoformat() if task.expires_at else None,
        "planned_for": task.planned_for.isoformat() if task.planned_for else None,
    }  # fmt: skip


def put_back(task: Task, before: dict[str, Any]) -> None:
    """Make a task, and what was folded under it, what they were before a contact. The caller holds the transaction.

    Raises:
        Conflict: it was closed meanwhile by something else: the purchase was loaded, or the customer left.
    """
    Task.objects.filter(pk__in=before.get("promoted", []), state=states.OPEN).update(is_main=False)
    Task.objects.filter(pk__in=before.get("held", []), state=states.OPEN).update(is_held=False)
    others = Task.objects.filter(customer_id=task.customer_id, state=states.OPEN, is_main=True).exclude(pk=task.pk)
    expires_at, planned_for = before.get("expires_at"), before.get("planned_for")
    done = Task.objects.filter(pk=task.pk).filter(Q(state=states.OPEN) | Q(state=states.DONE, closed_by=states.STAFF))
    reopened = done.update(
        state=before["state"], due_at=datetime.fromisoformat(before["due_at"]), attempts=before["attempts"],
        score=before.get("score", F("score")),
        expires_at=datetime.fromisoformat(expires_at) if expires_at else None,
        planned_for=date.fromisoformat(planned_for) if planned_for else None,
        closed_at=None, closed_by="", closed_why="", is_main=before.get("is_main", False) and not others.exists(),
    )  # fmt: skip
    if not reopened:
        raise Conflict("The task was closed meanwhile.", hint="Reload.", task=task.pk)
    folded = Task.objects.filter(pk__in=before.get("folded", []), state=states.DONE, closed_why="folded")
    folded.update(state=states.OPEN, closed_at=None, closed_by="", closed_why="")
