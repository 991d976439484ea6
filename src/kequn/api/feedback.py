"""The front line's word on lists, its questions and insights, and head office's answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ninja import Router, Schema, Status

from kequn.api.auth import Request
from kequn.ops.feedback import queries, services

router = Router(tags=["feedback 一线反馈"])


class FeedbackOut(Schema):
    """One question or insight, with its answer."""

    id: int
    kind: str
    campaign: str
    segment: str
    about: str
    text: str
    flags: list[str]
    state: str
    author_name: str
    branch_code: str
    created_at: datetime
    answer: str
    answered_by: str
    answered_at: datetime | None
    note_id: int | None
    segment_draft: str
    playbook_version: int | None


class FeedbackIn(Schema):
    """What is asked or proposed. `key` makes a repeated call harmless."""

    key: str
    kind: str
    text: str
    campaign: str = ""
    segment: str = ""
    about: str = ""


class AnswerIn(Schema):
    """The answer; `state` is answered, adopted or declined, `expected` the state in which it was read."""

    answer: str
    state: str = "answered"
    expected: str = "new"
    segment: str = ""


class DraftIn(Schema):
    """What an adopted insight becomes: a segment of a name, or a new version of a playbook."""

    segment: str = ""
    title: str = ""
    playbook: str = ""


class WrongIn(Schema):
    """An entry of a list that is wrong. `key` makes a repeated call harmless."""

    key: str
    task_id: int
    reason: str
    text: str = ""


class WrongOut(Schema):
    """One entry marked as wrong."""

    id: int
    task_id: int
    campaign: str
    reason: str
    text: str
    flags: list[str]
    author_name: str
    branch_code: str
    at: datetime


class FiguresOut(Schema):
    """What the front line says of one list."""

    campaign: str
    given: int
    looked_at: int
    wrong: int
    share: float | None
    low: float | None
    high: float | None
    is_small: bool
    reasons: dict[str, int]


@router.get("", response=list[FeedbackOut], summary="Questions and insights in one's sight, the newest first")
def list_feedback(request: Request, kind: str = "", state: str = "", limit: int = 50, offset: int = 0) -> Any:
    rows = queries.feedback_for(request.actor, kind=kind, state=state)
    return rows[max(offset, 0) : max(offset, 0) + max(0, min(limit, 500))]


@router.post("", response={201: FeedbackOut}, summary="Ask or propose")
def send(request: Request, wanted: FeedbackIn) -> Any:
    return Status(201, services.send_feedback(request.actor, **wanted.dict()))


@router.get("/lists", response=list[FiguresOut], summary="Lists with entries marked as wrong, by reason")
def lists(request: Request) -> list[dict[str, Any]]:
    return [
        {
            "campaign": f.campaign, "given": f.given, "looked_at": f.looked_at, "wrong": f.wrong, "is_small": f.is_small,
            "share": f.share.point if f.share else None, "low": f.share.low if f.share else None,
            "high": f.share.high if f.share else None, "reasons": dict(f.reasons),
        }
        for f in queries.lists_in_doubt(request.actor)
    ]  # fmt: skip


@router.get("/wrong-entries", response=list[WrongOut], summary="Entries marked as wrong in one's sight")
def wrong_entries(request: Request, campaign: str | None = None, limit: int = 50, offset: int = 0) -> Any:
    rows = queries.wrong_entries_for(request.actor, campaign=campaign)
    return rows[max(offset, 0) : max(offset, 0) + max(0, min(limit, 500))]


@router.post(
    "/wrong-entries", response={201: WrongOut}, summary="Mark the entry behind a task as wrong; the task closes"
)
def mark(request: Request, wanted: WrongIn) -> Any:
    marked = services.mark_wrong(request.actor, wanted.task_id, wanted.reason, key=wanted.key, text=wanted.text)
    return Status(201, marked)


@router.delete("/wrong-entries/{entry_id}", response=WrongOut, summary="Take one's own mark back; the task opens again")
def unmark(request: Request, entry_id: int) -> Any:
    return services.unmark_wrong(request.actor, entry_id)


@router.get("/{feedback_id}", response=FeedbackOut, summary="One question or insight")
def show(request: Request, feedback_id: int) -> Any:
    return queries.feedback_one(request.actor, feedback_id)


@router.post(
    "/{feedback_id}/answer", response=FeedbackOut, summary="Answer, adopt or decline; a second answer is a conflict"
)
def answer(request: Request, feedback_id: int, given: AnswerIn) -> Any:
    actor, expected = request.actor, given.expected
    if given.state == "adopted":
        return services.adopt_insight(actor, feedback_id, segment=given.segment, answer=given.answer, expected=expected)
    return services.answer_feedback(actor, feedback_id, given.answer, state=given.state, expected=expected)


@router.post(
    "/{feedback_id}/draft", response=FeedbackOut, summary="Make a segment or a playbook version of an adopted insight"
)
def draft(request: Request, feedback_id: int, wanted: DraftIn) -> Any:
    if wanted.playbook:
        return services.draft_playbook(request.actor, feedback_id, playbook=wanted.playbook)
    return services.draft_segment(request.actor, feedback_id, name=wanted.segment, title=wanted.title)
