"""What the data did to a task, line by line in words (任务经过)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kequn.core.spec.base import Text
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.workbench import states
from kequn.ops.workbench.models import Task, TaskChange
from kequn.ops.workbench.queries import bank_day, task_for


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line."""

    at: datetime
    said: Text


def history_for(actor: Actor, task_id: int) -> list[HistoryLine]:
    """Return what the data did to a task, the earliest first: closed, credited, corrected, taken back, opened again.

    Raises:
        NotAllowed: the task is not within the actor's scope.
    """
    return history_of(task_for(actor, task_id))


def history_of(task: Task) -> list[HistoryLine]:
    """Return the history of a task that the caller may see."""
    rows = list(TaskChange.objects.filter(task=task))
    staff = {r.facts["staff"] for r in rows if "staff" in r.facts}
    named = {u.staff_no: u.display_name for u in staff_numbered(staff)} if staff else {}
    return [HistoryLine(row.at, Text(zh=_said(row, "zh", named), en=_said(row, "en", named))) for row in rows]


def _said(row: TaskChange, language: str, named: dict[str, str]) -> str:
    words = dict(row.facts)
    if "why" in words:
        words["why"] = states.CLOSINGS[words["why"]].to(language)
    if "until" in words:
        words["until"] = f"{bank_day(datetime.fromisoformat(words['until'])):%Y-%m-%d}"
    if "staff" in words:
        words["staff"] = named.get(words["staff"], words["staff"])
    words |= {name: f"{Decimal(words[name]):,.2f}" for name in ("amount", "was") if name in words}
    return states.CHANGES[row.what].to(language).format(**words)
