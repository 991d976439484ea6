"""A relationship manager's first page: her day, as many customers as her list is long, the most urgent on top."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language

from kequn.console.access import Request, page
from kequn.console.words import word_for
from kequn.ops.customers.queries import people_for
from kequn.ops.runtime import now
from kequn.ops.sources.queries import data_date
from kequn.ops.workbench.queries import bank_day
from kequn.ops.workbench.states import KINDS
from kequn.ops.workbench.today import PROMISES, Row, today_for

MOST_URGENT = 3


@page("task.work")
def today(request: Request) -> HttpResponse:
    """Show the day; ``kind`` shows one kind of occasion alone."""
    kind = request.GET.get("kind", "")
    found = today_for(request.actor, kind=kind if kind in KINDS else "")
    rows = [_shown(row) for row in found.rows]
    context = {
        "t": found, "urgent": rows[:MOST_URGENT], "others": rows[MOST_URGENT:], "kind": kind, "at": now(),
        "data_date": data_date(), "data_faults": (), "undo": request.GET.get("undo", ""),
        "kinds": [(k, KINDS[k].to(get_language() or "zh"), n) for k, n in sorted(found.by_kind.items(), key=_most)],
        "without_customers": not rows and not found.done and not people_for(request.actor).exists(),
    }  # fmt: skip
    return render(request, "work/today.html", context)


def _most(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0]


def _shown(row: Row) -> dict[str, Any]:
    """Return a row with its words in the reader's language."""
    language = get_language() or "zh"
    task, blocked = row.task, row.task.blocked
    return {
        "task": task, "person": row.person, "kind": KINDS[row.kind].to(language), "why": row.why, "offer": row.offer,
        "is_overdue": row.task.is_overdue, "is_promise": row.kind in PROMISES,
        "also": [(t, KINDS[t.kind].to(language)) for t in row.also], "test": row.test,
        "due": bank_day(task.due_at),
        "until": task.due_at if row.kind in PROMISES else task.expires_at or task.due_at,
        "no_offer": blocked.get("offer", ()), "no_call": blocked.get("call", ()),
        "by": word_for("channel", task.channel),
    }  # fmt: skip
