"""What the data did to a task and whose hands it went through, line by line in words (任务经过)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from kequn.core.spec.base import Text
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import staff_numbered
from kequn.ops.ownership.queries import REASONS
from kequn.ops.workbench import states
from kequn.ops.workbench.models import Task, TaskChange, TaskMove
from kequn.ops.workbench.queries import bank_day, task_for


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """One line."""

    at: datetime
    said: Text


def history_for(actor: Actor, task_id: int) -> list[HistoryLine]:
    """Return what became of a task beside contacts, the earliest first.

    The data close it, credit it, correct that or take it back and open it again; people and the morning move it.

    Raises:
        NotAllowed: the task is not within the actor's scope.
    """
    return history_of(task_for(actor, task_id))


def history_of(task: Task) -> list[HistoryLine]:
    """Return the history of a task that the caller may see."""
    rows, moves = list(TaskChange.objects.filter(task=task)), list(TaskMove.objects.filter(task=task))
    staff = {r.facts["staff"] for r in rows if "staff" in r.facts} | {
        s for m in moves for s in (m.from_staff, m.to_staff)
    }
    named = {u.staff_no: u.display_name for u in staff_numbered(staff - {""})} if staff - {""} else {}
    lines = [HistoryLine(row.at, Text(zh=_said(row, "zh", named), en=_said(row, "en", named))) for row in rows]
    lines += [HistoryLine(row.at, Text(zh=_moved(row, "zh", named), en=_moved(row, "en", named))) for row in moves]
    return sorted(lines, key=lambda line: line.at)


def _moved(row: TaskMove, language: str, named: dict[str, str]) -> str:
    codes = {**REASONS, **states.MOVES}
    nobody = states.NOBODY["remote" if row.reason in ("remote", "back") else "unassigned"].to(language)
    hands = (named.get(staff, staff) or nobody for staff in (row.from_staff, row.to_staff))
    reason = codes[row.reason].to(language) if row.reason in codes else row.reason
    return states.MOVED.to(language).format(*hands, reason=reason, by=row.by or states.SYSTEM_NAME.to(language))


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
