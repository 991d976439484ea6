"""An RM's tasks and what came of them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ninja import File, Router, Schema, UploadedFile

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.ops.workbench import history, queries, services

router = Router(tags=["tasks 任务"])


class TaskOut(Schema):
    """One task: whom to contact, why, until when."""

    id: int
    customer_id: str
    staff_no: str
    kind: str
    campaign: str
    channel: str
    title_zh: str
    title_en: str
    why_zh: str
    why_en: str
    """Why now: for staff alone."""
    said_zh: str
    said_en: str
    """Words that may be said to the customer."""
    offer: str
    priority: int
    due_at: datetime
    state: str
    is_held: bool
    """Whether the gate closes every way to the customer."""
    blocked: dict[str, list[str]]
    """By which rules, by channel and for the `offer`; as of the morning's plan."""


class OutcomeIn(Schema):
    """What came of a contact. `key` makes a repeated call harmless."""

    key: str
    contact: str
    intent: str = ""
    amount_cny: Decimal | str | None = None
    next_at: datetime | None = None
    note: str = ""
    product: str = ""
    seen: int | None = None
    """Id of the last record on the task that its writer had before her; 0: none."""


class ResultIn(Schema):
    """One result of a grid."""

    task_id: int
    contact: str
    intent: str = ""
    amount_cny: Decimal | str | None = None
    next_at: datetime | None = None
    note: str = ""
    product: str = ""
    seen: int | None = None
    """As in `OutcomeIn`."""


class ResultsIn(Schema):
    """Results of several tasks at once, all or none."""

    key: str
    entries: list[ResultIn]


class ContactIn(Schema):
    """A contact of one's own that is to be started. `key` makes a repeated call harmless."""

    key: str
    customer_id: str
    why: str
    channel: str = "call"
    offer: str = ""


class ResultFileOut(Schema):
    """What came of a result file."""

    id: int
    file_name: str
    rows: int
    recorded: int
    refused: int
    at: datetime


class AssignIn(Schema):
    """Who is to do it."""

    staff_no: str


class HistoryOut(Schema):
    """One line of what the bank's data did to a task."""

    at: datetime
    zh: str
    en: str


class FollowUpOut(Schema):
    """One recorded contact."""

    id: int
    task_id: int
    contact: str
    intent: str


@router.get("", response=list[TaskOut], summary="Tasks in one's sight, the most urgent first")
def list_tasks(
    request: Request, state: str = "open", campaign: str | None = None, held: bool = False, limit: int = 50,
    offset: int = 0,
) -> Any:  # fmt: skip
    # an open task about which nothing may be done is for who asks for it
    found = queries.tasks_for(
        request.actor, state=state or None, campaign=campaign, held=held if state == "open" else None
    )
    return found[offset : offset + min(limit, 500)]


@router.post("", response=TaskOut, summary="Start a contact of one's own: it passes the gate")
def start_contact(request: Request, wanted: ContactIn) -> Any:
    return services.start_contact(request.actor, **wanted.dict())


@router.post("/results", response=list[FollowUpOut], summary="Record the results of several tasks, all or none")
def record_results(request: Request, results: ResultsIn) -> Any:
    entries = [entry.dict() for entry in results.entries]
    return services.record_results(request.actor, entries, key=results.key)


@router.post(
    "/results/preview", response=dict[str, Any], summary="Read a result file line by line; nothing is recorded"
)
def preview_results(request: Request, file: File[UploadedFile]) -> Any:
    found = services.preview_results(request.actor, file.read(), file.name or "file")
    return {
        "digest": found.digest,
        "rows": plain(found.rows),
        "faults": plain(found.faults),
        "before": found.before is not None,
    }


@router.post(
    "/results/file", response=ResultFileOut, summary="Record the good lines of a result file; again does nothing"
)
def import_results(request: Request, file: File[UploadedFile]) -> Any:
    return services.import_results(request.actor, file.read(), file.name or "file")


@router.get("/{task_id}", response=TaskOut, summary="One task")
def show(request: Request, task_id: int) -> Any:
    return queries.task_for(request.actor, task_id)


@router.get("/{task_id}/history", response=list[HistoryOut], summary="What the bank's data did to a task, in words")
def show_history(request: Request, task_id: int) -> Any:
    lines = history.history_for(request.actor, task_id)
    return [{"at": line.at, "zh": line.said.zh, "en": line.said.en} for line in lines]


@router.post("/{task_id}/outcome", response=FollowUpOut, summary="Record a contact; a refusal stops what is queued")
def record(request: Request, task_id: int, outcome: OutcomeIn) -> Any:
    return services.record_outcome(request.actor, task_id, **outcome.dict())


@router.delete("/outcomes/{follow_up_id}", response=TaskOut, summary="Take a record back within ten seconds")
def undo(request: Request, follow_up_id: int) -> Any:
    return services.undo_outcome(request.actor, follow_up_id)


@router.put("/{task_id}/assignment", response=TaskOut, summary="Give a task to another RM of one's branches")
def assign(request: Request, task_id: int, whom: AssignIn) -> Any:
    return services.assign_task(request.actor, task_id, staff_no=whom.staff_no)
