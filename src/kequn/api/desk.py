"""The relationship manager's day: the list, the morning's distribution, and what was credited."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.api.jobs import JobOut
from kequn.ops.workbench import services
from kequn.ops.workbench.queries import credits_for
from kequn.ops.workbench.today import today_for

router = Router(tags=["desk 工作台"])


class DayTask(Schema):
    """One customer of the day: why now, what may be said, and what may not be done."""

    id: int
    customer_id: str
    kind: str
    why_zh: str
    why_en: str
    said_zh: str
    said_en: str
    offer: str
    blocked: dict[str, list[str]]
    value_cny: Decimal | None
    due_at: datetime
    expires_at: datetime | None
    is_overdue: bool
    also: list[str]


class DayOut(Schema):
    """A day: at most as many tasks as the list is long."""

    day: date
    total: int
    behind: int
    done: int
    settled: int
    later: int
    held: dict[str, int]
    tasks: list[DayTask]


class PlanIn(Schema):
    """The business date of the data; the latest by default."""

    as_of: date | None = None


class ReassignIn(Schema):
    """Which open tasks (or all of one person's) go to whom, and why."""

    to_staff: str
    reason: str
    task_ids: list[int] | None = None
    from_staff: str = ""


class Moved(Schema):
    """How many tasks went over."""

    moved: int


class CreditOut(Schema):
    """One purchase, credited once."""

    task_id: int
    customer_id: str
    product_code: str
    family: str
    amount_cny: Decimal
    day: date
    staff_no: str
    reason: str


@router.get("/today", response=DayOut, summary="One's own day, the most urgent first")
def today(request: Request, kind: str = "") -> Any:
    found = today_for(request.actor, kind=kind)
    tasks = [
        {name: getattr(r.task, name) for name in DayTask.model_fields if name not in ("kind", "is_overdue", "also")}
        | {"kind": r.kind, "is_overdue": r.task.is_overdue, "also": [a.kind for a in r.also]}
        | {
            "why_zh": r.why.zh,
            "why_en": r.why.en,
            "said_zh": r.said.zh if r.said else "",
            "said_en": r.said.en if r.said else "",
        }
        for r in found.rows
    ]
    day = {name: getattr(found, name) for name in DayOut.model_fields if name not in ("tasks", "held")}
    return day | {"tasks": tasks, "held": {rule.code: rule.n for rule in found.held}}


@router.post("/plan", response={202: JobOut}, summary="Queue the settling and the distribution of the day")
def plan(request: Request, wanted: PlanIn) -> Any:
    return Status(202, services.request_morning(request.actor, as_of=wanted.as_of))


@router.post("/reassign", response=Moved, summary="Give open tasks to another member of staff")
def reassign(request: Request, wanted: ReassignIn) -> Any:
    return {"moved": services.reassign_tasks(request.actor, **wanted.dict())}


@router.get("/credits", response=list[CreditOut], summary="Purchases credited in one's sight, the latest first")
def credited(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return credits_for(request.actor)[offset : offset + min(limit, 500)]
