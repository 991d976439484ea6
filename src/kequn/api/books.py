"""A book of customers: the list by filter, views, circles, stock-taking, corrections, days of visits."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Router, Schema

from kequn.api.auth import Request
from kequn.api.shapes import plain
from kequn.ops.books import queries, services
from kequn.ops.books.services import Proposal

router = Router(tags=["books 名下客户"])


class ViewIn(Schema):
    """A filter as the list's address writes it, under a name."""

    name: str
    query: str = ""
    is_default: bool = False


class ViewOut(Schema):
    """One of one's own views."""

    id: int
    name: str
    query: str
    is_default: bool


class CircleIn(Schema):
    """What a circle is called, where it is, what is noted of it."""

    name: str
    place: str = ""
    note: str = ""


class CircleOut(Schema):
    """A circle."""

    id: int
    name: str
    place: str
    note: str
    staff_no: str


class CustomersIn(Schema):
    """Surrogate ids of customers."""

    customer_ids: list[str]


class StockTakeIn(Schema):
    """Whose book, which of it, until when. `key` makes a repeated call harmless."""

    key: str
    title: str
    deadline: date
    staff_no: str = ""
    query: str = ""


class StockTakeOut(Schema):
    """A round."""

    id: int
    title: str
    staff_no: str
    deadline: date
    state: str


class CorrectionIn(Schema):
    """What is wrong in the bank's record, and what it should be."""

    field: str
    value: str = ""


class DecisionIn(Schema):
    """What the RM decided of one customer. `key` makes a repeated call harmless."""

    key: str
    result: str
    reason: str = ""
    note: str = ""
    circle: int | None = None
    corrections: list[CorrectionIn] = []


class LineOut(Schema):
    """One customer of a round."""

    id: int
    customer_id: str
    position: int
    state: str
    reason: str
    note: str


class CorrectionOut(Schema):
    """A correction for the bank."""

    id: int
    customer_id: str
    field: str
    value: str
    note: str
    staff_no: str
    state: str
    at: datetime


class VisitsIn(Schema):
    """A day's route. `key` makes a repeated call harmless."""

    key: str
    title: str
    on: date
    customer_ids: list[str]
    place: str = ""
    companion: str = ""
    note: str = ""


class VisitPlanOut(Schema):
    """A day of visits."""

    id: int
    title: str
    on: date
    place: str
    staff_no: str
    companion: str


class OrderIn(Schema):
    """Visits in the order they are to have."""

    visit_ids: list[int]


@router.get("", summary="Customers by filter, masked, with totals; the parameters are those of the page's address")
def listing(request: Request, page: int = 1, size: int = 50) -> Any:
    given = {name: request.GET.getlist(name) for name in request.GET if name not in ("page", "size")}
    return plain(queries.book_page(request.actor, queries.read_filter(given), page=page, size=size))


@router.get("/views", response=list[ViewOut], summary="One's own views")
def views(request: Request) -> Any:
    return queries.views_for(request.actor)


@router.post("/views", response=ViewOut, summary="Keep a filter under a name")
def save_view(request: Request, wanted: ViewIn) -> Any:
    return services.save_view(request.actor, wanted.name, wanted.query, is_default=wanted.is_default)


@router.delete("/views/{view_id}", response={204: None}, summary="Take a view away")
def remove_view(request: Request, view_id: int) -> Any:
    services.remove_view(request.actor, view_id)
    return 204, None


@router.get("/circles", response=list[CircleOut], summary="Circles in one's sight")
def circles(request: Request) -> Any:
    request.actor.must("stocktake.run")
    return queries.circles_in_sight(request.actor)


@router.post("/circles", response=CircleOut, summary="Make a circle of one's own customers")
def create_circle(request: Request, wanted: CircleIn) -> Any:
    return services.create_circle(request.actor, wanted.name, place=wanted.place, note=wanted.note)


@router.put("/circles/{circle_id}", response=CircleOut, summary="Change what a circle is called")
def change_circle(request: Request, circle_id: int, wanted: CircleIn) -> Any:
    return services.change_circle(request.actor, circle_id, **wanted.dict())


@router.delete("/circles/{circle_id}", response={204: None}, summary="Take a circle away")
def remove_circle(request: Request, circle_id: int) -> Any:
    services.remove_circle(request.actor, circle_id)
    return 204, None


@router.get("/circles/{circle_id}/customers", response=list[str], summary="Who is in a circle")
def members(request: Request, circle_id: int) -> Any:
    request.actor.must("stocktake.run")
    return queries.members_of_circle(request.actor, queries.circle_for(request.actor, circle_id))


@router.post("/circles/{circle_id}/customers", response=int, summary="Put one's own customers into a circle")
def add_members(request: Request, circle_id: int, wanted: CustomersIn) -> Any:
    return services.add_to_circle(request.actor, circle_id, wanted.customer_ids)


@router.post("/circles/{circle_id}/customers/remove", response=int, summary="Take customers out of a circle")
def take_members(request: Request, circle_id: int, wanted: CustomersIn) -> Any:
    return services.take_from_circle(request.actor, circle_id, wanted.customer_ids)


@router.get("/stock-takes", response=list[StockTakeOut], summary="Rounds in one's sight, the latest first")
def stock_takes(request: Request, state: str = "", limit: int = 50, offset: int = 0) -> Any:
    return queries.stock_takes_for(request.actor, state=state or None)[offset : offset + min(limit, 500)]


@router.post("/stock-takes", response=StockTakeOut, summary="Open a round over an RM's book, or part of it")
def open_stock_take(request: Request, wanted: StockTakeIn) -> Any:
    return services.open_stock_take(request.actor, **wanted.dict())


@router.get("/stock-takes/{stock_take_id}", summary="How far a round is, by result and reason")
def stock_take(request: Request, stock_take_id: int) -> Any:
    row = queries.stock_take_for(request.actor, stock_take_id)
    progress = queries.progress_of(request.actor, [row])[row.pk]
    return StockTakeOut.from_orm(row).dict() | plain(progress) | {"decided": progress.decided}


@router.get("/stock-takes/{stock_take_id}/lines", response=list[LineOut], summary="The customers of a round")
def lines(request: Request, stock_take_id: int, state: str = "", limit: int = 50, offset: int = 0) -> Any:
    row = queries.stock_take_for(request.actor, stock_take_id)
    return queries.lines_of(request.actor, row, state=state or None)[offset : offset + min(limit, 500)]


@router.get("/stock-takes/lines/{line_id}", summary="What the data say of one customer of a round")
def line(request: Request, line_id: int) -> Any:
    row = queries.line_for(request.actor, line_id)
    return {"line": LineOut.from_orm(row).dict(), "facts": plain(queries.facts_of_line(request.actor, row))}


@router.post("/stock-takes/lines/{line_id}", response=LineOut, summary="Decide one customer of one's own round")
def decide(request: Request, line_id: int, wanted: DecisionIn) -> Any:
    corrections = [Proposal(c.field, c.value, wanted.note) for c in wanted.corrections]
    fields = wanted.dict() | {"corrections": corrections}
    return services.decide_line(request.actor, line_id, **fields)


@router.delete("/stock-takes/lines/{line_id}", response=LineOut, summary="Put a customer back among those to look at")
def take_back(request: Request, line_id: int) -> Any:
    return services.take_back_line(request.actor, line_id)


@router.delete("/stock-takes/{stock_take_id}", response=StockTakeOut, summary="End a round before its last line")
def close(request: Request, stock_take_id: int) -> Any:
    return services.close_stock_take(request.actor, stock_take_id)


@router.put("/stock-takes/{stock_take_id}/deadline", response=StockTakeOut, summary="Give a round another deadline")
def move_deadline(request: Request, stock_take_id: int, deadline: date) -> Any:
    return services.move_deadline(request.actor, stock_take_id, deadline)


@router.get("/corrections", response=list[CorrectionOut], summary="What is to be corrected in the bank's records")
def corrections(request: Request, state: str = "proposed", limit: int = 50, offset: int = 0) -> Any:
    return queries.corrections_for(request.actor, state=state or None)[offset : offset + min(limit, 500)]


@router.delete("/corrections/{correction_id}", response=CorrectionOut, summary="Put a correction aside")
def dismiss(request: Request, correction_id: int) -> Any:
    return services.dismiss_correction(request.actor, correction_id)


@router.get("/visits", response=list[VisitPlanOut], summary="Days of visits in one's sight, the latest first")
def visits(request: Request, limit: int = 50, offset: int = 0) -> Any:
    return queries.visit_plans_for(request.actor)[offset : offset + min(limit, 500)]


@router.post("/visits", response=VisitPlanOut, summary="Plan a day of visits to one's own customers")
def plan_visits(request: Request, wanted: VisitsIn) -> Any:
    return services.plan_visits(request.actor, **wanted.dict())


@router.get("/visits/{plan_id}", summary="A day's route, masked, with what came of it")
def route(request: Request, plan_id: int) -> Any:
    row = queries.visit_plan_for(request.actor, plan_id)
    found = queries.route_of(request.actor, row)
    return VisitPlanOut.from_orm(row).dict() | {"route": plain(found), "summary": plain(queries.summary_of(found))}


@router.put("/visits/{plan_id}/order", response={204: None}, summary="Put a day's visits into an order")
def order(request: Request, plan_id: int, wanted: OrderIn) -> Any:
    services.order_visits(request.actor, plan_id, wanted.visit_ids)
    return 204, None


@router.post("/visits/{plan_id}/set-out", summary="Ask the gate and make tasks of those it lets through")
def set_out(request: Request, plan_id: int) -> Any:
    return services.set_out(request.actor, plan_id)


@router.delete("/visits/{plan_id}", response=VisitPlanOut, summary="Cancel a day of visits")
def cancel(request: Request, plan_id: int) -> Any:
    return services.cancel_visits(request.actor, plan_id)
