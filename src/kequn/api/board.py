"""The branch's work: board, targets, signals, work handed over, coaching, lists that are taken out."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from ninja import File, Router, Schema, UploadedFile

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.ops.audiences.queries import bank_today
from kequn.ops.board import queries, services
from kequn.ops.board.periods import period_around

router = Router(tags=["board 过程看板"])
targets = Router(tags=["targets 目标"])
coaching = Router(tags=["coaching 辅导"])


class TargetsIn(Schema):
    """Targets by branch code or staff number, all parts at once. Money in yuan."""

    metric: str
    period: str
    amounts: dict[str, Decimal]
    campaign: str = ""
    note: str = ""


class BranchIn(Schema):
    """What is said of a branch; what is left out stays, null takes it back."""

    floor_m2: Decimal | None = None
    escalate_above_cny: Decimal | None = None


class TargetOut(Schema):
    """One target; `amount` is a number, or fen."""

    id: int
    metric: str
    period: str
    branch_code: str
    staff_no: str
    campaign: str
    amount: int
    note: str
    set_by: str


class MoveIn(Schema):
    """Whose tasks go to whom; without `to_staff` evenly. `key` makes a repeated call harmless."""

    key: str
    reason: str
    to_staff: str = ""
    task_ids: list[int] | None = None


class NoteIn(Schema):
    """A word to one RM about her work."""

    key: str
    staff_no: str
    text: str
    about: str = "work"
    subject: str = ""


class AnswerIn(Schema):
    """An answer; without text it says that the note was read."""

    key: str
    text: str = ""


class NoteOut(Schema):
    """One coaching note."""

    id: int
    staff_no: str
    author_name: str
    about: str
    subject: str
    text: str
    at: datetime
    read_at: datetime | None


class ListIn(Schema):
    """A list to be taken out, as what, and what for.

    `query` is a filter of customers as an address writes it. Of a segment's `members`: those of today, of a `version` of it, or
    those who belonged `on` a kept date, with `tags` (names with commas between).
    """

    key: str
    what: str
    purpose: str
    state: str = ""
    staff: str = ""
    campaign: str = ""
    channel: str = ""
    reason: str = ""
    query: str = ""
    segment: str = ""
    version: str = ""
    on: str = ""
    tags: str = ""
    format: str = "xlsx"


class ListOut(Schema):
    """What became of a list that was asked for."""

    id: int
    what: str
    rows: int
    state: str
    export_id: int | None


@router.get(
    "", summary="Figures of a period by branch or member of staff; money in fen, null where the data cannot tell"
)
def board(
    request: Request,
    span: str = "day",
    on: date | None = None,
    by: str = "staff",
    branch: str = "",
    staff_no: str = "",
    live: bool = False,
) -> Any:
    day = on or (bank_today() if live else queries.latest_day() or bank_today())
    period = period_around("day" if live else span, day)
    by = "branch" if by == "branch" else "staff"
    return plain(queries.board_for(request.actor, period, by=by, branch=branch, staff_no=staff_no, live=live))


@router.get("/signals", summary="What about records is worth a look, with intervals; small samples are marked")
def signals(request: Request, first: date, last: date, branch: str = "", staff_no: str = "") -> Any:
    found = queries.signals_for(request.actor, first, last, branch=branch, staff_no=staff_no)
    return [plain(s) | {"is_noted": queries.is_noted(s), "is_small": s.is_small} for s in found]


@router.get("/outflows", summary="Large outflows before the branch head")
def outflows(request: Request) -> Any:
    return plain(queries.escalations_for(request.actor))


@router.get("/reports/{span}", summary="The report of a day or a week, with what stands out")
def report(request: Request, span: str, on: date | None = None, branch: str = "") -> Any:
    return plain(queries.report_for(request.actor, span, on or queries.latest_day() or bank_today(), branch=branch))


@router.get("/staff/{staff_no}/reassignment", summary="Who would get whose open tasks")
def plan(request: Request, staff_no: str, to_staff: str = "") -> Any:
    return plain(queries.plan_reassignment(request.actor, staff_no, to_staff=to_staff))


@router.post("/staff/{staff_no}/reassignment", summary="Hand one's open tasks to others")
def move(request: Request, staff_no: str, wanted: MoveIn) -> Any:
    made = services.reassign_work(
        request.actor,
        staff_no,
        key=wanted.key,
        reason=wanted.reason,
        task_ids=wanted.task_ids,
        to_staff=wanted.to_staff,
    )
    return {"id": made.pk, "moves": made.moves}


@router.delete("/reassignments/{reassignment_id}", summary="Give back what was moved and is still open")
def undo(request: Request, reassignment_id: int) -> Any:
    return {"tasks": services.undo_reassignment(request.actor, reassignment_id)}


@router.get("/lists", response=list[ListOut], summary="Lists asked to be taken out")
def lists(request: Request) -> Any:
    return queries.desk_exports_for(request.actor)[:200]


@router.post("/lists", response=ListOut, summary="Ask for a list as a file; a large one waits for a second person")
def ask(request: Request, wanted: ListIn) -> Any:
    return services.request_desk_export(
        request.actor,
        wanted.what,
        key=wanted.key,
        purpose=wanted.purpose,
        params=wanted.dict(exclude={"key", "what", "purpose"}),
    )


@targets.get("", response=list[TargetOut], summary="Targets in one's sight")
def list_targets(request: Request, period: str = "", metric: str = "", campaign: str = "", limit: int = 200) -> Any:
    return queries.targets_for(request.actor, period=period, metric=metric, campaign=campaign)[: min(limit, 1000)]


@targets.put("", response=list[TargetOut], summary="Set targets; parts that do not add up need a note")
def set_targets(request: Request, wanted: TargetsIn) -> Any:
    return services.set_targets(
        request.actor, wanted.metric, wanted.period, wanted.amounts, campaign=wanted.campaign, note=wanted.note
    )


@targets.post("/file", summary="Set the targets of a workbook or CSV file, all or none")
def load(request: Request, file: File[UploadedFile], note: str = "") -> Any:
    return {"targets": services.load_targets(request.actor, file.read(), file.name or "targets", note=note)}


@targets.put(
    "/branches/{branch_code}",
    summary="Say how large a branch is, and from what amount an outflow is put before its head",
)
def set_branch(request: Request, branch_code: str, said: BranchIn) -> Any:
    row = services.set_branch_fact(request.actor, branch_code, **said.dict(exclude_unset=True))
    return {"branch": row.branch_code, "floor_m2": row.floor_m2, "escalate_above_cny": row.escalate_above_cny}


@targets.delete("/{target_id}", summary="Take back a target; where the other parts do not add up then, a note says why")
def remove(request: Request, target_id: int, note: str = "") -> Any:
    services.remove_target(request.actor, target_id, note=note)
    return {"removed": target_id}


@coaching.get("", response=list[NoteOut], summary="Coaching notes one may read")
def notes(request: Request, staff_no: str = "") -> Any:
    return queries.notes_for(request.actor, staff_no=staff_no)[:200]


@coaching.post("", response=NoteOut, summary="Write to one RM of one's branches")
def write(request: Request, note: NoteIn) -> Any:
    return services.write_note(
        request.actor, note.staff_no, note.text, key=note.key, about=note.about, subject=note.subject
    )


@coaching.post("/{note_id}/answers", response=NoteOut, summary="Answer a note, or say that one read it")
def answer(request: Request, note_id: int, said: AnswerIn) -> Any:
    if said.text.strip():
        services.answer_note(request.actor, note_id, said.text, key=said.key)
    else:
        services.acknowledge_note(request.actor, note_id)
    return queries.note_for(request.actor, note_id)
