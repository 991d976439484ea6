"""Put one task into the world, once; of a customer's open tasks one is the main one, and the others are folded under it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction

from kequn.core.desk import score
from kequn.ops.audiences.queries import bank_today
from kequn.ops.catalog import queries as catalog
from kequn.ops.chunks import chunks
from kequn.ops.runtime import engine
from kequn.ops.workbench import states
from kequn.ops.workbench.models import Task
from kequn.ops.workbench.queries import bank_day

PRIORITY = 60
"""Of a task that says nothing of it."""


def create_task(key: str, **fields: Any) -> tuple[Task, bool]:
    """Create a task, or return the one of the same key; with whether it is new.

    It is the customer's main task where she has no other open one.
    """
    fields |= {
        "score": score_of(fields.get("priority", PRIORITY), fields["due_at"], fields.get("value_cny")),
        "facts": _facts(fields),
    }
    for is_main in (True, False):
        if is_main and Task.objects.filter(customer_id=fields["customer_id"], state=states.OPEN, is_main=True).exists():
            continue
        try:
            with transaction.atomic():
                return Task.objects.create(key=key, is_main=is_main, **fields), True
        except IntegrityError:
            if (before := Task.objects.filter(key=key).first()) is not None:
                return before, False
            if not is_main:
                raise
    raise AssertionError("unreachable: the second turn creates, returns or raises")


def score_of(priority: int, due_at: datetime, value_cny: Decimal | None, *, is_agreed: bool = False) -> int:
    """Return the place of one task in the order of today; each morning gives it a new one.

    ``is_agreed`` says that its time is one that was agreed on with the customer.
    """
    due, day, zone = bank_day(due_at), bank_today(), ZoneInfo(engine().manifest.zone)
    minute = minute_of(due_at, zone) if is_agreed and due == day else -1
    return int(score([priority], [due], [int((value_cny or 0) * 100)], day=day, minute=[minute])[0])


def minute_of(moment: datetime, zone: ZoneInfo) -> int:
    """Return the minute of the bank's day."""
    there = moment.astimezone(zone)
    return there.hour * 60 + there.minute


def _facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What it is about; the offer with its title, so that a list of tasks need not ask for it."""
    facts = dict(fields.get("facts", {}))
    wanted = fields.get("offer") if "offer" not in facts else ""
    version = catalog.newest("offer", wanted) if wanted else None
    return facts | {"offer": version.spec.title.model_dump()} if version else facts


def promote(customer_ids: Iterable[str]) -> list[int]:
    """Give customers without an open main task the most urgent of their open ones; return what became a main task.

    The caller holds the transaction.
    """
    ids, promoted = list(dict.fromkeys(customer_ids)), []
    for some in chunks(ids):
        rows = Task.objects.filter(customer_id__in=some, state=states.OPEN, is_held=False)
        first: dict[str, tuple[int, bool]] = {}
        for pk, customer_id, is_main in rows.order_by("-is_main", "-score", "-priority", "due_at", "id").values_list(
            "pk", "customer_id", "is_main"
        ):
            first.setdefault(customer_id, (pk, is_main))
        chosen = [pk for pk, is_main in first.values() if not is_main]
        Task.objects.filter(pk__in=chosen).update(is_main=True)
        promoted += chosen
    return promoted
