"""Tasks as the data are asked about them: what each is about, in which family, since when and on top of how much."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from kequn.core.desk import RULES, Matter
from kequn.ops.audiences.queries import ordinals
from kequn.ops.catalog import queries as catalog
from kequn.ops.runtime import engine
from kequn.ops.workbench.models import Task


@dataclass(slots=True)
class Row:
    """What of a task is needed to ask the data about it, and to close it."""

    pk: int
    customer_id: str
    staff_no: str
    branch: str
    kind: str
    state: str
    is_main: bool
    score: int
    created_at: datetime
    facts: dict[str, Any]
    offer: str


COLUMNS = (
    "pk", "customer_id", "staff_no", "branch_code", "kind", "state", "is_main", "score", "created_at", "facts", "offer",
)  # fmt: skip


def rows_of(tasks: QuerySet[Task]) -> list[Row]:
    """Read tasks, in their order."""
    return [Row(*row) for row in tasks.values_list(*COLUMNS)]


def matters_of(rows: Sequence[Row]) -> list[Matter]:
    """Return what the data are asked about each task, in order."""
    zone = ZoneInfo(engine().manifest.zone)
    products, offers = catalog.products(), {}
    for name in {r.offer for r in rows if r.offer}:
        version = catalog.newest("offer", name)
        offers[name] = products.get(version.spec.product) if version else None
    matters = []
    for row, ordinal in zip(rows, ordinals([r.customer_id for r in rows]).tolist(), strict=True):
        about = offers.get(row.offer)
        rule = RULES.get(row.kind, "bought")
        began = row.facts.get("as_of")
        # a task of the day is about what the data of the evening before did not show
        evening_before = row.created_at.astimezone(zone).date() - timedelta(days=1)
        base_on = date.fromisoformat(began) if began else evening_before
        if row.kind in ("matured", "maturing"):
            base_on = date.fromisoformat(row.facts["on"])
        base = row.facts.get("base")
        matters.append(
            Matter(
                row.pk, ordinal, rule, row.facts.get("family") or (about.family if about else ""),
                None if base is None else int(base), base_on, int(row.facts.get("fen", 0)),
            )
        )  # fmt: skip
    return matters
