"""The relationship manager's tasks and customers."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import render

from kequn.console.access import Request, page
from kequn.ops.customers.queries import people_by_id
from kequn.ops.workbench.queries import task_counts, tasks_for

DUES = ("today", "overdue", "later")
SHOWN = 30


# -- tasks --------------------------------------------------------------------------------------------------------------


@page("task.work")
def tasks(request: Request) -> HttpResponse:
    """List one's tasks; on a wide window the first one stands open beside the list."""
    due, closed = request.GET.get("due", ""), request.GET.get("state") == "done"
    held = None if closed else due == "held"
    rows = tasks_for(request.actor, due=due if due in DUES else None, state="done" if closed else "open", held=held)
    found = Paginator(rows.order_by("-score", "due_at", "pk"), SHOWN).get_page(request.GET.get("page"))
    context = {
        "found": found, "people": people_by_id(request.actor, [t.customer_id for t in found]), "due": due, "dues": DUES, "closed": closed,
        "counts": task_counts(request.actor), "query": urlencode({k: v for k, v in request.GET.items() if k in ("due", "state")}),
    }  # fmt: skip
    return render(request, "work/tasks.html", context)
