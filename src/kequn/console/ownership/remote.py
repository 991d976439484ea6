"""The remote centre's queue: what waits, what an agent has, and what came back."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from kequn.console.access import Request, done, page, status_of
from kequn.console.ownership.tabs import around, numbers
from kequn.console.tables import Column, Table
from kequn.core.errors import KequnError
from kequn.ops.customers.queries import people_by_id
from kequn.ops.ownership import queries, services, states

QUEUE = (
    Column(lazy("进入时间"), "opened_at", "opened_at"),
    Column(lazy("客户"), "customer_id"),
    Column(lazy("机构"), "branch_code", "branch_code"),
    Column(lazy("原因"), "reason", "reason"),
    Column(lazy("坐席"), "agent", "agent"),
)


@page("remote.take", "customer.assign")
def queue(request: Request, error: KequnError | None = None) -> HttpResponse:
    """List an agent's customers and what waits; a branch head sees which of hers are there."""
    actor = request.actor
    mine = list(queries.cases_for(actor, state=states.TAKEN)) if actor.may("remote.take") else []
    waiting = queries.cases_for(actor, state=states.OPEN) if actor.may("remote.take") else queries.cases_for(actor)
    table = Table(request, waiting, QUEUE, name="queue", exports=False, per_page=30)
    shown = [row.customer_id for row in table.rows]
    context = {
        **around(actor, "remote"), "table": table, "mine": mine, "error": error, "reasons": states.REMOTE_REASONS,
        "people": people_by_id(actor, [*shown, *(row.customer_id for row in mine)]), "briefs": queries.briefs_of(shown),
        "capacity": queries.capacity_of([actor.staff_no], queries.today()).get(actor.staff_no, 0), "bands": queries.BANDS,
        "band_of": {c: queries.band_of(b.aum_fen) for c, b in queries.briefs_of(shown).items()},
    }  # fmt: skip
    return render(request, "ownership/remote.html", context, status=status_of(error) if error else 200)


@page("remote.take")
@require_POST
def act(request: Request) -> HttpResponse:
    """Take the next ones, give one back, or close one."""
    form = request.POST
    cases = numbers(form.getlist("case"))
    try:
        match form.get("act"):
            case "take":
                asked = form.get("n", "1")
                wanted = min(int(asked), 20) if asked.isdecimal() and len(asked) < 4 else 1
                n = len(services.take_cases(request.actor, n=wanted, case_ids=cases))
                return done(request, "remote", ngettext("已领取 %(n)s 位", "已领取 %(n)s 位", n) % {"n": n})
            case "return" if cases:
                services.return_case(request.actor, cases[0])
                return done(request, "remote", _("已放回队列"))
            case "close" if cases:
                services.close_case(request.actor, cases[0], note=form.get("note", ""))
                return done(request, "remote", _("已办结"))
    except KequnError as error:
        return queue(request, error)
    return done(request, "remote")
