"""Who has whom: load, leave, customers without an owner, plans, what is owed, the remote queue, the pool."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.ops.ownership import queries, services
from kequn.ops.workbench import services as workbench

router = Router(tags=["owners 管户"])
pools = Router(tags=["pools 客户池"])
remote = Router(tags=["remote 远程队列"])


class AbsenceIn(Schema):
    """Days away."""

    staff_no: str
    kind: str = "leave"
    first_day: date
    last_day: date
    stand_in: str = ""
    note: str = ""


class AbsenceOut(Schema):
    """Days away, and whether the work went to the stand-in."""

    id: int
    staff_no: str
    kind: str
    first_day: date
    last_day: date
    stand_in: str
    covered_at: datetime | None
    ended_at: datetime | None
    cancelled_at: datetime | None


class CapacityIn(Schema):
    """What one person can carry; `null` is the bank's or the policy's figure."""

    tasks_a_day: int | None = None
    book_limit: int | None = None
    skills: list[str] = []
    languages: list[str] = []


class ReassignIn(Schema):
    """Customers for another owner."""

    customer_ids: list[str]
    to_staff: str
    reason: str


class GiveUpIn(Schema):
    """Customers of one's own who get no owner."""

    customer_ids: list[str]
    note: str


class PlanIn(Schema):
    """By which rules, for which branch."""

    rules: str = ""
    branch_code: str = ""
    most: int | None = None
    note: str = ""


class HandOverIn(Schema):
    """Whose customers, why, to whom."""

    from_staff: str
    cause: str
    to_staff: list[str] = []
    note: str = ""


class PlanOut(Schema):
    """A plan: who would get how many; nothing is changed before it is applied."""

    id: int
    kind: str
    state: str
    rules: str
    fingerprint: str
    branch_code: str
    summary: dict[str, Any]
    job_id: int | None


class ToldIn(Schema):
    """Which notices were given, and how."""

    notice_ids: list[int]
    how: str


class NoticeOut(Schema):
    """The word owed to one customer."""

    id: int
    customer_id: str
    staff_no: str
    state: str
    due_on: date
    how: str
    told_at: datetime | None
    message: str
    refused: str


class NoticesIn(Schema):
    """Which notices, and with which approved text."""

    notice_ids: list[int]
    text: str


class SendNoticesIn(NoticesIn):
    """The version of the text that was looked at."""

    fingerprint: str


class AnswerIn(Schema):
    """What came of it."""

    state: str


class MoveOut(Schema):
    """One move of a WeCom contact, to be done in WeCom (`waiting`) or done."""

    id: int
    customer_id: str
    from_staff: str
    to_staff: str
    call: str
    planned_at: datetime
    earliest_at: datetime
    state: str


class ConflictOut(Schema):
    """The bank's owner against kequn's."""

    id: int
    customer_id: str
    before: str
    bank: str
    kequn: str
    kept: str
    at: datetime


class SettleIn(Schema):
    """Whose word stands: `bank` or `kequn`."""

    take: str


class CaseOut(Schema):
    """One customer of the remote queue."""

    id: int
    customer_id: str
    branch_code: str
    reason: str
    state: str
    agent: str
    opened_at: datetime


class TakeIn(Schema):
    """How many, or which."""

    n: int = 1
    case_ids: list[int] = []


class SendIn(Schema):
    """Which customers, and why."""

    customer_ids: list[str]
    reason: str = "sent"


class NeglectOut(Schema):
    """A customer nobody worked for long."""

    customer_id: str
    staff_no: str
    stage: str
    idle_since: date
    take_back_on: date | None
    kept_for: str


def _page(rows: Any, limit: int, offset: int) -> Any:
    return rows[max(0, offset) : max(0, offset) + max(0, min(limit, 500))]


@router.get("/loads", summary="What each relationship manager carries and could carry")
def loads(request: Request) -> Any:
    return [plain(load) | {"room": load.room} for load in queries.loads_for(request.actor)]


@router.put("/staff/{staff_no}/capacity", summary="Say what one relationship manager can carry")
def set_capacity(request: Request, staff_no: str, capacity: CapacityIn) -> Any:
    services.set_capacity(request.actor, staff_no, **capacity.dict())
    return next(plain(load) for load in queries.loads_for(request.actor) if load.staff_no == staff_no)


@router.get("/leavers", summary="Owners who no longer work here, and how many customers they have")
def leavers(request: Request) -> Any:
    return plain(queries.leavers_for(request.actor))


@router.get("/absences", response=list[AbsenceOut], summary="Who is or will be away")
def absences(request: Request) -> Any:
    return queries.absences_for(request.actor)


@router.post("/absences", response=AbsenceOut, summary="Enter days away; open work goes to the stand-in and comes back")
def absence(request: Request, days: AbsenceIn) -> Any:
    return services.record_absence(request.actor, **days.dict())


@router.delete("/absences/{absence_id}", response=AbsenceOut, summary="Cancel days away, or end them now")
def cancel(request: Request, absence_id: int) -> Any:
    return services.cancel_absence(request.actor, absence_id)


@router.get("/unclaimed", summary="Customers without an owner, with what is needed to choose and no name")
def unclaimed(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return plain(queries.cards(request.actor, _page(queries.waiting_for(request.actor), limit, offset)))


@router.post("/unclaimed/{customer_id}/claim", summary="Take a customer of one's branch who has no owner")
def claim(request: Request, customer_id: str) -> Any:
    change = services.claim_customer(request.actor, customer_id)
    until = change.protected_until if change else None
    return {"customer_id": customer_id, "is_new": change is not None, "protected_until": plain(until)}


@router.post("/give-up", summary="Put customers of one's own back among those without an owner")
def give_up(request: Request, whom: GiveUpIn) -> Any:
    return plain(services.give_up_customers(request.actor, whom.customer_ids, note=whom.note))


@router.post("/reassign", summary="Give customers of one's branches to another relationship manager")
def reassign(request: Request, whom: ReassignIn) -> Any:
    return plain(services.reassign_customers(request.actor, whom.customer_ids, whom.to_staff, reason=whom.reason))


@router.get("/customers/{customer_id}", summary="Who had a customer from when to when")
def history(request: Request, customer_id: str) -> Any:
    return plain(queries.tenures_of(request.actor, customer_id))


@router.get("/plans", response=list[PlanOut], summary="Plans of one's branches, the newest first")
def plans(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.assignments_for(request.actor), limit, offset)


@router.post("/plans", response=PlanOut, summary="Draw up who would get the customers without an owner")
def draw(request: Request, plan: PlanIn) -> Any:
    return services.draw_assignment(
        request.actor, rules_name=plan.rules, branch_code=plan.branch_code, most=plan.most, note=plan.note
    )


@router.post("/hand-overs", response=PlanOut, summary="Draw up who would get the customers of one who goes")
def hand_over(request: Request, plan: HandOverIn) -> Any:
    return services.draw_hand_over(
        request.actor, plan.from_staff, cause=plan.cause, to_staff=plan.to_staff, note=plan.note
    )


@router.get("/plans/{assignment_id}", response=PlanOut, summary="One plan")
def plan(request: Request, assignment_id: int) -> Any:
    return queries.assignment_for(request.actor, assignment_id)


@router.post("/plans/{assignment_id}/apply", summary="Put a plan into effect, as a job")
def apply(request: Request, assignment_id: int) -> Any:
    return {"job": services.apply_assignment(request.actor, assignment_id).pk}


@router.delete("/plans/{assignment_id}", response=PlanOut, summary="Put a plan aside")
def drop(request: Request, assignment_id: int) -> Any:
    return services.drop_assignment(request.actor, assignment_id)


@router.get("/idle", response=list[NeglectOut], summary="Customers nobody worked for long")
def idle(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.neglect_for(request.actor), limit, offset)


@router.get("/notices", response=list[NoticeOut], summary="Notices owed to customers whose owner changed")
def notices(request: Request, state: str = "owed", limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.notices_for(request.actor, state=state or None), limit, offset)


@router.post("/notices/told", summary="Note that customers were told")
def told(request: Request, given: ToldIn) -> Any:
    return {"n": services.mark_told(request.actor, given.notice_ids, how=given.how)}


@router.get("/notices/texts", response=list[dict[str, Any]], summary="Approved texts for notices")
def notice_texts(request: Request) -> Any:
    return plain(workbench.notice_texts(request.actor))


@router.post("/notices/preview", response=list[dict[str, Any]], summary="Notices as the customers would read them")
def preview_notices(request: Request, given: NoticesIn) -> Any:
    return [_notice(row) for row in workbench.preview_notices(request.actor, given.notice_ids, given.text)]


@router.post("/notices/send", response=list[dict[str, Any]], summary="Send notices, through the gate, each once")
def send_notices(request: Request, given: SendNoticesIn) -> Any:
    sent = workbench.send_notices(request.actor, given.notice_ids, given.text, fingerprint=given.fingerprint)
    return [_notice(row) for row in sent]


def _notice(row: Any) -> dict[str, Any]:
    told = row.trouble and {"code": row.trouble.code, "message": row.trouble.message, "hint": row.trouble.hint}
    return {**{k: plain(getattr(row, k)) for k in row.__dataclass_fields__ if k != "trouble"}, "trouble": told}


@router.get("/wecom", response=list[MoveOut], summary="Moves of WeCom contacts: `waiting` are to be done in WeCom")
def wecom(request: Request, state: str = "", limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.wecom_moves_for(request.actor, state=state or None), limit, offset)


@router.put("/wecom/{move_id}", response=MoveOut, summary="Enter what WeCom says: moved, or refused by the customer")
def answer(request: Request, move_id: int, given: AnswerIn) -> Any:
    return services.answer_move(request.actor, move_id, state=given.state)


@router.get("/conflicts", response=list[ConflictOut], summary="Where the bank's feed names another owner")
def conflicts(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.conflicts_for(request.actor), limit, offset)


@router.put("/conflicts/{conflict_id}", response=ConflictOut, summary="Decide whose word stands")
def settle(request: Request, conflict_id: int, given: SettleIn) -> Any:
    return services.settle_conflict(request.actor, conflict_id, take=given.take)


@remote.get("", response=list[CaseOut], summary="The remote queue: what waits, and one's own")
def queue(request: Request, state: str = "", limit: int = 50, offset: int = 0) -> Any:
    return _page(queries.cases_for(request.actor, state=state or None), limit, offset)


@remote.post("", summary="Send customers of one's branches to the remote centre")
def send(request: Request, whom: SendIn) -> Any:
    return {"sent": services.send_to_remote(request.actor, whom.customer_ids, reason=whom.reason)}


@remote.post("/take", response=list[CaseOut], summary="Take customers out of the queue")
def take(request: Request, wanted: TakeIn) -> Any:
    return services.take_cases(request.actor, n=max(1, min(wanted.n, 20)), case_ids=wanted.case_ids)


@remote.post("/{case_id}/return", response=CaseOut, summary="Put a customer back in the queue")
def put_back(request: Request, case_id: int) -> Any:
    return services.return_case(request.actor, case_id)


@remote.post("/{case_id}/close", response=CaseOut, summary="Say that one is done with a customer")
def close(request: Request, case_id: int) -> Any:
    return services.close_case(request.actor, case_id)


@pools.get("", summary="The pools")
def list_pools(request: Request) -> Any:
    return plain(queries.pools_for(request.actor))


@pools.get("/{name}", summary="A pool day by day, over one's scope")
def pool(request: Request, name: str) -> Any:
    return plain(queries.pool_days(request.actor, name))


@pools.get("/{name}/staff", summary="A pool on its latest day, by relationship manager")
def pool_staff(request: Request, name: str) -> Any:
    return plain(queries.pool_staff(request.actor, name))
