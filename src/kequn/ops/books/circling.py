"""Make and keep circles: customers of one's own, put together by hand."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import IntegrityError, transaction

from kequn.core.errors import Conflict, InvalidSpec, NotAllowed, Where
from kequn.ops.books.listing import circle_for
from kequn.ops.books.models import Circle, CircleMember
from kequn.ops.customers.queries import people_by_id
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

MOST_MEMBERS = 2_000


def create_circle(actor: Actor, name: str, *, place: str = "", note: str = "") -> Circle:
    """Make a circle, empty at first; the same name again gives the same circle.

    Raises:
        NotAllowed: only an RM has a book to make it of.
        InvalidSpec: no name.
    """
    _book_of(actor)
    name = _named(name)
    fields = {"place": clean(place, longest=80, field="place").text, "note": clean(note, longest=500).text}
    try:
        with transaction.atomic():
            row = Circle.objects.create(
                staff_no=actor.staff_no, branch_code=actor.branch_code, name=name, created_at=now(), **fields
            )
            record(actor, "circle.created", row)
    except IntegrityError:
        return Circle.objects.get(staff_no=actor.staff_no, name=name, removed_at__isnull=True)
    return row


def change_circle(actor: Actor, circle_id: int, *, name: str, place: str = "", note: str = "") -> Circle:
    """Change what a circle is called and what is noted of it.

    Raises:
        Conflict: another circle has the name.
    """
    row = _own(actor, circle_id)
    fields = {
        "name": _named(name),
        "place": clean(place, longest=80, field="place").text,
        "note": clean(note, longest=500).text,
    }
    try:
        with transaction.atomic():
            Circle.objects.filter(pk=row.pk).update(**fields)
            record(actor, "circle.changed", row)
    except IntegrityError:
        raise Conflict("You have another circle of this name.", hint="Choose another name.") from None
    row.refresh_from_db()
    return row


def remove_circle(actor: Actor, circle_id: int) -> None:
    """Take a circle away; its customers stay where they are."""
    row = _own(actor, circle_id)
    with transaction.atomic():
        if Circle.objects.filter(pk=row.pk, removed_at__isnull=True).update(removed_at=now()):
            record(actor, "circle.removed", row)


def add_to_circle(actor: Actor, circle_id: int, customer_ids: Sequence[str]) -> int:
    """Put customers of one's own book into a circle; who is in it already stays. Return how many are new.

    Raises:
        NotAllowed: one of them is not in the actor's book.
        Conflict: the circle would be too large.
    """
    row, ids = _own(actor, circle_id), list(dict.fromkeys(customer_ids))
    mine = {i for i, person in people_by_id(actor, ids).items() if person.rm_no == actor.staff_no}
    if len(mine) < len(ids):
        raise NotAllowed("There is no such customer in your scope.", n=len(ids) - len(mine))
    with transaction.atomic():
        Circle.objects.select_for_update().get(pk=row.pk)
        there = set(CircleMember.objects.filter(circle=row).values_list("customer_id", flat=True))
        fresh = [i for i in ids if i not in there]
        if len(there) + len(fresh) > MOST_MEMBERS:
            raise Conflict(f"A circle has at most {MOST_MEMBERS:,} customers.", hint="Make a second one.")
        moment = now()
        CircleMember.objects.bulk_create(
            [CircleMember(circle=row, customer_id=i, added_at=moment) for i in fresh], ignore_conflicts=True
        )
        if fresh:
            record(actor, "circle.joined", row, n=len(fresh))
    return len(fresh)


def take_from_circle(actor: Actor, circle_id: int, customer_ids: Sequence[str]) -> int:
    """Take customers out of a circle; return how many were in it."""
    row = _own(actor, circle_id)
    with transaction.atomic():
        n, _ = CircleMember.objects.filter(circle=row, customer_id__in=list(customer_ids)).delete()
        if n:
            record(actor, "circle.left", row, n=n)
    return n


def _own(actor: Actor, circle_id: int) -> Circle:
    _book_of(actor)
    return circle_for(actor, circle_id)


def _book_of(actor: Actor) -> None:
    actor.must("stocktake.run")
    if actor.role != "rm" or not actor.staff_no:
        raise NotAllowed("Only an RM groups her own customers.", right="stocktake.run")


def _named(name: str) -> str:
    name = clean(name, longest=40, field="name").text
    if not name:
        raise InvalidSpec("A circle needs a name.", where=Where(field="name"))
    return name
