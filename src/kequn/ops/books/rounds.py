"""Rounds of stock-taking as their people see them: progress, the next customer, and what the data say beside her."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.db.models import Count, QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.books import states
from kequn.ops.books.contracts import LineFacts, Progress
from kequn.ops.books.listing import rows_of
from kequn.ops.books.models import StockTake, StockTakeLine
from kequn.ops.books.reading import Book, book_for
from kequn.ops.books.suggesting import DEAD, suggestion
from kequn.ops.customers.queries import alike_in_reach
from kequn.ops.customers.services import reachable
from kequn.ops.orgs.actor import Actor
from kequn.ops.orgs.queries import branch_codes_for, branches_for
from kequn.ops.workbench.queries import phone_words


def stock_takes_for(actor: Actor, *, state: str | None = None) -> QuerySet[StockTake]:
    """Return rounds, the latest first: an RM's own, of her branches for others."""
    actor.must("stocktake.run")
    rows = StockTake.objects.all()
    if actor.role == "rm":
        rows = rows.filter(staff_no=actor.staff_no).exclude(staff_no="")
    elif (codes := branch_codes_for(actor)) is not None:
        rows = rows.filter(branch_code__in=codes)
    return rows.filter(state=state) if state else rows


def stock_take_for(actor: Actor, stock_take_id: int) -> StockTake:
    """Return one round.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = stock_takes_for(actor).filter(pk=stock_take_id).first()
    if row is None:
        raise NotAllowed("There is no such round in your scope.", stock_take=stock_take_id)
    return row


def line_for(actor: Actor, line_id: int) -> StockTakeLine:
    """Return one line of a round in the actor's sight, with its round."""
    rows = StockTakeLine.objects.filter(stock_take__in=stock_takes_for(actor)).select_related("stock_take")
    line = rows.filter(pk=line_id).first()
    if line is None:
        raise NotAllowed("There is no such line in your scope.", line=line_id)
    return line


def lines_of(actor: Actor, stock_take: StockTake, *, state: str | None = None) -> QuerySet[StockTakeLine]:
    """Return the lines of a round in their order; the caller got the round from `stock_take_for`."""
    actor.must("stocktake.run")
    rows = StockTakeLine.objects.filter(stock_take=stock_take)
    return rows.filter(state=state) if state else rows


def next_line(actor: Actor, stock_take: StockTake, *, after: int = 0) -> StockTakeLine | None:
    """Return the next customer to look at: after a position, else the first that was skipped; ``None`` when all are decided."""
    rows = lines_of(actor, stock_take, state=states.TODO)
    return rows.filter(position__gt=after).first() or rows.first()


def progress_of(actor: Actor, stock_takes: Sequence[StockTake]) -> dict[int, Progress]:
    """Return how far each round is: lines by state, and those given up by reason."""
    actor.must("stocktake.run")
    rows = StockTakeLine.objects.filter(stock_take__in=[s.pk for s in stock_takes]).order_by()
    by_state: dict[int, Counter[str]] = {s.pk: Counter() for s in stock_takes}
    by_reason: dict[int, Counter[str]] = {s.pk: Counter() for s in stock_takes}
    for pk, state, reason, n in rows.values_list("stock_take_id", "state", "reason").annotate(n=Count("pk")):
        by_state[pk][state] += n
        if reason:
            by_reason[pk][reason] += n
    return {pk: Progress(sum(found.values()), dict(found), dict(by_reason[pk])) for pk, found in by_state.items()}


def facts_of_line(actor: Actor, line: StockTakeLine) -> LineFacts | None:
    """Return what the data say of a line's customer; ``None`` when she is not in the RM's book any more."""
    book = book_for(actor, staff=line.stock_take.staff_no, only=[line.customer_id])
    found = rows_of(book, range(len(book)))
    if not found:
        return None
    row, phone = found[0], _phone(line.customer_id)
    duplicates = tuple(alike_in_reach(actor, line.customer_id))
    branch = branches_for(actor).filter(code=row.person.branch_code).first()
    city, branch_city = _one(book, "demo_city"), branch.city if branch else ""
    status, is_merchant, days = _one(book, "acct_status"), _one(book, "acct_merchant"), _one(book, "txn_merchant_days")
    points_to, grounds = suggestion(
        status=status, silent=row.silent, aum=row.aum, phone=phone, duplicates=len(duplicates),
        has_moved=bool(city and branch_city and city != branch_city), is_merchant=bool(is_merchant), merchant_days=days or 0,
    )  # fmt: skip
    return LineFacts(
        row=row, status=status, phone=phone, duplicates=duplicates, city=city, branch_city=branch_city,
        is_merchant=is_merchant, merchant_days=days, suggestion=points_to, grounds=grounds,
    )  # fmt: skip


def _phone(customer_id: str) -> str:
    word = phone_words([customer_id]).get(customer_id, "")
    return word if word in DEAD or reachable("call", [customer_id]) else "no_phone"


def _one(book: Book, tag: str) -> Any:
    found = book.tag(tag)
    return found.values.tolist()[0] if found.known[0] else None
