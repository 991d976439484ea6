"""Keep a person's own views of her list."""

from __future__ import annotations

from urllib.parse import parse_qs

from django.db import transaction

from kequn.core.errors import Conflict, InvalidSpec, Where
from kequn.ops.books.contracts import BookFilter
from kequn.ops.books.filters import filter_query, read_filter
from kequn.ops.books.listing import view_for, views_for
from kequn.ops.books.models import SavedView
from kequn.ops.customers.services import clean
from kequn.ops.governance.services import record
from kequn.ops.orgs.actor import Actor
from kequn.ops.runtime import now

MOST_VIEWS = 30
LONGEST = 1_000


def save_view(actor: Actor, name: str, query: str, *, is_default: bool = False) -> SavedView:
    """Keep a filter under a name; the same name again replaces it. The default opens when no filter is asked for.

    Raises:
        InvalidSpec: no name, or a filter that is none.
        Conflict: too many views.
    """
    actor.must("customer.view")
    name = clean(name, longest=40, field="name").text
    if not name:
        raise InvalidSpec("A view needs a name.", where=Where(field="name"))
    if actor.user_id is None:
        raise Conflict("Views belong to people.", hint="Act as a member of staff.")
    text = filter_query(filter_of(query))
    if len(text) > LONGEST:
        raise InvalidSpec("The filter is too long to be kept.", where=Where(field="query"))
    if not views_for(actor).filter(name=name).exists() and views_for(actor).count() >= MOST_VIEWS:
        raise Conflict(f"You have {MOST_VIEWS} views, which is the limit.", hint="Remove one.")
    with transaction.atomic():
        if is_default:
            views_for(actor).filter(is_default=True).exclude(name=name).update(is_default=False)
        row, _ = SavedView.objects.update_or_create(
            user_id=actor.user_id,
            name=name,
            defaults={"query": text, "is_default": is_default},
            create_defaults={"query": text, "is_default": is_default, "created_at": now()},
        )
        record(actor, "view.saved", row, default=is_default)
    return row


def remove_view(actor: Actor, view_id: int) -> None:
    """Take one of one's own views away."""
    actor.must("customer.view")
    row = view_for(actor, view_id)
    with transaction.atomic():
        record(actor, "view.removed", row)
        row.delete()


def filter_of(query: str) -> BookFilter:
    """Return the filter that an address says. Raises as `read_filter`."""
    return read_filter(parse_qs(query))
