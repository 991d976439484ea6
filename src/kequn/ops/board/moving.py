"""Hand a colleague's open tasks to others at once: look at the room they have, plan, do, and take back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board.contracts import Colleague, MovePlan
from kequn.ops.board.models import Reassignment
from kequn.ops.board.reading import person_on_board
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor, system_actor
from kequn.ops.orgs.queries import branches_for, staff_for
from kequn.ops.ownership.queries import capacity_of, working_days
from kequn.ops.runtime import now
from kequn.ops.workbench.queries import end_of_day, tasks_for
from kequn.ops.workbench.services import reassign_tasks

LONGEST_CLOSED = timedelta(days=14)
"""Days in a row on which a bank may be closed."""
EVENLY = ""
"""As the receiver: split over all colleagues by the room they have."""


def colleagues_of(actor: Actor, staff_no: str) -> list[Colleague]:
    """Return the RMs of the actor's branches who could take over from one, who has most room first.

    On a day on which the bank does not work, their room is that of the next day on which it does. She may have been shut out,
    or be in another branch by now.

    Raises:
        NotAllowed: nobody such in the actor's branches.
    """
    actor.must("task.assign")
    everybody = list(staff_for(actor, role="rm"))
    if staff_no not in {u.staff_no for u in everybody}:
        person_on_board(actor, staff_no)
    others = [u for u in everybody if u.staff_no not in ("", staff_no)]
    numbers, today = [u.staff_no for u in others], bank_today()
    day, rooms = today, capacity_of(numbers, today)
    if not any(rooms.values()):
        day = next(iter(working_days(today, today + LONGEST_CLOSED)), today)
        rooms = capacity_of(numbers, day)
    evening = end_of_day() + (day - today)
    due = Counter(tasks_for(actor).filter(due_at__lte=evening).order_by().values_list("staff_no", flat=True))
    found = [
        Colleague(number, u.display_name, u.branch.code, rooms[number] > 0, rooms[number], due[number], day)
        for number, u in zip(numbers, others, strict=True)
    ]
    return sorted(found, key=lambda c: (not c.works, -c.free, c.staff_no))


def plan_reassignment(
    actor: Actor, from_staff: str, *, task_ids: Sequence[int] | None = None, to_staff: str = EVENLY
) -> MovePlan:
    """Return who would get which of one's open tasks: all of them or some; to one colleague, or evenly.

    Evenly: the most urgent task first, each customer's tasks together, to who then has most room; colleagues of the
    same branch before others. Who is away gets nothing. The same question has the same answer.

    Raises:
        NotAllowed: an RM outside the actor's branches, or a task that is not there, not open or somebody else's.
        Conflict: nobody who is at work could take them.
    """
    return plan_of(from_staff, colleagues_of(actor, from_staff), _tasks(actor, from_staff, task_ids), to_staff=to_staff)


def team_member(actor: Actor, staff_no: str) -> Any:
    """Return an RM of the actor's branches, ``None`` for nobody such, with all her open tasks counted: ``open_anywhere``.

    Those with customers of other branches are seen to by the heads of these; the actor is told how many there are.
    """
    actor.must("task.assign")
    all_hers = tasks_for(system_actor()).filter(staff_no=OuterRef("staff_no")).order_by().values("staff_no")
    counted = Subquery(all_hers.annotate(n=Count("pk")).values("n"))
    return staff_for(actor).filter(staff_no=staff_no).annotate(open_anywhere=Coalesce(counted, 0)).first()


def plan_of(
    from_staff: str, colleagues: Sequence[Colleague], tasks: Sequence[Any], *, to_staff: str = EVENLY
) -> MovePlan:
    """Return who of some colleagues would get which of some tasks, the most urgent first; see ``plan_reassignment``."""
    if to_staff:
        chosen = [c for c in colleagues if c.staff_no == to_staff]
        if not chosen:
            raise NotAllowed("There is no such RM in your branches.", staff=to_staff)
    else:
        branch = next((t.branch_code for t in tasks), "")
        there = [c for c in colleagues if c.works]
        chosen = [c for c in there if c.branch_code == branch] or there
    if not chosen or not chosen[0].works:
        raise Conflict("Nobody who is at work then could take the tasks.", hint="Look at leave and working days.")
    room = {c.staff_no: c.capacity - c.due for c in chosen}
    moves: dict[str, list[int]] = defaultdict(list)
    holder: dict[str, str] = {}
    for task in tasks:
        who = holder.setdefault(task.customer_id, max(sorted(room), key=lambda s: room[s]))
        moves[who].append(task.pk)
        room[who] -= 1
    return MovePlan(
        from_staff, len(tasks), {s: tuple(ids) for s, ids in sorted(moves.items())},
        {s: -left for s, left in room.items() if left < 0 and moves[s]},
    )  # fmt: skip


def reassign_work(
    actor: Actor,
    from_staff: str,
    *,
    key: str,
    reason: str,
    task_ids: Sequence[int] | None = None,
    to_staff: str = EVENLY,
) -> Reassignment:
    """Move one's open tasks as ``plan_reassignment`` says; their history goes with them. The same ``key`` moves once.

    Raises:
        InvalidSpec: no reason.
        Conflict: there is nothing to move, or nobody to take it.
        NotAllowed: as ``plan_reassignment``.
    """
    actor.must("task.assign")
    if not reason.strip():
        raise InvalidSpec(
            "Say why the tasks are moved.", hint="It stays in their history.", where=Where(field="reason")
        )
    own = f"{actor.username}:{key}"[:64]
    if (before := Reassignment.objects.filter(key=own).first()) is not None:
        return before
    plan = plan_reassignment(actor, from_staff, task_ids=task_ids, to_staff=to_staff)
    if not plan.tasks:
        raise Conflict("There are no open tasks to move.", hint="Reload.", staff=from_staff)
    try:
        with transaction.atomic():
            row = Reassignment.objects.create(
                key=own, from_staff=from_staff, branch_code=actor.branch_code, branch_path=actor.branch_path,
                reason=reason.strip()[:200], moves={s: list(ids) for s, ids in plan.moves.items()},
                made_by=actor.display_name[:40], at=now(),
            )  # fmt: skip
            _move(actor, plan.moves, reason)
            record(
                actor, "tasks.handed_over", row, staff=from_staff, n=plan.tasks, reason=reason[:200],
                to={s: len(ids) for s, ids in plan.moves.items()},
            )  # fmt: skip
    except IntegrityError:
        return Reassignment.objects.get(key=own)
    return row


def undo_reassignment(actor: Actor, reassignment_id: int) -> int:
    """Give back what was moved and is still open with whom it was moved to; return how many tasks. Twice is once.

    Raises:
        NotAllowed: not there, or not made within the actor's branches.
    """
    actor.must("task.assign")
    row = reassignments_for(actor).filter(pk=reassignment_id).first()
    if row is None:
        raise NotAllowed("There is no such reassignment.", reassignment=reassignment_id)
    with transaction.atomic():
        if not Reassignment.objects.filter(pk=row.pk, undone_at__isnull=True).update(undone_at=now()):
            return 0
        still = [
            pk
            for staff, ids in row.moves.items()
            for pk in tasks_for(actor, staff_no=staff).filter(pk__in=ids).order_by("pk").values_list("pk", flat=True)
        ]
        _move(actor, {row.from_staff: tuple(still)} if still else {}, "given_back")
        record(actor, "tasks.given_back", row, staff=row.from_staff, n=len(still))
    return len(still)


def reassignments_for(actor: Actor) -> QuerySet[Reassignment]:
    """Return what was handed over in bulk within the actor's branches, the latest first."""
    actor.must("task.assign")
    rows = Reassignment.objects.all()
    return rows if actor.sees_all_branches else rows.filter(branch_code__in=branches_for(actor).values("code"))


def _tasks(actor: Actor, from_staff: str, task_ids: Sequence[int] | None) -> list[Any]:
    rows = tasks_for(actor, staff_no=from_staff)
    if task_ids is None:
        return list(rows)
    wanted = set(task_ids)
    found = [t for t in rows if t.pk in wanted]
    if len(found) < len(wanted):
        raise NotAllowed(
            "A task is not there, not open, or somebody else's.", hint="Reload and choose again.", staff=from_staff
        )
    return found


def _move(actor: Actor, moves: Mapping[str, Sequence[int]], reason: str) -> None:
    for staff, ids in moves.items():
        reassign_tasks(actor, task_ids=list(ids), to_staff=staff, reason=reason)
