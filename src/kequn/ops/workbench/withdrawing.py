"""Close a task whose entry on the list is wrong, and open it again when the mark was a slip."""

from __future__ import annotations

from django.db import transaction

from kequn.core.errors import Conflict
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now
from kequn.ops.workbench import states
from kequn.ops.workbench.closing import close
from kequn.ops.workbench.creating import promote
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.queries import task_for

WRONG_ENTRY = "wrong_entry"


def withdraw_task(actor: Actor, task_id: int) -> None:
    """Close one's open task because the customer does not belong on the list; who calls records why.

    Raises:
        NotAllowed: the task is not in the actor's scope.
        Conflict: it is closed.
    """
    actor.must("task.work")
    task = task_for(actor, task_id)
    with transaction.atomic():
        mine = Task.objects.filter(pk=task.pk, state=states.OPEN)
        if not close(mine, state=states.CANCELLED, why=WRONG_ENTRY, at=now(), by=states.STAFF):
            raise Conflict(f"The task is {task.state}.", hint="Reload.", task=task_id)


def reopen_task(actor: Actor, task_id: int) -> None:
    """Open a task again that was closed as a wrong entry.

    Raises:
        NotAllowed: the task is not in the actor's scope.
        Conflict: it was not closed so, or its time is over.
    """
    actor.must("task.work")
    task = task_for(actor, task_id)
    with transaction.atomic():
        taken = Task.objects.filter(pk=task.pk, state=states.CANCELLED, closed_why=WRONG_ENTRY, due_at__gt=now())
        if not taken.update(state=states.OPEN, closed_at=None, closed_by="", closed_why="", is_main=False):
            raise Conflict("The task cannot be opened again.", hint="Ask for a new one.", task=task_id)
        promote([task.customer_id])
