"""Give tasks to other hands: one or many by a branch head, all of a customer's when she gets another owner or stand-in."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.db.models import QuerySet, Value

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.chunks import chunks
from kequn.ops.customers.queries import CUSTOMER
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_for
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import close
from kequn.ops.workbench.models import Task, TaskMove
from kequn.ops.workbench.queries import task_for, tasks_for

WORKERS = ("rm", "remote_agent")


def assign_task(actor: Actor, task_id: int, staff_no: str) -> Task:
    """Give an open task to another RM of the branch (branch head).

    Raises:
        NotAllowed: the task or the RM is not within the actor's branches.
        Conflict: the task is closed.
    """
    actor.must("task.assign")
    task = task_for(actor, task_id)
    if task.state != states.OPEN:
        raise Conflict(f"The task is {task.state}.", hint="Reload.", task=task_id)
    reassign_tasks(actor, task_ids=[task_id], to_staff=staff_no, reason="given")
    task.refresh_from_db()
    return task


def reassign_tasks(
    actor: Actor, *, to_staff: str, reason: str, task_ids: Sequence[int] | None = None, from_staff: str = ""
) -> int:
    """Give open tasks, named or all of one person's, to another member of staff; return how many went over.

    What was recorded on them goes along. Called twice, the second call moves nothing. Tasks closed meanwhile stay as they are.

    Raises:
        NotAllowed: a task or the taker is not within the actor's branches.
        InvalidSpec: neither tasks nor a person are named, or no reason.
    """
    actor.must("task.assign")
    if task_ids is None and not from_staff:
        raise InvalidSpec("Say which tasks, or whose.", where=Where(field="task_ids"))
    if not reason.strip():
        raise InvalidSpec("Say why the tasks go over.", where=Where(field="reason"))
    if not staff_for(actor).filter(role__in=WORKERS, staff_no=to_staff).exclude(staff_no="").exists():
        raise NotAllowed("There is no such RM in your branches.", staff=to_staff)
    mine = tasks_for(actor, state=None)
    if task_ids is None:
        wanted = list(mine.filter(staff_no=from_staff, state=states.OPEN).values_list("pk", flat=True))
    else:
        wanted = sorted(set(task_ids))
        if mine.filter(pk__in=wanted).count() != len(wanted):
            raise NotAllowed("There is no such task in your scope.")
    moved = 0
    for some in chunks(wanted):
        with transaction.atomic():
            rows = Task.objects.filter(pk__in=some, state=states.OPEN).exclude(staff_no=to_staff)
            moved += _move(actor, list(rows.values_list("pk", "staff_no", "moved_from")), to_staff, reason)
    return moved


def follow_owner(actor: Actor, customer_ids: Sequence[str], from_staff: str, to_staff: str, reason: str) -> None:
    """Move a customer's open tasks to her new owner, or close them where she has none; the caller holds the transaction."""
    if not to_staff:
        _close_lost(actor, customer_ids, from_staff)
        return
    _follow(actor, customer_ids, from_staff, to_staff, reason, is_owner=True)


def follow_cover(actor: Actor, customer_ids: Sequence[str], from_staff: str, to_staff: str, reason: str) -> None:
    """Move a customer's open tasks to who works her for a while, or back; the caller holds the transaction."""
    _follow(actor, customer_ids, from_staff, to_staff, reason, is_owner=False)


def lent_to(actor: Actor) -> QuerySet[Task, tuple[str, str]] | None:
    """Say which customers somebody works because a task of theirs was given to her."""
    if not actor.staff_no:
        return None
    rows = Task.objects.filter(staff_no=actor.staff_no, state=states.OPEN).exclude(moved_from="")
    return rows.values_list(Value(CUSTOMER), "customer_id")


def keep_moves(actor: Actor, rows: QuerySet[Task], from_staff: str, to_staff: str, reason: str) -> QuerySet[Task]:
    """Write into the history of open tasks that they go to other hands now; return these, for the caller to move them.

    The caller holds the transaction.
    """
    ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
    more = {"reason": reason[:200], "by": actor.display_name[:40] if actor.user_id else "", "at": now()}
    TaskMove.objects.bulk_create([TaskMove(task_id=pk, from_staff=from_staff, to_staff=to_staff, **more) for pk in ids])
    return Task.objects.filter(pk__in=ids)


def _close_lost(actor: Actor, customer_ids: Sequence[str], from_staff: str) -> None:
    n = 0
    for some in chunks(customer_ids):
        rows = Task.objects.filter(customer_id__in=some, staff_no=from_staff)
        n += close(rows.filter(state=states.OPEN), state=states.CANCELLED, why="no_owner", at=now())
    if n:
        record(actor, "tasks.cancelled", ("staff", from_staff or "–"), n=n, why="no_owner")


def _follow(
    actor: Actor, customer_ids: Sequence[str], from_staff: str, to_staff: str, reason: str, *, is_owner: bool
) -> None:
    moved = 0
    for some in chunks(customer_ids):
        rows = Task.objects.filter(customer_id__in=some, staff_no=from_staff, state=states.OPEN)
        rows = keep_moves(actor, rows, from_staff, to_staff, reason)
        if is_owner or reason == "back":
            moved += rows.update(staff_no=to_staff, moved_from="")
        else:
            # whoever had it first stays named, however many hands it goes through
            moved += rows.filter(moved_from="").update(staff_no=to_staff, moved_from=from_staff)
            moved += rows.exclude(staff_no=to_staff).update(staff_no=to_staff)
    if moved:
        record(actor, "tasks.followed", ("staff", from_staff or "–"), to=to_staff, n=moved, reason=reason)


def _move(actor: Actor, rows: Sequence[tuple[int, str, str]], to_staff: str, reason: str) -> int:
    """Move tasks (id, whose, whose before), one statement and one entry a giver."""
    moved = 0
    for giver in sorted({staff for _, staff, _ in rows}):
        ids = [pk for pk, staff, _ in rows if staff == giver]
        home = [pk for pk, staff, before in rows if staff == giver and before == to_staff]
        away = sorted(set(ids) - set(home))
        still = Task.objects.filter(state=states.OPEN, staff_no=giver)
        keep_moves(actor, still.filter(pk__in=ids), giver, to_staff, reason)
        n = still.filter(pk__in=home).update(staff_no=to_staff, moved_from="")
        first_hand = [pk for pk, staff, before in rows if pk in set(away) and not before]
        n += still.filter(pk__in=first_hand).update(staff_no=to_staff, moved_from=giver)
        n += still.filter(pk__in=away).update(staff_no=to_staff)
        if n:
            record(actor, "tasks.reassigned", ("staff", giver or "–"), to=to_staff, n=n, reason=reason[:200], tasks=ids)
        moved += n
    return moved
