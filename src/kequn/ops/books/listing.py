"""A person's list of customers with filters, its totals and her own views of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from django.db.models import QuerySet

from kequn.core.errors import NotAllowed
from kequn.ops.books.contracts import BookFilter, BookPage, BookRow
from kequn.ops.books.filters import FEN
from kequn.ops.books.finding import meets, ordered
from kequn.ops.books.models import Circle, CircleMember, SavedView
from kequn.ops.books.reading import Book, book_for, circles_in_sight
from kequn.ops.customers.queries import people_by_id
from kequn.ops.orgs.actor import Actor

MOST_LISTED = 2_000
"""Nobody works a longer list; it is cut where the order says, and the page tells."""
MOST_ON_A_PAGE = 200


def book_page(actor: Actor, wanted: BookFilter, *, page: int = 1, size: int = 50) -> BookPage:
    """Return one page of the actor's customers who meet a filter, with the totals of all of them.

    Raises:
        NotAllowed: without the right; or a circle or segment that is not in her sight.
        Conflict: more customers than a list is made of.
    """
    book = book_for(actor, staff=wanted.staff, branch=wanted.branch)
    picked = np.flatnonzero(meets(book, wanted)).tolist()
    listed = ordered(book, picked, wanted.sort)[:MOST_LISTED]
    size = min(max(size, 1), MOST_ON_A_PAGE)
    page = min(max(page, 1), max(-(-len(listed) // size), 1))
    aum, aum_known = _total(book, "asset_aum_eod", picked)
    change, change_known = _total(book, "asset_aum_chg_30d", picked)
    return BookPage(
        as_of=book.as_of, book=len(book), total=len(picked), listed=len(listed), page=page, size=size,
        rows=tuple(rows_of(book, listed[(page - 1) * size : page * size])),
        aum=aum, aum_known=aum_known, change=change, change_known=change_known,
        circles={pk: name for pk, (name, _) in book.circles.items()}, today=book.today,
    )  # fmt: skip


def rows_about(actor: Actor, customer_ids: Sequence[str]) -> list[BookRow]:
    """Return some of the actor's customers as a page shows them, masked, in the order given; who is not hers is left out."""
    book = book_for(actor)
    at = {customer_id: i for i, customer_id in enumerate(book.ids)}
    return rows_of(book, [at[i] for i in customer_ids if i in at])


def chosen(actor: Actor, wanted: BookFilter) -> list[str]:
    """Return the ids of all customers who meet a filter, in its order, however many."""
    book = book_for(actor, staff=wanted.staff, branch=wanted.branch)
    return [book.ids[i] for i in ordered(book, np.flatnonzero(meets(book, wanted)).tolist(), wanted.sort)]


def rows_of(book: Book, at: Sequence[int]) -> list[BookRow]:
    """Return some rows of a book as a page shows them."""
    people = book.people([book.ids[i] for i in at])
    names = (
        "tier",
        "stage",
        "aum",
        "change",
        "contact",
        "due",
        "matures",
        "products",
        "risk_expires",
        "birthday",
        "silent",
    )
    columns = {name: book.column(name) for name in names}
    found = []
    for i in at:
        if (person := people.get(book.ids[i])) is None:
            continue  # she was handed over this very moment
        facts: dict[str, Any] = {name: values[i] for name, values in columns.items()}
        facts |= {name: _yuan(facts[name]) for name in ("aum", "change")}
        found.append(BookRow(person=person, circles=book.circles_of(book.ids[i]), **facts))
    return found


def views_for(actor: Actor) -> QuerySet[SavedView]:
    """Return one's own saved views, by name."""
    return SavedView.objects.filter(user_id=actor.user_id)


def view_for(actor: Actor, view_id: int) -> SavedView:
    """Return one saved view.

    Raises:
        NotAllowed: it is not one's own.
    """
    row = views_for(actor).filter(pk=view_id).first()
    if row is None:
        raise NotAllowed("There is no such view of yours.", view=view_id)
    return row


def circle_for(actor: Actor, circle_id: int) -> Circle:
    """Return one circle.

    Raises:
        NotAllowed: not there, or not in the actor's sight; the two look the same.
    """
    row = circles_in_sight(actor).filter(pk=circle_id).first()
    if row is None:
        raise NotAllowed("There is no such circle in your scope.", circle=circle_id)
    return row


def members_of_circle(actor: Actor, circle: Circle) -> list[str]:
    """Return the ids of a circle's customers whom the actor reaches and the circle's owner still has."""
    ids = CircleMember.objects.filter(circle=circle).order_by("added_at", "pk").values_list("customer_id", flat=True)
    people = people_by_id(actor, ids)
    return [i for i in people if people[i].rm_no == circle.staff_no]


def circle_sizes(actor: Actor) -> dict[int, int]:
    """Return how many reachable customers each circle in sight has."""
    circles = {c.pk: c.staff_no for c in circles_in_sight(actor)}
    rows = list(CircleMember.objects.filter(circle__in=circles).values_list("circle_id", "customer_id"))
    people = people_by_id(actor, {customer_id for _, customer_id in rows})
    sizes = dict.fromkeys(circles, 0)
    for circle_id, customer_id in rows:
        person = people.get(customer_id)
        sizes[circle_id] += person is not None and person.rm_no == circles[circle_id]
    return sizes


def _total(book: Book, tag: str, picked: Sequence[int]) -> tuple[Decimal, int]:
    found = book.tag(tag)
    known = found.known[list(picked)]
    values = found.values[list(picked)][known]
    return _yuan(int(values.sum(dtype=np.int64)) if len(values) else 0) or Decimal(0), int(known.sum())


def _yuan(fen: int | None) -> Decimal | None:
    return None if fen is None else Decimal(fen) / FEN
